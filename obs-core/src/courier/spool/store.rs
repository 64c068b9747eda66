//! Records on disk: appended, loaded in order, seen off, and let go of when there are too many or they are too old.
//!
//! It decides nothing about delivery. Whoever uses it calls one method at a time, from one thread; what it had to let go
//! of on the way is in [`take_losses`](Store::take_losses), and what went wrong without stopping it in
//! [`take_troubles`](Store::take_troubles).
//!
//! Segments of all signals are numbered together, by epoch: a new one begins when so many bytes have been written to
//! the files of the last. So the lowest number is the oldest data, whatever its signal, and a quiet signal loses nothing
//! recent when a busy one fills the disk.

use std::io::{self, ErrorKind};
use std::time::Duration;

use super::crc32c::crc32c;
use super::files::{Files, OpenFile};
use super::lane::{Count, Lane, Segment};
use super::record::{
    Header, Kind, Place, RECORD_HEADER, SEGMENT_HEADER, cursor_name, segment_header, segment_name,
    slot,
};
use super::{Fsync, SpoolSettings};
use crate::courier::ledger::Failure;
use crate::courier::{Batch, DropReason, Signal};

mod recover;

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

    /// Writes a record at the end of its lane, at the cost of the oldest segment of all if there is no room.
    ///
    /// After an error the lane is as it was; what was let go of to make room stays gone.
    pub(in crate::courier) fn append(
        &mut self,
        batch: &Batch,
        ticket: u64,
        created: u64,
    ) -> io::Result<Place> {
        let body: &[u8] = &batch.body;
        let too_large = || io::Error::new(ErrorKind::FileTooLarge, "larger than the spool");
        let header = Header {
            body_len: u32::try_from(body.len()).map_err(|_| too_large())?,
            items: batch.items,
            created,
            ticket,
            body_crc: crc32c(body),
        };
        let record = header.record_len();
        if record.saturating_add(SEGMENT_HEADER as u64) > self.capacity {
            return Err(too_large());
        }
        self.make_room(batch.signal, record)?;
        self.begin_segment(batch.signal)?;
        let lane = &mut self.lanes[batch.signal.index()];
        let (Some(writer), Some(segment)) = (&mut lane.writer, lane.segments.back_mut()) else {
            return Err(io::Error::other("no segment to write to"));
        };
        let place = Place {
            epoch: segment.epoch,
            offset: segment.len,
        };
        let whole = written(writer.as_mut(), &header.to_bytes(), body);
        if let Err(error) = whole {
            // Back to where it was; if not even that works, nothing more goes behind the torn record.
            if segment.len == SEGMENT_HEADER as u64 {
                self.discard_back(batch.signal);
            } else if writer.truncate(segment.len).is_err() {
                segment.size = segment.len.saturating_add(record);
                self.seal(batch.signal);
            }
            return Err(error);
        }
        segment.len += record;
        segment.size = segment.len;
        segment.unread.add(batch.items);
        segment.newest = segment.newest.max(created);
        lane.writer_dirty = true;
        self.epoch_bytes += record;
        if self.fsync == Fsync::EachBatch {
            self.sync();
        }
        Ok(place)
    }

    /// The next record of a lane, if it fits: from here on it is in somebody's hands, until it is [seen off](Self::done).
    pub(in crate::courier) fn load(
        &mut self,
        signal: Signal,
        room: u64,
        now: u64,
    ) -> io::Result<Load> {
        loop {
            let Some((place, segment)) = self.lanes[signal.index()].next_unread() else {
                return Ok(Load::Nothing);
            };
            let header = match self.header_at(signal, place) {
                Ok(header) => header,
                Err(error) if self.is_lasting(signal, &error) => None,
                Err(error) => return Err(error),
            };
            let end = header.map(|header| place.offset.saturating_add(header.record_len()));
            let (Some(header), Some(end)) = (header, end.filter(|end| *end <= segment.len)) else {
                self.lose_rest(signal, place);
                continue;
            };
            if header.created.saturating_add(self.max_age) < now {
                self.pass_over(signal, place, &header, DropReason::Expired);
                continue;
            }
            let body_len = u64::from(header.body_len);
            if body_len > room {
                return Ok(Load::NoRoom { bytes: body_len });
            }
            let body = match self.body_at(signal, place, &header) {
                Ok(body) => body,
                Err(error) if self.is_lasting(signal, &error) => None,
                Err(error) => return Err(error),
            };
            let lane = &mut self.lanes[signal.index()];
            lane.failures = 0;
            let Some(body) = body else {
                self.pass_over(signal, place, &header, DropReason::SpoolUnreadable);
                continue;
            };
            lane.take(place, end, header.items, false);
            return Ok(Load::Record(Record {
                place,
                ticket: if segment.recovered { 0 } else { header.ticket },
                created: header.created,
                batch: Batch::new(signal, body, header.items),
            }));
        }
    }

    /// Lets go of the next record of a lane, because it fits nowhere.
    pub(in crate::courier) fn skip(&mut self, signal: Signal, reason: DropReason) {
        if let Some((place, _)) = self.lanes[signal.index()].next_unread()
            && let Ok(Some(header)) = self.header_at(signal, place)
        {
            self.pass_over(signal, place, &header, reason);
        }
    }

    /// A record just written is in somebody's hands already: it is not to be loaded.
    pub(in crate::courier) fn hold(&mut self, signal: Signal, place: Place, batch: &Batch) {
        let end = place.offset + RECORD_HEADER as u64 + batch.body.len() as u64;
        self.lanes[signal.index()].take(place, end, batch.items, false);
    }

    /// The record that was loaded last is to be loaded again, later.
    pub(in crate::courier) fn unload(&mut self, place: Place, batch: &Batch) {
        let lane = &mut self.lanes[batch.signal.index()];
        if lane.taken.remove(&place).is_some()
            && let Some(segment) = lane.segment_mut(place.epoch)
        {
            segment.unread.add(batch.items);
            lane.read = place;
        }
    }

    /// A record just written is needed no more. It is cut off, because a cursor cannot say so of the last of several.
    pub(in crate::courier) fn take_back(&mut self, place: Place, batch: &Batch) -> io::Result<()> {
        let lane = &mut self.lanes[batch.signal.index()];
        let end = place.offset + RECORD_HEADER as u64 + batch.body.len() as u64;
        let last = lane.segments.back_mut();
        if let (Some(writer), Some(last)) = (&mut lane.writer, last)
            && (last.epoch, last.len) == (place.epoch, end)
            && writer.truncate(place.offset).is_ok()
        {
            (last.len, last.size) = (place.offset, place.offset);
            last.unread.remove(Count {
                records: 1,
                items: batch.items,
            });
            if place.offset == SEGMENT_HEADER as u64 {
                self.discard_back(batch.signal);
            }
            return Ok(());
        }
        self.hold(batch.signal, place, batch);
        self.done(batch.signal, place)
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

    fn make_room(&mut self, signal: Signal, record: u64) -> io::Result<()> {
        if self.epoch_bytes >= self.segment_bytes {
            self.next_epoch();
        }
        loop {
            let lane = &self.lanes[signal.index()];
            let grows = lane.segments.back().filter(|back| back.epoch == self.epoch);
            let grows = grows.filter(|_| lane.writer.is_some());
            let more = match grows {
                Some(back) => self.cost(back.size.saturating_add(record)) - self.cost(back.size),
                None => self.cost(record.saturating_add(SEGMENT_HEADER as u64)),
            };
            let used: u64 = self.segments().map(|segment| self.cost(segment.size)).sum();
            if used.saturating_add(more) <= self.capacity {
                return Ok(());
            }
            let fronts = Signal::ALL.into_iter().filter_map(|signal| {
                let front = self.lanes[signal.index()].segments.front()?;
                Some((front.epoch, signal))
            });
            let Some((_, oldest)) = fronts.min() else {
                return Ok(());
            };
            self.evict(oldest, DropReason::SpoolFull)?;
        }
    }

    /// What a file takes on a disk: a small one takes a block.
    fn cost(&self, size: u64) -> u64 {
        size.max(self.block)
    }

    /// Segments that begin from now on have the next number.
    fn next_epoch(&mut self) {
        self.epoch += 1;
        self.epoch_bytes = 0;
    }

    /// Nothing more goes into the segment that a lane writes to.
    fn seal(&mut self, signal: Signal) {
        self.sync_segment(signal);
        self.lanes[signal.index()].writer = None;
        // A file of this number is there already.
        self.next_epoch();
    }

    /// The segment just begun has nothing in it.
    fn discard_back(&mut self, signal: Signal) {
        let lane = &mut self.lanes[signal.index()];
        lane.writer = None;
        lane.writer_dirty = false;
        if let Some(back) = lane.segments.pop_back()
            && let Err(error) = self.files.remove(&segment_name(signal, back.epoch))
        {
            // The next start finds it, and nothing in it.
            self.trouble("a segment could not be removed", error);
        }
        self.next_epoch();
    }

    fn begin_segment(&mut self, signal: Signal) -> io::Result<()> {
        let epoch = self.epoch;
        let lane = &mut self.lanes[signal.index()];
        if let Some(writer) = &mut lane.writer {
            if lane.segments.back().is_some_and(|back| back.epoch == epoch) {
                if writer.is_linked()? {
                    return Ok(());
                }
                lane.writer = None;
                self.next_epoch();
                return Err(io::Error::new(
                    ErrorKind::NotFound,
                    "somebody removed the segment",
                ));
            }
            self.sync_segment(signal);
            self.lanes[signal.index()].writer = None;
        }
        let name = segment_name(signal, epoch);
        let mut writer = self.files.create(&name)?;
        let header = segment_header(signal, epoch);
        if let Err(error) = written(writer.as_mut(), &header, &[]) {
            // Numbers are not used twice, whether or not it can be removed.
            self.next_epoch();
            self.files.remove(&name).ok();
            return Err(error);
        }
        self.names_dirty = true;
        let lane = &mut self.lanes[signal.index()];
        if lane.segments.is_empty() {
            lane.done = SEGMENT_HEADER as u64;
        }
        lane.writer = Some(writer);
        lane.segments.push_back(Segment {
            epoch,
            len: SEGMENT_HEADER as u64,
            size: SEGMENT_HEADER as u64,
            unread: Count::default(),
            newest: 0,
            recovered: false,
        });
        Ok(())
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

    fn reader(&mut self, signal: Signal, epoch: u64) -> io::Result<&mut dyn OpenFile> {
        let lane = &mut self.lanes[signal.index()];
        let kept = lane.reader.take().filter(|(of, _)| *of == epoch);
        let reader = match kept {
            Some(reader) => reader,
            None => (epoch, self.files.open(&segment_name(signal, epoch), false)?),
        };
        Ok(lane.reader.insert(reader).1.as_mut())
    }

    fn header_at(&mut self, signal: Signal, place: Place) -> io::Result<Option<Header>> {
        let mut bytes = [0; RECORD_HEADER];
        let reader = self.reader(signal, place.epoch)?;
        let read = reader.read_at(place.offset, &mut bytes)?;
        Ok(bytes.get(..read).and_then(Header::from_bytes))
    }

    /// `None`: it is not what was written.
    fn body_at(
        &mut self,
        signal: Signal,
        place: Place,
        header: &Header,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut body = vec![0; header.body_len as usize];
        let reader = self.reader(signal, place.epoch)?;
        let read = reader.read_at(place.offset + RECORD_HEADER as u64, &mut body)?;
        Ok((read == body.len() && crc32c(&body) == header.body_crc).then_some(body))
    }

    /// Whether reading has failed often enough, or in such a way, that it is given up.
    fn is_lasting(&mut self, signal: Signal, error: &io::Error) -> bool {
        let lane = &mut self.lanes[signal.index()];
        lane.reader = None;
        lane.failures += 1;
        let lasting = lane.failures >= MAX_FAILURES || error.kind() == ErrorKind::NotFound;
        if lasting {
            lane.failures = 0;
            let error = io::Error::new(error.kind(), error.to_string());
            self.trouble("records could not be read", error);
        }
        lasting
    }

    /// Nothing from `place` on can be made out in its segment.
    fn lose_rest(&mut self, signal: Signal, place: Place) {
        let lane = &mut self.lanes[signal.index()];
        let is_last = lane
            .segments
            .back()
            .is_some_and(|back| back.epoch == place.epoch);
        let Some(segment) = lane.segment_mut(place.epoch) else {
            return;
        };
        let unread = std::mem::take(&mut segment.unread);
        segment.len = place.offset;
        self.losses.push(Loss {
            signal,
            unread,
            reason: DropReason::SpoolUnreadable,
            segment: None,
        });
        if is_last && self.lanes[signal.index()].writer.is_some() {
            self.seal(signal);
        }
        self.advance_or_tell(signal);
    }

    fn pass_over(&mut self, signal: Signal, place: Place, header: &Header, reason: DropReason) {
        let end = place.offset.saturating_add(header.record_len());
        self.lanes[signal.index()].take(place, end, header.items, true);
        self.losses.push(Loss {
            signal,
            unread: Count {
                records: 1,
                items: header.items,
            },
            reason,
            segment: None,
        });
        self.advance_or_tell(signal);
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
        let lane = &self.lanes[signal.index()];
        match lane.segments.front() {
            Some(front) if lane.done != told => {
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
            none => none.insert(self.files.open(&cursor_name(signal), true)?),
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
        if self.fsync == Fsync::EachBatch {
            self.sync();
        }
        Ok(())
    }

    fn trouble(&mut self, what: &'static str, error: io::Error) {
        self.troubles.push(Failure { what, error });
    }
}

/// All of it by one call, or an error.
fn written(file: &mut dyn OpenFile, front: &[u8], back: &[u8]) -> io::Result<()> {
    if file.append(front, back)? == front.len() + back.len() {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::WriteZero, "a short write"))
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
