//! How long to wait before the next try: exponential, with jitter, so that a fleet does not return in step.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits of `initial`, `initial × 1.5`, … up to `max`, each shortened at random by up to a half.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    initial: Duration,
    max: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    pub(super) fn new(initial: Duration, max: Duration) -> Self {
        // Zero would be a fixed point of the generator below.
        let seed = RandomState::new().hash_one(std::process::id()) | 1;
        let max = max.max(LEAST);
        let initial = initial.clamp(LEAST, max);
        Self {
            initial,
            max,
            next: initial,
            random: seed,
        }
    }

    /// The wait before the next try, after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(3).min(self.max.saturating_mul(2)) / 2;
        let half = full / 2;
        half + half.mul_f64(self.unit())
    }

    /// The destination answered: the next failure starts over.
    pub(super) fn reset(&mut self) {
        self.next = self.initial;
    }

    /// A number in `0.0..1.0` (xorshift64: good enough to spread tries, and nothing else hangs on it).
    fn unit(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Without a pause a destination that is down would cost the host a core.
const LEAST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_of_no_length_are_a_pause_all_the_same() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        for _ in 0..3 {
            assert!(backoff.next() >= LEAST / 2);
        }
    }

    #[test]
    fn waits_grow_by_half_up_to_the_cap_and_jitter_only_shortens() {
        let (initial, max) = (Duration::from_secs(1), Duration::from_secs(30));
        let mut backoff = Backoff::new(initial, max);
        let mut full = initial;
        for _ in 0..20 {
            let wait = backoff.next();
            assert!(
                wait >= full / 2 && wait <= full,
                "{wait:?} outside half to all of {full:?}"
            );
            full = (full * 3 / 2).min(max);
        }
        assert_eq!(full, max, "twenty failures reach the cap");
        backoff.reset();
        assert!(backoff.next() <= initial);
    }

    #[test]
    fn two_couriers_do_not_wait_in_step() {
        let second = Duration::from_secs(1);
        let waits = |mut b: Backoff| -> Vec<_> { (0..8).map(|_| b.next()).collect() };
        assert_ne!(
            waits(Backoff::new(second, second)),
            waits(Backoff::new(second, second))
        );
    }

    #[test]
    fn absurd_settings_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            backoff.next();
        }
    }
}
