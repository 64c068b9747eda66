//! What the disk is to do, and what becomes of the books when it has done it. As pure as the rest: the worker at the disk asks
//! for a job, does it without the lock, and files what came of it.

use std::io;
use std::time::{Duration, Instant};

use super::disk::DiskState;
use super::{Ledger, Phase, Queued};
use crate::courier::backoff::Backoff;
use crate::courier::batch::OVERHEAD;
use crate::courier::spool::{Load, Loss, Place, Recovered, SpoolSettings};
use crate::courier::time::after;
use crate::courier::{Batch, DropReason, Signal};

/// One thing to do at the disk.
#[derive(Debug)]
pub(in crate::courier) enum Job {
    /// Take the directory, and see what is there.
    Open,
    /// Mark what has been sent.
    Mark(Signal, Place),
    Write {
        ticket: u64,
        batch: Batch,
    },
    /// Read the next batch of a lane, if its body fits into so many bytes; one that is larger than `most` never does.
    Load {
        signal: Signal,
        room: u64,
        most: u64,
    },
    /// Make everything last, and let go of the directory.
    Finish,
}

#[derive(Debug)]
pub(in crate::courier) enum DiskTurn {
    Do(Job),
    /// Nothing before this moment, or before something changes.
    Wait(Option<Instant>),
    Over,
}

/// What came of a job.
#[derive(Debug)]
pub(in crate::courier) enum Report {
    /// `None`: another process has the directory.
    Opened(io::Result<Option<Recovered>>),
    Marked(io::Result<()>),
    Written {
        ticket: u64,
        batch: Batch,
        place: io::Result<Place>,
    },
    Loaded(Signal, io::Result<Load>),
    Finished,
    /// Of the directory.
    LetGo,
    /// The worker panicked.
    Broken,
    /// No job: what was noticed in passing.
    Nothing,
}

/// A report, with what happened on the way.
#[derive(Debug)]
pub(in crate::courier) struct Filed {
    pub(in crate::courier) report: Report,
    pub(in crate::courier) losses: Vec<Loss>,
    pub(in crate::courier) failures: Vec<Failure>,
    /// Of all files.
    pub(in crate::courier) bytes: u64,
}

/// What did not work, in words.
#[derive(Debug)]
pub(in crate::courier) struct Failure {
    pub(in crate::courier) what: &'static str,
    pub(in crate::courier) error: io::Error,
}

/// What the worker still has to do with a record it wrote or loaded.
#[derive(Debug)]
pub(in crate::courier) enum Fate {
    /// It is where it belongs.
    Kept,
    /// Somebody is sending that batch.
    Held(Place, Batch),
    /// Nobody needs it any more.
    Gone(Place, Batch),
    /// It was loaded, and the room for it is taken by now.
    NoRoom(Place, Batch),
    /// Nobody needs the directory any more.
    Over,
}

/// When to write, and when to try again.
#[derive(Debug)]
pub(super) struct Writer {
    /// There is a spool, to be had or not.
    exists: bool,
    patience: Duration,
    retry_at: Option<Instant>,
    backoff: Backoff,
    /// Each kind of failure is told once.
    told: Vec<(&'static str, io::ErrorKind)>,
    /// At the end: whether the directory was tried once more.
    tried_last: bool,
    /// Everything is written that could be.
    is_finished: bool,
    gave_up: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            exists: false,
            patience: Duration::MAX,
            retry_at: None,
            backoff: Backoff::new(FIRST_RETRY, LAST_RETRY),
            told: Vec::new(),
            tried_last: false,
            is_finished: false,
            gave_up: false,
        }
    }
}

impl Writer {
    pub(super) fn new(settings: &SpoolSettings) -> Self {
        Self {
            exists: true,
            patience: settings.patience,
            ..Self::default()
        }
    }
}

impl Ledger {
    /// The next thing to do at the disk.
    pub(in crate::courier) fn disk_turn(&mut self, now: Instant) -> DiskTurn {
        if self.disk.busy_since.is_some() {
            return DiskTurn::Wait(None);
        }
        let turn = self.choose(now);
        if let DiskTurn::Do(job) = &turn {
            self.disk.busy_since = Some(now);
            if let Job::Write { ticket, .. } = job {
                self.disk.writing = Some(*ticket);
            }
        }
        turn
    }

    fn choose(&mut self, now: Instant) -> DiskTurn {
        let writer = &self.disk.writer;
        let is_closed = self.phase == Phase::Closed;
        if writer.is_finished {
            return if is_closed {
                DiskTurn::Over
            } else {
                DiskTurn::Wait(None)
            };
        }
        if self.disk.state != DiskState::Open {
            let waits = writer.retry_at.filter(|at| *at > now);
            return match self.phase {
                Phase::Closed => DiskTurn::Over,
                // Whoever had it may have ended meanwhile, and nobody may have had the time to ask for it at all.
                Phase::Keeping if !writer.tried_last && self.has_unsaved() => {
                    self.disk.writer.tried_last = true;
                    DiskTurn::Do(Job::Open)
                }
                Phase::Keeping => DiskTurn::Do(Job::Finish),
                _ if waits.is_some() => DiskTurn::Wait(waits),
                _ => DiskTurn::Do(Job::Open),
            };
        }
        if let Some(&(signal, place)) = self.disk.settled.front() {
            return DiskTurn::Do(Job::Mark(signal, place));
        }
        if is_closed {
            return DiskTurn::Over;
        }
        let mut until = None;
        if let Some((due, signal)) = self.next_to_write(now) {
            if due <= now
                && let Some((ticket, batch)) = self.writable(signal)
            {
                return DiskTurn::Do(Job::Write { ticket, batch });
            }
            until = Some(due);
        }
        if self.phase == Phase::Keeping {
            return DiskTurn::Do(Job::Finish);
        }
        let most = self.capacity.saturating_sub(OVERHEAD);
        let room = most.saturating_sub(self.bytes);
        for signal in Signal::ALL {
            let shelf = &mut self.lanes[signal.index()].shelf;
            shelf.needs = shelf.needs.filter(|needs| *needs > room as u64);
            if shelf.records == 0 || !shelf.loaded.is_empty() || shelf.needs.is_some() {
                continue;
            }
            match shelf.retry_at.filter(|at| *at > now) {
                Some(retry) => until = until.into_iter().chain([retry]).min(),
                None => {
                    return DiskTurn::Do(Job::Load {
                        signal,
                        room: room as u64,
                        most: most as u64,
                    });
                }
            }
        }
        DiskTurn::Wait(until)
    }

    /// Whether closing now would lose something.
    fn has_unsaved(&self) -> bool {
        let flying = self.in_flight.as_ref();
        flying.is_some_and(|flight| flight.saved.is_none())
            || self.lanes.iter().any(|lane| !lane.queue.is_empty())
    }

    /// The lane whose oldest batch in memory is due first, and when that is.
    fn next_to_write(&self, now: Instant) -> Option<(Instant, Signal)> {
        let writer = &self.disk.writer;
        let patience = match self.phase {
            Phase::Open if self.bytes > self.capacity / 2 => Duration::ZERO,
            Phase::Open => writer.patience,
            // Time is short: what the destination has not taken after a part of it is written.
            Phase::Draining(end) => (end.saturating_duration_since(now) / 4).min(writer.patience),
            Phase::Keeping if writer.gave_up => return None,
            Phase::Keeping | Phase::Closed => Duration::ZERO,
        };
        let oldest = Signal::ALL.into_iter().filter_map(|signal| {
            let since = self.waiting_since(signal)?;
            Some((after(since, patience), signal))
        });
        let (due, signal) = oldest.min_by_key(|(due, _)| *due)?;
        let retry = writer.retry_at.filter(|_| self.phase != Phase::Keeping);
        Some((retry.map_or(due, |at| at.max(due)), signal))
    }

    fn waiting_since(&self, signal: Signal) -> Option<Instant> {
        match self.flight_to_write(signal) {
            Some(since) => Some(since),
            None => Some(self.lanes[signal.index()].queue.front()?.since),
        }
    }

    /// A batch that is being sent is the oldest of its lane, and is written first; if it came out of memory while the disk was
    /// not to be had, its place is taken.
    fn flight_to_write(&self, signal: Signal) -> Option<Instant> {
        let flight = self.in_flight.as_ref()?;
        let in_memory = flight.saved.is_none() && flight.evicted.is_none();
        let first = self.lanes[signal.index()].shelf.is_empty();
        (flight.signal == signal && in_memory && first).then_some(flight.since)
    }

    fn writable(&self, signal: Signal) -> Option<(u64, Batch)> {
        if self.flight_to_write(signal).is_some() {
            let flight = self.in_flight.as_ref()?;
            return Some((flight.ticket, flight.batch.clone()));
        }
        let oldest = self.lanes[signal.index()].queue.front()?;
        Some((oldest.ticket, oldest.batch.clone()))
    }

    /// Books what the worker did, and says what is to be done about the record.
    pub(in crate::courier) fn file(&mut self, filed: Filed, now: Instant) -> Fate {
        self.disk.bytes = filed.bytes;
        if !matches!(filed.report, Report::Nothing) {
            self.disk.busy_since = None;
        }
        for failure in filed.failures {
            self.failed(&failure, now);
        }
        if let Report::Opened(opened) = filed.report {
            self.opened(opened, now);
            self.lose(filed.losses);
            return Fate::Kept;
        }
        self.lose(filed.losses);
        match filed.report {
            Report::Opened(_) | Report::Nothing => {}
            Report::Marked(marked) => {
                self.disk.settled.pop_front();
                if let Err(error) = marked {
                    let what = "what was sent could not be marked";
                    self.failed(&Failure { what, error }, now);
                }
            }
            Report::Written {
                ticket,
                batch,
                place,
            } => {
                self.disk.writing = None;
                return self.written(ticket, batch, place, now);
            }
            Report::Loaded(signal, loaded) => return self.loaded(signal, loaded, now),
            // Answered meanwhile: it is marked, and made last, too.
            Report::Finished if !self.disk.settled.is_empty() => {}
            Report::Finished => {
                // What is answered from now on could not be marked any more.
                self.close();
                self.disk.busy_since = Some(now);
                return Fate::Over;
            }
            Report::LetGo => self.disk.writer.is_finished = true,
            Report::Broken => {
                self.disk.state = DiskState::Without;
                self.disk.writing = None;
                self.disk.writer.retry_at = Some(after(now, Duration::MAX));
                self.disk.writer.is_finished = true;
                let error = io::Error::other("it panicked");
                self.failed(
                    &Failure {
                        what: "the spool is given up",
                        error,
                    },
                    now,
                );
            }
        }
        Fate::Kept
    }

    fn opened(&mut self, opened: io::Result<Option<Recovered>>, now: Instant) {
        let writer = &mut self.disk.writer;
        let failure = match opened {
            Ok(Some(recovered)) => {
                writer.backoff.reset();
                writer.retry_at = None;
                self.disk.state = DiskState::Open;
                self.recovered(&recovered, now);
                return;
            }
            Ok(None) => Failure {
                what: "the directory is in use",
                error: io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another process or telemetry has it; memory is used",
                ),
            },
            Err(error) => Failure {
                what: "the directory could not be opened",
                error,
            },
        };
        writer.retry_at = Some(after(now, writer.backoff.next()));
        self.disk.state = DiskState::Without;
        self.failed(&failure, now);
    }

    fn recovered(&mut self, recovered: &Recovered, now: Instant) {
        for signal in Signal::ALL {
            let count = recovered.lanes[signal.index()];
            let shelf = &mut self.lanes[signal.index()].shelf;
            shelf.records += count.records;
            shelf.items += count.items;
            let account = self.accounts.of_mut(signal);
            account.accepted += count.items;
            account.recovered += count.items;
            account.pending += count.items;
            account.spooled += count.items;
        }
        if recovered.corrupt_bytes > 0 {
            let bytes = recovered.corrupt_bytes;
            self.accounts.spool_corrupt_bytes += bytes;
            let text = format!("{bytes} bytes are no whole records");
            let error = io::Error::new(io::ErrorKind::InvalidData, text);
            self.failed(
                &Failure {
                    what: "what was found",
                    error,
                },
                now,
            );
        }
    }

    fn written(
        &mut self,
        ticket: u64,
        batch: Batch,
        place: io::Result<Place>,
        now: Instant,
    ) -> Fate {
        let (signal, items) = (batch.signal, batch.items);
        let place = match place {
            Ok(place) => place,
            Err(error) => {
                self.not_written(ticket, signal, error, now);
                return Fate::Kept;
            }
        };
        self.disk.is_full = false;
        self.disk.writer.retry_at = None;
        self.disk.writer.backoff.reset();
        if let Some(flight) = self
            .in_flight
            .as_mut()
            .filter(|flight| flight.ticket == ticket)
        {
            if !self.lanes[signal.index()].shelf.is_empty() {
                // It passed others while the disk was given up on. That it was sent could not be marked: a cursor says how
                // far a lane is done with, and nothing else.
                return Fate::Gone(place, batch);
            }
            flight.saved = Some(place);
            self.accounts.of_mut(signal).spooled += items;
            return Fate::Held(place, batch);
        }
        if self.take_written(ticket, signal).is_none() {
            return Fate::Gone(place, batch);
        }
        let shelf = &mut self.lanes[signal.index()].shelf;
        shelf.records += 1;
        shelf.items += items;
        self.accounts.of_mut(signal).spooled += items;
        Fate::Kept
    }

    fn not_written(&mut self, ticket: u64, signal: Signal, error: io::Error, now: Instant) {
        let too_large = error.kind() == io::ErrorKind::FileTooLarge;
        self.failed(
            &Failure {
                what: "a batch could not be written",
                error,
            },
            now,
        );
        if !too_large {
            self.disk.is_full = true;
            let writer = &mut self.disk.writer;
            writer.retry_at = Some(after(now, writer.backoff.next()));
            writer.gave_up |= self.phase == Phase::Keeping;
            return;
        }
        // It never will be, and those behind it must not pass it.
        if let Some(flight) = self
            .in_flight
            .as_mut()
            .filter(|flight| flight.ticket == ticket)
        {
            flight.evicted = Some(DropReason::SpoolFull);
        } else if let Some(queued) = self.take_written(ticket, signal) {
            self.drop_pending(signal, queued.batch.items, DropReason::SpoolFull);
        }
    }

    /// Out of the queue of its lane, if it is still there.
    fn take_written(&mut self, ticket: u64, signal: Signal) -> Option<Queued> {
        let lane = &mut self.lanes[signal.index()];
        let at = lane
            .queue
            .iter()
            .position(|queued| queued.ticket == ticket)?;
        let queued = lane.queue.remove(at)?;
        self.bytes -= queued.batch.weight();
        Some(queued)
    }

    fn loaded(&mut self, signal: Signal, loaded: io::Result<Load>, now: Instant) -> Fate {
        let shelf = &mut self.lanes[signal.index()].shelf;
        match loaded {
            // After the end nobody needs it in memory.
            Ok(_) if self.phase == Phase::Closed => {}
            Ok(Load::Record(record))
                if self.bytes.saturating_add(record.batch.weight()) > self.capacity =>
            {
                shelf.needs = Some(record.batch.body.len() as u64);
                return Fate::NoRoom(record.place, record.batch);
            }
            Ok(Load::Record(mut record)) => {
                // No more than was counted, whatever somebody wrote into the file.
                record.batch.items = record.batch.items.min(shelf.items);
                shelf.retry_at = None;
                shelf.records = shelf.records.saturating_sub(1);
                shelf.items = shelf.items.saturating_sub(record.batch.items);
                self.bytes += record.batch.weight();
                shelf.loaded.push_back(Queued {
                    ticket: record.ticket,
                    created: if record.ticket == 0 {
                        record.created
                    } else {
                        0
                    },
                    batch: record.batch,
                    faults: 0,
                    since: now,
                    saved: Some(record.place),
                });
            }
            Ok(Load::Nothing) => {
                // There is less than was counted: somebody was at the files.
                let items = std::mem::take(&mut shelf.items);
                shelf.records = 0;
                self.accounts.of_mut(signal).spooled -= items;
                self.drop_pending(signal, items, DropReason::SpoolUnreadable);
            }
            Ok(Load::NoRoom { bytes }) => shelf.needs = Some(bytes),
            Err(error) => {
                shelf.retry_at = Some(after(now, FIRST_RETRY));
                self.failed(
                    &Failure {
                        what: "a batch could not be read",
                        error,
                    },
                    now,
                );
            }
        }
        Fate::Kept
    }

    fn failed(&mut self, failure: &Failure, now: Instant) {
        self.accounts.spool_errors += 1;
        let kind = (failure.what, failure.error.kind());
        let told = &mut self.disk.writer.told;
        if !told.contains(&kind) && told.len() < MOST_TOLD {
            told.push(kind);
            self.note(format!("spool: {}: {}", failure.what, failure.error), now);
        }
    }

    /// Nothing more is sent.
    pub(in crate::courier) fn keep(&mut self) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Keeping;
        }
    }

    /// Whether there is a spool at all, to be had or not.
    pub(in crate::courier) fn has_spool(&self) -> bool {
        self.disk.writer.exists
    }

    /// Whether everything that could be brought to disk has been, for good; or whoever had less time has ended it.
    pub(in crate::courier) fn is_finished(&self) -> bool {
        let is_ended = self.phase == Phase::Closed && self.disk.busy_since.is_none();
        self.disk.writer.is_finished || is_ended
    }

    /// Whether waiting longer would bring nothing: all is on disk, and no destination takes it.
    pub(in crate::courier) fn rests(&self) -> bool {
        let is_held = |lane: &super::Lane| {
            lane.queue.is_empty() && (lane.shelf.is_empty() || lane.hold.is_some())
        };
        self.disk.state == DiskState::Open
            && self.in_flight.is_none()
            && self.lanes.iter().all(is_held)
    }
}

/// Between tries at a disk that failed, and at a directory that somebody else has.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
const MOST_TOLD: usize = 32;

mod lost;
#[cfg(test)]
mod tests;
