//! What an earlier run left: found again by the headers of its records, without reading their bodies.

use std::io::{self, ErrorKind};

use super::super::files::OpenFile;
use super::super::lane::{Count, Segment};
use super::super::record::{
    Header, Kind, Place, RECORD_HEADER, SEGMENT_HEADER, SLOT, cursor_name, read_segment_header,
    read_slots, segment_name, segment_of,
};
use super::Store;
use crate::courier::Signal;

/// What was found, by signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::courier) struct Recovered {
    pub(in crate::courier) lanes: [Count; Signal::ALL.len()],
    /// Behind the last whole record of a segment, or in files that make no sense.
    pub(in crate::courier) corrupt_bytes: u64,
}

impl Store {
    /// Takes the directory, and what is in it. `None`: another process has it.
    ///
    /// Files that cannot be read are left where they are, and told of.
    pub(in crate::courier) fn open(&mut self, now: u64) -> io::Result<Option<Recovered>> {
        if !self.files.claim()? {
            return Ok(None);
        }
        let mut recovered = Recovered::default();
        let mut found: Vec<(u64, Signal, u64)> = Vec::new();
        for (name, size) in self.files.list()? {
            if let Some((signal, epoch)) = segment_of(&name) {
                found.push((epoch, signal, size));
            }
        }
        found.sort_unstable();
        let mut newest = 0;
        let mut starts = [Place::default(); Signal::ALL.len()];
        for signal in Signal::ALL {
            if let Some((count, place)) = self.read_cursor(signal) {
                self.lanes[signal.index()].cursor_count = count;
                starts[signal.index()] = place;
                newest = newest.max(place.epoch);
            }
        }
        for (epoch, signal, size) in found {
            newest = newest.max(epoch);
            let start = starts[signal.index()];
            if let Err(error) = self.recover(signal, epoch, size, start, &mut recovered) {
                self.trouble("a segment could not be read", error);
            }
        }
        self.epoch = newest.saturating_add(1);
        self.epoch_bytes = 0;
        for signal in Signal::ALL {
            let lane = &mut self.lanes[signal.index()];
            for segment in &lane.segments {
                let count = &mut recovered.lanes[signal.index()];
                count.records += segment.unread.records;
                count.items += segment.unread.items;
            }
        }
        self.expire(now);
        Ok(Some(recovered))
    }

    fn read_cursor(&mut self, signal: Signal) -> Option<(u64, Place)> {
        let mut cursor = self.files.open(&cursor_name(signal), false).ok()?;
        let mut bytes = [0; 2 * SLOT];
        let read = cursor.read_at(0, &mut bytes).ok()?;
        read_slots(bytes.get(..read)?)
    }

    fn recover(
        &mut self,
        signal: Signal,
        epoch: u64,
        size: u64,
        start: Place,
        recovered: &mut Recovered,
    ) -> io::Result<()> {
        let name = segment_name(signal, epoch);
        if epoch < start.epoch {
            return self.files.remove(&name);
        }
        let mut file = self.files.open(&name, false)?;
        let mut header = [0; SEGMENT_HEADER];
        let read = file.read_at(0, &mut header)?;
        match read_segment_header(header.get(..read).unwrap_or(&[]), signal, epoch) {
            Kind::Ours => {}
            Kind::Newer => {
                return Err(io::Error::new(
                    ErrorKind::Unsupported,
                    "a later version wrote it",
                ));
            }
            Kind::Broken => {
                recovered.corrupt_bytes += size;
                return self.files.remove(&name);
            }
        }
        let begin = if epoch == start.epoch {
            start.offset.max(SEGMENT_HEADER as u64)
        } else {
            SEGMENT_HEADER as u64
        };
        let scan = scan(file.as_mut(), begin)?;
        recovered.corrupt_bytes += size.saturating_sub(scan.end);
        if scan.count.records == 0 {
            return self.files.remove(&name);
        }
        let lane = &mut self.lanes[signal.index()];
        if lane.segments.is_empty() {
            lane.done = begin;
            lane.read = Place {
                epoch,
                offset: begin,
            };
        }
        lane.segments.push_back(Segment {
            epoch,
            len: scan.end,
            size,
            unread: scan.count,
            newest: scan.newest,
            recovered: true,
        });
        Ok(())
    }
}

/// What the headers of a segment say.
struct Scan {
    /// Where the last whole record ends.
    end: u64,
    count: Count,
    newest: u64,
}

/// From header to header: small records by the buffer, of large ones the header alone.
fn scan(file: &mut dyn OpenFile, begin: u64) -> io::Result<Scan> {
    let mut buffer = vec![0; BUFFER];
    let mut scan = Scan {
        end: begin,
        count: Count::default(),
        newest: 0,
    };
    let (mut filled_from, mut filled) = (begin, 0);
    let mut last = 0;
    // What is torn is known by its length: a body that ends before the file does.
    let len = file.len()?;
    loop {
        let skip = usize::try_from(scan.end - filled_from).unwrap_or(usize::MAX);
        let buffered = buffer.get(skip..filled).unwrap_or(&[]);
        let header = if buffered.len() >= RECORD_HEADER {
            Header::from_bytes(buffered)
        } else {
            let want = if last > BUFFER as u64 / 2 {
                RECORD_HEADER
            } else {
                BUFFER
            };
            filled_from = scan.end;
            filled = file.read_at(scan.end, buffer.get_mut(..want).unwrap_or(&mut []))?;
            buffer.get(..filled).and_then(Header::from_bytes)
        };
        let Some(header) = header else {
            return Ok(scan);
        };
        last = header.record_len();
        let end = scan.end.saturating_add(last);
        if end > len {
            return Ok(scan);
        }
        scan.end = end;
        scan.count.add(header.items);
        scan.newest = scan.newest.max(header.created);
    }
}

const BUFFER: usize = 64 << 10;
