//! Time: one cheap monotonic reading, converted to wall-clock nanoseconds only in the background.
//!
//! On x86-64 Linux with an invariant time-stamp counter a reading is the counter itself (about 9 ns); everywhere
//! else, and where the kernel has ruled the counter out, it is [`Instant`]. Tests move a [`ManualClock`] by hand.
//! This is the only file of the crate that reads a clock, and the only one with an `unsafe` line.
#![allow(clippy::disallowed_methods)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time of a telemetry comes from. Given at set-up, as data.
#[derive(Clone, Debug)]
pub struct Clock(pub(crate) Source);

/// With a tag of its own: hidden in the nanoseconds of the [`Instant`], each reading would take it apart.
#[derive(Clone, Debug)]
#[repr(u8)]
pub(crate) enum Source {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    Tsc,
    Monotonic(Instant),
    Manual(ManualClock),
}

impl Clock {
    /// The fastest trustworthy clock of this machine: the time-stamp counter if it is invariant and the kernel still
    /// lists it as a clock source, [`Instant`] otherwise.
    pub fn fastest() -> Self {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if tsc_is_invariant() {
            return Self(Source::Tsc);
        }
        Self::portable()
    }

    /// The standard library's monotonic clock, on any platform.
    pub fn portable() -> Self {
        Self(Source::Monotonic(process_start()))
    }

    /// A clock that moves only when told to.
    pub fn manual(clock: &ManualClock) -> Self {
        Self(Source::Manual(clock.clone()))
    }

    /// The reading now, in ticks of this clock.
    #[inline(always)]
    pub(crate) fn ticks(&self) -> u64 {
        match &self.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Source::Tsc => tsc(),
            Source::Monotonic(base) => base.elapsed().as_nanos() as u64,
            Source::Manual(clock) => clock.0.nanos.load(Ordering::Relaxed),
        }
    }

    /// Ticks in one second, as well as known by now: the longer the process runs, the better.
    pub(crate) fn ticks_per_second(&self) -> f64 {
        match &self.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Source::Tsc => tsc_rate(),
            _ => 1e9,
        }
    }

    /// A fixed correspondence between this clock and the wall clock, taken now.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor {
            ticks: self.ticks(),
            wall_ns: self.unix_nanos(),
            ns_per_tick: (1e9 / self.ticks_per_second() * (1_u64 << FRACTION) as f64) as u64,
        }
    }

    /// The wall clock now, in nanoseconds since the Unix epoch.
    pub(crate) fn unix_nanos(&self) -> u64 {
        match &self.0 {
            Source::Manual(clock) => {
                { clock.0.epoch_ns.load(Ordering::Relaxed) }.wrapping_add(self.ticks())
            }
            _ => unix_nanos_of(SystemTime::now()),
        }
    }

    /// What kind of clock this is, for the self-description of a telemetry.
    pub fn name(&self) -> &'static str {
        match &self.0 {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Source::Tsc => "tsc",
            Source::Monotonic(_) => "monotonic",
            Source::Manual(_) => "manual",
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::fastest()
    }
}

/// Bits below the point.
const FRACTION: u32 = 48;

/// Converts ticks to nanoseconds since the Unix epoch. One anchor serves all stamps of a record, so that they stay in
/// order whatever the wall clock does; each collection takes a fresh one, so that a stepped wall clock is followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    ticks: u64,
    wall_ns: u64,
    /// Nanoseconds in a tick, in units of 2^-48: as exact as they are known, and multiplied without a detour by way of
    /// floating-point numbers.
    ns_per_tick: u64,
}

impl Anchor {
    pub(crate) fn unix_nanos(&self, ticks: u64) -> u64 {
        if ticks >= self.ticks {
            self.wall_ns.saturating_add(self.nanos(ticks - self.ticks))
        } else {
            self.wall_ns.saturating_sub(self.nanos(self.ticks - ticks))
        }
    }

    pub(crate) fn nanos(&self, ticks: u64) -> u64 {
        let nanos = (u128::from(ticks) * u128::from(self.ns_per_tick)) >> FRACTION;
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// A clock for tests: starts at 2026-01-01T00:00:00Z and moves only by [`advance`](Self::advance), the wall clock also by
/// [`set_wall`](Self::set_wall).
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<ManualInner>);

#[derive(Debug)]
struct ManualInner {
    nanos: AtomicU64,
    /// What the wall clock showed when the other one was at zero.
    epoch_ns: AtomicU64,
}

impl ManualClock {
    /// A clock at its start.
    pub fn new() -> Self {
        // One hour in, so that subtracting from an early reading cannot go below zero.
        const EARLIER: u64 = 3_600_000_000_000;
        Self(Arc::new(ManualInner {
            nanos: AtomicU64::new(EARLIER),
            epoch_ns: AtomicU64::new(1_767_225_600_000_000_000 - EARLIER),
        }))
    }

    /// Sets the wall clock, to nanoseconds since the Unix epoch, as an administrator does: the time that operations are measured
    /// by goes on as if nothing had been.
    pub fn set_wall(&self, unix_nanos: u64) {
        let monotonic = self.0.nanos.load(Ordering::Relaxed);
        let epoch = unix_nanos.wrapping_sub(monotonic);
        self.0.epoch_ns.store(epoch, Ordering::Relaxed);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0
            .nanos
            .fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

/// The one monotonic clock of background work (deadlines, waits), which no test needs to move.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for what people read.
pub(crate) fn wall_now() -> SystemTime {
    SystemTime::now()
}

/// Wall-clock time now, for what is stamped outside an operation.
pub(crate) fn system_time(unix_nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_nanos)
}

/// Nanoseconds since the Unix epoch of a system time given by a user.
pub(crate) fn unix_nanos_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64)
}

fn process_start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    // One hour back where the platform allows, so that a reading is never zero.
    *START.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(Duration::from_secs(3600)).unwrap_or(now)
    })
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[inline(always)]
#[allow(unsafe_code)]
fn tsc() -> u64 {
    // SAFETY: `rdtsc` exists on every x86-64 processor and has no precondition; it reads a register.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn tsc_is_invariant() -> bool {
    static INVARIANT: OnceLock<bool> = OnceLock::new();
    *INVARIANT.get_or_init(|| {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let Some(flags) = cpu.lines().find(|line| line.starts_with("flags")) else {
            return false;
        };
        let has = |flag| flags.split_whitespace().any(|f| f == flag);
        // The kernel drops "tsc" from this list when it finds the counters of two sockets apart.
        let listed = std::fs::read_to_string(
            "/sys/devices/system/clocksource/clocksource0/available_clocksource",
        )
        .map_or(true, |sources| {
            sources.split_whitespace().any(|s| s == "tsc")
        });
        has("constant_tsc") && has("nonstop_tsc") && listed
    })
}

/// Ticks per second of the counter: measured over 5 ms at first use, then over the whole life of the process, again and again.
/// Between two times it costs two loads.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn tsc_rate() -> f64 {
    static FIRST: OnceLock<(u64, Instant, f64)> = OnceLock::new();
    /// The last rate, and when it was measured; stored in this order.
    static RATE: AtomicU64 = AtomicU64::new(0);
    static MEASURED: AtomicU64 = AtomicU64::new(0);
    let &(ticks, at, first) = FIRST.get_or_init(|| {
        let (ticks, at) = paired();
        std::thread::sleep(Duration::from_millis(5));
        let (later_ticks, later) = paired();
        (
            ticks,
            at,
            later_ticks.wrapping_sub(ticks) as f64 / (later - at).as_secs_f64(),
        )
    });
    let measured = MEASURED.load(Ordering::Acquire);
    if measured != 0
        && is_good(
            measured.wrapping_sub(ticks),
            tsc().wrapping_sub(measured),
            first,
        )
    {
        return f64::from_bits(RATE.load(Ordering::Relaxed));
    }
    let (now_ticks, now) = paired();
    let rate = better_rate(first, now_ticks.saturating_sub(ticks), now - at);
    RATE.store(rate.to_bits(), Ordering::Relaxed);
    MEASURED.store(now_ticks, Ordering::Release);
    rate
}

/// Whether a rate that was measured over `over` ticks is still good `age` ticks later: one measured now would be over next to no
/// longer time. A second at most, so that a counter that began anew is noticed before long.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn is_good(over: u64, age: u64, rate: f64) -> bool {
    age < (over / 16).min(rate as u64)
}

/// Under a second the first measurement is as good; after it, each one is better than the last, unless one of the two clocks
/// stood still while the machine slept, or the counter began anew.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn better_rate(first: f64, ticks: u64, elapsed: Duration) -> f64 {
    /// What a first measurement may be off.
    const OFF: f64 = 0.01;
    if elapsed < Duration::from_secs(1) {
        return first;
    }
    let whole = ticks as f64 / elapsed.as_secs_f64();
    if (whole / first - 1.0).abs() < OFF {
        whole
    } else {
        first
    }
}

/// Both clocks at one moment: the tightest of five tries, so that a preemption between the reads does not count.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn paired() -> (u64, Instant) {
    let mut best: Option<(u64, u64, Instant)> = None;
    for _ in 0..5 {
        let before = tsc();
        let at = Instant::now();
        let width = tsc().wrapping_sub(before);
        if best.is_none_or(|(narrowest, ..)| width < narrowest) {
            best = Some((width, before + width / 2, at));
        }
    }
    best.map_or_else(|| (tsc(), Instant::now()), |(_, ticks, at)| (ticks, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn keeps_time(clock: &Clock) {
        let anchor = clock.anchor();
        let (start, instant) = (clock.ticks(), Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let (end, elapsed) = (clock.ticks(), instant.elapsed());
        let ours = anchor.nanos(end - start) as f64;
        assert!(
            (ours / elapsed.as_nanos() as f64 - 1.0).abs() < 0.02,
            "{ours} ns against {elapsed:?}"
        );
    }

    #[test]
    fn the_fastest_clock_agrees_with_the_standard_one() {
        keeps_time(&Clock::fastest());
    }

    #[test]
    fn the_portable_clock_agrees_with_the_standard_one() {
        keeps_time(&Clock::portable());
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[test]
    fn a_rate_is_measured_again_when_that_makes_it_better() {
        const RATE: f64 = 2e9;
        let second = RATE as u64;
        assert!(is_good(second, second / 17, RATE) && !is_good(second, second / 15, RATE));
        // However long it took to measure, and where the counter began anew.
        assert!(is_good(100 * second, second - 1, RATE) && !is_good(100 * second, second, RATE));
        assert!(!is_good(second, 5_u64.wrapping_sub(second), RATE));
        assert!(!is_good(0, 0, RATE));
        let (before, again) = (tsc_rate(), tsc_rate());
        assert!((before / again - 1.0).abs() < 0.01, "{before} {again}");
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[test]
    fn a_machine_that_slept_does_not_change_how_long_a_tick_is() {
        let hour = Duration::from_secs(3600);
        let check = |ticks, elapsed, expect: f64| {
            let rate = better_rate(2e9, ticks, elapsed);
            assert!((rate / expect - 1.0).abs() < 1e-9, "{rate} for {expect}");
        };
        check(3600 * 2_001_000_000, hour, 2.001e9);
        // The counter ran on through an hour of sleep; it stood still and the clock did not; it began at zero again.
        check(2 * 3600 * 2_000_000_000, hour, 2e9);
        check(3600 * 1_000_000_000, hour, 2e9);
        check(0, hour, 2e9);
        check(7, Duration::from_millis(1), 2e9);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let manual = ManualClock::new();
        let clock = Clock::manual(&manual);
        let start = clock.ticks();
        assert_eq!(clock.ticks(), start);
        manual.advance(Duration::from_secs(3600));
        assert_eq!(clock.ticks() - start, 3_600_000_000_000);
        let anchor = clock.anchor();
        assert_eq!(
            anchor.unix_nanos(start) + 3_600_000_000_000,
            anchor.unix_nanos(clock.ticks())
        );
    }
}
