//! Whose turn it is: one thread at a time, waited for no longer than a deadline, and never by the one that has it.

use crate::error::Error;
use crate::fork::Anew;
use crate::sync::lock_std;
use std::sync::{Condvar, Mutex, MutexGuard, TryLockError};
use std::thread::{self, ThreadId};
use std::time::Instant;

/// Something that one thread at a time takes away and brings back.
#[derive(Debug)]
pub(super) struct Turns<T> {
    place: Mutex<Place<T>>,
    free: Condvar,
}

#[derive(Debug)]
struct Place<T> {
    /// Boxed, because it moves at each turn.
    value: Option<Box<T>>,
    holder: Option<ThreadId>,
}

impl<T> Turns<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            place: Mutex::new(Place {
                value: Some(Box::new(value)),
                holder: None,
            }),
            free: Condvar::new(),
        }
    }

    /// Takes it away for good, if nobody is at it: in a forked child, where whoever was is gone.
    pub(super) fn take_for_child(&self) -> Option<Box<T>> {
        match self.place.try_lock() {
            Ok(mut place) => place.value.take(),
            Err(TryLockError::Poisoned(place)) => place.into_inner().value.take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether this thread has the turn.
    pub(super) fn is_mine(&self) -> bool {
        lock_std(&self.place).holder == Some(thread::current().id())
    }

    /// Waits for the turn and does `work`. A thread that has the turn must not ask for it.
    pub(super) fn with<R>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&mut T) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut place = lock_std(&self.place);
        let value = loop {
            match place.value.take() {
                Some(value) => break value,
                None => place = wait(&self.free, place, deadline)?,
            }
        };
        place.holder = Some(thread::current().id());
        drop(place);
        let mut turn = Turn {
            turns: self,
            value: Some(value),
        };
        match &mut turn.value {
            Some(value) => work(value),
            None => Err(Error::late("nobody brings it back")),
        }
    }
}

/// Brings it back, also where `work` unwinds.
struct Turn<'a, T> {
    turns: &'a Turns<T>,
    value: Option<Box<T>>,
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut place = lock_std(&self.turns.place);
        place.value = self.value.take();
        place.holder = None;
        self.turns.free.notify_all();
    }
}

/// A result that the first caller makes, and all others wait for.
#[derive(Debug, Default)]
pub(super) struct Once {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Open,
    Running(ThreadId),
    Over(Result<(), Error>),
}

impl Anew for Once {
    fn anew(&self) -> Self {
        Self::default()
    }
}

impl Once {
    pub(super) fn get_or(
        &self,
        deadline: Instant,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let here = thread::current().id();
        let mut state = lock_std(&self.state);
        loop {
            match &*state {
                State::Over(result) => return result.clone(),
                State::Running(thread) if *thread == here => {
                    return Err(Error::failed("shutdown was called from inside a shutdown"));
                }
                State::Running(_) => state = wait(&self.over, state, deadline)?,
                State::Open => break,
            }
        }
        *state = State::Running(here);
        drop(state);
        let result = work();
        *lock_std(&self.state) = State::Over(result.clone());
        self.over.notify_all();
        result
    }
}

fn wait<'a, T>(
    on: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Instant,
) -> Result<MutexGuard<'a, T>, Error> {
    let left = deadline.saturating_duration_since(crate::clock::now());
    if left.is_zero() {
        return Err(Error::late("another thread was at it until the deadline"));
    }
    Ok(match on.wait_timeout(guard, left) {
        Ok((guard, _)) => guard,
        Err(poisoned) => poisoned.into_inner().0,
    })
}
