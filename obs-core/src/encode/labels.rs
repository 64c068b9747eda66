//! Labels as encoded attributes: a set of labels is encoded once, later spans with the same set copy the bytes. So a
//! span's labels cost neither a lock nor a reference count, and one copy for all of them.

use super::protobuf::Buffer;
use crate::engine::kind::Kind;
use crate::label::{LabelId, Labels};

/// Sets that are remembered; one that falls on another's place takes it.
const PLACES: usize = 256;

/// Sets of labels of one kind, encoded.
#[derive(Debug, Default)]
pub(crate) struct LabelSets {
    places: Vec<Place>,
}

#[derive(Clone, Debug, Default)]
struct Place {
    /// [`Labels::NONE`] where it is free: that set has no bytes.
    labels: Labels,
    bytes: Buffer,
}

impl LabelSets {
    /// Writes the attributes under `field`, the same field each time.
    #[inline(always)]
    pub(crate) fn write(
        &mut self,
        field: u8,
        kind: &'static Kind,
        labels: Labels,
        into: &mut Buffer,
    ) {
        if labels == Labels::NONE {
            return;
        }
        let place = usize::from(labels.hash8(0)) % PLACES;
        match self.places.get(place) {
            Some(known) if known.labels == labels => into.raw(known.bytes.as_slice()),
            _ => self.replace(place, field, kind, labels, into),
        }
    }

    #[cold]
    #[inline(never)]
    fn replace(
        &mut self,
        place: usize,
        field: u8,
        kind: &'static Kind,
        labels: Labels,
        into: &mut Buffer,
    ) {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, Place::default);
        }
        let from = into.len();
        for (index, space) in kind.spaces() {
            let id = labels.get(index);
            if id != LabelId::ABSENT {
                let key = space.key().as_str();
                space.read(id, |value| into.label(field, key, value));
            }
        }
        if let Some(place) = self.places.get_mut(place) {
            place.labels = labels;
            place.bytes.clear();
            place.bytes.raw(&into.as_slice()[from..]);
        }
    }
}
