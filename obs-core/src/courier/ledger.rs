//! The courier's state: what waits, what is being sent, what became of the rest. Pure: no clock, no lock, no thread.
//!
//! Each signal has its own lane, because each may have its own destination: one that is down holds up nothing but
//! itself. The byte cap is shared, and the oldest batch of all lanes pays for it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::time::after;
use super::{Accounts, Batch, DropReason, Sent, Settings, Signal};

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
}

#[derive(Debug)]
struct Lane {
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
}

/// What must be known of a batch while the sender holds it.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    ticket: u64,
    signal: Signal,
    items: u64,
    weight: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nothing more is accepted; what is here may be sent until then.
    Draining(Instant),
    Closed,
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
            queue: VecDeque::new(),
            hold: None,
            backoff: Backoff::new(settings.initial_backoff, settings.max_backoff),
        };
        Self {
            lanes: [lane(), lane(), lane()],
            in_flight: None,
            bytes: 0,
            capacity: settings.capacity_bytes,
            next_ticket: 0,
            accounts: Accounts::default(),
            last_problem: None,
            problems: 0,
            phase: Phase::Open,
        }
    }

    /// Takes a batch in, at the cost of the oldest if there is no room. `false`: it was dropped and counted instead.
    pub(super) fn push(&mut self, batch: Batch) -> bool {
        let account = self.accounts.of_mut(batch.signal);
        account.accepted += batch.items;
        if self.phase != Phase::Open {
            account.dropped.add(DropReason::Shutdown, batch.items);
            return false;
        }
        let weight = batch.weight();
        // What is in flight cannot be taken back, so it limits what can be made room for.
        let in_flight = self.in_flight.map_or(0, |flight| flight.weight);
        if in_flight.saturating_add(weight) > self.capacity {
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
        let mut earliest: Option<Instant> = None;
        let mut due: Option<(u64, usize)> = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            let Some(head) = lane.queue.front() else {
                continue;
            };
            match lane.hold {
                Some(hold) if hold.until > now => {
                    earliest = Some(earliest.map_or(hold.until, |at| at.min(hold.until)));
                }
                _ if due.is_none_or(|(ticket, _)| head.ticket < ticket) => {
                    due = Some((head.ticket, index));
                }
                _ => {}
            }
        }
        match due.and_then(|(_, index)| self.lanes[index].queue.pop_front()) {
            Some(queued) => {
                self.in_flight = Some(InFlight {
                    ticket: queued.ticket,
                    signal: queued.batch.signal,
                    items: queued.batch.items,
                    weight: queued.batch.weight(),
                });
                Next::Send(queued)
            }
            None => Next::Wait(earliest),
        }
    }

    /// Books the outcome of an attempt. One that outlived the shutdown was already booked, and changes nothing.
    pub(super) fn settle(&mut self, mut queued: Queued, outcome: Outcome, now: Instant) {
        if self
            .in_flight
            .is_none_or(|flight| flight.ticket != queued.ticket)
        {
            return;
        }
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
                self.put_back(queued, asked, now);
            }
            Outcome::Panicked(why) => {
                self.note(format!("{signal}: the transport panicked: {why}"), now);
                self.accounts.panics += 1;
                queued.faults += 1;
                if queued.faults < MAX_FAULTS {
                    self.put_back(queued, None, now);
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

    /// The end: whatever is still here is lost, including a batch whose attempt has not come back.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
        if let Some(flight) = self.in_flight.take() {
            self.bytes -= flight.weight;
            self.drop_pending(flight.signal, flight.items, DropReason::Shutdown);
        }
        while let Some(queued) = self.pop_oldest() {
            self.drop_pending(
                queued.batch.signal,
                queued.batch.items,
                DropReason::Shutdown,
            );
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn accounts(&self) -> Accounts {
        Accounts {
            pending_bytes: self.bytes as u64,
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

    /// The items pushed before `ticket` was handed out that are neither delivered nor dropped.
    pub(super) fn pending_before(&self, ticket: u64) -> u64 {
        let flying = self.in_flight.filter(|flight| flight.ticket < ticket);
        let queued = self.lanes.iter().flat_map(|lane| &lane.queue);
        queued
            .filter(|queued| queued.ticket < ticket)
            .map(|queued| queued.batch.items)
            .sum::<u64>()
            + flying.map_or(0, |flight| flight.items)
    }

    /// Whether a batch pushed before `ticket` was handed out is still here, items or none.
    pub(super) fn holds_before(&self, ticket: u64) -> bool {
        self.in_flight.is_some_and(|flight| flight.ticket < ticket)
            || self
                .lanes
                .iter()
                .filter_map(|lane| lane.queue.front())
                .any(|head| head.ticket < ticket)
    }

    fn put_back(&mut self, queued: Queued, asked: Option<Duration>, now: Instant) {
        self.in_flight = None;
        self.accounts.retries += 1;
        let lane = &mut self.lanes[queued.batch.signal.index()];
        let own = lane.backoff.next();
        let wait = asked.map_or(own, |asked| asked.min(MAX_ASKED_WAIT));
        lane.hold = Some(Hold {
            until: after(now, wait),
            asked: asked.is_some(),
        });
        lane.queue.push_front(queued);
    }

    fn leave_flight(&mut self) {
        if let Some(flight) = self.in_flight.take() {
            self.bytes -= flight.weight;
        }
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

    fn pop_oldest(&mut self) -> Option<Queued> {
        let lane = self
            .lanes
            .iter_mut()
            .filter(|lane| !lane.queue.is_empty())
            .min_by_key(|lane| lane.queue.front().map(|head| head.ticket))?;
        let oldest = lane.queue.pop_front()?;
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

/// A batch on which the transport panicked this often is given up.
const MAX_FAULTS: u8 = 3;
/// No destination may silence us for longer than this at a time.
const MAX_ASKED_WAIT: Duration = Duration::from_secs(300);
/// Answers of strangers are kept, shortened.
const MAX_PROBLEM_CHARS: usize = 400;

#[cfg(test)]
mod tests;
