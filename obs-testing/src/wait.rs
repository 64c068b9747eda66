//! Waiting for a condition with a deadline, in place of sleeping and hoping.
//!
//! The only file of this crate that reads the clock.
#![allow(clippy::disallowed_methods)]

use std::thread;
use std::time::{Duration, Instant};

/// Parks between two looks grow from this …
const FIRST_PARK: Duration = Duration::from_micros(50);
/// … to this: short enough for a test to feel instant, long enough to leave the core to the code under test.
const LONGEST_PARK: Duration = Duration::from_millis(5);

/// Asks `condition` again and again until it holds (`true`) or `within` has passed (`false`).
///
/// The condition is asked at least once, and once more after the deadline, so a slow machine cannot turn a condition
/// that holds into a failure. Prefer something that wakes you (a channel,
/// [`Receiver::wait_for`](crate::receiver::Receiver::wait_for)) where there is one.
///
/// ```
/// use std::time::Duration;
/// let mut looks = 0;
/// assert!(obs_testing::eventually(Duration::from_secs(5), || {
///     looks += 1;
///     looks == 3
/// }));
/// assert!(!obs_testing::eventually(Duration::ZERO, || false));
/// ```
#[must_use = "false means the deadline passed first"]
pub fn eventually(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Deadline::after(within);
    let mut park = FIRST_PARK;
    loop {
        // The clock is read before the look: a `false` is always one that was seen after the deadline.
        let left = deadline.left();
        if condition() {
            return true;
        }
        if left.is_zero() {
            return false;
        }
        thread::park_timeout(park.min(left));
        park = (park * 2).min(LONGEST_PARK);
    }
}

/// A moment some time from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `within` from now; so long that it cannot be told as a moment means never.
    pub(crate) fn after(within: Duration) -> Self {
        Self(Instant::now().checked_add(within))
    }

    /// Time left, zero once it has passed.
    pub(crate) fn left(self) -> Duration {
        match self.0 {
            Some(at) => at.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_condition_met_by_another_thread_is_seen() {
        let met = Arc::new(AtomicBool::new(false));
        let setter = thread::spawn({
            let met = Arc::clone(&met);
            move || met.store(true, Ordering::Release)
        });
        assert!(eventually(Duration::from_secs(30), || met.load(Ordering::Acquire)));
        setter.join().unwrap();
    }

    #[test]
    fn the_last_look_comes_after_the_deadline() {
        let mut looks = 0;
        let mut last = Duration::ZERO;
        let within = Duration::from_millis(3);
        let begun = Instant::now();
        assert!(!eventually(within, || {
            looks += 1;
            last = begun.elapsed();
            false
        }));
        assert!(looks >= 2, "only {looks} look");
        assert!(last >= within, "gave up after {last:?}");
    }

    #[test]
    fn a_deadline_too_far_to_tell_is_no_overflow() {
        assert!(eventually(Duration::MAX, || true));
        assert_eq!(Deadline::after(Duration::MAX).left(), Duration::MAX);
    }
}
