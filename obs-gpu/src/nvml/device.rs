//! One device, or a part of one, as it is read.

use super::fields::{self, Batch, Fields};
use super::gpm::{Gpm, Which};
use super::links::Links;
use super::processes::Processes;
use super::raw::{Answer, Handle, Library};
use super::units::From;
use super::{Verdict, verdict};
use crate::calls::Calls;
use crate::quantity::{Quantity, Tier};
use crate::reading::{Reading, Readings};
use crate::source::{GpuDevice, GpuProcess, LinkReading, Pace, ReadGroup, SourceError};
use nvml_wrapper_sys::bindings::*;
use obs_core::Telemetry;

/// A device of NVML's.
#[derive(Debug)]
pub(super) struct NvmlDevice {
    library: Library,
    handle: Handle,
    /// What it does not have. Never asked for again.
    lacks: [bool; Quantity::COUNT],
    fields: [Batch<Quantity>; Fields::ALL.len()],
    gpm: Gpm,
    links: Links,
    processes: Processes,
}

/// What is read together, by what it costs on an H100 with driver 580.159.04 (`docs/gpu.md`): what keeps its pace takes a tenth of a
/// millisecond or less, what stretches a third of one or more.
const GROUPS: &[ReadGroup] = &[
    ReadGroup::new("fast", Tier::Fast, Pace::Keeps),
    ReadGroup::new("energy", Tier::Fast, Pace::Stretches),
    ReadGroup::new("second", Tier::Second, Pace::Keeps),
    ReadGroup::new("counters", Tier::Second, Pace::Stretches),
    ReadGroup::new("engine", Tier::Second, Pace::Stretches),
    ReadGroup::new("throttle", Tier::Second, Pace::Stretches),
    ReadGroup::new("margin", Tier::Second, Pace::Stretches),
    ReadGroup::new("pcie", Tier::Second, Pace::Stretches),
    ReadGroup::new("links", Tier::Second, Pace::Stretches).with_links(),
    ReadGroup::new("slow", Tier::Slow, Pace::Keeps),
    ReadGroup::new("pcie_errors", Tier::Slow, Pace::Stretches),
    ReadGroup::new("link_states", Tier::Slow, Pace::Stretches),
    ReadGroup::new("process_time", Tier::Slow, Pace::Stretches),
    ReadGroup::new("limits", Tier::Slow, Pace::Constant),
];

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
};

const ELSE_ENERGY: &[One] = ones! {
    Energy, "nvmlDeviceGetTotalEnergyConsumption", Ours: |library, of| bits(library.energy(of));
};

const SECOND: &[One] = ones! {
    PowerLimit, "nvmlDeviceGetEnforcedPowerLimit", Ours: |library, of| library.power_limit(of);
    Temperature, "nvmlDeviceGetTemperature", Degrees: |library, of| library.temperature(of);
    FanSpeed, "nvmlDeviceGetFanSpeed_v2", Percent: |library, of| library.fan(of);
    Encoder, "nvmlDeviceGetEncoderUtilization", Percent: |library, of| library.encoder(of);
    Decoder, "nvmlDeviceGetDecoderUtilization", Percent: |library, of| library.decoder(of);
    Jpeg, "nvmlDeviceGetJpgUtilization", Percent: |library, of| library.jpeg(of);
    OpticalFlow, "nvmlDeviceGetOfaUtilization", Percent: |library, of| library.optical_flow(of);
    PerformanceState, "nvmlDeviceGetPerformanceState", Ours: |library, of| library.performance_state(of);
};

const MARGIN: &[One] = ones! {
    TemperatureMargin, "nvmlDeviceGetMarginTemperature", Degrees: |library, of| library.margin(of);
};

const SLOW: &[One] = ones! {
    PcieGeneration, "nvmlDeviceGetCurrPcieLinkGeneration", Ours: |library, of| library.pcie_generation(of);
    PcieWidth, "nvmlDeviceGetCurrPcieLinkWidth", Ours: |library, of| library.pcie_width(of);
};

const LIMITS: &[One] = ones! {
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
            fields: Fields::ALL.map(|fields| fields::of(library, fields)),
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

    fn ask_all(
        &mut self,
        all: &[One],
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        all.iter().try_for_each(|one| self.ask(one, into, calls))
    }

    /// The same of what is asked for where the field value is not supported.
    fn ask_else(
        &mut self,
        fields: Fields,
        all: &[One],
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        for one in all {
            if !self.fields[fields as usize].has(|asked| asked == one.0) {
                self.ask(one, into, calls)?;
            }
        }
        Ok(())
    }

    fn read_fields(
        &mut self,
        fields: Fields,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let fields = &mut self.fields[fields as usize];
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
        !self.fields[Fields::Links as usize].has(|asked| asked == quantity)
    }
}

impl GpuDevice for NvmlDevice {
    fn read(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let groups = GROUPS.iter().filter(|group| group.tier() == tier);
        for group in groups {
            self.read_group(group, into, calls)?;
        }
        Ok(())
    }

    fn groups(&self) -> &'static [ReadGroup] {
        GROUPS
    }

    fn read_group(
        &mut self,
        group: &ReadGroup,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        // Readings may be another's, and not know what this one lacks.
        for (quantity, lacks) in Quantity::ALL.iter().zip(self.lacks) {
            if lacks && quantity.tier() == group.tier() {
                into.set(*quantity, Reading::Unsupported);
            }
        }
        let (library, handle) = (self.library, self.handle);
        match group.name() {
            "fast" => {
                self.read_utilization(into, calls)?;
                self.read_memory(into, calls)?;
                self.read_fields(Fields::Fast, into, calls)?;
                self.ask_else(Fields::Fast, ELSE_FAST, into, calls)?;
                self.ask_all(FAST, into, calls)
            }
            "energy" => {
                self.read_fields(Fields::Energy, into, calls)?;
                self.ask_else(Fields::Energy, ELSE_ENERGY, into, calls)
            }
            "second" => {
                self.read_fields(Fields::Second, into, calls)?;
                self.ask_all(SECOND, into, calls)
            }
            "counters" => self.gpm.read(Which::Cheap, into, calls),
            "engine" => self.gpm.read(Which::Dear, into, calls),
            "throttle" => self.read_fields(Fields::Throttle, into, calls),
            "margin" => self.ask_all(MARGIN, into, calls),
            "pcie" => self.read_fields(Fields::Pcie, into, calls),
            "links" => {
                self.read_fields(Fields::Links, into, calls)?;
                self.links.read(library, handle, Tier::Second, calls)?;
                self.add_up_links(into);
                Ok(())
            }
            "slow" => {
                self.read_fields(Fields::Slow, into, calls)?;
                self.read_sram(into, calls)?;
                self.read_banks(into, calls)?;
                self.ask_all(SLOW, into, calls)
            }
            "pcie_errors" => self.read_fields(Fields::PcieErrors, into, calls),
            "link_states" => self.links.read(library, handle, Tier::Slow, calls),
            "process_time" => self.processes.read_shares(library, handle, calls),
            "limits" => self.ask_all(LIMITS, into, calls),
            // One of another device's.
            _ => Ok(()),
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
