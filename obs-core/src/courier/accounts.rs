//! Exact accounts of what was handed over: `accepted = delivered + dropped + pending`, at every moment.

use std::fmt;
use std::ops::AddAssign;

use super::Signal;

/// Why an item will never be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The outbox was full, and this was the oldest in it (or alone too large for it).
    QueueFull,
    /// The destination refused it: a permanent error, or its share of a partial success.
    Rejected,
    /// Handed over after shutdown began, or still undelivered at its deadline.
    Shutdown,
    /// The transport panicked on it several times.
    Fault,
    /// Handed over in a forked child, which has no courier of its own.
    Forked,
    /// The spool was full, and this was the oldest in it (or alone too large for it).
    SpoolFull,
    /// It lay in the spool for longer than its age limit.
    Expired,
    /// It was in the spool and cannot be read any more: damaged, removed, or on a disk that fails.
    SpoolUnreadable,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::Rejected,
        Self::Shutdown,
        Self::Fault,
        Self::Forked,
        Self::SpoolFull,
        Self::Expired,
        Self::SpoolUnreadable,
    ];

    /// The reason as the value of an attribute, e.g. `queue_full`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::Shutdown => "shutdown",
            Self::Fault => "fault",
            Self::Forked => "forked",
            Self::SpoolFull => "spool_full",
            Self::Expired => "expired",
            Self::SpoolUnreadable => "spool_unreadable",
        }
    }
}

/// Items dropped, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped([u64; DropReason::ALL.len()]);

impl Dropped {
    /// How many were dropped for this reason.
    pub fn by(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many were dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, reason: DropReason, items: u64) {
        self.0[reason as usize] += items;
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for reason in DropReason::ALL
            .into_iter()
            .filter(|&reason| self.by(reason) > 0)
        {
            write!(f, "{separator}{} {}", reason.as_str(), self.by(reason))?;
            separator = ", ";
        }
        Ok(())
    }
}

impl fmt::Debug for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(DropReason::ALL.map(|reason| (reason.as_str(), self.by(reason))))
            .finish()
    }
}

/// The items of one signal (or of all): where each of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Handed to the outbox, or found in the spool at the start.
    pub accepted: u64,
    /// Taken by the destination.
    pub delivered: u64,
    /// Gone, by reason.
    pub dropped: Dropped,
    /// Queued, being sent, waiting for another try, or in the spool.
    pub pending: u64,
    /// Of those pending, on disk: after a shutdown they are delivered by the next process that uses the spool.
    pub spooled: u64,
    /// Of those accepted, left in the spool by an earlier process.
    pub recovered: u64,
}

impl Account {
    /// Every item is in exactly one place.
    pub fn is_balanced(&self) -> bool {
        self.accepted == self.delivered + self.dropped.total() + self.pending
    }
}

impl AddAssign for Account {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.pending += other.pending;
        self.spooled += other.spooled;
        self.recovered += other.recovered;
        for (mine, theirs) in self.dropped.0.iter_mut().zip(other.dropped.0) {
            *mine += theirs;
        }
    }
}

/// One consistent snapshot of everything the courier has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accounts {
    /// Spans.
    pub traces: Account,
    /// Data points.
    pub metrics: Account,
    /// Log records.
    pub logs: Account,
    /// Bytes of memory held by pending batches.
    pub pending_bytes: u64,
    /// Batches put back to be tried again.
    pub retries: u64,
    /// Panics of the transport, all contained.
    pub panics: u64,
    /// Bytes of the spool's files.
    pub spooled_bytes: u64,
    /// What did not work at the spool's files: each failed write, read, sync, or try to have the directory.
    pub spool_errors: u64,
    /// Bytes found in the spool at the start that are no whole records: a torn end, or damage. What was in them nobody knows.
    pub spool_corrupt_bytes: u64,
}

impl Accounts {
    /// The account of one signal.
    pub fn of(&self, signal: Signal) -> &Account {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    pub(super) fn of_mut(&mut self, signal: Signal) -> &mut Account {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Metrics => &mut self.metrics,
            Signal::Logs => &mut self.logs,
        }
    }

    /// All signals together.
    pub fn total(&self) -> Account {
        let mut total = self.traces;
        total += self.metrics;
        total += self.logs;
        total
    }
}
