//! A destination that is away, and the directory in which what waits for it is kept.

use crate::corpus;
use obs_core::Delivery;
use obs_core::courier::{Capture, Sent, Settings, SpoolSettings};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Removed at the end of the test.
pub(crate) struct Spool(PathBuf);

impl Spool {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("obs-secrets-spool-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// To nobody: all of it goes to disk at once.
    pub(crate) fn delivery(&self) -> Delivery {
        let spool = SpoolSettings::at(&self.0).with_patience(Duration::ZERO);
        Delivery::through(Capture::new().with_answer(|_| Sent::retry("away")))
            .with_settings(Settings::default().with_spool(spool))
            .named("away")
    }

    /// Every file of it, with its name. It has some of each signal.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        below(&self.0, &mut files);
        for signal in ["traces", "metrics", "logs"] {
            let mut segments =
                { files.iter() }.filter(|(name, _)| name.starts_with(&format!("spool/{signal}-")));
            assert!(
                segments.any(|(_, bytes)| bytes.len() > 100),
                "nothing of {signal} is on disk"
            );
        }
        // The scanner of folders sees what that of bytes sees.
        let both = files.iter().flat_map(|(_, bytes)| corpus::found_in(bytes));
        assert_eq!(corpus::found_below(&self.0).len(), both.count());
        files
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn below(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a spool") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            below(&path, files);
        } else {
            let name = path.file_name().expect("a file").to_string_lossy();
            let bytes = std::fs::read(&path).expect("readable");
            files.push((format!("spool/{name}"), bytes));
        }
    }
}
