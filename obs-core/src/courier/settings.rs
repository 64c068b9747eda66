//! What one courier may hold, and how patiently it tries: plain data.

#[cfg(feature = "spool")]
use super::SpoolSettings;
use std::path::PathBuf;
use std::time::Duration;

/// How much may wait, and how patiently.
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(super) capacity_bytes: usize,
    pub(super) initial_backoff: Duration,
    pub(super) max_backoff: Duration,
    #[cfg(feature = "spool")]
    pub(super) spool: Option<SpoolSettings>,
}

impl Settings {
    /// Memory for pending batches of all signals, 56 MiB unless set: with what an allocator adds, a process grows by less than
    /// 64 MiB. The oldest batch goes when it is used up.
    pub fn with_capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = bytes;
        self
    }

    /// Where its spool is, if it has one.
    pub(crate) fn spool_directory(&self) -> Option<PathBuf> {
        #[cfg(feature = "spool")]
        if let Some(spool) = &self.spool {
            let absolute = std::path::absolute(&spool.directory);
            return Some(absolute.unwrap_or_else(|_| spool.directory.clone()));
        }
        None
    }

    /// The wait after a first failure, and the longest between two tries: 1 s and 30 s unless set, and never less
    /// than a millisecond.
    pub fn with_backoff(mut self, initial: Duration, max: Duration) -> Self {
        (self.initial_backoff, self.max_backoff) = (initial, max);
        self
    }

    /// A forked child's: the directory of a spool is its parent's.
    pub(super) fn for_child(self) -> Self {
        Self {
            #[cfg(feature = "spool")]
            spool: None,
            ..self
        }
    }

    /// A [spool](super::spool) for what the destination does not take; by default there is none.
    #[cfg(feature = "spool")]
    pub fn with_spool(mut self, spool: SpoolSettings) -> Self {
        self.spool = Some(spool);
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capacity_bytes: 56 << 20,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            #[cfg(feature = "spool")]
            spool: None,
        }
    }
}
