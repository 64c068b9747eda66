//! The bound on what finished operations hold beside their records, on the way from callers to the collector.
//!
//! Rings bound how many wait; most are as small as they were made. What is large (dynamic attributes, events, a long text) is
//! counted in bytes over all threads, and only that.

use super::live::Live;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Debug)]
pub(crate) struct Waiting {
    bytes: AtomicI64,
    cap: i64,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Plenty,
    /// Little is left: time to wake the collector.
    HalfFull,
    Full,
}

impl Waiting {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            bytes: AtomicI64::new(0),
            cap: i64::try_from(cap).unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn take(&self, live: &Live) -> Room {
        let own = live.bytes() as i64;
        let all = self.bytes.fetch_add(own, Ordering::Relaxed) + own;
        if all > self.cap {
            self.bytes.fetch_sub(own, Ordering::Relaxed);
            return Room::Full;
        }
        if all > self.cap / 2 {
            return Room::HalfFull;
        }
        Room::Plenty
    }

    /// Of records that were taken, and have not changed since.
    pub(crate) fn give_back<'a>(&self, records: impl IntoIterator<Item = &'a Box<Live>>) {
        let large = records.into_iter().filter(|live| live.is_large());
        let bytes: i64 = large.map(|live| live.bytes() as i64).sum();
        if bytes > 0 {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// In a forked child nothing waits.
    pub(crate) fn begin_anew(&self) {
        self.bytes.store(0, Ordering::Relaxed);
    }
}
