//! What a device has, by the names that profiles and scripts use.

use crate::value::{Signal, Source};

macro_rules! metrics {
    ($(#[$doc:meta])* $Metric:ident { $($name:ident $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $Metric { $($name,)* }

        impl $Metric {
            pub(crate) const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $key),)*];

            pub(crate) fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().find(|(_, key)| *key == name).map(|&(metric, _)| metric)
            }
        }
    };
}

metrics! {
    /// It is so much now. Units are those that NVML gives it in.
    Level {
        Util "util",
        UtilMemory "util.memory",
        UtilEncoder "util.encoder",
        UtilDecoder "util.decoder",
        UtilJpeg "util.jpeg",
        UtilOfa "util.ofa",
        MemoryTotal "memory.total",
        MemoryReserved "memory.reserved",
        MemoryUsed "memory.used",
        Power "power",
        PowerWindow "power.window",
        PowerModule "power.module",
        PowerMemory "power.memory",
        PowerLimit "power.limit",
        PowerLimitMin "power.limit.min",
        PowerLimitMax "power.limit.max",
        PowerLimitDefault "power.limit.default",
        Temperature "temperature",
        TemperatureMemory "temperature.memory",
        TemperatureLimit "temperature.limit",
        TemperatureMargin "temperature.margin",
        TemperatureSlowdown "temperature.slowdown",
        TemperatureShutdown "temperature.shutdown",
        TemperatureMemoryMax "temperature.memory.max",
        TemperatureGpuMax "temperature.gpu.max",
        ClockSm "clock.sm",
        ClockMemory "clock.memory",
        ClockVideo "clock.video",
        ClockSmMax "clock.sm.max",
        ClockMemoryMax "clock.memory.max",
        ClockVideoMax "clock.video.max",
        Throttle "throttle",
        Pstate "pstate",
        Fan "fan",
        PcieGeneration "pcie.generation",
        PcieGenerationMax "pcie.generation.max",
        PcieWidth "pcie.width",
        PcieWidthMax "pcie.width.max",
        Recovery "recovery",
        RemapPending "remap.pending",
        RemapFailure "remap.failure",
        RowsMax "rows.max",
        RowsHigh "rows.high",
        RowsPartial "rows.partial",
        RowsLow "rows.low",
        RowsNone "rows.none",
        RetiredPending "retired.pending",
        NvlinkState "nvlink.state",
        NvlinkSpeed "nvlink.speed",
        EccMode "ecc.mode",
        MigMode "mig.mode",
        SramThreshold "sram.threshold",
    }
}

metrics! {
    /// It only grows.
    Total {
        Energy "energy",
        PcieTx "pcie.tx",
        PcieRx "pcie.rx",
        PcieReplay "pcie.replay",
        PcieCorrectable "pcie.correctable",
        PcieNonFatal "pcie.nonfatal",
        PcieFatal "pcie.fatal",
        EccCorrected "ecc.corrected",
        EccUncorrected "ecc.uncorrected",
        SramCorrected "sram.corrected",
        SramParity "sram.parity",
        SramSecded "sram.secded",
        RemapCorrectable "remap.correctable",
        RemapUncorrectable "remap.uncorrectable",
        RetiredSingle "retired.single",
        RetiredDouble "retired.double",
        NvlinkTx "nvlink.tx",
        NvlinkRx "nvlink.rx",
        NvlinkReplay "nvlink.replay",
        NvlinkRecovery "nvlink.recovery",
        NvlinkCrc "nvlink.crc",
        NvlinkErrors "nvlink.errors",
        ThrottlePower "throttle.power",
        ThrottleThermal "throttle.thermal",
        ThrottleThermalSoftware "throttle.thermal.software",
        ThrottleThermalHardware "throttle.thermal.hardware",
        ThrottlePowerBrake "throttle.power.brake",
        ThrottleSyncBoost "throttle.sync",
    }
}

impl Total {
    /// The level that makes it grow.
    pub(crate) fn grows_by(self) -> Option<Level> {
        match self {
            Self::Energy => Some(Level::Power),
            _ if self.throttle_bits() != 0 => Some(Level::Throttle),
            _ => None,
        }
    }

    pub(crate) fn source(self, level: Option<&Signal>) -> Source<'_> {
        match (level, self.throttle_bits()) {
            (None, _) => Source::Itself,
            (Some(signal), 0) => Source::Rate(signal),
            (Some(signal), bits) => Source::Bits(signal, bits),
        }
    }

    /// The bits of `nvmlClocksEventReason…` whose time it counts.
    fn throttle_bits(self) -> i64 {
        match self {
            Self::ThrottlePower => 0x4,
            Self::ThrottleSyncBoost => 0x10,
            Self::ThrottleThermalSoftware => 0x20,
            Self::ThrottleThermalHardware => 0x40,
            Self::ThrottleThermal => 0x60,
            Self::ThrottlePowerBrake => 0x80,
            _ => 0,
        }
    }

    /// Whether a reset of the device leaves it: it is kept on the board.
    pub(crate) fn survives_reset(self) -> bool {
        matches!(
            self,
            Self::RemapCorrectable
                | Self::RemapUncorrectable
                | Self::RetiredSingle
                | Self::RetiredDouble
        )
    }
}
