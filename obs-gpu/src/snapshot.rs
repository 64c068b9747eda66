//! The last sample of a device, for whoever must not wait: a request.

use crate::sample::Sample;
use crate::slots::{Slot, Slots};
use std::fmt;

/// The last sample. Reading it is copying eight words; it takes no lock and no memory, and waits for nobody.
pub(crate) struct Snapshot(Slots<{ Sample::WORDS }, [Slot<{ Sample::WORDS }>; 2]>);

impl Snapshot {
    pub(crate) fn new() -> Self {
        Self(Slots::new([Slot::empty(), Slot::empty()]))
    }

    pub(crate) fn put(&self, sample: Sample) {
        self.0.push(sample.to_words());
    }

    #[inline(always)]
    pub(crate) fn last(&self) -> Option<Sample> {
        Sample::from_words(self.0.last()?)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&self.last()).finish()
    }
}
