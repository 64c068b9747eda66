//! Delivery: from encoded batches to a destination, with exact accounts of what became of them.
//!
//! ```text
//! collector ── push ──► Outbox (bounded in bytes, drop-oldest) ──► Courier ── send ──► Transport
//!                          │                                        ▲   │
//!                          └── Accounts                             └───┘ retry with backoff
//! ```
//!
//! One [`Courier`] serves one destination. It runs on [its own thread](Courier::start), or, in manual mode, on whichever
//! thread calls [`step`](Courier::step), [`flush`](Courier::flush) or [`shutdown`](Courier::shutdown); no async runtime
//! is involved, so all three work on a current-thread runtime, a multi-threaded one, and outside any.
//!
//! A batch that fails for a passing reason is tried again for as long as the outbox has room for it; with the feature `spool`,
//! [`Settings`] can have one on disk, for outages longer than memory lasts and for the end of the process. In a forked child
//! the courier is inert: nothing is sent, nothing blocks, and what is pushed there is counted as dropped.
//! A telemetry in [manual mode](crate::Builder::manual) makes couriers of its own there.

use std::fmt;
use std::io;
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::engine::diagnostics::Trouble;
use crate::error::Error;

mod accounts;
mod backoff;
mod batch;
mod capture;
#[cfg(feature = "otlp")]
mod compress;
mod destination;
mod driver;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "otlp")]
mod http;
mod ledger;
#[cfg(feature = "otlp")]
mod otlp;
mod outbox;
mod settings;
mod several;
#[cfg(feature = "spool")]
pub mod spool;
#[cfg(not(feature = "spool"))]
#[path = "courier/no_spool.rs"]
mod spool;
mod step;
pub(crate) mod time;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(feature = "otlp", not(feature = "tls")))]
#[path = "courier/no_tls.rs"]
mod tls;
mod transport;

pub use accounts::{Account, Accounts, DropReason, Dropped, Losses};
pub use batch::{Batch, Signal};
pub use capture::Capture;
pub use destination::{Compression, Destination, Destinations, Headers, Protocol};
pub(crate) use destination::{has_usable_port, with_scheme};
#[cfg(feature = "grpc")]
pub use grpc::GrpcTransport;
#[cfg(feature = "otlp")]
pub use http::HttpTransport;
#[cfg(feature = "otlp")]
pub use otlp::OtlpTransport;
pub use outbox::Outbox;
pub use settings::Settings;
#[cfg(feature = "spool")]
pub use spool::{Fsync, SpoolSettings};
pub use step::Step;
pub use transport::{Remake, Sent, Transport};

pub(crate) use several::{Couriers, Outlet, Peer};

use driver::{Driver, Watch};
use ledger::{Mark, Next, Phase};
use outbox::{Shared, State};
use step::{Attempt, Turned};

/// Who we are, as the OTLP exporter specification asks.
#[cfg(feature = "otlp")]
const USER_AGENT: &str = concat!("obs-otlp-rust/", env!("CARGO_PKG_VERSION"));

/// Takes batches from its [`Outbox`] and sees them delivered, or counted as lost.
///
/// Dropping it without [`shutdown`](Self::shutdown) ends its thread and counts what was pending as dropped, without waiting.
pub struct Courier {
    shared: Arc<Shared>,
    /// What a forked child needs for one of its own.
    seed: Arc<Seed>,
}

struct Seed {
    remake: Option<Remake>,
    settings: Settings,
}

impl Courier {
    /// A courier in manual mode: nothing moves until it is stepped, flushed, or [started](Self::start).
    pub fn new(transport: impl Transport, settings: Settings) -> Self {
        let seed = Arc::new(Seed {
            remake: transport.remake(),
            settings,
        });
        Self::seeded(transport, seed)
    }

    fn seeded(transport: impl Transport, seed: Arc<Seed>) -> Self {
        Self {
            shared: Arc::new(Shared::new(Driver::new(transport), &seed.settings)),
            seed,
        }
    }

    /// The memory that its settings allow it.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.seed.settings.capacity_bytes
    }

    /// One for a forked child, which has nothing of this one: not what is pending, no connection and no count; where its
    /// transport cannot be made again, one that delivers nothing. `None` where this one had a thread.
    pub(crate) fn for_child(&self) -> Option<Self> {
        if self.shared.had_thread() {
            return None;
        }
        let settings = self.seed.settings.clone().for_child();
        let remake = self.seed.remake.as_ref();
        let remade = remake.and_then(crate::contain::contain);
        let Some(Ok(transport)) = remade else {
            return Some(Self {
                shared: Arc::new(self.shared.inert(&settings)),
                seed: Arc::clone(&self.seed),
            });
        };
        let seed = Seed {
            // Made once more where a child of the child asks.
            remake: transport.remake(),
            settings,
        };
        Some(Self::seeded(transport, Arc::new(seed)))
    }

    /// Gives the courier a thread of its own. Calling it again changes nothing.
    ///
    /// # Errors
    ///
    /// A [configuration error](Error::is_configuration) if the system refuses the thread; the courier then stays in manual mode.
    pub fn start(&self) -> Result<(), Error> {
        self.start_with(thread::Builder::new().name("obs-courier".into()))
    }

    fn start_with(&self, builder: thread::Builder) -> Result<(), Error> {
        if self.shared.is_forked_child() {
            return Err(Error::configuration(
                "a courier cannot be started in a forked child",
            ));
        }
        {
            let mut state = self.shared.lock();
            if state.threaded || state.ledger.phase() != Phase::Open {
                return Ok(());
            }
            // From here on, nobody else takes the driver; the thread picks it up once it is free.
            state.threaded = true;
            self.shared.note_thread();
        }
        if let Err(refused) = self.shared.start_disk() {
            self.shared.lock().threaded = false;
            return Err(refused);
        }
        let shared = Arc::clone(&self.shared);
        // Detached: waiting for it is done with a deadline, on a condition, which `join` does not offer.
        builder
            .spawn(move || shared.run())
            .map(drop)
            .map_err(|refused: io::Error| {
                self.shared.lock().threaded = false;
                Error::configuration(
                    "the system refused a thread for delivery; raise its limit, or use manual mode",
                )
                .with_source(refused)
            })
    }

    /// The end to push into; clones share it.
    pub fn outbox(&self) -> Outbox {
        Outbox(Arc::clone(&self.shared))
    }

    /// Who is told how long each batch took. For set-up: once the thread has the driver it is too late.
    pub(crate) fn set_watch(&self, watch: Watch) {
        if let Some(driver) = &mut self.shared.lock().driver {
            driver.set_watch(watch);
        }
    }

    /// A consistent snapshot of the accounts.
    pub fn accounts(&self) -> Accounts {
        self.shared.accounts()
    }

    /// The most recent failure, in words, shortened.
    pub fn last_problem(&self) -> Option<String> {
        if self.shared.is_forked_child() {
            return None;
        }
        self.shared.lock().ledger.last_problem().map(str::to_owned)
    }

    /// The most recent failure with its time.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        if self.shared.is_forked_child() {
            return None;
        }
        let state = self.shared.lock();
        let (message, at, count) = state.ledger.trouble()?;
        Some(Trouble {
            message: message.to_owned(),
            at,
            count,
        })
    }

    /// Makes at most one attempt, as of `now`, to be answered by `deadline`. For manual mode; it never waits for its turn.
    pub fn step(&self, now: Instant, deadline: Instant) -> Step {
        if self.shared.is_forked_child() {
            return Step::Closed;
        }
        match self.shared.attempt(self.shared.lock(), now, deadline).1 {
            Attempt::Made => Step::Sent,
            Attempt::Wait(Some(until)) => Step::Waiting(until),
            Attempt::Wait(None) => Step::Idle,
            Attempt::Busy => Step::Busy,
            Attempt::Closed => Step::Closed,
        }
    }

    /// Waits until everything pushed before this call has been delivered, at most until `deadline`.
    ///
    /// Backoffs of the courier's own are cut short; a wait that the destination asked for is not.
    ///
    /// # Errors
    ///
    /// If something is still [pending](Error::pending) at the deadline ([`is_timeout`](Error::is_timeout)), or was
    /// [dropped](Error::lost) meanwhile.
    pub fn flush(&self, deadline: Instant) -> Result<(), Error> {
        let lost_before = self.lost();
        self.flush_to(self.shared.mark(None), deadline, lost_before)
    }

    /// Everything dropped so far.
    pub(crate) fn lost(&self) -> Losses {
        Losses::from(&self.accounts())
    }

    /// A flush of what comes before `mark`, which began when so much was lost.
    fn flush_to(&self, mark: Mark, deadline: Instant, lost_before: Losses) -> Result<(), Error> {
        if self.shared.is_forked_child() {
            return self.shared.forked_result();
        }
        let (state, late) = self.shared.drive(self.shared.lock(), mark, deadline);
        let pending = state.ledger.pending_before(mark);
        let lost = Losses::from(&state.ledger.accounts()).since(&lost_before);
        let lost = mark.of.map_or(lost, |of| lost.only(of));
        undelivered("flush", pending, lost, late, &state)
    }

    /// Accepts nothing more, delivers what it can until `deadline`, and ends.
    ///
    /// It returns within a tenth of a second of the deadline even if the destination accepts a connection and never
    /// answers: an attempt still in progress is then counted as lost, although it may yet arrive.
    ///
    /// # Errors
    ///
    /// If anything that was ever pushed has been lost: [`lost`](Error::lost) is the total over the courier's life.
    /// Calling it again returns the same.
    pub fn shutdown(&self, deadline: Instant) -> Result<(), Error> {
        if self.shared.is_forked_child() {
            return self.shared.forked_result();
        }
        self.shared.drain(deadline);
        let late = self.send_last(deadline);
        self.end(Shared::keeping_ends(deadline), late)
    }

    /// Sends until sending is over; what is left is to go to disk. Whether time was short.
    pub(crate) fn send_last(&self, deadline: Instant) -> bool {
        if self.shared.is_forked_child() {
            return false;
        }
        let state = self.shared.lock();
        let end = match state.ledger.phase() {
            Phase::Draining(end) => end.min(deadline),
            _ => deadline,
        };
        let (mut state, late) = self.shared.drive(state, Mark::END, end);
        self.shared.begin_to_keep(&mut state);
        late
    }

    /// Closes it, once what is left is on disk, or at that moment.
    pub(crate) fn end(&self, at: Instant, late: bool) -> Result<(), Error> {
        if self.shared.is_forked_child() {
            return self.shared.forked_result();
        }
        let mut state = self.shared.keep(self.shared.lock(), at);
        state.ledger.close();
        let lost = Losses::from(&state.ledger.accounts());
        let result = undelivered("shutdown", 0, lost, late, &state);
        self.shared.release(state);
        result
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        if self.shared.is_forked_child() {
            return;
        }
        let mut state = self.shared.lock();
        state.ledger.close();
        self.shared.release(state);
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("accounts", &self.accounts())
            .finish_non_exhaustive()
    }
}

fn undelivered(
    what: &str,
    pending: u64,
    lost: Losses,
    late: bool,
    state: &MutexGuard<'_, State>,
) -> Result<(), Error> {
    if pending == 0 && lost.total() == 0 {
        return Ok(());
    }
    let mut message = format!("{what}: ");
    if late {
        message.push_str("the deadline passed, ");
    }
    message.push_str(&format!(
        "{pending} items still pending, {} lost",
        lost.total()
    ));
    if lost.total() > 0 {
        message.push_str(&format!(" ({lost})"));
    }
    if let Some(problem) = state.ledger.last_problem() {
        message.push_str(&format!("; last problem: {problem}"));
    }
    Err(Error::undelivered(pending, lost, late, message))
}

impl Shared {
    /// The body of the courier's thread.
    fn run(&self) {
        let mut state = self.lock();
        let mut driver = loop {
            if state.ledger.phase() == Phase::Closed {
                return;
            }
            match state.driver.take() {
                Some(driver) => break driver,
                None => state = self.wait_for_work(state, None),
            }
        };
        loop {
            let now = time::now();
            match state.ledger.next(now) {
                Next::Closed => return,
                Next::Wait(until) => state = self.wait_for_work(state, until),
                Next::Send(queued) => {
                    let deadline = match state.ledger.phase() {
                        Phase::Draining(deadline) => deadline,
                        // The transport has its own timeout.
                        _ => time::after(now, Duration::MAX),
                    };
                    drop(state);
                    let outcome = driver.send(&queued.batch, deadline);
                    state = self.lock();
                    state.ledger.settle(queued, outcome, time::now());
                    self.wake_disk(&state);
                    self.settled.notify_all();
                }
            }
        }
    }

    /// One attempt on the calling thread, if the driver is there to be had.
    fn attempt<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        now: Instant,
        deadline: Instant,
    ) -> (MutexGuard<'a, State>, Attempt) {
        if state.ledger.phase() == Phase::Closed {
            return (state, Attempt::Closed);
        }
        let disk_at;
        (state, disk_at) = self.pump(state, now);
        let driver = if state.threaded {
            None
        } else {
            state.driver.take()
        };
        let Some(mut driver) = driver else {
            return (state, Attempt::Busy);
        };
        match state.ledger.next(now) {
            Next::Send(queued) => {
                drop(state);
                let started = time::now();
                let outcome = driver.send(&queued.batch, deadline);
                let took = time::now().saturating_duration_since(started);
                state = self.lock();
                let after_it = time::after(now, took);
                state.ledger.settle(queued, outcome, after_it);
                state.driver = Some(driver);
                self.wake_disk(&state);
                (state, _) = self.pump(state, after_it);
                self.settled.notify_all();
                self.work.notify_all();
                (state, Attempt::Made)
            }
            Next::Wait(until) => {
                state.driver = Some(driver);
                (state, Attempt::Wait(until.into_iter().chain(disk_at).min()))
            }
            Next::Closed => {
                state.driver = Some(driver);
                (state, Attempt::Closed)
            }
        }
    }

    /// Sends, or waits for the thread to send, everything before `mark`. The flag tells that the deadline ended it.
    fn drive<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        mark: Mark,
        deadline: Instant,
    ) -> (MutexGuard<'a, State>, bool) {
        self.work.notify_all();
        loop {
            let is_over = !state.ledger.holds_before(mark)
                || state.ledger.phase() == Phase::Closed
                || mark == Mark::END && self.rests(&state);
            if is_over {
                return (state, false);
            }
            let now = time::now();
            if now >= deadline {
                return (state, true);
            }
            let attempt;
            (state, attempt) = self.attempt(state, now, deadline);
            let until = match attempt {
                Attempt::Made => continue,
                Attempt::Wait(Some(until)) => until.min(deadline),
                Attempt::Wait(None) | Attempt::Busy | Attempt::Closed => deadline,
            };
            let wait = until.saturating_duration_since(time::now());
            state = outbox::wait(&self.settled, state, wait);
        }
    }

    /// Everything pushed so far comes before it; waits of the courier's own making are over.
    fn mark(&self, of: Option<Signal>) -> Mark {
        if self.is_forked_child() {
            return Mark { ticket: 0, of };
        }
        let mut state = self.lock();
        state.ledger.hurry();
        let ticket = state.ledger.next_ticket();
        Mark { ticket, of }
    }

    /// Nothing more is accepted, and what is here is sent until then.
    fn drain(&self, deadline: Instant) {
        if self.is_forked_child() {
            return;
        }
        let mut state = self.lock();
        let end = self.sending_ends(&state, deadline);
        state.ledger.drain(end);
        state.ledger.hurry();
        self.wake_disk(&state);
        drop(state);
        self.work.notify_all();
    }

    /// Whether there is something before `mark` that whoever waits for it has to send.
    fn is_mine(&self, mark: Mark) -> bool {
        if self.is_forked_child() {
            return false;
        }
        let state = self.lock();
        !state.threaded && !self.is_over(&state, mark, time::now())
    }

    /// Whether nothing before `mark` is left to be sent, or may be.
    fn is_over(&self, state: &State, mark: Mark, now: Instant) -> bool {
        let phase = state.ledger.phase();
        !state.ledger.holds_before(mark)
            || phase == Phase::Closed
            || matches!(phase, Phase::Draining(end) if end <= now)
            || mark == Mark::END && self.rests(state)
    }

    /// Sends what comes before `mark`, until something is held back, or until the deadline.
    fn turn(&self, mark: Mark, deadline: Instant) -> Turned {
        let mut state = self.lock();
        let deadline = match state.ledger.phase() {
            Phase::Draining(end) => end.min(deadline),
            _ => deadline,
        };
        loop {
            let now = time::now();
            if self.is_over(&state, mark, now) || now >= deadline {
                return Turned::Over;
            }
            let attempt;
            (state, attempt) = self.attempt(state, now, deadline);
            match attempt {
                Attempt::Made => {}
                Attempt::Wait(until) => return Turned::Held(until),
                Attempt::Busy => return Turned::Held(None),
                Attempt::Closed => return Turned::Over,
            }
        }
    }

    /// Until then, or until an attempt of somebody else's has been booked.
    fn rest(&self, until: Instant) {
        let wait = until.saturating_duration_since(time::now());
        drop(outbox::wait(&self.settled, self.lock(), wait));
    }

    fn wait_for_work<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        let wait = until.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(time::now())
        });
        outbox::wait(&self.work, state, wait)
    }

    /// Wakes everyone who waits for a closed courier, and lets go of the transport outside the lock.
    fn release(&self, mut state: MutexGuard<'_, State>) {
        let driver = state.driver.take();
        let keeper = state.keeper.take();
        self.wake_disk(&state);
        drop(state);
        self.work.notify_all();
        self.settled.notify_all();
        drop((driver, keeper));
    }
}

#[cfg(test)]
mod tests;
