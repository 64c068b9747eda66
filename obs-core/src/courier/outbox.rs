//! The shared state behind a lock, and the handle that pushes into it.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::driver::Driver;
use super::ledger::Ledger;
use super::spool::Keeper;
use super::time;
use super::{Accounts, Batch, DropReason, Losses, Settings, Signal};
use crate::error::Error;

/// Where the collector leaves encoded batches. It never blocks on delivery: when full, the oldest batch goes.
#[derive(Clone)]
pub struct Outbox(pub(super) Arc<Shared>);

impl Outbox {
    /// Hands a batch over. From here on it is in the [accounts](Self::accounts).
    pub fn push(&self, batch: Batch) {
        self.0.push(batch);
    }

    /// A consistent snapshot of the accounts.
    pub fn accounts(&self) -> Accounts {
        self.0.accounts()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("accounts", &self.accounts())
            .finish_non_exhaustive()
    }
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something to send, or the driver is free, or all is over.
    pub(super) work: Condvar,
    /// An attempt has been booked, or all is over.
    pub(super) settled: Condvar,
    /// There may be something to do at the disk.
    #[cfg(feature = "spool")]
    pub(super) disk: Condvar,
    /// The process this was made in. The lock means nothing in a child: its holder may not exist there.
    owner: u32,
    /// Whether there ever was a thread for it; readable without the lock.
    had_thread: AtomicBool,
    /// Pushed in a forked child, by signal.
    orphaned: [AtomicU64; Signal::ALL.len()],
}

pub(super) struct State {
    pub(super) ledger: Ledger,
    /// Whoever takes it sends; a second caller finds it gone and waits.
    pub(super) driver: Option<Driver>,
    /// The same for the disk; `None` without a spool.
    pub(super) keeper: Option<Keeper>,
    /// Driver and keeper belong to the courier's threads.
    pub(super) threaded: bool,
}

impl Shared {
    pub(super) fn new(driver: Driver, settings: &Settings) -> Self {
        let state = State {
            ledger: Ledger::new(settings),
            driver: Some(driver),
            keeper: Keeper::new(settings),
            threaded: false,
        };
        Self::with(state, process::id())
    }

    /// One for a child of the process that this was made in, that delivers nothing there and has counted nothing yet.
    pub(super) fn inert(&self, settings: &Settings) -> Self {
        let state = State {
            ledger: Ledger::new(settings),
            driver: None,
            keeper: None,
            threaded: false,
        };
        Self::with(state, self.owner)
    }

    fn with(state: State, owner: u32) -> Self {
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            settled: Condvar::new(),
            #[cfg(feature = "spool")]
            disk: Condvar::new(),
            owner,
            had_thread: AtomicBool::new(false),
            orphaned: Default::default(),
        }
    }

    pub(super) fn push(&self, batch: Batch) -> bool {
        if self.is_forked_child() {
            self.orphaned[batch.signal.index()].fetch_add(batch.items, Ordering::Relaxed);
            return false;
        }
        let mut state = self.lock();
        let taken = state.ledger.push(batch, time::now());
        self.wake_disk(&state);
        drop(state);
        self.work.notify_one();
        taken
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No foreign code runs under this lock, so a poisoned one still guards a sound state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_thread(&self) {
        self.had_thread.store(true, Ordering::Relaxed);
    }

    pub(super) fn had_thread(&self) -> bool {
        self.had_thread.load(Ordering::Relaxed)
    }

    pub(super) fn is_forked_child(&self) -> bool {
        process::id() != self.owner
    }

    pub(super) fn accounts(&self) -> Accounts {
        if self.is_forked_child() {
            self.forked_accounts()
        } else {
            self.lock().ledger.accounts()
        }
    }

    /// The accounts of a child: it took nothing over from its parent and delivers nothing.
    fn forked_accounts(&self) -> Accounts {
        let mut accounts = Accounts::default();
        for signal in Signal::ALL {
            let items = self.orphaned[signal.index()].load(Ordering::Relaxed);
            let account = accounts.of_mut(signal);
            account.accepted = items;
            account.dropped.add(DropReason::Forked, items);
        }
        accounts
    }

    pub(super) fn forked_result(&self) -> Result<(), Error> {
        let losses = Losses::from(&self.forked_accounts());
        match losses.total() {
            0 => Ok(()),
            lost => Err(Error::undelivered(
                0,
                losses,
                false,
                format!(
                    "{lost} items lost: they were recorded in a forked child, where nothing is delivered; set telemetry up after the fork"
                ),
            )),
        }
    }
}

/// Waits to be notified, at most so long.
pub(super) fn wait<'a>(
    on: &Condvar,
    state: MutexGuard<'a, State>,
    at_most: Duration,
) -> MutexGuard<'a, State> {
    if at_most == Duration::MAX {
        return on.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    on.wait_timeout(state, at_most)
        .unwrap_or_else(PoisonError::into_inner)
        .0
}
