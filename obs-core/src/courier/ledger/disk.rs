//! What the ledger knows of a disk: what lies there, and whether it is to be waited for. Without the feature `spool` nothing
//! ever does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::{Settings, Signal, spool::Place, time::after};
use super::Queued;

/// What one lane has on disk.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// In memory as well, oldest first; older than what is not.
    pub(super) loaded: VecDeque<Queued>,
    /// On disk alone.
    pub(super) records: u64,
    pub(super) items: u64,
    /// Reading failed: not before this moment again.
    pub(super) retry_at: Option<Instant>,
    /// The next one needs so much memory, which was not there.
    pub(super) needs: Option<u64>,
}

impl Shelf {
    pub(super) fn is_empty(&self) -> bool {
        self.loaded.is_empty() && self.records == 0
    }
}

/// The disk itself.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) state: DiskState,
    /// Somebody has been at it since.
    pub(super) busy_since: Option<Instant>,
    /// The ticket of what is being written.
    pub(super) writing: Option<u64>,
    /// Sent and not yet marked so, in order.
    pub(super) settled: VecDeque<(Signal, Place)>,
    /// The last write failed.
    pub(super) is_full: bool,
    /// Of its files.
    pub(super) bytes: u64,
    #[cfg(feature = "spool")]
    pub(super) writer: super::spooled::Writer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DiskState {
    /// There is none, or it cannot be had.
    #[default]
    Without,
    /// It is not known yet what is there.
    Opening,
    #[cfg_attr(
        not(feature = "spool"),
        expect(dead_code, reason = "only a spool opens")
    )]
    Open,
}

impl Disk {
    pub(super) fn new(settings: &Settings) -> Self {
        #[cfg(feature = "spool")]
        if let Some(spool) = &settings.spool {
            return Self {
                state: DiskState::Opening,
                writer: super::spooled::Writer::new(spool),
                ..Self::default()
            };
        }
        let _ = settings;
        Self::default()
    }

    pub(super) fn is_opening(&self) -> bool {
        self.state == DiskState::Opening
    }

    /// Whether the next of a lane is to come from the disk, and the disk can be expected to give it.
    pub(super) fn is_waited_for(&self, shelf: &Shelf, now: Instant) -> bool {
        if self.given_up_at().is_some_and(|at| at <= now) {
            return false;
        }
        match self.state {
            DiskState::Without => false,
            DiskState::Opening => true,
            // One batch at most is sent again after a sudden end, so the next one waits for the mark of the last.
            DiskState::Open if !shelf.loaded.is_empty() => !self.settled.is_empty(),
            DiskState::Open => {
                let failing = shelf.retry_at.is_some_and(|at| at > now);
                // Memory that is full is written out, unless that fails, too.
                let fits = shelf.needs.is_none() || !self.is_full;
                shelf.records > 0 && !failing && fits
            }
        }
    }

    /// When whoever waits for it goes on without.
    pub(super) fn given_up_at(&self) -> Option<Instant> {
        self.busy_since.map(|since| after(since, MOST_PATIENCE))
    }
}

/// A disk that takes longer than this hangs, for all we know.
const MOST_PATIENCE: Duration = Duration::from_secs(1);
