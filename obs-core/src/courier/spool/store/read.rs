//! Reading: the next record of a lane, and what becomes of one that cannot be read.

use std::io::{self, ErrorKind};

use super::super::crc32c::crc32c;
use super::super::files::OpenFile;
use super::super::lane::Count;
use super::super::record::{Header, Place, RECORD_HEADER, segment_name};
use super::{Load, Loss, MAX_FAILURES, Record, Store};
use crate::courier::{Batch, DropReason, Signal};

impl Store {
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
}
