//! One set of books, from an item's creation to its delivery.

use crate::courier::{Accounts, Couriers, DropReason, Dropped, Losses, Signal};
use crate::engine::Engine;
use crate::engine::flow::Passed;
use std::ops::AddAssign;

/// Where the items of one signal are that one destination is to be given: `created = delivered + dropped + pending`.
///
/// What an item is:
///
/// - *traces*: a span, created when its operation ends and is to be exported, or waits for its root to say whether it is. An
///   operation that the head decision left out and late keep did not want never was an item: it is dropped on its own
///   thread, and its numbers are in the metrics.
/// - *logs*: a log event that was emitted. What flood control held back at its call site never became one, nor did what was
///   logged from within the delivery of telemetry.
/// - *metrics*: a data point that was collected to be exported. Points that a metrics page or a [`Reader`](crate::Reader) shows
///   are made for whoever asks. Measurements are no items: they are added up where they are made, and nothing is lost there.
///
/// Of a signal that has neither a destination nor a [subscriber](crate::Subscriber) there are no items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Book {
    /// Items there have been.
    pub created: u64,
    /// Taken by the destination. Where a signal has none: shown to subscribers.
    pub delivered: u64,
    /// Gone, by reason.
    pub dropped: Dropped,
    /// Of those the ones that were to be delivered: all of what was dropped for a reason that [is a
    /// loss](DropReason::is_loss), and of the children that were let go of while they waited ([`DropReason::KeepTruncated`])
    /// those of traces that were kept after all.
    pub lost: Dropped,
    /// On their way: in the rings of threads, waiting for their roots, in the queue of log events, in a body that is not
    /// full, in an outbox, being sent, or waiting for another try.
    pub pending: u64,
    /// Of those the children that wait for their roots.
    pub waiting: u64,
    /// Of those pending, in the [spool](crate::courier::Account::spooled): a shutdown leaves them to the next process.
    pub spooled: u64,
}

impl Book {
    /// Whether every item is in exactly one place.
    pub fn is_balanced(&self) -> bool {
        self.created == self.delivered + self.dropped.total() + self.pending
    }
}

impl AddAssign for Book {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.lost += other.lost;
        self.pending += other.pending;
        self.waiting += other.waiting;
        self.spooled += other.spooled;
    }
}

/// The [books](Book) of all signals: see [`Telemetry::books`](crate::Telemetry::books).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Books {
    /// Spans.
    pub traces: Book,
    /// Data points.
    pub metrics: Book,
    /// Log records.
    pub logs: Book,
}

impl Books {
    /// The book of one signal.
    pub fn of(&self, signal: Signal) -> &Book {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    fn of_mut(&mut self, signal: Signal) -> &mut Book {
        match signal {
            Signal::Traces => &mut self.traces,
            Signal::Metrics => &mut self.metrics,
            Signal::Logs => &mut self.logs,
        }
    }

    /// All signals together.
    pub fn total(&self) -> Book {
        let mut total = Book::default();
        Signal::ALL
            .iter()
            .for_each(|signal| total += *self.of(*signal));
        total
    }

    /// Whether those of every signal are [balanced](Book::is_balanced).
    pub fn is_balanced(&self) -> bool {
        Signal::ALL
            .iter()
            .all(|signal| self.of(*signal).is_balanced())
    }

    /// What was lost, by signal and reason.
    pub fn lost(&self) -> Losses {
        let mut lost = Losses::default();
        for signal in Signal::ALL {
            *lost.of_mut(signal) = self.of(signal).lost;
        }
        lost
    }
}

impl AddAssign for Books {
    fn add_assign(&mut self, other: Self) {
        Signal::ALL
            .iter()
            .for_each(|signal| *self.of_mut(*signal) += *other.of(*signal));
    }
}

/// Everything, read while nothing moves.
pub(crate) struct Ledgers {
    fronts: [Front; Signal::ALL.len()],
    /// By destination.
    accounts: Vec<Accounts>,
}

/// The items of one signal up to the outboxes: the same for all destinations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Front {
    /// Whether anybody does: a destination, or subscribers. Else there are no items.
    pub(crate) wanted: bool,
    pub(crate) dropped: Dropped,
    lost: Dropped,
    /// Before the collector.
    pub(crate) queued: u64,
    pub(crate) waiting: u64,
    pub(crate) passed: Passed,
}

impl Ledgers {
    /// `inherited`: this is a forked child, and what the engine holds was its parent's. The couriers know.
    pub(crate) fn read(engine: &Engine, couriers: &Couriers) -> Self {
        // What a forked child inherited is its parent's.
        engine.settle();
        engine.intakes.settle();
        engine.flow.settled(|| Self {
            fronts: Signal::ALL.map(|signal| {
                let wanted = couriers.take(signal) || engine.flow.is_subscribed();
                Front::read(engine, signal, wanted)
            }),
            accounts: couriers
                .iter()
                .map(|outlet| outlet.courier.accounts())
                .collect(),
        })
    }

    pub(crate) fn front(&self, signal: Signal) -> &Front {
        let [traces, metrics, logs] = &self.fronts;
        match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        }
    }

    /// Those of each courier.
    pub(crate) fn accounts(&self) -> &[Accounts] {
        &self.accounts
    }

    /// The books of the destination with this number.
    pub(crate) fn of(&self, index: usize, takes: [bool; Signal::ALL.len()]) -> Books {
        let mut books = Books::default();
        let Some(accounts) = self.accounts.get(index) else {
            return books;
        };
        for signal in Signal::ALL {
            *books.of_mut(signal) = if takes[signal.index()] {
                self.front(signal).with(accounts, signal)
            } else {
                // It is given none; an earlier run may have left some in its spool.
                Front::default().with(accounts, signal)
            };
        }
        books
    }

    /// Those of all destinations, and of the signals that have none.
    pub(crate) fn all(&self, couriers: &Couriers) -> Books {
        let mut books = Books::default();
        for (index, outlet) in couriers.iter().enumerate() {
            books += self.of(index, outlet.takes);
        }
        let alone = |signal: &Signal| !couriers.take(*signal) && self.front(*signal).wanted;
        for signal in Signal::ALL.into_iter().filter(alone) {
            *books.of_mut(signal) += self.front(signal).alone();
        }
        books
    }
}

impl Front {
    fn read(engine: &Engine, signal: Signal, wanted: bool) -> Self {
        let counts = &engine.counts;
        let mut front = Self {
            wanted,
            passed: engine.flow.read(signal),
            ..Self::default()
        };
        front.lose(DropReason::Fault, front.passed.faults);
        match signal {
            Signal::Traces => {
                front.lose(DropReason::RingFull, counts.ring_full.read());
                front.lose(DropReason::WaitingFull, counts.waiting_full.read());
                front.lose(DropReason::Forked, counts.forked.read());
                front.lose(DropReason::AfterShutdown, counts.after_shutdown.read());
                front
                    .lost
                    .add(DropReason::KeepTruncated, counts.keep_torn.read());
                let truncated = counts.keep_truncated.read();
                front.dropped.add(DropReason::KeepTruncated, truncated);
                front
                    .dropped
                    .add(DropReason::KeepDropped, counts.keep_dropped.read());
                front.queued = engine.in_rings();
                front.waiting = engine.parked.waiting();
            }
            Signal::Metrics => {}
            Signal::Logs => {
                front.lose(DropReason::LogQueueFull, counts.log_events_full.read());
                let after = counts.log_events_after_shutdown.read();
                front.lose(DropReason::AfterShutdown, after);
                front.queued = engine.logs.len() as u64;
            }
        }
        let of_sdk = counts.of_sdk(signal);
        front.lose(DropReason::TooLarge, of_sdk.too_large.read());
        front.lose(DropReason::AfterShutdown, of_sdk.after_shutdown.read());
        front.queued += engine.intakes.waiting(signal);
        front
    }

    fn lose(&mut self, reason: DropReason, items: u64) {
        self.dropped.add(reason, items);
        self.lost.add(reason, items);
    }

    /// What was created before the outboxes. Not what the other places add up to: what the collector took is counted where it
    /// takes it.
    pub(crate) fn created(&self) -> u64 {
        let before = self.dropped.total() - self.passed.faults;
        before + self.queued + self.waiting + self.passed.taken
    }

    /// What became of it at one destination.
    fn with(&self, accounts: &Accounts, signal: Signal) -> Book {
        let account = accounts.of(signal);
        let mut book = self.alone();
        // What was handed over by others than the collector was created there.
        book.created += account.accepted.saturating_sub(self.passed.handed);
        book.delivered = account.delivered;
        book.dropped += account.dropped;
        book.lost += account.dropped;
        book.pending += account.pending;
        book.spooled = account.spooled;
        book
    }

    /// The book of a signal without a destination.
    fn alone(&self) -> Book {
        Book {
            created: self.created(),
            delivered: self.passed.shown,
            dropped: self.dropped,
            lost: self.lost,
            pending: self.queued + self.waiting + self.passed.encoding,
            waiting: self.waiting,
            spooled: 0,
        }
    }
}
