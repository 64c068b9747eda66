//! Writing: records at the end of a lane's last segment, and segments of the next epoch.

use std::io::{self, ErrorKind};

use super::super::crc32c::crc32c;
use super::super::files::OpenFile;
use super::super::lane::{Count, Segment};
use super::super::record::{
    Header, Place, RECORD_HEADER, SEGMENT_HEADER, segment_header, segment_name,
};
use super::{Fsync, Store};
use crate::courier::{Batch, DropReason, Signal};

impl Store {
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
    pub(super) fn cost(&self, size: u64) -> u64 {
        size.max(self.block)
    }

    /// Segments that begin from now on have the next number.
    pub(super) fn next_epoch(&mut self) {
        self.epoch += 1;
        self.epoch_bytes = 0;
    }

    /// Nothing more goes into the segment that a lane writes to.
    pub(super) fn seal(&mut self, signal: Signal) {
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
}

/// All of it by one call, or an error.
fn written(file: &mut dyn OpenFile, front: &[u8], back: &[u8]) -> io::Result<()> {
    if file.append(front, back)? == front.len() + back.len() {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::WriteZero, "a short write"))
    }
}
