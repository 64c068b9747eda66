//! What is known of one signal's files: no I/O here.

use std::collections::{BTreeMap, VecDeque};

use super::files::OpenFile;
use super::record::{Place, SEGMENT_HEADER};

/// The segments of one signal, oldest first, and how far they have been read and seen off.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) segments: VecDeque<Segment>,
    /// The next record to load, unless it is among those taken.
    pub(super) read: Place,
    /// How far the oldest segment is done with.
    pub(super) done: u64,
    /// Records in somebody's hands, and those done with behind one that is not.
    pub(super) taken: BTreeMap<Place, Taken>,
    /// For the last segment, while it may grow.
    pub(super) writer: Option<Box<dyn OpenFile>>,
    pub(super) writer_dirty: bool,
    pub(super) reader: Option<(u64, Box<dyn OpenFile>)>,
    /// Failures to read at `read` in a row.
    pub(super) failures: u8,
    pub(super) cursor: Option<Box<dyn OpenFile>>,
    pub(super) cursor_dirty: bool,
    /// It does not say yet how far the lane is done with: that could not be written.
    pub(super) cursor_owed: bool,
    pub(super) cursor_count: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) epoch: u64,
    /// Up to the end of the last whole record.
    pub(super) len: u64,
    /// On disk, with what is torn.
    pub(super) size: u64,
    pub(super) unread: Count,
    /// When its last record was made, in nanoseconds since 1970.
    pub(super) newest: u64,
    /// Of an earlier run: its tickets mean nothing here.
    pub(super) recovered: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::courier) struct Count {
    pub(in crate::courier) records: u64,
    pub(in crate::courier) items: u64,
}

impl Count {
    pub(in crate::courier) fn add(&mut self, items: u64) {
        self.records += 1;
        self.items += items;
    }

    pub(in crate::courier) fn remove(&mut self, gone: Self) {
        self.records = self.records.saturating_sub(gone.records);
        self.items = self.items.saturating_sub(gone.items);
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// Where the next record begins.
    pub(super) end: u64,
    pub(super) done: bool,
}

impl Lane {
    /// Moves `read` to a record that nobody has, if there is one: that record's place and segment.
    pub(super) fn next_unread(&mut self) -> Option<(Place, Segment)> {
        loop {
            let from = self.read.epoch;
            let at_or_after = move |segment: &&Segment| segment.epoch >= from;
            let mut ahead = self.segments.iter().filter(at_or_after);
            let segment = *ahead.next()?;
            if segment.epoch > self.read.epoch {
                self.read = first_of(segment.epoch);
            }
            let front = self.segments.front().map(|front| front.epoch);
            if front == Some(segment.epoch) {
                // What is done with may never have been read: somebody had it in memory.
                self.read.offset = self.read.offset.max(self.done);
            }
            if let Some(taken) = self.taken.get(&self.read) {
                self.read.offset = taken.end;
            } else if self.read.offset < segment.len {
                return Some((self.read, segment));
            } else {
                // The last one may grow yet.
                self.read = first_of(ahead.next()?.epoch);
            }
        }
    }

    pub(super) fn segment_mut(&mut self, epoch: u64) -> Option<&mut Segment> {
        let with = |segment: &&mut Segment| segment.epoch == epoch;
        self.segments.iter_mut().find(with)
    }

    /// A record leaves the unread: loaded, written while somebody has it, or passed over.
    pub(super) fn take(&mut self, place: Place, end: u64, items: u64, done: bool) {
        if let Some(segment) = self.segment_mut(place.epoch) {
            segment.unread.remove(Count { records: 1, items });
            self.taken.insert(place, Taken { end, done });
        }
        if self.read == place {
            self.read.offset = end;
        }
    }

    /// Moves `done` over what is done with. Whether the oldest segment is, to its end.
    pub(super) fn advance(&mut self) -> bool {
        loop {
            let Some(front) = self.segments.front() else {
                return false;
            };
            let place = Place {
                epoch: front.epoch,
                offset: self.done,
            };
            match self.taken.get(&place) {
                Some(taken) if taken.done => {
                    self.done = taken.end;
                    self.taken.remove(&place);
                }
                Some(_) => return false,
                None => return self.done >= front.len,
            }
        }
    }

    /// The oldest segment there was is gone: nothing of the one with this number, or of a later one, is done with.
    pub(super) fn forget_before(&mut self, epoch: u64) {
        self.taken = self.taken.split_off(&first_of(epoch));
        self.done = SEGMENT_HEADER as u64;
    }

    /// Forgets the oldest segment, whatever is in it.
    pub(super) fn pop_front(&mut self) -> Option<Segment> {
        let gone = self.segments.pop_front()?;
        self.forget_before(gone.epoch.saturating_add(1));
        self.reader = self.reader.take().filter(|(epoch, _)| *epoch != gone.epoch);
        if self.segments.is_empty() {
            self.writer = None;
            self.writer_dirty = false;
        }
        Some(gone)
    }
}

pub(super) fn first_of(epoch: u64) -> Place {
    Place {
        epoch,
        offset: SEGMENT_HEADER as u64,
    }
}
