//! What the collector took and what has become of it: the books between the rings and the outboxes.
//!
//! Numbers that change together are changed inside [`Flow::moving`], so that a reader sees an item in one place and not in
//! two or none. No lock: a forked child inherits locks whose holders do not exist there.

use crate::courier::Signal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Flow {
    begun: AtomicU64,
    ended: AtomicU64,
    subscribed: AtomicBool,
    lanes: [Lane; Signal::ALL.len()],
}

#[derive(Debug, Default)]
struct Lane {
    taken: AtomicU64,
    shown: AtomicU64,
    encoding: AtomicU64,
    handed: AtomicU64,
    faults: AtomicU64,
}

impl Lane {
    fn each(&self) -> [&AtomicU64; 5] {
        [
            &self.taken,
            &self.shown,
            &self.encoding,
            &self.handed,
            &self.faults,
        ]
    }
}

/// The items of one signal that the collector took: each is in one of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) taken: u64,
    /// There is no destination for them; subscribers have seen them.
    pub(crate) shown: u64,
    /// Taken, and in no finished body yet.
    pub(crate) encoding: u64,
    /// In bodies that every destination's outbox was given.
    pub(crate) handed: u64,
    /// Encoding them panicked.
    pub(crate) faults: u64,
}

/// How often a reader waits for a moment in which nothing moves.
const TRIES: u32 = 200;
/// Between the later ones.
const PAUSE: Duration = Duration::from_micros(50);

impl Flow {
    /// Nothing has moved in a process that was just forked, and what was moving there moves elsewhere.
    pub(crate) fn begin_anew(&self) {
        let of_lanes = self.lanes.iter().flat_map(Lane::each);
        for count in [&self.begun, &self.ended].into_iter().chain(of_lanes) {
            count.store(0, Ordering::SeqCst);
        }
    }

    /// Does what moves items from place to place.
    pub(crate) fn moving<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Ends<'a>(&'a AtomicU64);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _ends = Ends(&self.ended);
        work()
    }

    /// Reads, with `read`, while nothing moves. Where something always does, or did when this process was forked, what is
    /// read last may be off by what was moving.
    pub(crate) fn settled<R>(&self, mut read: impl FnMut() -> R) -> R {
        self.at_rest(&mut read).unwrap_or_else(read)
    }

    fn at_rest<R>(&self, mut read: impl FnMut() -> R) -> Option<R> {
        for turn in 0..TRIES {
            let ended = self.ended.load(Ordering::SeqCst);
            if self.begun.load(Ordering::SeqCst) == ended {
                let result = read();
                fence(Ordering::SeqCst);
                if self.begun.load(Ordering::SeqCst) == ended {
                    return Some(result);
                }
            }
            // What moves is a copy, and over soon: unless its thread is not let go on, for which yielding may not be enough.
            if turn < TRIES / 2 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(PAUSE);
            }
        }
        None
    }

    /// There are subscribers, who want what no destination takes. For set-up.
    pub(crate) fn set_subscribed(&self, subscribed: bool) {
        self.subscribed.store(subscribed, Ordering::Relaxed);
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self, signal: Signal) -> Passed {
        let lane = self.lane(signal);
        let [taken, shown, encoding, handed, faults] =
            lane.each().map(|count| count.load(Ordering::SeqCst));
        Passed {
            taken,
            shown,
            encoding,
            handed,
            faults,
        }
    }

    /// The collector took `items`, to be encoded if they are exported.
    pub(crate) fn take(&self, signal: Signal, items: u64, exported: bool) {
        let lane = self.lane(signal);
        self.moving(|| {
            add(&lane.taken, items);
            add(
                if exported {
                    &lane.encoding
                } else {
                    &lane.shown
                },
                items,
            );
        });
    }

    /// `push` puts a body with `items` into the outboxes.
    pub(crate) fn hand(&self, signal: Signal, items: u64, push: impl FnOnce()) {
        let lane = self.lane(signal);
        self.moving(|| {
            push();
            sub(&lane.encoding, items);
            add(&lane.handed, items);
        });
    }

    /// What is not in an unfinished body of `left` items by now never will be: somebody's code unwound through the encoder.
    /// Says how many are lost.
    pub(crate) fn settle(&self, signal: Signal, left: u64) -> u64 {
        let lane = self.lane(signal);
        let lost = lane.encoding.load(Ordering::SeqCst).saturating_sub(left);
        if lost > 0 {
            self.moving(|| {
                sub(&lane.encoding, lost);
                add(&lane.faults, lost);
            });
        }
        lost
    }

    fn lane(&self, signal: Signal) -> &Lane {
        let [traces, metrics, logs] = &self.lanes;
        match signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        }
    }
}

impl Passed {
    /// Whether each item is in one place.
    #[cfg(test)]
    pub(crate) fn is_whole(&self) -> bool {
        self.taken == self.shown + self.encoding + self.handed + self.faults
    }
}

fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::SeqCst);
}

/// What is handed on twice shows as handed on, and not as 2⁶⁴ that wait.
fn sub(count: &AtomicU64, by: u64) {
    let less = |old: u64| Some(old.saturating_sub(by));
    let _ = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_reach_a_body_is_a_fault() {
        let flow = Flow::default();
        flow.take(Signal::Traces, 5, true);
        flow.hand(Signal::Traces, 3, || ());
        assert_eq!(flow.settle(Signal::Traces, 1), 1);
        let passed = flow.read(Signal::Traces);
        assert!(passed.is_whole(), "{passed:?}");
        assert_eq!((passed.handed, passed.encoding, passed.faults), (3, 1, 1));
        assert_eq!(flow.settle(Signal::Traces, 1), 0);
        flow.take(Signal::Logs, 2, false);
        assert_eq!(flow.read(Signal::Logs).shown, 2);
    }

    #[test]
    fn a_reader_sees_an_item_in_one_place_while_another_thread_moves_it() {
        let (flow, over) = (Flow::default(), AtomicBool::new(false));
        let outside = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    flow.take(Signal::Metrics, 7, true);
                    flow.hand(Signal::Metrics, 7, || add(&outside, 7));
                }
                over.store(true, Ordering::SeqCst);
            });
            let both = || (flow.read(Signal::Metrics), outside.load(Ordering::SeqCst));
            while !over.load(Ordering::SeqCst) {
                if let Some((passed, pushed)) = flow.at_rest(both) {
                    assert!(passed.is_whole(), "{passed:?}");
                    assert_eq!(passed.handed, pushed);
                }
            }
            let (passed, pushed) = flow.at_rest(both).expect("nothing moves");
            assert_eq!((passed.handed, pushed), (140_000, 140_000));
        });
    }
}
