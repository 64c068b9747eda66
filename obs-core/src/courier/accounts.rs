//! Exact accounts of what was handed over: `accepted = delivered + dropped + pending`, at every moment. And the reasons for
//! which an item is never delivered, here and on its way here.

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
    /// The transport panicked on it several times, or encoding it did.
    Fault,
    /// Ended, or handed over, in a forked child that has no threads or no courier of its own.
    Forked,
    /// The ring of the thread that it ended on was full: it was to be exported.
    RingFull,
    /// It ended, or was emitted, after the last collection before shutdown.
    AfterShutdown,
    /// A child that waited for its root, let go because too many waited, or for too long, or the telemetry was over first.
    /// [Lost](Self::is_loss) only if its trace was kept after all.
    KeepTruncated,
    /// A child that waited for its root and went with it: nobody wanted the trace.
    KeepDropped,
    /// A log event for which the queue before the collector had no room.
    LogQueueFull,
    /// Longer than a request may be.
    TooLarge,
    /// It held much, and there was no room in bytes on the way to the collector.
    WaitingFull,
    /// The spool was full, and this was the oldest in it (or alone too large for it).
    SpoolFull,
    /// It lay in the spool for longer than its age limit.
    Expired,
    /// It was in the spool and cannot be read any more: damaged, removed, or on a disk that fails.
    SpoolUnreadable,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::QueueFull,
        Self::Rejected,
        Self::Shutdown,
        Self::Fault,
        Self::Forked,
        Self::RingFull,
        Self::AfterShutdown,
        Self::KeepTruncated,
        Self::KeepDropped,
        Self::LogQueueFull,
        Self::TooLarge,
        Self::WaitingFull,
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
            Self::RingFull => "ring_full",
            Self::AfterShutdown => "after_shutdown",
            Self::KeepTruncated => "keep_truncated",
            Self::KeepDropped => "keep_dropped",
            Self::LogQueueFull => "log_events_full",
            Self::TooLarge => "too_large",
            Self::WaitingFull => "waiting_full",
            Self::SpoolFull => "spool_full",
            Self::Expired => "expired",
            Self::SpoolUnreadable => "spool_unreadable",
        }
    }

    /// Whether an item dropped for this reason was to be delivered. What [late keep](crate::KeepPolicy) lets go of was not:
    /// its trace was not to be exported when that was decided.
    pub const fn is_loss(self) -> bool {
        !matches!(self, Self::KeepTruncated | Self::KeepDropped)
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

    pub(crate) fn add(&mut self, reason: DropReason, items: u64) {
        self.0[reason as usize] += items;
    }

    /// Of each reason what is more here than in `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut more = *self;
        for (now, before) in more.0.iter_mut().zip(before.0) {
            *now = now.saturating_sub(before);
        }
        more
    }
}

impl AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
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
        let all = DropReason::ALL.map(|reason| (reason.as_str(), self.by(reason)));
        f.debug_map()
            .entries(all.into_iter().filter(|(_, items)| *items > 0))
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
        self.dropped += other.dropped;
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

/// What was lost, by signal and reason: items that were to be delivered and never will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// Spans.
    pub traces: Dropped,
    /// Data points.
    pub metrics: Dropped,
    /// Log records.
    pub logs: Dropped,
}

impl Losses {
    /// Those of one signal.
    pub fn of(&self, signal: Signal) -> &Dropped {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    pub(crate) fn of_mut(&mut self, signal: Signal) -> &mut Dropped {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Metrics => &mut self.metrics,
            Signal::Logs => &mut self.logs,
        }
    }

    /// Items of all signals.
    pub fn total(&self) -> u64 {
        Signal::ALL
            .iter()
            .map(|signal| self.of(*signal).total())
            .sum()
    }

    /// Of one signal.
    pub(crate) fn only(&self, of: Signal) -> Self {
        let mut only = Self::default();
        *only.of_mut(of) = *self.of(of);
        only
    }

    /// Of each what is more here than in `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            traces: self.traces.since(&before.traces),
            metrics: self.metrics.since(&before.metrics),
            logs: self.logs.since(&before.logs),
        }
    }
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        for signal in Signal::ALL {
            *self.of_mut(signal) += *other.of(signal);
        }
    }
}

impl From<&Accounts> for Losses {
    fn from(accounts: &Accounts) -> Self {
        Self {
            traces: accounts.traces.dropped,
            metrics: accounts.metrics.dropped,
            logs: accounts.logs.dropped,
        }
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for signal in Signal::ALL {
            let lost = self.of(signal);
            if lost.total() > 0 {
                write!(f, "{separator}{signal}: {lost}")?;
                separator = "; ";
            }
        }
        Ok(())
    }
}
