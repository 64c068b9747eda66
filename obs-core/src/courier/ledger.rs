//! The courier's state: what waits, what is being sent, what became of the rest. Pure: no clock, no lock, no thread.
//!
//! Each signal has its own lane, because each may have its own destination: one that is down holds up nothing but
//! itself. The byte cap is shared, and the oldest batch of all lanes pays for it.
//!
//! With a spool, what a lane has on disk is older than what it has in its queue, and is sent first. What the disk is to do
//! is decided in `spooled.rs`; here it is only known what lies there.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::spool::Place;
use super::time::after;
use super::{Accounts, Batch, DropReason, Sent, Settings, Signal};

mod disk;
#[cfg(feature = "spool")]
mod spooled;

use disk::{Disk, Shelf};
#[cfg(feature = "spool")]
pub(super) use spooled::{DiskTurn, Failure, Fate, Filed, Job, Report};

#[derive(Debug)]
pub(super) struct Ledger {
    lanes: [Lane; Signal::ALL.len()],
    in_flight: Option<InFlight>,
    /// Held by the lanes and by the batch in flight.
    bytes: usize,
    capacity: usize,
    next_ticket: u64,
    accounts: Accounts,
    last_problem: Option<(String, Instant)>,
    problems: u64,
    phase: Phase,
    disk: Disk,
}

#[derive(Debug)]
struct Lane {
    /// What is on disk comes before it.
    shelf: Shelf,
    queue: VecDeque<Queued>,
    hold: Option<Hold>,
    backoff: Backoff,
}

/// Until when a lane is left alone.
#[derive(Clone, Copy, Debug)]
struct Hold {
    until: Instant,
    /// Asked for by the destination, so a flush must not cut it short.
    asked: bool,
}

/// A batch and its place in the order of arrival.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) ticket: u64,
    pub(super) batch: Batch,
    faults: u8,
    /// When it came into memory.
    #[cfg(feature = "spool")]
    since: Instant,
    /// Nanoseconds since 1970, of what an earlier run left: those all have one ticket.
    created: u64,
    /// Where it is on disk as well.
    saved: Option<Place>,
}

/// What must be known of a batch while the sender holds it.
#[derive(Clone, Debug)]
struct InFlight {
    ticket: u64,
    signal: Signal,
    items: u64,
    weight: usize,
    /// To be written while it is away.
    #[cfg(feature = "spool")]
    batch: Batch,
    #[cfg(feature = "spool")]
    since: Instant,
    saved: Option<Place>,
    /// Why it has no place to come back to.
    evicted: Option<DropReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nothing more is accepted; what is here may be sent until then.
    Draining(Instant),
    /// Nothing more is sent; what is here goes to disk.
    Keeping,
    Closed,
}

/// What somebody waits for: what was pushed before this ticket was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) ticket: u64,
    /// Of all signals, or of one: that another has nobody who takes it is nothing to its own.
    pub(super) of: Option<Signal>,
}

impl Mark {
    /// All there ever will be.
    pub(super) const END: Self = Self {
        ticket: u64::MAX,
        of: None,
    };

    fn is_for(self, signal: Signal) -> bool {
        self.of.is_none_or(|of| of == signal)
    }
}

/// What a sender should do now.
#[derive(Debug)]
pub(super) enum Next {
    Send(Queued),
    /// Nothing before this moment, or before something is pushed.
    Wait(Option<Instant>),
    Closed,
}

/// What became of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    Sent(Sent),
    Panicked(String),
}

impl Ledger {
    pub(super) fn new(settings: &Settings) -> Self {
        let lane = || Lane {
            shelf: Shelf::default(),
            queue: VecDeque::new(),
            hold: None,
            backoff: Backoff::new(settings.initial_backoff, settings.max_backoff),
        };
        Self {
            lanes: [lane(), lane(), lane()],
            in_flight: None,
            bytes: 0,
            capacity: settings.capacity_bytes,
            // What an earlier run left on disk has ticket 0.
            next_ticket: 1,
            accounts: Accounts::default(),
            last_problem: None,
            problems: 0,
            phase: Phase::Open,
            disk: Disk::new(settings),
        }
    }

    /// Takes a batch in, at the cost of the oldest if there is no room. `false`: it was dropped and counted instead.
    pub(super) fn push(&mut self, batch: Batch, now: Instant) -> bool {
        #[cfg(not(feature = "spool"))]
        let _ = now;
        let fixed = self.fixed_bytes();
        let account = self.accounts.of_mut(batch.signal);
        account.accepted += batch.items;
        if self.phase != Phase::Open {
            account.dropped.add(DropReason::Shutdown, batch.items);
            return false;
        }
        let weight = batch.weight();
        // What is in flight, or at the disk's, cannot be taken back, so it limits what can be made room for.
        if fixed.saturating_add(weight) > self.capacity {
            account.dropped.add(DropReason::QueueFull, batch.items);
            return false;
        }
        account.pending += batch.items;
        while self.bytes.saturating_add(weight) > self.capacity {
            let Some(oldest) = self.pop_oldest() else {
                break;
            };
            self.drop_pending(
                oldest.batch.signal,
                oldest.batch.items,
                DropReason::QueueFull,
            );
        }
        self.bytes += weight;
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.lanes[batch.signal.index()].queue.push_back(Queued {
            ticket,
            batch,
            faults: 0,
            #[cfg(feature = "spool")]
            since: now,
            created: 0,
            saved: None,
        });
        true
    }

    /// The oldest batch whose lane may be used now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.phase == Phase::Closed {
            return Next::Closed;
        }
        if self.in_flight.is_some() {
            return Next::Wait(None);
        }
        if self.phase == Phase::Keeping {
            return Next::Wait(None);
        }
        let mut earliest: Option<Instant> = None;
        let mut due: Option<((u64, u64), usize)> = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            let head = match lane.head(&self.disk, now) {
                Head::Nothing => continue,
                Head::AtTheDisk(until) => {
                    earliest = earliest.into_iter().chain(until).min();
                    continue;
                }
                Head::Batch(queued) => (queued.ticket, queued.created),
            };
            match lane.hold {
                Some(hold) if hold.until > now => {
                    earliest = Some(earliest.map_or(hold.until, |at| at.min(hold.until)));
                }
                _ if due.is_none_or(|(other, _)| head < other) => due = Some((head, index)),
                _ => {}
            }
        }
        match due.and_then(|(_, index)| self.lanes[index].pop_head()) {
            Some(queued) => {
                self.in_flight = Some(InFlight {
                    ticket: queued.ticket,
                    signal: queued.batch.signal,
                    items: queued.batch.items,
                    weight: queued.batch.weight(),
                    #[cfg(feature = "spool")]
                    batch: queued.batch.clone(),
                    #[cfg(feature = "spool")]
                    since: queued.since,
                    saved: queued.saved,
                    evicted: None,
                });
                Next::Send(queued)
            }
            None => Next::Wait(earliest),
        }
    }

    /// Books the outcome of an attempt. One that outlived the shutdown was already booked: of it a panic is counted.
    pub(super) fn settle(&mut self, mut queued: Queued, outcome: Outcome, now: Instant) {
        let is_same = |flight: &&InFlight| flight.ticket == queued.ticket;
        let Some(flight) = self.in_flight.as_ref().filter(is_same) else {
            self.accounts.panics += u64::from(matches!(outcome, Outcome::Panicked(_)));
            return;
        };
        let evicted = flight.evicted;
        // It may have been written, or lost its place, while it was away.
        queued.saved = flight.saved;
        let (signal, items) = (queued.batch.signal, queued.batch.items);
        match outcome {
            Outcome::Sent(Sent::Delivered { rejected, message }) => {
                let rejected = rejected.min(items);
                self.leave_flight();
                self.accounts.of_mut(signal).pending -= items - rejected;
                self.accounts.of_mut(signal).delivered += items - rejected;
                self.drop_pending(signal, rejected, DropReason::Rejected);
                self.answered(signal);
                if rejected > 0 || message.is_some() {
                    let said = message.as_deref().unwrap_or("no reason given");
                    let rejected = format!(
                        "{signal}: the destination rejected {rejected} of {items} items: {said}"
                    );
                    self.note(rejected, now);
                }
            }
            Outcome::Sent(Sent::Refused { why }) => {
                self.leave_flight();
                self.drop_pending(signal, items, DropReason::Rejected);
                self.answered(signal);
                self.note(format!("{signal}: {why}"), now);
            }
            Outcome::Sent(Sent::Retry { after: asked, why }) => {
                self.note(format!("{signal}: {why}"), now);
                self.put_back(queued, evicted, asked, now);
            }
            Outcome::Panicked(why) => {
                self.note(format!("{signal}: the transport panicked: {why}"), now);
                self.accounts.panics += 1;
                queued.faults += 1;
                if queued.faults < MAX_FAULTS {
                    self.put_back(queued, evicted, None, now);
                } else {
                    self.leave_flight();
                    self.drop_pending(signal, items, DropReason::Fault);
                }
            }
        }
    }

    /// Drops waits of our own making; those the destination asked for stand.
    pub(super) fn hurry(&mut self) {
        for lane in &mut self.lanes {
            lane.hold = lane.hold.filter(|hold| hold.asked);
        }
    }

    /// Accepts nothing more. The first caller sets the deadline.
    pub(super) fn drain(&mut self, deadline: Instant) {
        if self.phase == Phase::Open {
            self.phase = Phase::Draining(deadline);
        }
    }

    /// The end: whatever is not on disk is lost, including a batch whose attempt has not come back.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
        if let Some(flight) = self.in_flight.take() {
            self.bytes -= flight.weight;
            if flight.saved.is_none() {
                self.drop_pending(flight.signal, flight.items, DropReason::Shutdown);
            }
        }
        for lane in &mut self.lanes {
            for queued in lane.queue.drain(..) {
                self.bytes -= queued.batch.weight();
                let account = self.accounts.of_mut(queued.batch.signal);
                account.pending -= queued.batch.items;
                account
                    .dropped
                    .add(DropReason::Shutdown, queued.batch.items);
            }
            for queued in lane.shelf.loaded.drain(..) {
                self.bytes -= queued.batch.weight();
            }
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn accounts(&self) -> Accounts {
        Accounts {
            pending_bytes: self.bytes as u64,
            spooled_bytes: self.disk.bytes,
            ..self.accounts
        }
    }

    pub(super) fn last_problem(&self) -> Option<&str> {
        self.last_problem.as_ref().map(|(problem, _)| &**problem)
    }

    /// The same with its time, and how many there have been.
    pub(super) fn trouble(&self) -> Option<(&str, Instant, u64)> {
        let (problem, at) = self.last_problem.as_ref()?;
        Some((problem, *at, self.problems))
    }

    /// The ticket the next batch will get: everything pushed so far has a smaller one.
    pub(super) fn next_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// The items before `mark` that are neither delivered nor dropped; with all that are on disk alone, whose tickets nobody
    /// remembers.
    pub(super) fn pending_before(&self, mark: Mark) -> u64 {
        let lanes = || self.lanes_of(mark);
        let held = lanes().flat_map(|lane| lane.shelf.loaded.iter().chain(&lane.queue));
        held.filter(|queued| queued.ticket < mark.ticket)
            .map(|queued| queued.batch.items)
            .sum::<u64>()
            + self.flying_before(mark).map_or(0, |flight| flight.items)
            + lanes().map(|lane| lane.shelf.items).sum::<u64>()
    }

    fn lanes_of(&self, mark: Mark) -> impl Iterator<Item = &Lane> {
        let lanes = Signal::ALL.into_iter().zip(&self.lanes);
        lanes.filter_map(move |(signal, lane)| mark.is_for(signal).then_some(lane))
    }

    fn flying_before(&self, mark: Mark) -> Option<&InFlight> {
        let flying = self.in_flight.as_ref();
        flying.filter(|flight| flight.ticket < mark.ticket && mark.is_for(flight.signal))
    }

    /// Whether a batch before `mark` is still here, items or none.
    pub(super) fn holds_before(&self, mark: Mark) -> bool {
        self.flying_before(mark).is_some() || self.disk.is_opening() || { self.lanes_of(mark) }
            .any(|lane| lane.holds_before(mark.ticket))
    }

    /// `evicted`: why it has no place any more.
    fn put_back(
        &mut self,
        queued: Queued,
        evicted: Option<DropReason>,
        asked: Option<Duration>,
        now: Instant,
    ) {
        self.accounts.retries += 1;
        let lane = &mut self.lanes[queued.batch.signal.index()];
        let own = lane.backoff.next();
        let wait = asked.map_or(own, |asked| asked.clamp(LEAST_ASKED_WAIT, MAX_ASKED_WAIT));
        lane.hold = Some(Hold {
            until: after(now, wait),
            asked: asked.is_some(),
        });
        if let Some(reason) = evicted {
            self.leave_flight();
            self.drop_pending(queued.batch.signal, queued.batch.items, reason);
            return;
        }
        self.in_flight = None;
        match queued.saved {
            Some(_) => lane.shelf.loaded.push_front(queued),
            None => lane.queue.push_front(queued),
        }
    }

    /// It is settled; the disk needs to know.
    fn leave_flight(&mut self) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        self.bytes -= flight.weight;
        if let Some(place) = flight.saved {
            self.accounts.of_mut(flight.signal).spooled -= flight.items;
            self.disk.settled.push_back((flight.signal, place));
        }
    }

    /// Bytes that nothing can be made room with.
    fn fixed_bytes(&self) -> usize {
        let writing = |queued: &&Queued| Some(queued.ticket) == self.disk.writing;
        let fixed = |lane: &Lane| {
            let writing = lane.queue.front().filter(writing);
            let held = lane.shelf.loaded.iter().chain(writing);
            held.map(|queued| queued.batch.weight()).sum::<usize>()
        };
        let in_flight = self.in_flight.as_ref().map_or(0, |flight| flight.weight);
        self.lanes.iter().map(fixed).sum::<usize>() + in_flight
    }

    fn answered(&mut self, signal: Signal) {
        let lane = &mut self.lanes[signal.index()];
        lane.hold = None;
        lane.backoff.reset();
    }

    fn drop_pending(&mut self, signal: Signal, items: u64, reason: DropReason) {
        let account = self.accounts.of_mut(signal);
        account.pending -= items;
        account.dropped.add(reason, items);
    }

    /// The oldest that is in memory alone, and that nobody is writing.
    fn pop_oldest(&mut self) -> Option<Queued> {
        let writing = self.disk.writing;
        let at = |lane: &Lane| {
            let front = lane.queue.front().map(|head| head.ticket);
            usize::from(front.is_some() && front == writing)
        };
        let ticket = |lane: &Lane| lane.queue.get(at(lane)).map(|oldest| oldest.ticket);
        let lanes = self.lanes.iter_mut();
        let lane = lanes
            .filter(|lane| ticket(lane).is_some())
            .min_by_key(|lane| ticket(lane))?;
        let oldest = lane.queue.remove(at(lane))?;
        self.bytes -= oldest.batch.weight();
        Some(oldest)
    }

    fn note(&mut self, mut problem: String, at: Instant) {
        if let Some((cut, _)) = problem.char_indices().nth(MAX_PROBLEM_CHARS) {
            problem.truncate(cut);
            problem.push('…');
        }
        self.last_problem = Some((problem, at));
        self.problems += 1;
    }
}

/// What a lane would send next.
enum Head<'a> {
    Nothing,
    /// It has to be read first, or to be noted what was sent before. No later than this moment the disk is given up on.
    AtTheDisk(Option<Instant>),
    Batch(&'a Queued),
}

impl Lane {
    fn head(&self, disk: &Disk, now: Instant) -> Head<'_> {
        let is_empty = self.queue.is_empty() && self.shelf.is_empty();
        if !is_empty && disk.is_waited_for(&self.shelf, now) {
            return Head::AtTheDisk(disk.given_up_at());
        }
        let head = self.shelf.loaded.front().or(self.queue.front());
        head.map_or(Head::Nothing, Head::Batch)
    }

    fn pop_head(&mut self) -> Option<Queued> {
        let loaded = self.shelf.loaded.pop_front();
        loaded.or_else(|| self.queue.pop_front())
    }

    fn holds_before(&self, ticket: u64) -> bool {
        let head = self.shelf.loaded.front().or(self.queue.front());
        match self.shelf.loaded.front() {
            // On disk alone, and older than the queue: it is loaded soon, and then known.
            None if self.shelf.records > 0 => true,
            _ => head.is_some_and(|head| head.ticket < ticket),
        }
    }
}

/// A batch on which the transport panicked this often is given up.
const MAX_FAULTS: u8 = 3;
/// No destination may have us ask it again and again without a pause.
const LEAST_ASKED_WAIT: Duration = Duration::from_millis(100);
/// No destination may silence us for longer than this at a time.
const MAX_ASKED_WAIT: Duration = Duration::from_secs(300);
/// Answers of strangers are kept, shortened.
const MAX_PROBLEM_CHARS: usize = 400;

#[cfg(test)]
mod tests;
