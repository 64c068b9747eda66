//! The last minutes of a device, so that a slow call can be explained when it is over.

use crate::sample::Sample;
use crate::slots::{Slot, Slots};
use obs_core::Moment;
use std::fmt;

/// Samples of the last minutes: 2,400 of 64 bytes, which is ten minutes of four a second. It is read while it is written.
pub(crate) struct Ring(Slots<{ Sample::WORDS }, Box<[Slot<{ Sample::WORDS }>]>>);

/// Samples in one.
pub(crate) const SAMPLES: usize = 2_400;

impl Ring {
    pub(crate) fn new() -> Self {
        Self::of(SAMPLES)
    }

    pub(crate) fn of(samples: usize) -> Self {
        Self(Slots::new(
            (0..samples.max(2)).map(|_| Slot::empty()).collect(),
        ))
    }

    pub(crate) fn push(&self, sample: Sample) {
        self.0.push(sample.to_words());
    }

    fn get(&self, number: u64) -> Option<Sample> {
        Sample::from_words(self.0.get(number)?)
    }

    /// Bytes that it has.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.many() as usize * size_of::<Slot<{ Sample::WORDS }>>()
    }

    /// Shows each sample from one moment to another, both included, in their order. Those that are overwritten meanwhile are left
    /// out.
    pub(crate) fn each(&self, from: Moment, to: Moment, mut show: impl FnMut(Sample)) {
        let written = self.0.written();
        let oldest = (written + 1).saturating_sub(self.0.many());
        // They are in the order of their moments: the first is found by halves. What was overwritten is older than all.
        let before = |number: u64| self.get(number).is_none_or(|sample| sample.at() < from);
        let (mut low, mut high) = (oldest, written);
        while low < high {
            let middle = low + (high - low) / 2;
            match before(middle) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        for number in low..written {
            match self.get(number) {
                Some(sample) if sample.at() > to => return,
                Some(sample) if sample.at() >= from => show(sample),
                _ => {}
            }
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("written", &self.0.written())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn sample(at: u64) -> Sample {
        let at = Moment::from_bits(at).expect("not zero");
        Sample::new(at).with_power(Some(at.to_bits() * 3))
    }

    #[track_caller]
    fn check(ring: &Ring, from: u64, to: u64, expect: &[u64]) {
        let moment = |bits| Moment::from_bits(bits).expect("not zero");
        let mut seen = Vec::new();
        ring.each(moment(from), moment(to), |sample| {
            assert_eq!(sample.power(), Some(sample.at().to_bits() * 3));
            seen.push(sample.at().to_bits());
        });
        assert_eq!(seen, expect, "{from}..={to}");
    }

    #[test]
    fn a_span_of_it_is_what_lies_between() {
        let ring = Ring::of(5);
        check(&ring, 1, 100, &[]);
        (1..=3).for_each(|at| ring.push(sample(at * 10)));
        check(&ring, 1, 100, &[10, 20, 30]);
        check(&ring, 10, 20, &[10, 20]);
        check(&ring, 11, 19, &[]);
        check(&ring, 31, 100, &[]);
        (4..=9).for_each(|at| ring.push(sample(at * 10)));
        // Of five the oldest stands where the next is written.
        check(&ring, 1, 1_000, &[60, 70, 80, 90]);
        check(&ring, 75, 85, &[80]);
    }

    #[test]
    fn ten_minutes_are_not_large() {
        assert!(Ring::new().bytes() <= 160_000, "{}", Ring::new().bytes());
        assert_eq!(SAMPLES, 4 * 600);
    }

    #[test]
    fn it_is_read_while_it_is_written() {
        let ring = std::sync::Arc::new(Ring::of(16));
        let snapshot = std::sync::Arc::new(crate::snapshot::Snapshot::new());
        let (readers, shown) = (ring.clone(), snapshot.clone());
        let writer = std::thread::spawn(move || {
            for at in 1..=200_000 {
                ring.push(sample(at));
                snapshot.put(sample(at));
            }
        });
        let (first, last) = (Moment::from_bits(1), Moment::from_bits(u64::MAX));
        let mut seen = 0_u64;
        while !writer.is_finished() {
            let mut before = 0;
            readers.each(
                first.expect("not zero"),
                last.expect("not zero"),
                |sample| {
                    let at = sample.at().to_bits();
                    assert_eq!(sample.power(), Some(at * 3), "half of one, half of another");
                    assert!(at > before);
                    (before, seen) = (at, seen + 1);
                },
            );
            if let Some(sample) = shown.last() {
                assert_eq!(sample.power(), Some(sample.at().to_bits() * 3));
            }
        }
        writer.join().expect("it does not panic");
        assert!(seen > 0);
        assert_eq!(shown.last(), Some(sample(200_000)));
    }
}
