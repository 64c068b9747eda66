//! Records on disk: appended, loaded in order, seen off, and let go of when there are too many or they are too old.
//!
//! It decides nothing about delivery. Whoever uses it calls one method at a time, from one thread; what it had to let go
//! of on the way is in [`take_losses`](Store::take_losses), and what went wrong without stopping it in
//! [`take_troubles`](Store::take_troubles).
//!
//! Segments of all signals are numbered together, by epoch: a new one begins when so many bytes have been written to
//! the files of the last. So the lowest number is the oldest data, whatever its signal, and a quiet signal loses nothing
//! recent when a busy one fills the disk.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::time::Duration;

use super::files::Files;
use super::lane::{Count, Lane, Segment};
use super::record::{Place, RECORD_HEADER, cursor_name, segment_name, slot};
use super::{Fsync, SpoolSettings};
use crate::courier::ledger::Failure;
use crate::courier::{Batch, DropReason, Signal};

mod read;
mod recover;
mod write;

pub(in crate::courier) use recover::Recovered;

pub(in crate::courier) struct Store {
    files: Box<dyn Files>,
    lanes: [Lane; Signal::ALL.len()],
    capacity: u64,
    segment_bytes: u64,
    /// What the smallest file is taken for.
    block: u64,
    max_age: u64,
    fsync: Fsync,
    /// Of segments that begin now.
    epoch: u64,
    /// Written in it.
    epoch_bytes: u64,
    names_dirty: bool,
    losses: Vec<Loss>,
    troubles: Vec<Failure>,
}

/// Records that will not be loaded any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::courier) struct Loss {
    pub(in crate::courier) signal: Signal,
    pub(in crate::courier) unread: Count,
    pub(in crate::courier) reason: DropReason,
    /// The segment that is gone, with records that were loaded and not seen off.
    pub(in crate::courier) segment: Option<u64>,
}

/// What a lane has next.
#[derive(Debug)]
pub(in crate::courier) enum Load {
    Record(Record),
    Nothing,
    /// It is larger than the room there is, by itself.
    NoRoom {
        bytes: u64,
    },
}

#[derive(Debug)]
pub(in crate::courier) struct Record {
    pub(in crate::courier) place: Place,
    /// Zero if an earlier run wrote it.
    pub(in crate::courier) ticket: u64,
    /// Nanoseconds since 1970.
    pub(in crate::courier) created: u64,
    pub(in crate::courier) batch: Batch,
}

impl Store {
    pub(in crate::courier) fn new(files: Box<dyn Files>, settings: &SpoolSettings) -> Self {
        let capacity = settings.capacity_bytes.max(LEAST_CAPACITY);
        Self {
            files,
            lanes: Default::default(),
            capacity,
            segment_bytes: (capacity / SEGMENTS).min(LARGEST_SEGMENT),
            block: (capacity / SMALL_FILES).min(BLOCK),
            max_age: nanos(settings.max_age),
            fsync: settings.fsync,
            epoch: 1,
            epoch_bytes: 0,
            names_dirty: false,
            losses: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Bytes in files.
    pub(in crate::courier) fn bytes(&self) -> u64 {
        self.segments().map(|segment| segment.size).sum()
    }

    pub(in crate::courier) fn take_losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    pub(in crate::courier) fn take_troubles(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.troubles)
    }

    /// A record just written is in somebody's hands already: it is not to be loaded.
    pub(in crate::courier) fn hold(&mut self, signal: Signal, place: Place, batch: &Batch) {
        let end = place.offset + RECORD_HEADER as u64 + batch.body.len() as u64;
        self.lanes[signal.index()].take(place, end, batch.items, false);
    }

    /// A record in somebody's hands needs no place any more. The cursor says so before this returns.
    pub(in crate::courier) fn done(&mut self, signal: Signal, place: Place) -> io::Result<()> {
        if let Some(taken) = self.lanes[signal.index()].taken.get_mut(&place) {
            taken.done = true;
        }
        self.advance(signal)
    }

    /// Lets go of segments with nothing in them that is young enough.
    pub(in crate::courier) fn expire(&mut self, now: u64) {
        for signal in Signal::ALL {
            // One that could not be removed when it was done with.
            self.advance_or_tell(signal);
            while let Some(front) = self.lanes[signal.index()].segments.front()
                && front.newest.saturating_add(self.max_age) < now
            {
                if let Err(error) = self.evict(signal, DropReason::Expired) {
                    self.trouble("a segment that is too old could not be removed", error);
                    break;
                }
            }
        }
    }

    /// Segments that somebody removed are lost, however much of them can still be read here: the next process finds nothing.
    /// For the end: nothing is loaded or written after it.
    pub(in crate::courier) fn miss(&mut self) {
        if self.segments().next().is_none() {
            return;
        }
        let found = match self.files.list() {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return self.trouble("nobody could look for what is left", error),
        };
        let found: HashSet<String> = found.into_iter().map(|(name, _)| name).collect();
        for signal in Signal::ALL {
            let is_there = |it: &Segment| found.contains(&segment_name(signal, it.epoch));
            let lane = &mut self.lanes[signal.index()];
            for gone in lane.segments.iter().filter(|it| !is_there(it)) {
                self.losses.push(Loss {
                    signal,
                    unread: gone.unread,
                    reason: DropReason::SpoolUnreadable,
                    segment: Some(gone.epoch),
                });
            }
            let first = |lane: &Lane| lane.segments.front().map(|front| front.epoch);
            let was = first(lane);
            lane.segments.retain(is_there);
            let is = first(lane);
            if is != was {
                lane.forget_before(is.unwrap_or(u64::MAX));
            }
        }
    }

    /// Whether there is something that a [`sync`](Self::sync) would make last.
    pub(in crate::courier) fn is_dirty(&self) -> bool {
        let dirty = |lane: &Lane| lane.writer_dirty || lane.cursor_dirty;
        self.fsync != Fsync::Never && (self.names_dirty || self.lanes.iter().any(dirty))
    }

    /// Makes what has been written outlive the machine.
    pub(in crate::courier) fn sync(&mut self) {
        if self.fsync == Fsync::Never {
            return;
        }
        for signal in Signal::ALL {
            self.sync_segment(signal);
            let lane = &mut self.lanes[signal.index()];
            if std::mem::take(&mut lane.cursor_dirty)
                && let Some(cursor) = &mut lane.cursor
                && let Err(error) = cursor.sync()
            {
                lane.cursor = None;
                lane.cursor_owed = true;
                self.trouble("a cursor could not be synced", error);
            }
        }
        if std::mem::take(&mut self.names_dirty)
            && let Err(error) = self.files.sync_names()
        {
            self.trouble("the directory could not be synced", error);
        }
    }

    /// Makes the directory anew where somebody removed it. `false`: another process has it by now.
    pub(in crate::courier) fn claim(&mut self) -> io::Result<bool> {
        self.files.claim()
    }

    fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.lanes.iter().flat_map(|lane| &lane.segments)
    }

    fn sync_segment(&mut self, signal: Signal) {
        let lane = &mut self.lanes[signal.index()];
        if std::mem::take(&mut lane.writer_dirty)
            && self.fsync != Fsync::Never
            && let Some(writer) = &mut lane.writer
            && let Err(error) = writer.sync()
        {
            // The kernel has forgotten which pages failed: asking again proves nothing, so nothing more goes there.
            lane.writer = None;
            self.next_epoch();
            self.trouble("a segment could not be synced", error);
        }
    }

    /// Removes a lane's oldest segment with whatever is in it.
    fn evict(&mut self, signal: Signal, reason: DropReason) -> io::Result<()> {
        let lane = &mut self.lanes[signal.index()];
        let Some(&front) = lane.segments.front() else {
            return Ok(());
        };
        self.remove_front(signal)?;
        self.losses.push(Loss {
            signal,
            unread: front.unread,
            reason,
            segment: Some(front.epoch),
        });
        Ok(())
    }

    /// The file goes first: what is counted as lost must not come back at the next start.
    fn remove_front(&mut self, signal: Signal) -> io::Result<()> {
        let lane = &mut self.lanes[signal.index()];
        let Some(front) = lane.segments.front() else {
            return Ok(());
        };
        let was_written_to = lane.segments.len() == 1 && lane.writer.is_some();
        match self.files.remove(&segment_name(signal, front.epoch)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => lane.pop_front(),
        };
        self.names_dirty = true;
        if was_written_to {
            // The cursor speaks of the file that had this number.
            self.next_epoch();
        }
        Ok(())
    }

    fn advance_or_tell(&mut self, signal: Signal) {
        if let Err(error) = self.advance(signal) {
            self.trouble("what was seen off could not be marked", error);
        }
    }

    /// Removes segments that are done with, else writes down how far the oldest is.
    fn advance(&mut self, signal: Signal) -> io::Result<()> {
        let mut told = self.lanes[signal.index()].done;
        while self.lanes[signal.index()].advance() {
            if let Err(error) = self.remove_front(signal) {
                // It stays, done with to its end; the next call tries again.
                self.trouble("a segment could not be removed", error);
                break;
            }
            told = self.lanes[signal.index()].done;
        }
        let lane = &mut self.lanes[signal.index()];
        lane.cursor_owed |= lane.done != told;
        match lane.segments.front() {
            Some(front) if lane.cursor_owed => {
                let place = Place {
                    epoch: front.epoch,
                    offset: lane.done,
                };
                self.write_cursor(signal, place)
            }
            _ => Ok(()),
        }
    }

    fn write_cursor(&mut self, signal: Signal, place: Place) -> io::Result<()> {
        let lane = &mut self.lanes[signal.index()];
        let cursor = match &mut lane.cursor {
            Some(cursor) => cursor,
            none => {
                let cursor = none.insert(self.files.open(&cursor_name(signal), true)?);
                // It may be new.
                self.names_dirty = true;
                cursor
            }
        };
        let count = lane.cursor_count + 1;
        let bytes = slot(count, place);
        let offset = (count % 2) * bytes.len() as u64;
        if let Err(error) = cursor.write_at(offset, &bytes) {
            lane.cursor = None;
            return Err(error);
        }
        lane.cursor_count = count;
        lane.cursor_dirty = true;
        lane.cursor_owed = false;
        if self.fsync == Fsync::EachBatch {
            self.sync();
        }
        Ok(())
    }

    fn trouble(&mut self, what: &'static str, error: io::Error) {
        self.troubles.push(Failure { what, error });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Of the whole capacity, in one epoch: what goes at once when there is no room, so the cap is used to within 5 %.
const SEGMENTS: u64 = 32;
const LARGEST_SEGMENT: u64 = 32 << 20;
const BLOCK: u64 = 4096;
/// At most so many files, however small they are. Where blocks count for more than that, files with little in them would use
/// up what they do not take.
const SMALL_FILES: u64 = 4096;
/// A spool smaller than this would hold a batch or two.
const LEAST_CAPACITY: u64 = 1 << 20;
/// Times that a record is tried to be read.
const MAX_FAILURES: u8 = 3;

#[cfg(test)]
mod tests;
