//! The driver's clock: one that a test moves, or the real one.

use crate::value::Micros;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the virtual clock begins, in microseconds since 1970: stamps look like stamps.
const VIRTUAL_EPOCH: u64 = 1_700_000_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: u64,
    time: Time,
}

#[derive(Clone, Copy, Debug)]
enum Time {
    Virtual(Micros),
    /// Since when, and how far it was moved by hand on top.
    Real(Instant, Micros),
}

impl Clock {
    pub(crate) fn still() -> Self {
        Self {
            epoch: VIRTUAL_EPOCH,
            time: Time::Virtual(0),
        }
    }

    pub(crate) fn running() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            epoch: epoch.map_or(VIRTUAL_EPOCH, |since| since.as_micros() as u64),
            time: Time::Real(Instant::now(), 0),
        }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.time, Time::Virtual(_))
    }

    /// Since the world began.
    pub(crate) fn now(&self) -> Micros {
        match self.time {
            Time::Virtual(now) => now,
            Time::Real(began, moved) => moved.saturating_add(began.elapsed().as_micros() as Micros),
        }
    }

    pub(crate) fn advance(&mut self, by: Micros) {
        let (Time::Virtual(now) | Time::Real(_, now)) = &mut self.time;
        *now = now.saturating_add(by);
    }

    /// As the driver stamps it: microseconds since 1970.
    pub(crate) fn stamp(&self, at: Micros) -> u64 {
        self.epoch.saturating_add(at)
    }

    /// The moment of a stamp.
    pub(crate) fn unstamp(&self, stamp: u64) -> Micros {
        stamp.saturating_sub(self.epoch)
    }
}

/// A moment in real time, for what blocks a thread whatever the clock says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// What is left; `None` when it has come.
    pub(crate) fn left(self) -> Option<Duration> {
        match self.0 {
            // So far off that it does not fit: never.
            None => Some(Duration::MAX),
            Some(at) => at
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero()),
        }
    }

    /// Blocks until it has come. The kernel wakes a sleeper some 50 µs late, so the last part is spun.
    pub(crate) fn sleep(self) {
        const SPUN: Duration = Duration::from_micros(200);
        while let Some(left) = self.left() {
            match left.checked_sub(SPUN) {
                Some(slept) if !slept.is_zero() => std::thread::sleep(slept),
                _ => std::hint::spin_loop(),
            }
        }
    }
}
