//! A service's time passing at its speed, and what is looked at meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use obs_core::{ManualClock, Telemetry};

use super::resident_bytes;

/// The most that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watched {
    pub(super) rss: f64,
    pub(super) held: f64,
    /// Not the most, but what was left at the end.
    pub(super) held_end: f64,
    /// How far the clock was moved.
    pub(super) moved: Duration,
}

/// Moves `clock` and watches until `over`.
pub(super) fn watch(
    telemetry: &Telemetry,
    clock: Option<&ManualClock>,
    speed: f64,
    over: &AtomicBool,
) -> Watched {
    let mut watched = Watched::default();
    let from = Instant::now();
    let (mut moved, mut looked) = (Duration::ZERO, Duration::ZERO);
    while !over.load(Ordering::Acquire) {
        thread::sleep(Duration::from_millis(1));
        let passed = from.elapsed();
        if let Some(clock) = clock {
            let by = (passed - moved).mul_f64(speed);
            clock.advance(by);
            watched.moved += by;
        }
        moved = passed;
        if passed - looked >= LOOK {
            looked = passed;
            watched.rss = watched.rss.max(resident_bytes());
            let held = telemetry.accounts().pending_bytes as f64;
            watched.held = watched.held.max(held);
        }
    }
    watched.held_end = telemetry.accounts().pending_bytes as f64;
    watched
}

const LOOK: Duration = Duration::from_millis(20);
