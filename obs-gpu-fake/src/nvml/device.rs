//! What a device measures.

use super::identity::{bus, bus_id};
use super::unsigned;
use crate::answer::{Answer, Code};
use crate::entry::{self, Seen};
use crate::metric::{Level, Total};
use crate::out::{Out, put_text};
use crate::script::ALL;
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_uint, c_ulonglong};

impl Seen<'_> {
    pub(super) fn level(&self, level: Level) -> Answer<i64> {
        self.gpu().level(level, ALL, self.now)
    }

    pub(super) fn total(&self, total: Total) -> Answer<i64> {
        Ok(self.gpu().total(total, ALL, self.now)?.now)
    }

    fn put(&self, level: Level, out: &Out<c_uint>) -> Answer<()> {
        out.put(unsigned(self.level(level)?))
    }

    /// Power as most devices give it: what it was on average for a while.
    pub(super) fn power(&self) -> Answer<u32> {
        let window = self.level(Level::PowerWindow).unwrap_or(0);
        let mean = self
            .gpu()
            .mean(Level::Power, window as u64 * 1000, self.now)?;
        Ok(unsigned(mean))
    }

    /// Degrees that are left, said by itself or as what the limit leaves.
    pub(super) fn margin(&self) -> Answer<i64> {
        self.level(Level::TemperatureMargin)
            .or_else(|_| Ok(self.level(Level::TemperatureLimit)? - self.level(Level::Temperature)?))
    }

    /// Neither engines nor remapped rows are told of a device that is in parts.
    pub(super) fn is_whole(&self) -> Answer<()> {
        match self.level(Level::MigMode) {
            Ok(mode) if mode != 0 => Err(Code::NOT_SUPPORTED),
            _ => Ok(()),
        }
    }

    fn engine(&self, level: Level, share: &Out<c_uint>, period_us: &Out<c_uint>) -> Answer<()> {
        self.is_whole()?;
        self.put(level, share)?;
        period_us.put(167_000)
    }

    fn ecc(&self, error: nvmlMemoryErrorType_t, counter: nvmlEccCounterType_t) -> Answer<u64> {
        let total = match error {
            nvmlMemoryErrorType_enum_NVML_MEMORY_ERROR_TYPE_CORRECTED => Total::EccCorrected,
            nvmlMemoryErrorType_enum_NVML_MEMORY_ERROR_TYPE_UNCORRECTED => Total::EccUncorrected,
            _ => return Err(Code::INVALID_ARGUMENT),
        };
        let count = self.gpu().total(total, ALL, self.now)?;
        match counter {
            nvmlEccCounterType_enum_NVML_VOLATILE_ECC => Ok(count.now as u64),
            nvmlEccCounterType_enum_NVML_AGGREGATE_ECC => Ok(count.ever as u64),
            _ => Err(Code::INVALID_ARGUMENT),
        }
    }
}

device_calls! { device:
    fn nvmlDeviceGetMinorNumber(|seen| minor: Out<c_uint>) {
        minor.put(seen.slot as c_uint)
    }
    fn nvmlDeviceGetPciInfo_v3(|seen| info: Out<nvmlPciInfo_t>) {
        let profile = &seen.gpu().profile;
        let mut pci = nvmlPciInfo_t {
            busIdLegacy: [0; 16],
            domain: 0,
            bus: bus(seen.slot),
            device: 0,
            pciDeviceId: profile.pci_device,
            pciSubSystemId: profile.pci_subsystem,
            busId: [0; 32],
        };
        let id = bus_id(seen.slot);
        put_text(&mut pci.busIdLegacy, &id[4..]);
        put_text(&mut pci.busId, &id);
        info.put(pci)
    }
    fn nvmlDeviceGetUtilizationRates(|seen| rates: Out<nvmlUtilization_t>) {
        seen.is_whole()?;
        rates.put(nvmlUtilization_t {
            gpu: unsigned(seen.level(Level::Util)?),
            memory: unsigned(seen.level(Level::UtilMemory)?),
        })
    }
    fn nvmlDeviceGetEncoderUtilization(|seen| share: Out<c_uint>, period_us: Out<c_uint>) {
        seen.engine(Level::UtilEncoder, &share, &period_us)
    }
    fn nvmlDeviceGetDecoderUtilization(|seen| share: Out<c_uint>, period_us: Out<c_uint>) {
        seen.engine(Level::UtilDecoder, &share, &period_us)
    }
    fn nvmlDeviceGetJpgUtilization(|seen| share: Out<c_uint>, period_us: Out<c_uint>) {
        seen.engine(Level::UtilJpeg, &share, &period_us)
    }
    fn nvmlDeviceGetOfaUtilization(|seen| share: Out<c_uint>, period_us: Out<c_uint>) {
        seen.engine(Level::UtilOfa, &share, &period_us)
    }
    fn nvmlDeviceGetTemperature(|seen| sensor: nvmlTemperatureSensors_t, degrees: Out<c_uint>) {
        if sensor != nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU {
            return Err(Code::INVALID_ARGUMENT);
        }
        seen.put(Level::Temperature, &degrees)
    }
    fn nvmlDeviceGetTemperatureThreshold(|seen| which: nvmlTemperatureThresholds_t, degrees: Out<c_uint>) {
        let level = match which {
            nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SHUTDOWN => Level::TemperatureShutdown,
            nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SLOWDOWN => Level::TemperatureSlowdown,
            nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_MEM_MAX => Level::TemperatureMemoryMax,
            nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_GPU_MAX => Level::TemperatureGpuMax,
            4..nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_COUNT => return Err(Code::NOT_SUPPORTED),
            _ => return Err(Code::INVALID_ARGUMENT),
        };
        seen.put(level, &degrees)
    }
    fn nvmlDeviceGetPowerUsage(|seen| milliwatts: Out<c_uint>) {
        milliwatts.put(seen.power()?)
    }
    fn nvmlDeviceGetEnforcedPowerLimit(|seen| milliwatts: Out<c_uint>) {
        seen.put(Level::PowerLimit, &milliwatts)
    }
    fn nvmlDeviceGetPowerManagementLimit(|seen| milliwatts: Out<c_uint>) {
        seen.put(Level::PowerLimit, &milliwatts)
    }
    fn nvmlDeviceGetPowerManagementDefaultLimit(|seen| milliwatts: Out<c_uint>) {
        seen.put(Level::PowerLimitDefault, &milliwatts)
    }
    fn nvmlDeviceGetPowerManagementLimitConstraints(|seen| lowest: Out<c_uint>, highest: Out<c_uint>) {
        seen.put(Level::PowerLimitMin, &lowest)?;
        seen.put(Level::PowerLimitMax, &highest)
    }
    fn nvmlDeviceGetTotalEnergyConsumption(|seen| millijoules: Out<c_ulonglong>) {
        millijoules.put(seen.total(Total::Energy)? as u64)
    }
    fn nvmlDeviceGetClockInfo(|seen| clock: nvmlClockType_t, mhz: Out<c_uint>) {
        seen.put(clock_level(clock, [Level::ClockSm, Level::ClockMemory, Level::ClockVideo])?, &mhz)
    }
    fn nvmlDeviceGetMaxClockInfo(|seen| clock: nvmlClockType_t, mhz: Out<c_uint>) {
        seen.put(clock_level(clock, [Level::ClockSmMax, Level::ClockMemoryMax, Level::ClockVideoMax])?, &mhz)
    }
    fn nvmlDeviceGetCurrentClocksThrottleReasons(|seen| bits: Out<c_ulonglong>) {
        bits.put(seen.level(Level::Throttle)? as u64)
    }
    fn nvmlDeviceGetCurrentClocksEventReasons(|seen| bits: Out<c_ulonglong>) {
        bits.put(seen.level(Level::Throttle)? as u64)
    }
    fn nvmlDeviceGetSupportedClocksThrottleReasons(|seen| bits: Out<c_ulonglong>) {
        seen.level(Level::Throttle)?;
        bits.put(0x1FF)
    }
    fn nvmlDeviceGetPerformanceState(|seen| state: Out<nvmlPstates_t>) {
        seen.put(Level::Pstate, &state)
    }
    fn nvmlDeviceGetNumFans(|seen| fans: Out<c_uint>) {
        fans.put(c_uint::from(seen.level(Level::Fan).is_ok()))
    }
    fn nvmlDeviceGetFanSpeed(|seen| percent: Out<c_uint>) {
        seen.put(Level::Fan, &percent)
    }
    fn nvmlDeviceGetFanSpeed_v2(|seen| fan: c_uint, percent: Out<c_uint>) {
        if fan != 0 {
            return Err(Code::INVALID_ARGUMENT);
        }
        seen.put(Level::Fan, &percent)
    }
    fn nvmlDeviceGetCurrPcieLinkGeneration(|seen| generation: Out<c_uint>) {
        seen.put(Level::PcieGeneration, &generation)
    }
    fn nvmlDeviceGetMaxPcieLinkGeneration(|seen| generation: Out<c_uint>) {
        seen.put(Level::PcieGenerationMax, &generation)
    }
    fn nvmlDeviceGetCurrPcieLinkWidth(|seen| lanes: Out<c_uint>) {
        seen.put(Level::PcieWidth, &lanes)
    }
    fn nvmlDeviceGetMaxPcieLinkWidth(|seen| lanes: Out<c_uint>) {
        seen.put(Level::PcieWidthMax, &lanes)
    }
    fn nvmlDeviceGetPcieThroughput(|seen| counter: nvmlPcieUtilCounter_t, kib_per_s: Out<c_uint>) {
        let total = match counter {
            nvmlPcieUtilCounter_enum_NVML_PCIE_UTIL_TX_BYTES => Total::PcieTx,
            nvmlPcieUtilCounter_enum_NVML_PCIE_UTIL_RX_BYTES => Total::PcieRx,
            _ => return Err(Code::INVALID_ARGUMENT),
        };
        // Over 20 ms: fifty of them are a second.
        let before = seen.gpu().total(total, ALL, seen.now.saturating_sub(20_000))?;
        kib_per_s.put(unsigned((seen.total(total)? - before.now).saturating_mul(50) / 1024))
    }
    fn nvmlDeviceGetPcieReplayCounter(|seen| replays: Out<c_uint>) {
        replays.put(unsigned(seen.total(Total::PcieReplay)?))
    }
    fn nvmlDeviceGetEccMode(|seen| current: Out<nvmlEnableState_t>, pending: Out<nvmlEnableState_t>) {
        seen.put(Level::EccMode, &current)?;
        seen.put(Level::EccMode, &pending)
    }
    fn nvmlDeviceGetTotalEccErrors(|seen| error: nvmlMemoryErrorType_t, counter: nvmlEccCounterType_t, count: Out<c_ulonglong>) {
        count.put(seen.ecc(error, counter)?)
    }
}

fn clock_level(clock: nvmlClockType_t, levels: [Level; 3]) -> Answer<Level> {
    let [sm, memory, video] = levels;
    match clock {
        // One clock drives both.
        nvmlClockType_enum_NVML_CLOCK_GRAPHICS | nvmlClockType_enum_NVML_CLOCK_SM => Ok(sm),
        nvmlClockType_enum_NVML_CLOCK_MEM => Ok(memory),
        nvmlClockType_enum_NVML_CLOCK_VIDEO => Ok(video),
        _ => Err(Code::INVALID_ARGUMENT),
    }
}
