//! What goes wrong with devices, from NVIDIA's library to the gate: scenarios of the fake library, read by the real loader.
#![cfg(all(feature = "nvml", target_os = "linux"))]

mod stepped;
mod threaded;

use obs_gpu::DeviceId;
use obs_gpu_fake::Fake;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A driver of its own, in a folder that is gone with the test.
pub(crate) struct Driver {
    pub(crate) fake: Fake,
    folder: PathBuf,
}

impl Driver {
    pub(crate) fn new(script: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("health-{}-{next}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let fake = Fake::install(&folder, &[], script).expect("a script");
        Self { fake, folder }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Whoever hangs is let go.
        let _ = self.fake.reset("gpus = H100");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "not yet: {what}");
        std::thread::yield_now();
    }
}

/// Two devices: nothing happens to the first one.
pub(crate) fn both(ids: &[DeviceId]) -> [&DeviceId; 2] {
    let [well, ill] = ids else {
        panic!("two devices expected: {ids:?}");
    };
    [well, ill]
}
