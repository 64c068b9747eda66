//! One device, or a part of one, as it is read.

use super::fields::{self, Batch};
use super::gpm::Gpm;
use super::links::Links;
use super::processes::Processes;
use super::raw::{Answer, Handle, Library};
use super::units::From;
use super::{Verdict, verdict};
use crate::calls::Calls;
use crate::quantity::{Quantity, Tier};
use crate::reading::{Reading, Readings};
use crate::source::{GpuDevice, GpuProcess, LinkReading, SourceError};
use nvml_wrapper_sys::bindings::*;
use obs_core::Telemetry;

/// A device of NVML's.
#[derive(Debug)]
pub(super) struct NvmlDevice {
    library: Library,
    handle: Handle,
    /// What it does not have. Never asked for again.
    lacks: [bool; Quantity::COUNT],
    fields: [Batch<Quantity>; 3],
    gpm: Gpm,
    links: Links,
    processes: Processes,
}

/// A quantity that a call of its own gives.
struct One(
    Quantity,
    &'static str,
    From,
    fn(Library, Handle) -> Answer<i64>,
);

const SM: nvmlClockType_t = nvmlClockType_enum_NVML_CLOCK_SM;
const MEM: nvmlClockType_t = nvmlClockType_enum_NVML_CLOCK_MEM;
const SLOWDOWN: nvmlTemperatureThresholds_t =
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SLOWDOWN;
const SHUTDOWN: nvmlTemperatureThresholds_t =
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SHUTDOWN;

macro_rules! ones {
    ($($quantity:ident, $name:literal, $from:ident: |$library:ident, $of:ident| $ask:expr;)*) => {
        &[$(One(Quantity::$quantity, $name, From::$from, |$library, $of| {
            $ask.map(i64::from)
        })),*]
    };
}

const FAST: &[One] = ones! {
    SmClock, "nvmlDeviceGetClockInfo", Megahertz: |library, of| library.clock(of, SM);
    MemoryClock, "nvmlDeviceGetClockInfo", Megahertz: |library, of| library.clock(of, MEM);
    ThrottleReasons, "nvmlDeviceGetCurrentClocksEventReasons", Ours: |library, of| bits(library.throttle(of));
};

/// Where the field value is not supported.
const ELSE_FAST: &[One] = ones! {
    Power, "nvmlDeviceGetPowerUsage", Ours: |library, of| library.power(of);
    Energy, "nvmlDeviceGetTotalEnergyConsumption", Ours: |library, of| bits(library.energy(of));
};

const SECOND: &[One] = ones! {
    PowerLimit, "nvmlDeviceGetEnforcedPowerLimit", Ours: |library, of| library.power_limit(of);
    Temperature, "nvmlDeviceGetTemperature", Degrees: |library, of| library.temperature(of);
    TemperatureMargin, "nvmlDeviceGetMarginTemperature", Degrees: |library, of| library.margin(of);
    FanSpeed, "nvmlDeviceGetFanSpeed_v2", Percent: |library, of| library.fan(of);
    Encoder, "nvmlDeviceGetEncoderUtilization", Percent: |library, of| library.encoder(of);
    Decoder, "nvmlDeviceGetDecoderUtilization", Percent: |library, of| library.decoder(of);
    Jpeg, "nvmlDeviceGetJpgUtilization", Percent: |library, of| library.jpeg(of);
    OpticalFlow, "nvmlDeviceGetOfaUtilization", Percent: |library, of| library.optical_flow(of);
    PerformanceState, "nvmlDeviceGetPerformanceState", Ours: |library, of| library.performance_state(of);
};

const SLOW: &[One] = ones! {
    PcieGeneration, "nvmlDeviceGetCurrPcieLinkGeneration", Ours: |library, of| library.pcie_generation(of);
    PcieWidth, "nvmlDeviceGetCurrPcieLinkWidth", Ours: |library, of| library.pcie_width(of);
    SmClockMax, "nvmlDeviceGetMaxClockInfo", Megahertz: |library, of| library.max_clock(of, SM);
    MemoryClockMax, "nvmlDeviceGetMaxClockInfo", Megahertz: |library, of| library.max_clock(of, MEM);
    TemperatureSlowdown, "nvmlDeviceGetTemperatureThreshold", Degrees: |library, of| library.threshold(of, SLOWDOWN);
    TemperatureShutdown, "nvmlDeviceGetTemperatureThreshold", Degrees: |library, of| library.threshold(of, SHUTDOWN);
};

/// As far as it is counted here: beyond 2⁶³ nothing has got yet.
fn bits(answer: Answer<u64>) -> Answer<i64> {
    answer.and_then(|value| i64::try_from(value).map_err(|_| nvmlReturn_enum_NVML_ERROR_NO_DATA))
}

impl NvmlDevice {
    pub(super) fn new(
        telemetry: Telemetry,
        library: Library,
        handle: Handle,
        calls: &mut Calls,
    ) -> Self {
        Self {
            library,
            handle,
            lacks: [false; Quantity::COUNT],
            fields: Tier::ALL.map(|tier| fields::of_tier(library, tier)),
            gpm: Gpm::new(telemetry, library, handle, calls),
            links: Links::new(library),
            processes: Processes::default(),
        }
    }

    /// Asks for one quantity, unless it is known that it is not there.
    fn ask(
        &mut self,
        one: &One,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let One(quantity, name, from, ask) = *one;
        if self.lacks[quantity as usize] {
            return Ok(());
        }
        let answer = calls.time(name, || ask(self.library, self.handle));
        self.note(
            quantity,
            verdict(answer.map(|value| from.convert(value))),
            into,
        )
    }

    fn note(
        &mut self,
        quantity: Quantity,
        said: Verdict,
        into: &mut Readings,
    ) -> Result<(), SourceError> {
        if let Verdict::Lost(error) = said {
            return Err(error);
        }
        self.lacks[quantity as usize] |= said == Verdict::Unsupported;
        into.set(quantity, said.reading());
        Ok(())
    }

    fn read_fields(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let fields = &mut self.fields[tier as usize];
        fields.read(self.library, self.handle, calls, |quantity, said| {
            into.set(quantity, said.reading());
        })
    }

    fn read_utilization(
        &mut self,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        const BOTH: [Quantity; 2] = [Quantity::Utilization, Quantity::MemoryController];
        if self.lacks[BOTH[0] as usize] {
            return Ok(());
        }
        let (library, of) = (self.library, self.handle);
        let answer = calls.time("nvmlDeviceGetUtilizationRates", || library.utilization(of));
        let both = [answer.map(|(gpu, _)| gpu), answer.map(|(_, memory)| memory)];
        for (quantity, answer) in BOTH.into_iter().zip(both) {
            let answer = answer.map(|percent| From::Percent.convert(percent.into()));
            self.note(quantity, verdict(answer), into)?;
        }
        Ok(())
    }

    fn read_memory(&mut self, into: &mut Readings, calls: &mut Calls) -> Result<(), SourceError> {
        if self.lacks[Quantity::MemoryUsed as usize] {
            return Ok(());
        }
        let (library, of) = (self.library, self.handle);
        let answer = calls.time("nvmlDeviceGetMemoryInfo_v2", || library.memory(of));
        let reserved = match answer {
            Ok(memory) => memory
                .reserved
                .ok_or(nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED),
            Err(code) => Err(code),
        };
        for (quantity, answer) in [
            (Quantity::MemoryUsed, answer.map(|memory| memory.used)),
            (Quantity::MemoryFree, answer.map(|memory| memory.free)),
            (Quantity::MemoryTotal, answer.map(|memory| memory.total)),
            (Quantity::MemoryReserved, reserved),
        ] {
            self.note(quantity, verdict(bits(answer)), into)?;
        }
        Ok(())
    }

    /// Several quantities that one call gives.
    fn note_all<const N: usize>(
        &mut self,
        quantities: [Quantity; N],
        answer: Answer<[u64; N]>,
        into: &mut Readings,
    ) -> Result<(), SourceError> {
        for (at, quantity) in quantities.into_iter().enumerate() {
            self.note(quantity, verdict(bits(answer.map(|all| all[at]))), into)?;
        }
        Ok(())
    }

    fn read_sram(&mut self, into: &mut Readings, calls: &mut Calls) -> Result<(), SourceError> {
        const ALL: [Quantity; 3] = [
            Quantity::SramCorrected,
            Quantity::SramUncorrected,
            Quantity::SramThreshold,
        ];
        if self.lacks[ALL[0] as usize] {
            return Ok(());
        }
        let (library, of) = (self.library, self.handle);
        let answer = calls.time("nvmlDeviceGetSramEccErrorStatus", || library.sram(of));
        self.note_all(ALL, answer, into)
    }

    fn read_banks(&mut self, into: &mut Readings, calls: &mut Calls) -> Result<(), SourceError> {
        const ALL: [Quantity; 5] = [
            Quantity::BanksFull,
            Quantity::BanksHigh,
            Quantity::BanksPartial,
            Quantity::BanksLow,
            Quantity::BanksNone,
        ];
        if self.lacks[ALL[0] as usize] {
            return Ok(());
        }
        let (library, of) = (self.library, self.handle);
        let answer = calls.time("nvmlDeviceGetRowRemapperHistogram", || library.banks(of));
        self.note_all(ALL, answer.map(|banks| banks.map(u64::from)), into)
    }

    /// What all links sent and received. Up to NVLink 4 the driver adds them up; else it is done here, where each says.
    fn add_up_links(&self, into: &mut Readings) {
        let sums = [
            (Quantity::NvlinkSent, self.links.sum(|link| link.sent)),
            (
                Quantity::NvlinkReceived,
                self.links.sum(|link| link.received),
            ),
        ];
        for (quantity, sum) in sums {
            let unsaid = into.get(quantity) == Reading::Unsupported || self.adds_up(quantity);
            if let Some(sum) = sum.filter(|_| unsaid) {
                into.set(quantity, Reading::Value(sum));
            }
        }
    }

    /// Whether the driver does not add it up.
    fn adds_up(&self, quantity: Quantity) -> bool {
        !self.fields[Tier::Second as usize].has(|asked| asked == quantity)
    }
}

impl GpuDevice for NvmlDevice {
    fn read(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        // Readings may be another's, and not know what this one lacks.
        let lacks = Quantity::ALL
            .iter()
            .zip(self.lacks)
            .filter(|(_, lacks)| *lacks);
        lacks.for_each(|(quantity, _)| into.set(*quantity, Reading::Unsupported));
        match tier {
            Tier::Fast => {
                self.read_utilization(into, calls)?;
                self.read_memory(into, calls)?;
                self.read_fields(tier, into, calls)?;
                for one in ELSE_FAST {
                    if !self.fields[tier as usize].has(|asked| asked == one.0) {
                        self.ask(one, into, calls)?;
                    }
                }
                FAST.iter().try_for_each(|one| self.ask(one, into, calls))
            }
            Tier::Second => {
                self.read_fields(tier, into, calls)?;
                self.gpm.read(into, calls)?;
                self.links.read(self.library, self.handle, tier, calls)?;
                self.add_up_links(into);
                SECOND.iter().try_for_each(|one| self.ask(one, into, calls))
            }
            Tier::Slow => {
                self.read_fields(tier, into, calls)?;
                self.links.read(self.library, self.handle, tier, calls)?;
                self.read_sram(into, calls)?;
                self.read_banks(into, calls)?;
                SLOW.iter().try_for_each(|one| self.ask(one, into, calls))
            }
        }
    }

    fn links(
        &mut self,
        into: &mut Vec<LinkReading>,
        _calls: &mut Calls,
    ) -> Result<(), SourceError> {
        into.extend_from_slice(&self.links.read);
        Ok(())
    }

    fn processes(
        &mut self,
        into: &mut Vec<GpuProcess>,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        self.processes.read(self.library, self.handle, into, calls)
    }
}
