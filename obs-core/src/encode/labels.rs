//! Labels as encoded attributes: each value of each label is encoded once, later spans copy the bytes. So a span's
//! labels cost neither a lock nor a reference count.

use super::protobuf::Buffer;
use crate::label::{LabelId, LabelRef, Space};

/// Numbers from here on are encoded each time: a label of so many values gains little, and memory stays bounded.
const CACHED: usize = 1024;

/// The values of one label seen so far.
#[derive(Debug, Default)]
pub(crate) struct LabelBytes {
    /// Where each value's attribute ends in `bytes`, after where it begins; both 0 if it was not met yet.
    places: Vec<(u32, u32)>,
    bytes: Buffer,
}

impl LabelBytes {
    /// Writes the attribute under `field`, the same field each time.
    #[inline(always)]
    pub(crate) fn write(&mut self, field: u8, space: &Space, id: LabelId, into: &mut Buffer) {
        match self.places.get(usize::from(id.0)) {
            Some((start, end)) if end > start => {
                into.raw(&self.bytes.as_slice()[*start as usize..*end as usize]);
            }
            _ => self.first(field, space, id, into),
        }
    }

    #[cold]
    #[inline(never)]
    fn first(&mut self, field: u8, space: &Space, id: LabelId, into: &mut Buffer) {
        let from = into.len();
        space.read(id, |value: LabelRef<'_>| {
            into.label(field, space.key().as_str(), value)
        });
        let index = usize::from(id.0);
        if index >= CACHED {
            return;
        }
        if self.places.len() <= index {
            self.places.resize(index + 1, (0, 0));
        }
        let start = self.bytes.len();
        self.bytes.raw(&into.as_slice()[from..]);
        self.places[index] = (start as u32, self.bytes.len() as u32);
    }
}
