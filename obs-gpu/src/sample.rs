//! The few numbers that a call is explained by, as they were at one moment.

use obs_core::Moment;

/// A device at one moment: what a [snapshot](crate) gives and a ring keeps. Absent is `None`, never zero.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// When it was read.
    pub at: Moment,
    /// Share of time in which a kernel ran, in millionths.
    pub utilization: Option<u32>,
    /// Share of the memory's peak bandwidth in use, in millionths, of the last second.
    pub dram_active: Option<u32>,
    /// Share of time in which tensor cores worked, in millionths, of the last second.
    pub tensor_active: Option<u32>,
    /// Bytes in use.
    pub memory_used: Option<u64>,
    /// Bytes that there are.
    pub memory_total: Option<u64>,
    /// Milliwatts.
    pub power: Option<u32>,
    /// Millijoules since the driver was loaded.
    pub energy: Option<u64>,
    /// Clock of the multiprocessors, as a share of the highest that they can have, in millionths.
    pub sm_clock_ratio: Option<u32>,
    /// Why its clocks are held down.
    pub throttle: Option<Throttle>,
    /// Bytes per second over NVLink, both ways, in the last second.
    pub nvlink_rate: Option<u64>,
}

impl Sample {
    /// One of which only the moment is known.
    pub const fn at(at: Moment) -> Self {
        Self {
            at,
            utilization: None,
            dram_active: None,
            tensor_active: None,
            memory_used: None,
            memory_total: None,
            power: None,
            energy: None,
            sm_clock_ratio: None,
            throttle: None,
            nvlink_rate: None,
        }
    }
}

/// Why clocks are held down: NVML's bits, unknown ones kept (`nvmlClocksEventReason*` of `nvml.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Throttle(pub u32);

impl Throttle {
    /// Nothing runs.
    pub const IDLE: Self = Self(0x1);
    /// An application set its clocks.
    pub const APPLICATION_CLOCKS: Self = Self(0x2);
    /// Power, as software found.
    pub const POWER: Self = Self(0x4);
    /// Hardware slowed it down, for heat or power.
    pub const HARDWARE_SLOWDOWN: Self = Self(0x8);
    /// To stay in step with others.
    pub const SYNC_BOOST: Self = Self(0x10);
    /// Heat, as software found.
    pub const THERMAL_SOFTWARE: Self = Self(0x20);
    /// Heat, as hardware found.
    pub const THERMAL_HARDWARE: Self = Self(0x40);
    /// The power supply's brake.
    pub const POWER_BRAKE: Self = Self(0x80);
    /// A display's clocks.
    pub const DISPLAY_CLOCKS: Self = Self(0x100);

    /// Whether any of these holds.
    pub const fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}
