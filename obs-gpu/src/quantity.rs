//! What is asked of a device: one table, with the unit that each is kept in and how often it is read.

/// How a quantity behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It is so much now.
    Level,
    /// It only grows, until the driver is loaded anew or the device is reset: then it starts from zero.
    Total,
}

/// What a whole number of a quantity stands for. Sources convert into it; metrics convert out of it by [`Unit::of_one`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Millionths of the whole: metrics say `1`.
    PartsPerMillion,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Milliwatts: metrics say `W`.
    Milliwatts,
    /// Millijoules: metrics say `J`.
    Millijoules,
    /// Thousandths of a degree Celsius: metrics say `Cel`.
    Millicelsius,
    /// Hertz.
    Hertz,
    /// Nanoseconds: metrics say `s`.
    Nanoseconds,
    /// A number of things, or a code.
    Count,
    /// Bits, each with a meaning.
    Bits,
}

impl Unit {
    /// What metrics call it.
    pub const fn ucum(self) -> &'static str {
        match self {
            Self::PartsPerMillion | Self::Count | Self::Bits => "1",
            Self::Bytes => "By",
            Self::BytesPerSecond => "By/s",
            Self::Milliwatts => "W",
            Self::Millijoules => "J",
            Self::Millicelsius => "Cel",
            Self::Hertz => "Hz",
            Self::Nanoseconds => "s",
        }
    }

    /// How many of what metrics say one of it is.
    pub const fn of_one(self) -> f64 {
        match self {
            Self::PartsPerMillion => 1e-6,
            Self::Milliwatts | Self::Millijoules | Self::Millicelsius => 1e-3,
            Self::Nanoseconds => 1e-9,
            Self::Bytes | Self::BytesPerSecond | Self::Hertz | Self::Count | Self::Bits => 1.0,
        }
    }

    /// So many of it, as metrics say it.
    pub const fn in_metrics(self, value: i64) -> f64 {
        match self {
            // A division by a power of ten is rounded once; a product with one's inverse twice.
            Self::PartsPerMillion => value as f64 / 1e6,
            Self::Milliwatts | Self::Millijoules | Self::Millicelsius => value as f64 / 1e3,
            Self::Nanoseconds => value as f64 / 1e9,
            _ => value as f64,
        }
    }
}

/// How often a quantity is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Several times a second: what explains a slow call.
    Fast,
    /// Once a second.
    Second,
    /// Every ten seconds.
    Slow,
}

impl Tier {
    /// All of them, the fast one first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Second, Self::Slow];
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident: $unit:ident, $nature:ident, $tier:ident;)*) => {
        /// What is asked of a device.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Quantity { $($(#[$doc])* $name,)* }

        impl Quantity {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// What a whole number of it stands for.
            pub const fn unit(self) -> Unit { match self { $(Self::$name => Unit::$unit),* } }
            /// How it behaves.
            pub const fn nature(self) -> Nature { match self { $(Self::$name => Nature::$nature),* } }
            /// How often it is read.
            pub const fn tier(self) -> Tier { match self { $(Self::$name => Tier::$tier),* } }
        }
    };
}

quantities! {
    /// Share of time in which a kernel ran, over the driver's own window (a sixth of a second to a second).
    Utilization: PartsPerMillion, Level, Fast;
    /// Share of time in which device memory was read or written. No bandwidth.
    MemoryController: PartsPerMillion, Level, Fast;
    /// Memory in use, without what the driver keeps for itself.
    MemoryUsed: Bytes, Level, Fast;
    /// Memory that is free.
    MemoryFree: Bytes, Level, Fast;
    /// Memory that the driver keeps for itself.
    MemoryReserved: Bytes, Level, Fast;
    /// All of its memory.
    MemoryTotal: Bytes, Level, Fast;
    /// Power now, or over the last moment that the sensor has.
    Power: Milliwatts, Level, Fast;
    /// Energy since the driver was loaded.
    Energy: Millijoules, Total, Fast;
    /// Clock of the multiprocessors.
    SmClock: Hertz, Level, Fast;
    /// Clock of the memory.
    MemoryClock: Hertz, Level, Fast;
    /// Why its clocks are held down, as the driver's bits.
    ThrottleReasons: Bits, Level, Fast;
    /// Power averaged over a second.
    PowerAverage: Milliwatts, Level, Second;
    /// Power that it is held to.
    PowerLimit: Milliwatts, Level, Second;
    /// Power of the module that it stands on.
    ModulePower: Milliwatts, Level, Second;
    /// The die.
    Temperature: Millicelsius, Level, Second;
    /// Its memory.
    MemoryTemperature: Millicelsius, Level, Second;
    /// Degrees left until it is slowed down.
    TemperatureMargin: Millicelsius, Level, Second;
    /// Fan, as a share of its full speed.
    FanSpeed: PartsPerMillion, Level, Second;
    /// Encoder.
    Encoder: PartsPerMillion, Level, Second;
    /// Decoder.
    Decoder: PartsPerMillion, Level, Second;
    /// JPEG engine.
    Jpeg: PartsPerMillion, Level, Second;
    /// Optical flow engine.
    OpticalFlow: PartsPerMillion, Level, Second;
    /// Share of time in which any multiprocessor had work, by the counters.
    SmActive: PartsPerMillion, Level, Second;
    /// Share of warps that were resident.
    SmOccupancy: PartsPerMillion, Level, Second;
    /// Share of time in which the tensor cores worked.
    TensorActive: PartsPerMillion, Level, Second;
    /// Share of the memory's peak bandwidth in use.
    DramActive: PartsPerMillion, Level, Second;
    /// Share of time in which a graphics or compute engine was active.
    EngineActive: PartsPerMillion, Level, Second;
    /// Time that its clocks were held down by power.
    ThrottlePower: Nanoseconds, Total, Second;
    /// By heat, as software found.
    ThrottleThermalSoftware: Nanoseconds, Total, Second;
    /// By heat, as hardware found.
    ThrottleThermalHardware: Nanoseconds, Total, Second;
    /// By the power supply's brake.
    ThrottlePowerBrake: Nanoseconds, Total, Second;
    /// To stay in step with others of its group.
    ThrottleSyncBoost: Nanoseconds, Total, Second;
    /// PCIe, from the device.
    PcieSent: Bytes, Total, Second;
    /// PCIe, to the device.
    PcieReceived: Bytes, Total, Second;
    /// NVLink, data sent over all links.
    NvlinkSent: Bytes, Total, Second;
    /// NVLink, data received over all links.
    NvlinkReceived: Bytes, Total, Second;
    /// Packets that PCIe had to send again.
    PcieReplays: Count, Total, Slow;
    /// Generation that the PCIe link runs at.
    PcieGeneration: Count, Level, Slow;
    /// Lanes that the PCIe link has.
    PcieWidth: Count, Level, Slow;
    /// Bit errors that were corrected, since the driver was loaded.
    EccCorrected: Count, Total, Slow;
    /// Bit errors that were not, since the driver was loaded.
    EccUncorrected: Count, Total, Slow;
    /// Bit errors that were corrected, in its life.
    EccCorrectedLifetime: Count, Total, Slow;
    /// Bit errors that were not, in its life.
    EccUncorrectedLifetime: Count, Total, Slow;
    /// Rows of memory replaced for errors that were corrected.
    RemappedCorrectable: Count, Total, Slow;
    /// Rows of memory replaced for errors that were not.
    RemappedUncorrectable: Count, Total, Slow;
    /// Whether a row waits for a reset to be replaced: 1 or 0.
    RemapPending: Count, Level, Slow;
    /// Whether a row could not be replaced: 1 or 0.
    RemapFailed: Count, Level, Slow;
    /// Pages given up for single errors, before rows could be replaced.
    RetiredPagesSingle: Count, Total, Slow;
    /// Pages given up for double errors.
    RetiredPagesDouble: Count, Total, Slow;
    /// What the driver asks to be done: 0 nothing, 1 reset, 2 reboot, 3 drain peers, 4 drain and reset, and whatever later drivers say.
    RecoveryAction: Count, Level, Slow;
    /// Performance state: 0 is the highest.
    PerformanceState: Count, Level, Second;
    /// The highest clock that its multiprocessors can have.
    SmClockMax: Hertz, Level, Slow;
    /// The highest clock that its memory can have.
    MemoryClockMax: Hertz, Level, Slow;
    /// Where it is slowed down for its heat.
    TemperatureSlowdown: Millicelsius, Level, Slow;
    /// Where it is switched off for its heat.
    TemperatureShutdown: Millicelsius, Level, Slow;
    /// Pages that wait for a reset to be given up: 1 or 0.
    RetirementPending: Count, Level, Slow;
    /// Bit errors in its caches and registers that were corrected, since the driver was loaded.
    SramCorrected: Count, Total, Slow;
    /// Bit errors in its caches and registers that were not.
    SramUncorrected: Count, Total, Slow;
    /// Whether there were more of them than its maker allows: 1 or 0.
    SramThreshold: Count, Level, Slow;
    /// Banks of memory that have all their spare rows.
    BanksFull: Count, Level, Slow;
    /// Banks that have most of them.
    BanksHigh: Count, Level, Slow;
    /// Banks that have some.
    BanksPartial: Count, Level, Slow;
    /// Banks that have few.
    BanksLow: Count, Level, Slow;
    /// Banks that have none left.
    BanksNone: Count, Level, Slow;
    /// Errors on PCIe that were corrected.
    PcieCorrectable: Count, Total, Slow;
    /// Errors on PCIe that were not, and that it went on after.
    PcieNonFatal: Count, Total, Slow;
    /// Errors on PCIe that it did not go on after.
    PcieFatal: Count, Total, Slow;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, value: i64, expect: f64) {
        assert_eq!(unit.in_metrics(value), expect, "{unit:?}");
        let by_factor = value as f64 * unit.of_one();
        assert!(
            (by_factor - expect).abs() <= expect.abs() * 1e-15,
            "{unit:?} {by_factor}"
        );
    }

    #[test]
    fn whole_numbers_become_what_metrics_say() {
        check(Unit::PartsPerMillion, 370_000, 0.37);
        check(Unit::Bytes, 85_520_809_984, 85_520_809_984.0);
        check(Unit::BytesPerSecond, 50_000_000_000, 50e9);
        check(Unit::Milliwatts, 77_700, 77.7);
        check(Unit::Millijoules, 1_234_567, 1_234.567);
        check(Unit::Millicelsius, -3_000, -3.0);
        check(Unit::Hertz, 1_980_000_000, 1.98e9);
        check(Unit::Nanoseconds, 1_500_000_000, 1.5);
        check(Unit::Count, 79, 79.0);
        check(Unit::Bits, 511, 511.0);
    }

    #[test]
    fn numbers_are_places_in_the_list() {
        for (place, &quantity) in Quantity::ALL.iter().enumerate() {
            assert_eq!(quantity as usize, place);
        }
    }
}
