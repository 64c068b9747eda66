//! gzip (RFC 1952) and deflate (RFC 1950, or RFC 1951 bare, which some servers send under its name). Their window is 32 KiB.

use super::{Step, Unreadable};
use flate2::{Decompress, FlushDecompress, Status};

/// One or several members, each a head, a deflate stream and eight bytes of sums, which are not looked at: whoever reads the answer
/// for its own sake does.
#[derive(Debug)]
pub(super) struct Gzip {
    at: At,
    inflate: Decompress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// The ten bytes of a head, by how many of them were there; flags by then.
    Head(u8, u8),
    /// The length of a field, its two bytes.
    ExtraLength(u8, u8),
    ExtraLengthEnd(u8, u8),
    /// So many bytes of it are to come.
    Extra(u8, u16),
    /// Up to a zero.
    Name(u8),
    Comment(u8),
    /// Two bytes of a sum of the head.
    Sum(u8),
    Data,
    /// Sums, by how many of them were there.
    Trailer(u8),
}

const HAS_SUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            at: At::Head(0, 0),
            inflate: Decompress::new(false),
        }
    }

    pub(super) fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> Result<Step, Unreadable> {
        let mut read = 0;
        while self.at != At::Data {
            let Some(byte) = bytes.get(read) else {
                return Ok(Step { read, written: 0 });
            };
            self.at = self.at.after(*byte)?;
            if self.at == At::Head(0, 0) {
                self.inflate.reset(false);
            }
            read += 1;
        }
        let rest = bytes.get(read..).unwrap_or_default();
        let (step, is_over) = inflate(&mut self.inflate, rest, into)?;
        if is_over {
            self.at = At::Trailer(0);
        }
        Ok(Step {
            read: read + step.read,
            ..step
        })
    }
}

impl At {
    fn after(self, byte: u8) -> Result<Self, Unreadable> {
        let wanted = |one| match byte == one {
            true => Ok(()),
            false => Err(Unreadable),
        };
        Ok(match self {
            Self::Head(0, _) => wanted(0x1f).map(|()| Self::Head(1, 0))?,
            Self::Head(1, _) => wanted(0x8b).map(|()| Self::Head(2, 0))?,
            Self::Head(2, _) => wanted(8).map(|()| Self::Head(3, 0))?,
            Self::Head(3, _) if byte & RESERVED != 0 => return Err(Unreadable),
            Self::Head(3, _) => Self::Head(4, byte),
            Self::Head(9, flags) => Self::behind_head(flags),
            Self::Head(at, flags) => Self::Head(at + 1, flags),
            Self::ExtraLength(flags, _) => Self::ExtraLengthEnd(flags, byte),
            Self::ExtraLengthEnd(flags, low) => match u16::from_le_bytes([low, byte]) {
                0 => Self::behind_extra(flags),
                length => Self::Extra(flags, length),
            },
            Self::Extra(flags, 1) => Self::behind_extra(flags),
            Self::Extra(flags, left) => Self::Extra(flags, left - 1),
            Self::Name(flags) if byte == 0 => Self::behind_name(flags),
            Self::Comment(flags) if byte == 0 => Self::behind_comment(flags),
            Self::Name(_) | Self::Comment(_) | Self::Data => self,
            Self::Sum(0) => Self::Sum(1),
            Self::Sum(_) => Self::Data,
            Self::Trailer(7) => Self::Head(0, 0),
            Self::Trailer(at) => Self::Trailer(at + 1),
        })
    }

    fn behind_head(flags: u8) -> Self {
        match flags & HAS_EXTRA {
            0 => Self::behind_extra(flags),
            _ => Self::ExtraLength(flags, 0),
        }
    }

    fn behind_extra(flags: u8) -> Self {
        match flags & HAS_NAME {
            0 => Self::behind_name(flags),
            _ => Self::Name(flags),
        }
    }

    fn behind_name(flags: u8) -> Self {
        match flags & HAS_COMMENT {
            0 => Self::behind_comment(flags),
            _ => Self::Comment(flags),
        }
    }

    fn behind_comment(flags: u8) -> Self {
        match flags & HAS_SUM {
            0 => Self::Data,
            _ => Self::Sum(0),
        }
    }
}

#[derive(Debug)]
pub(super) struct Deflate {
    /// The first two bytes, and how many of them were there.
    head: ([u8; 2], usize),
    /// Made when they are: they tell whether there is a head.
    inflate: Option<Decompress>,
    over: bool,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self {
            head: ([0; 2], 0),
            inflate: None,
            over: false,
        }
    }

    pub(super) fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> Result<Step, Unreadable> {
        if self.over {
            // What follows belongs to nobody.
            let read = bytes.len();
            return Ok(Step { read, written: 0 });
        }
        if let Some(inflate_by) = &mut self.inflate {
            let (step, is_over) = inflate(inflate_by, bytes, into)?;
            self.over = is_over;
            return Ok(step);
        }
        let (head, len) = &mut self.head;
        let mut read = 0;
        while let (Some(place), Some(byte)) = (head.get_mut(*len), bytes.get(read)) {
            *place = *byte;
            *len += 1;
            read += 1;
        }
        if *len < head.len() {
            return Ok(Step { read, written: 0 });
        }
        // Zlib's says its method, and is a multiple of 31.
        let has_head = head[0] & 0x0f == 8 && u16::from_be_bytes(*head).is_multiple_of(31);
        let inflate_by = self.inflate.insert(Decompress::new(has_head));
        let (step, is_over) = inflate(inflate_by, head, into)?;
        self.over = is_over;
        Ok(Step { read, ..step })
    }
}

/// One step of a deflate stream, and whether it is over.
fn inflate(by: &mut Decompress, bytes: &[u8], into: &mut [u8]) -> Result<(Step, bool), Unreadable> {
    let before = (by.total_in(), by.total_out());
    let status = by.decompress(bytes, into, FlushDecompress::None);
    let step = Step {
        read: (by.total_in() - before.0) as usize,
        written: (by.total_out() - before.1) as usize,
    };
    match status {
        Ok(status) => Ok((step, status == Status::StreamEnd)),
        Err(_) => Err(Unreadable),
    }
}
