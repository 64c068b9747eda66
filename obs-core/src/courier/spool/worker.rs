//! Who works at the disk: a thread of its own, or in manual mode whoever calls.

use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::keeper::Keeper;
use crate::courier::ledger::{DiskTurn, Fate, Job, Phase};
use crate::courier::outbox::{self, Shared, State};
use crate::courier::time;
use crate::error::Error;

impl Shared {
    /// A thread for the disk, if there is a spool. Before the courier's own.
    pub(in crate::courier) fn start_disk(self: &Arc<Self>) -> Result<(), Error> {
        if !self.lock().ledger.has_spool() {
            return Ok(());
        }
        let shared = Arc::clone(self);
        let builder = thread::Builder::new().name("obs-spool".into());
        let started = builder.spawn(move || shared.run_disk());
        started.map(drop).map_err(|refused| {
            Error::configuration(
                "the system refused a thread for the spool; raise its limit, or use manual mode",
            )
            .with_source(refused)
        })
    }

    /// The body of the thread.
    fn run_disk(&self) {
        let mut state = self.lock();
        let mut keeper = loop {
            if state.ledger.phase() == Phase::Closed {
                return;
            }
            match state.keeper.take() {
                Some(keeper) => break keeper,
                None => state = outbox::wait(&self.disk, state, Duration::MAX),
            }
        };
        loop {
            let now = time::now();
            if keeper.due() <= now {
                state = self.tend(state, &mut keeper, now);
            }
            match state.ledger.disk_turn(now) {
                DiskTurn::Over => break,
                DiskTurn::Do(job) => state = self.work_at_disk(state, &mut keeper, job, now),
                DiskTurn::Wait(until) => {
                    let until = until.map_or(keeper.due(), |until| until.min(keeper.due()));
                    let wait = until.saturating_duration_since(time::now());
                    state = outbox::wait(&self.disk, state, wait);
                }
            }
        }
        drop(state);
        keeper.tend(time::now());
    }

    /// In manual mode: does what there is to do at the disk, and says when there is more.
    pub(in crate::courier) fn pump<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        now: Instant,
    ) -> (MutexGuard<'a, State>, Option<Instant>) {
        let keeper = if state.threaded {
            None
        } else {
            state.keeper.take()
        };
        let Some(mut keeper) = keeper else {
            return (state, None);
        };
        if keeper.due() <= now {
            state = self.tend(state, &mut keeper, now);
        }
        let until = loop {
            match state.ledger.disk_turn(now) {
                DiskTurn::Do(job) => state = self.work_at_disk(state, &mut keeper, job, now),
                DiskTurn::Wait(until) => break until,
                DiskTurn::Over => break None,
            }
        };
        state.keeper = Some(keeper);
        self.settled.notify_all();
        self.disk.notify_all();
        (state, until)
    }

    fn work_at_disk<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        keeper: &mut Keeper,
        job: Job,
        now: Instant,
    ) -> MutexGuard<'a, State> {
        drop(state);
        let filed = keeper.work(job, now);
        let mut state = self.lock();
        let fate = state.ledger.file(filed, now);
        if !matches!(fate, Fate::Kept) {
            drop(state);
            let filed = keeper.settle(fate);
            state = self.lock();
            if let Some(filed) = filed {
                state.ledger.file(filed, now);
            }
        }
        self.work.notify_all();
        self.settled.notify_all();
        state
    }

    fn tend<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        keeper: &mut Keeper,
        now: Instant,
    ) -> MutexGuard<'a, State> {
        drop(state);
        let filed = keeper.tend(now);
        let mut state = self.lock();
        state.ledger.file(filed, now);
        state
    }

    /// There may be something to do at the disk.
    pub(in crate::courier) fn wake_disk(&self, state: &State) {
        if state.ledger.has_spool() {
            self.disk.notify_all();
        }
    }

    /// When sending stops so that there is time to write down what is left.
    pub(in crate::courier) fn sending_ends(&self, state: &State, deadline: Instant) -> Instant {
        if !state.ledger.has_spool() {
            return deadline;
        }
        let left = deadline.saturating_duration_since(time::now());
        let reserve = (left / 4).min(MOST_RESERVE);
        deadline.checked_sub(reserve).unwrap_or(deadline)
    }

    /// Whether everything is on disk, and nobody takes it.
    pub(in crate::courier) fn rests(&self, state: &State) -> bool {
        state.ledger.rests()
    }

    /// Nothing more is sent: what is left goes to disk.
    pub(in crate::courier) fn begin_to_keep(&self, state: &mut State) {
        if state.ledger.has_spool() {
            state.ledger.keep();
            self.wake_disk(state);
        }
    }

    /// Until when whoever shuts down waits for that. A deadline that has passed leaves a moment, too: the disk is likely to be
    /// quicker than that.
    pub(in crate::courier) fn keeping_ends(deadline: Instant) -> Instant {
        time::after(deadline.max(time::now()), GRACE)
    }

    /// Waits until what is left is on disk, at most until `end`.
    pub(in crate::courier) fn keep<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        end: Instant,
    ) -> MutexGuard<'a, State> {
        if !state.ledger.has_spool() || state.ledger.phase() == Phase::Closed {
            return state;
        }
        loop {
            let now = time::now();
            state = self.pump(state, now).0;
            if state.ledger.is_finished() || now >= end {
                return state;
            }
            state = outbox::wait(&self.settled, state, end.saturating_duration_since(now));
        }
    }
}

const MOST_RESERVE: Duration = Duration::from_millis(250);
const GRACE: Duration = Duration::from_millis(50);
