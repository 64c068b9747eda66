//! What sets values at each collection: code of users, that may be slow, panic, collect, or never come back.
//!
//! Where a telemetry may have threads, observables run on one of their own, started with the first of them. A collection
//! asks it for a round and waits for that no longer than the deadline; then it shows what was set last. The one that was
//! running is left behind with its thread, which ends once it returns, and another thread goes on with the others: there
//! are never more threads than observables, and one more. In manual mode they run inside the collection.

use super::Engine;
use crate::contain::contain;
use crate::courier::time::within;
use crate::fork::{Anew, PerProcess};
use crate::sync::{lock_std, try_lock_std};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

type Observe = Box<dyn FnMut() + Send>;
type Mirror = Box<dyn Fn() + Send + Sync>;

/// The observables of one telemetry.
#[derive(Default)]
pub(crate) struct Observables {
    /// Our own: as quick as the collection itself, so it runs inside each.
    mirror: OnceLock<Mirror>,
    state: PerProcess<Rounds>,
    changed: Condvar,
    /// Whether the telemetry is shut down and asks for the last time.
    last: AtomicBool,
}

#[derive(Default)]
struct Rounds(Mutex<State>);

impl Anew for Rounds {
    /// A forked child goes on with those that were not running.
    fn anew(&self) -> Self {
        let mut anew = State::default();
        if let Some(mut parents) = try_lock_std(&self.0) {
            anew.waiting = std::mem::take(&mut parents.waiting);
            anew.closed = parents.closed;
        }
        Self(Mutex::new(anew))
    }
}

#[derive(Default)]
struct State {
    /// Those that are not running now.
    waiting: Vec<Observable>,
    /// Rounds asked for, and done.
    asked: u64,
    done: u64,
    /// Which thread is at it; one that was left behind has an older number.
    thread: u64,
    alive: bool,
    running: bool,
    closed: bool,
}

struct Observable {
    observe: Observe,
    /// The last round it was considered in.
    round: u64,
    /// Rounds to sit out after one that took too long.
    skip: u32,
}

/// Rounds that one that was too slow sits out.
const SITS_OUT: u32 = 10;

thread_local! {
    /// The engine whose observables this thread is for, by its address.
    static OBSERVING: Cell<usize> = const { Cell::new(0) };
}

impl State {
    /// The next one to run in this round.
    fn due(&mut self, round: u64) -> Option<Observable> {
        let due = self.waiting.iter_mut().position(|observable| {
            let fresh = observable.round < round;
            observable.round = round;
            let sits_out = fresh && observable.skip > 0;
            observable.skip -= u32::from(sits_out);
            fresh && !sits_out
        })?;
        Some(self.waiting.remove(due))
    }
}

impl Observables {
    pub(crate) fn is_last_round(&self) -> bool {
        self.last.load(Ordering::Acquire)
    }

    /// The collection that comes is the last.
    pub(crate) fn begin_last_round(&self) {
        self.last.store(true, Ordering::Release);
    }
}

impl Engine {
    /// Runs `mirror` inside each collection.
    pub(crate) fn mirror(&self, mirror: Mirror) {
        let _ = self.observables.mirror.set(mirror);
    }

    pub(crate) fn observe(&'static self, observe: Observe) {
        self.settle();
        let mut state = lock_std(&self.observables.state.0);
        if self.is_shut_down() || state.closed {
            // Outside the lock: what it captured is not ours.
            drop(state);
            return;
        }
        state.waiting.push(Observable {
            observe,
            round: 0,
            skip: 0,
        });
        if self.config.threads && !state.alive && !self.is_inert() {
            self.start_observing(&mut state);
        }
    }

    /// One round of all observables, waited for until their deadline or `until`. One that panics is counted and runs
    /// again; one that is too slow is counted and sits out the next ten rounds.
    pub(crate) fn run_observables(&'static self, until: Option<Instant>) {
        if self.is_inert() {
            return;
        }
        if let Some(mirror) = self.observables.mirror.get() {
            self.contain(mirror);
        }
        if !self.config.threads {
            self.observe_here();
        } else if !self.is_observing() {
            self.ask_for_round(until);
        }
    }

    /// Whether this is a thread of the observables, which must not wait for a round of them.
    pub(crate) fn is_observing(&self) -> bool {
        OBSERVING.get() == self.address()
    }

    /// No more of them. Whoever waits for a round is let go.
    pub(crate) fn close_observables(&self) {
        let mut state = lock_std(&self.observables.state.0);
        state.closed = true;
        self.observables.last.store(false, Ordering::Release);
        let gone = std::mem::take(&mut state.waiting);
        self.observables.changed.notify_all();
        drop(state);
        self.contain(|| drop(gone));
    }

    /// In manual mode. They are out of the list meanwhile, so that one that collects finds none to run.
    fn observe_here(&self) {
        let mut round = std::mem::take(&mut lock_std(&self.observables.state.0).waiting);
        for observable in &mut round {
            if observable.skip > 0 {
                observable.skip -= 1;
                continue;
            }
            if self.call(observable) > self.config.observable_deadline {
                self.counts.slow_observables.add(1);
                observable.skip = SITS_OUT;
            }
        }
        let mut state = lock_std(&self.observables.state.0);
        if !state.closed {
            round.append(&mut state.waiting);
            state.waiting = std::mem::take(&mut round);
        }
        drop(state);
        self.contain(|| drop(round));
    }

    fn ask_for_round(&'static self, until: Option<Instant>) {
        let mut state = lock_std(&self.observables.state.0);
        if state.closed || state.waiting.is_empty() && !state.running {
            return;
        }
        if !state.alive && !self.start_observing(&mut state) {
            return;
        }
        state.asked += 1;
        let mine = state.asked;
        self.observables.changed.notify_all();
        let deadline = within(self.config.observable_deadline);
        let until = until.map_or(deadline, |until| until.min(deadline));
        while state.done < mine && !state.closed {
            let left = until.saturating_duration_since(crate::clock::now());
            if left.is_zero() {
                // Whoever was in more of a hurry than the observables may be goes on without them.
                if until == deadline && state.running {
                    self.leave_behind(&mut state);
                }
                return;
            }
            state = match self.observables.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn leave_behind(&'static self, state: &mut State) {
        self.counts.slow_observables.add(1);
        state.running = false;
        self.start_observing(state);
    }

    /// Says whether the system gave us the thread; without it values stay as they were set last.
    fn start_observing(&'static self, state: &mut State) -> bool {
        state.thread += 1;
        let mine = state.thread;
        let started = std::thread::Builder::new()
            .name("obs-observables".into())
            .spawn(move || self.observe_until_replaced(mine));
        state.alive = started.is_ok();
        state.alive
    }

    fn observe_until_replaced(&'static self, mine: u64) {
        OBSERVING.set(self.address());
        let mut state = lock_std(&self.observables.state.0);
        let mut round = state.asked;
        while state.thread == mine && !state.closed {
            match state.due(round) {
                Some(observable) => state = self.observe_one(state, observable, mine),
                None => {
                    state.done = round;
                    self.observables.changed.notify_all();
                    if state.asked == round {
                        state = match self.observables.changed.wait(state) {
                            Ok(state) => state,
                            Err(poisoned) => poisoned.into_inner(),
                        };
                    }
                    round = state.asked;
                }
            }
        }
    }

    fn observe_one<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        mut observable: Observable,
        mine: u64,
    ) -> MutexGuard<'a, State> {
        state.running = true;
        drop(state);
        let slow = self.call(&mut observable) > self.config.observable_deadline;
        if slow {
            observable.skip = SITS_OUT;
        }
        let mut state = lock_std(&self.observables.state.0);
        if state.thread == mine {
            state.running = false;
            // One that was left behind is counted already.
            self.counts.slow_observables.add(u64::from(slow));
        }
        if !state.closed {
            state.waiting.push(observable);
            return state;
        }
        drop(state);
        self.contain(|| drop(observable));
        lock_std(&self.observables.state.0)
    }

    /// How long it took.
    fn call(&self, observable: &mut Observable) -> Duration {
        let start = crate::clock::now();
        self.contain(|| (observable.observe)());
        crate::clock::now().saturating_duration_since(start)
    }

    fn contain(&self, work: impl FnOnce()) {
        if contain(work).is_none() {
            self.counts.panics.add(1);
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl std::fmt::Debug for Observables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observables").finish_non_exhaustive()
    }
}
