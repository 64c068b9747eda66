//! Raw ticks, and T: what one raw read of them costs in this process.

use quanta::Clock;

/// The raw counter and its calibration.
#[derive(Debug)]
pub(crate) struct Ticks {
    clock: Clock,
}

impl Ticks {
    pub(crate) fn new() -> Self {
        Self {
            clock: Clock::new(),
        }
    }

    pub(crate) fn read(&self) -> u64 {
        self.clock.raw()
    }

    /// The ticks that `work` took.
    pub(crate) fn of(&self, work: impl FnOnce()) -> f64 {
        let start = self.read();
        work();
        self.read().saturating_sub(start) as f64
    }

    pub(crate) fn nanoseconds(&self, ticks: f64) -> f64 {
        // Scaled over a long stretch, so that the integer result keeps its digits.
        const STRETCH: u64 = 1_000_000_000;
        ticks * self.clock.delta_as_nanos(0, STRETCH) as f64 / STRETCH as f64
    }

    /// Ticks per read: a loop of reads, back to back.
    pub(crate) fn per_read(&self) -> f64 {
        const READS: u32 = 4_096;
        self.of(|| {
            for _ in 0..READS {
                std::hint::black_box(self.read());
            }
        }) / f64::from(READS)
    }
}
