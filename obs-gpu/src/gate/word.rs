//! The one word of a gate, and who waits for it to be empty.
//!
//! State and count are one word, so that each change of one is seen with the other: whoever is counted in after a gate closed
//! sees that it did, and goes back. Nobody waits for a gate that is open, so that work at an open gate touches nothing but the
//! word.

use super::{Draining, GateState};
use crate::sync::{AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(not(loom))]
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::{Poll, Waker};

/// Bits 0 and 1: the state. Bit 2: links are at fault. From bit 3 on: how many are in.
#[derive(Debug, Default)]
pub(super) struct Word {
    bits: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<(u64, Waker)>,
    next: u64,
}

const STATE: u64 = 0b011;
const FABRIC: u64 = 0b100;
const FLAGS: u64 = STATE | FABRIC;
const ONE: u64 = 0b1000;

impl Word {
    #[inline]
    pub(super) fn state(&self) -> GateState {
        GateState::from_bits(self.bits.load(Ordering::Acquire) & STATE)
    }

    #[inline]
    pub(super) fn is_fabric_impaired(&self) -> bool {
        self.bits.load(Ordering::Acquire) & FABRIC != 0
    }

    #[inline]
    pub(super) fn in_flight(&self) -> u64 {
        self.bits.load(Ordering::Acquire) / ONE
    }

    /// Counts one in, or says what stands against it.
    #[inline]
    pub(super) fn enter(&self, draining: Draining, of_several: bool) -> Result<(), GateState> {
        let before = self.bits.fetch_add(ONE, Ordering::AcqRel);
        // The usual case: one comparison.
        if before & FLAGS == 0 {
            return Ok(());
        }
        self.enter_flagged(before, draining, of_several)
    }

    #[cold]
    #[inline(never)]
    fn enter_flagged(
        &self,
        before: u64,
        draining: Draining,
        of_several: bool,
    ) -> Result<(), GateState> {
        let state = GateState::from_bits(before & STATE);
        let drains = state == GateState::Draining || of_several && before & FABRIC != 0;
        let passes = match state {
            GateState::Isolated => false,
            _ => !drains || draining == Draining::Pass,
        };
        if passes {
            return Ok(());
        }
        self.leave();
        Err(state)
    }

    /// Counts one out.
    #[inline]
    pub(super) fn leave(&self) {
        let before = self.bits.fetch_sub(ONE, Ordering::AcqRel);
        // The last one out of a closed gate.
        if before & STATE != 0 && before / ONE == 1 {
            self.wake();
        }
    }

    /// Sets state and links, and says what the state was. Of several that do so at once none knows whose is last: callers take
    /// turns.
    pub(super) fn set(&self, state: GateState, fabric: bool) -> GateState {
        let flags = state as u64 | if fabric { FABRIC } else { 0 };
        let set = |bits: u64| Some(bits & !FLAGS | flags);
        let before = self
            .bits
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, set)
            .unwrap_or_else(|same| same);
        if is_empty(before & !FLAGS | flags) {
            self.wake();
        }
        GateState::from_bits(before & STATE)
    }

    /// Whether it is closed and nobody is in; else `waker` is woken once it may be. `key` tells one who waits from others.
    pub(super) fn poll_empty(&self, key: &mut Option<u64>, waker: &Waker) -> Poll<()> {
        if is_empty(self.bits.load(Ordering::Acquire)) {
            return Poll::Ready(());
        }
        self.wait(key, waker);
        // Who emptied it before that did not see us; who does so after does.
        match is_empty(self.bits.load(Ordering::Acquire)) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn wait(&self, key: &mut Option<u64>, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = { waiting.wakers.iter_mut() }.find(|(of, _)| Some(*of) == *key);
        let before = match known {
            Some((_, known)) if known.will_wake(waker) => None,
            Some((_, known)) => Some(std::mem::replace(known, waker.clone())),
            None => {
                let of = waiting.next;
                waiting.next += 1;
                *key = Some(of);
                waiting.wakers.push((of, waker.clone()));
                None
            }
        };
        drop(waiting);
        // A waker's drop is its executor's code.
        drop(before);
    }

    /// Waits no longer.
    pub(super) fn give_up(&self, key: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let place = { waiting.wakers.iter() }.position(|(of, _)| *of == key);
        let gone = place.map(|place| waiting.wakers.swap_remove(place));
        drop(waiting);
        drop(gone);
    }

    #[cold]
    #[inline(never)]
    fn wake(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let wakers = std::mem::take(&mut waiting.wakers);
        drop(waiting);
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

fn is_empty(bits: u64) -> bool {
    bits & STATE != 0 && bits / ONE == 0
}

#[cfg(all(loom, test))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn waker() -> (std::sync::Arc<Woken>, Waker) {
        let woken = std::sync::Arc::new(Woken::default());
        (woken.clone(), woken.into())
    }

    fn times(woken: &Woken) -> usize {
        woken.0.load(Ordering::SeqCst)
    }

    #[test]
    fn who_waits_is_ready_or_woken_whoever_leaves_or_closes_when() {
        loom::model(|| {
            let word = Arc::new(Word::default());
            word.enter(Draining::Refuse, false).expect("it is open");
            let leaves = {
                let word = word.clone();
                thread::spawn(move || word.leave())
            };
            let closes = {
                let word = word.clone();
                thread::spawn(move || word.set(GateState::Draining, false))
            };
            let (woken, waker) = waker();
            let mut key = None;
            let polled = word.poll_empty(&mut key, &waker);
            leaves.join().expect("no panic");
            assert_eq!(closes.join().expect("no panic"), GateState::Serving);
            assert!(polled.is_ready() || times(&woken) == 1, "nobody told it");
            assert!(word.poll_empty(&mut key, &waker).is_ready());
        });
    }

    #[test]
    fn once_it_was_closed_and_empty_nobody_is_let_in() {
        loom::model(|| {
            let word = Arc::new(Word::default());
            let enters = {
                let word = word.clone();
                thread::spawn(move || {
                    let in_time = word.enter(Draining::Refuse, false).is_ok();
                    // It stays in.
                    in_time
                })
            };
            word.set(GateState::Isolated, true);
            let (_woken, waker) = waker();
            let empty = word.poll_empty(&mut None, &waker).is_ready();
            let let_in = enters.join().expect("no panic");
            assert!(!(empty && let_in), "it was empty, and somebody is in");
            assert_eq!(word.in_flight(), u64::from(let_in));
            assert_eq!(word.state(), GateState::Isolated);
        });
    }

    #[test]
    fn one_who_is_refused_still_tells_who_waits() {
        loom::model(|| {
            let word = Arc::new(Word::default());
            word.set(GateState::Draining, false);
            let refused = {
                let word = word.clone();
                thread::spawn(move || word.enter(Draining::Refuse, false))
            };
            let (woken, waker) = waker();
            let mut key = None;
            let polled = word.poll_empty(&mut key, &waker);
            assert!(refused.join().expect("no panic").is_err());
            assert!(polled.is_ready() || times(&woken) == 1, "nobody told it");
        });
    }
}
