//! Small files of the kernel's, under a root that tests replace by a recorded one.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of one file that are read: what the kernel says of itself is less, and what stands for it may be anything.
const MOST: u64 = 1024 * 1024;

/// A directory with files of the kernel's.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A directory within.
    pub(crate) fn within(&self, path: impl AsRef<Path>) -> Self {
        Self(self.0.join(path))
    }

    /// A file's text; `None` where it cannot be read: not there, not allowed, or the device behind it does not say.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        self.read_at_most(path, MOST)
    }

    /// The same of so many bytes of it.
    pub(crate) fn read_at_most(&self, path: impl AsRef<Path>, most: u64) -> Option<String> {
        let file = fs::File::open(self.0.join(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file that says one number. `max` is no number.
    pub(crate) fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.read(path)?.trim().parse().ok()
    }

    /// The value that stands behind a key in a file of `key value` lines.
    pub(crate) fn keyed(&self, path: impl AsRef<Path>) -> Keyed {
        Keyed(self.read(path).unwrap_or_default())
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names
    }
}

/// A file of lines that each say a key and a number.
#[derive(Debug)]
pub(crate) struct Keyed(String);

impl Keyed {
    pub(crate) fn get(&self, key: &str) -> Option<u64> {
        let mut lines = self.0.lines();
        lines.find_map(|line| {
            let (found, value) = line.split_once(|c: char| c.is_ascii_whitespace() || c == ':')?;
            (found == key).then(|| value.split_ascii_whitespace().next()?.parse().ok())?
        })
    }
}
