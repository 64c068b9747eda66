//! What stands in the files, byte for byte. Numbers are little-endian; every header carries a checksum of itself.
//!
//! ```text
//! traces-0000000000000007.seg   = segment header (32 bytes), then records back to back
//! segment header                = magic "OBSSPOOL", version u16, signal u8, 0 u8, 4 × 0, epoch u64, 4 × 0, crc32c u32
//! record                        = header (40 bytes), then the body
//! record header                 = magic "OBSr", body length u32, items u64, created u64 (nanoseconds since 1970),
//!                                 ticket u64 (means something to the run that wrote it), crc32c of the body u32, crc32c u32
//! traces.cursor                 = two slots of 32 bytes, written in turn; the higher count that checks out holds
//! slot                          = magic "OBSc", count u64, epoch u64, offset u64, crc32c u32
//! ```

use super::crc32c::crc32c;
use crate::courier::Signal;

/// Where a record begins: in which segment of its lane, and how far into it. Ordered as records are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::courier) struct Place {
    pub(in crate::courier) epoch: u64,
    pub(super) offset: u64,
}

pub(super) const SEGMENT_HEADER: usize = 32;
pub(super) const RECORD_HEADER: usize = 40;
pub(super) const SLOT: usize = 32;

const SEGMENT_MAGIC: [u8; 8] = *b"OBSSPOOL";
const RECORD_MAGIC: [u8; 4] = *b"OBSr";
const SLOT_MAGIC: [u8; 4] = *b"OBSc";
const VERSION: u16 = 1;

/// A file name, taken apart.
pub(super) fn segment_name(signal: Signal, epoch: u64) -> String {
    format!("{signal}-{epoch:016}.seg")
}

pub(super) fn cursor_name(signal: Signal) -> String {
    format!("{signal}.cursor")
}

/// The segment that a file is by its name.
pub(super) fn segment_of(name: &str) -> Option<(Signal, u64)> {
    let (signal, epoch) = name.strip_suffix(".seg")?.split_once('-')?;
    let signal = Signal::ALL.into_iter().find(|of| of.as_str() == signal)?;
    let digits = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_digit());
    Some((signal, epoch.parse().ok().filter(|_| digits)?))
}

pub(super) fn segment_header(signal: Signal, epoch: u64) -> [u8; SEGMENT_HEADER] {
    let mut bytes = [0; SEGMENT_HEADER];
    put(&mut bytes, 0, &SEGMENT_MAGIC);
    put(&mut bytes, 8, &VERSION.to_le_bytes());
    put(&mut bytes, 10, &[signal.index() as u8]);
    put(&mut bytes, 16, &epoch.to_le_bytes());
    sealed(bytes)
}

/// What the beginning of a segment says about the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Records of ours follow.
    Ours,
    /// A later version of this crate wrote it.
    Newer,
    /// Torn, or not what its name says.
    Broken,
}

pub(super) fn read_segment_header(bytes: &[u8], signal: Signal, epoch: u64) -> Kind {
    let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER>() else {
        return Kind::Broken;
    };
    if !is_sealed(bytes) || !bytes.starts_with(&SEGMENT_MAGIC) {
        return Kind::Broken;
    }
    if u16::from_le_bytes(get(bytes, 8)) != VERSION {
        return Kind::Newer;
    }
    if *bytes == segment_header(signal, epoch) {
        Kind::Ours
    } else {
        Kind::Broken
    }
}

/// What is known of a record without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) body_len: u32,
    pub(super) items: u64,
    /// Nanoseconds since 1970.
    pub(super) created: u64,
    pub(super) ticket: u64,
    pub(super) body_crc: u32,
}

impl Header {
    /// The whole record.
    pub(super) fn record_len(&self) -> u64 {
        RECORD_HEADER as u64 + u64::from(self.body_len)
    }

    pub(super) fn to_bytes(self) -> [u8; RECORD_HEADER] {
        let mut bytes = [0; RECORD_HEADER];
        put(&mut bytes, 0, &RECORD_MAGIC);
        put(&mut bytes, 4, &self.body_len.to_le_bytes());
        put(&mut bytes, 8, &self.items.to_le_bytes());
        put(&mut bytes, 16, &self.created.to_le_bytes());
        put(&mut bytes, 24, &self.ticket.to_le_bytes());
        put(&mut bytes, 32, &self.body_crc.to_le_bytes());
        sealed(bytes)
    }

    /// `None`: no record begins here.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<RECORD_HEADER>()?;
        (is_sealed(bytes) && bytes.starts_with(&RECORD_MAGIC)).then(|| Self {
            body_len: u32::from_le_bytes(get(bytes, 4)),
            items: u64::from_le_bytes(get(bytes, 8)),
            created: u64::from_le_bytes(get(bytes, 16)),
            ticket: u64::from_le_bytes(get(bytes, 24)),
            body_crc: u32::from_le_bytes(get(bytes, 32)),
        })
    }
}

pub(super) fn slot(count: u64, place: Place) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    put(&mut bytes, 0, &SLOT_MAGIC);
    put(&mut bytes, 4, &count.to_le_bytes());
    put(&mut bytes, 12, &place.epoch.to_le_bytes());
    put(&mut bytes, 20, &place.offset.to_le_bytes());
    sealed(bytes)
}

/// The newest of the slots that check out.
pub(super) fn read_slots(bytes: &[u8]) -> Option<(u64, Place)> {
    let (slots, _) = bytes.as_chunks::<SLOT>();
    let whole = slots
        .iter()
        .filter(|slot| is_sealed(slot.as_slice()) && slot.starts_with(&SLOT_MAGIC));
    let read = whole.map(|slot| {
        let place = Place {
            epoch: u64::from_le_bytes(get(slot, 12)),
            offset: u64::from_le_bytes(get(slot, 20)),
        };
        (u64::from_le_bytes(get(slot, 4)), place)
    });
    read.max_by_key(|(count, _)| *count)
}

/// The checksum of everything before them goes into the last four bytes.
fn sealed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    if let Some((front, seal)) = bytes.split_last_chunk_mut::<4>() {
        *seal = crc32c(front).to_le_bytes();
    }
    bytes
}

fn is_sealed(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<4>()
        .is_some_and(|(front, seal)| crc32c(front) == u32::from_le_bytes(*seal))
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    for (byte, &value) in bytes.iter_mut().skip(at).zip(field) {
        *byte = value;
    }
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    for (value, &byte) in field.iter_mut().zip(bytes.iter().skip(at)) {
        *value = byte;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        body_len: 70_000,
        items: 512,
        created: 1_767_225_600_000_000_000,
        ticket: u64::MAX,
        body_crc: 0xdead_beef,
    };

    #[test]
    fn names_are_read_back_and_strangers_are_passed_over() {
        for signal in Signal::ALL {
            assert_eq!(
                segment_of(&segment_name(signal, 1 << 40)),
                Some((signal, 1 << 40))
            );
        }
        for stranger in [
            "lock",
            "traces.cursor",
            "traces-7.seg",
            "traces-+000000000000007.seg",
            "spans-0000000000000007.seg",
            "traces-0000000000000007.seg~",
        ] {
            assert_eq!(segment_of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn a_header_is_read_back_and_any_flipped_bit_is_seen() {
        let bytes = HEADER.to_bytes();
        assert_eq!(Header::from_bytes(&bytes), Some(HEADER));
        for bit in 0..8 * RECORD_HEADER {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::from_bytes(&flipped), None, "bit {bit}");
        }
        assert_eq!(Header::from_bytes(&bytes[..RECORD_HEADER - 1]), None);
        assert_eq!(Header::from_bytes(&[0; RECORD_HEADER]), None);
    }

    #[test]
    fn a_segment_says_whose_it_is() {
        let bytes = segment_header(Signal::Logs, 7);
        assert_eq!(read_segment_header(&bytes, Signal::Logs, 7), Kind::Ours);
        assert_eq!(read_segment_header(&bytes, Signal::Logs, 8), Kind::Broken);
        assert_eq!(read_segment_header(&bytes, Signal::Traces, 7), Kind::Broken);
        assert_eq!(
            read_segment_header(&bytes[..31], Signal::Logs, 7),
            Kind::Broken
        );
        let mut newer = bytes;
        newer[8] = 2;
        assert_eq!(
            read_segment_header(&newer, Signal::Logs, 7),
            Kind::Broken,
            "its checksum is of the old"
        );
        assert_eq!(
            read_segment_header(&sealed(newer), Signal::Logs, 7),
            Kind::Newer
        );
    }

    #[test]
    fn the_newer_slot_holds_and_a_torn_one_does_not() {
        let [old, new] = [3, 9].map(|offset| Place { epoch: 1, offset });
        let both = [slot(5, old), slot(6, new)].concat();
        assert_eq!(read_slots(&both), Some((6, new)));
        let mut torn = both.clone();
        torn[SLOT + 20] ^= 1;
        assert_eq!(read_slots(&torn), Some((5, old)));
        assert_eq!(read_slots(&both[..SLOT + 31]), Some((5, old)));
        assert_eq!(read_slots(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            Header::from_bytes(&bytes);
            read_slots(&bytes);
            read_segment_header(&bytes, Signal::Traces, 0);
        }
    }
}
