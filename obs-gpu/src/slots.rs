//! A circle of records with one writer and any readers, all in atomics: nobody waits for anybody.
//!
//! The records are numbered; number n stands in slot n % N. The writer writes a slot and then says how many there are. A reader
//! takes what a slot has and asks again how many there are: if the writer may have come round to that slot meanwhile, what was read
//! may be half of one and half of another, and is thrown away. With two slots or more the last record stands in another slot
//! than the one that is being written, so that a writer who is stopped in the middle stops no reader.

use crate::sync::{AtomicU64, Ordering, fence};

/// Room for one record of `W` words.
#[repr(align(64))]
pub(crate) struct Slot<const W: usize>([AtomicU64; W]);

/// How many there were, and the last of them.
pub(crate) struct Slots<const W: usize, S> {
    written: AtomicU64,
    slots: S,
}

impl<const W: usize> Slot<W> {
    pub(crate) fn empty() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    #[inline(always)]
    fn read(&self) -> [u64; W] {
        std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed))
    }
}

impl<const W: usize, S: AsRef<[Slot<W>]>> Slots<W, S> {
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
    fn slot(&self, number: u64) -> &Slot<W> {
        &self.slots.as_ref()[(number % self.many()) as usize]
    }

    /// Adds one. For one writer at a time: of two at once records are mixed up, which is no more than that.
    pub(crate) fn push(&self, words: [u64; W]) {
        self.put(self.written.load(Ordering::Relaxed), words);
    }

    fn put(&self, number: u64, words: [u64; W]) {
        // Whoever sees one of the words below sees that so many were written before.
        fence(Ordering::Release);
        for (word, value) in self.slot(number).0.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.written.store(number + 1, Ordering::Release);
    }

    /// How many there were by now.
    #[inline(always)]
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// The record of this number, one of those that [were written](Self::written), if it still stands there.
    #[inline(always)]
    pub(crate) fn get(&self, number: u64) -> Option<[u64; W]> {
        let words = self.slot(number).read();
        fence(Ordering::Acquire);
        // The next one may be half written by now.
        let is_whole = self.written.load(Ordering::Relaxed) < number + self.many();
        is_whole.then_some(words)
    }

    /// The last one.
    #[inline(always)]
    pub(crate) fn last(&self) -> Option<[u64; W]> {
        loop {
            let number = self.written().checked_sub(1)?;
            if let Some(words) = self.get(number) {
                return Some(words);
            }
            // Another one was written meanwhile.
        }
    }
}

/// All interleavings of one writer and its readers (`.ci/loom`), with records of two words.
#[cfg(all(loom, test))]
mod loom_models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    fn slots(many: usize) -> Arc<Slots<2, Vec<Slot<2>>>> {
        Arc::new(Slots::new((0..many).map(|_| Slot::empty()).collect()))
    }

    fn writer(slots: &Arc<Slots<2, Vec<Slot<2>>>>, many: u64) -> thread::JoinHandle<()> {
        let slots = slots.clone();
        // The writer knows the number that `push` would load: with a load before its stores loom 0.7 tries one order only.
        thread::spawn(move || {
            (0..many).for_each(|number| slots.put(number, [number + 1, (number + 1) * 10]));
        })
    }

    #[track_caller]
    fn is_whole([first, second]: [u64; 2]) -> u64 {
        assert_eq!(second, first * 10, "half of one, half of another");
        first
    }

    #[test]
    fn the_last_is_whole_and_never_older_than_before() {
        loom::model(|| {
            let slots = slots(2);
            let writer = writer(&slots, 3);
            let mut before = 0;
            for _ in 0..2 {
                let last = slots.last().map_or(0, is_whole);
                assert!(last >= before);
                before = last;
            }
            writer.join().expect("no panic");
            assert_eq!(slots.last().map(is_whole), Some(3));
        });
    }

    #[test]
    fn what_is_overwritten_is_left_out() {
        loom::model(|| {
            let slots = slots(2);
            let writer = writer(&slots, 3);
            for number in 0..slots.written() {
                if let Some(words) = slots.get(number) {
                    assert_eq!(is_whole(words), number + 1);
                }
            }
            writer.join().expect("no panic");
        });
    }
}
