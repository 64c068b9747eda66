//! The only place of the courier that reads a clock, and deadlines that cannot overflow.

use std::time::{Duration, Instant};

/// The monotonic clock.
#[allow(clippy::disallowed_methods)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `at + wait`, or a year later where that does not fit: "no limit" is a legal timeout.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    at.checked_add(wait.min(YEAR)).unwrap_or(at)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// As long from now as `wait` says: what a deadline given as a duration becomes.
pub(crate) fn within(wait: Duration) -> Instant {
    after(now(), wait)
}
