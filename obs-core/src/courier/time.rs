//! The only place of the courier that reads a clock.

use std::time::{Duration, Instant};

/// The monotonic clock.
#[allow(clippy::disallowed_methods)]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// `at + wait`, or a year later where that does not fit: "no limit" is a legal timeout.
pub(super) fn after(at: Instant, wait: Duration) -> Instant {
    at.checked_add(wait.min(YEAR)).unwrap_or(at)
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
