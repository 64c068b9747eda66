//! A circle of samples with one writer and any readers, all in atomics: nobody waits for anybody.
//!
//! The samples are numbered; number n stands in slot n % N. The writer writes a slot and then says how many there are. A reader
//! takes what a slot has and asks again how many there are: if the writer may have come round to that slot meanwhile, what was read
//! may be half of one and half of another, and is thrown away. With two slots or more the last sample stands in another slot
//! than the one that is being written, so that a writer who is stopped in the middle stops no reader.

use crate::sample::Sample;
use crate::sync::{AtomicU64, Ordering, fence};

#[repr(align(64))]
pub(crate) struct Slot([AtomicU64; Sample::WORDS]);

/// How many there were, and the last of them.
pub(crate) struct Slots<S> {
    written: AtomicU64,
    slots: S,
}

impl Slot {
    pub(crate) fn empty() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[inline(always)]
    fn read(&self) -> [u64; Sample::WORDS] {
        // One by one: as an array of eight results it would be written twice.
        let word = |at: usize| self.0[at].load(Ordering::Relaxed);
        [
            word(0),
            word(1),
            word(2),
            word(3),
            word(4),
            word(5),
            word(6),
            word(7),
        ]
    }
}

impl<S: AsRef<[Slot]>> Slots<S> {
    /// `slots`: two at least.
    pub(crate) fn new(slots: S) -> Self {
        Self {
            written: AtomicU64::new(0),
            slots,
        }
    }

    #[inline(always)]
    pub(crate) fn many(&self) -> u64 {
        self.slots.as_ref().len() as u64
    }

    #[inline(always)]
    fn slot(&self, number: u64) -> &Slot {
        &self.slots.as_ref()[(number % self.many()) as usize]
    }

    /// Adds one. For one writer at a time: of two at once samples are mixed up, which is no more than that.
    pub(crate) fn push(&self, sample: Sample) {
        let number = self.written.load(Ordering::Relaxed);
        // Whoever sees one of the words below sees that so many were written before.
        fence(Ordering::Release);
        for (word, value) in self.slot(number).0.iter().zip(sample.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.written.store(number + 1, Ordering::Release);
    }

    /// How many there were by now.
    #[inline(always)]
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// The sample of this number, if it still stands there.
    #[inline(always)]
    pub(crate) fn get(&self, number: u64) -> Option<Sample> {
        let words = self.slot(number).read();
        fence(Ordering::Acquire);
        // The next one may be half written by now.
        let whole = self.written.load(Ordering::Relaxed) < number + self.many();
        if whole {
            Sample::from_words(words)
        } else {
            None
        }
    }

    /// The last one.
    #[inline(always)]
    pub(crate) fn last(&self) -> Option<Sample> {
        loop {
            let number = self.written().checked_sub(1)?;
            if let Some(sample) = self.get(number) {
                return Some(sample);
            }
            // Another one was written meanwhile.
        }
    }
}
