//! What is shown of what is read: one table, from which the metrics are made and the page about them is written.

use crate::quantity::{Nature, Quantity};
use obs_core::Key;
use obs_core::semconv::{http, hw, obs};

/// How a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So much now.
    Gauge,
    /// A sum of parts, so much now.
    UpDownCounter,
    /// It only grows.
    Counter,
}

impl Shape {
    /// As the conventions have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::UpDownCounter => "updowncounter",
            Self::Counter => "counter",
        }
    }
}

/// A metric of a device, or one series of one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct GpuMetric {
    /// Its name.
    pub name: &'static str,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// How it counts.
    pub shape: Shape,
    /// Whether it is whole, or may have a fraction.
    pub whole: bool,
    /// What it says.
    pub description: &'static str,
    /// What it is made of.
    pub quantity: Quantity,
    /// What tells its series apart.
    pub attributes: &'static [(Key, &'static str)],
    /// The calls or field values of NVML that it is read by.
    pub read_by: &'static str,
    /// What dcgm-exporter calls it, where it has it, and how many of ours one of it is.
    pub dcgm: Option<(&'static str, f64)>,
}

impl GpuMetric {
    const fn new(name: &'static str, unit: &'static str, shape: Shape, whole: bool) -> Self {
        Self {
            name,
            unit,
            shape,
            whole,
            description: "",
            quantity: Quantity::Utilization,
            attributes: &[],
            read_by: "",
            dcgm: None,
        }
    }

    const fn of(
        mut self,
        quantity: Quantity,
        read_by: &'static str,
        description: &'static str,
    ) -> Self {
        // A total as a level would be a lie, and a level as a total.
        assert!(matches!(
            (self.shape, quantity.nature()),
            (Shape::Counter, Nature::Total) | (Shape::Gauge | Shape::UpDownCounter, Nature::Level)
        ));
        (self.quantity, self.read_by, self.description) = (quantity, read_by, description);
        self
    }

    const fn with(mut self, attributes: &'static [(Key, &'static str)]) -> Self {
        self.attributes = attributes;
        self
    }

    const fn dcgm(mut self, name: &'static str, one: f64) -> Self {
        self.dcgm = Some((name, one));
        self
    }

    /// Whether its points say model, vendor, driver and serial number, as the conventions of `hw.gpu.*` want.
    pub fn is_of_gpus(&self) -> bool {
        self.name.starts_with(hw::GPU)
    }
}

const fn share(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "1", Shape::Gauge, false)
}

const fn bytes(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "By", Shape::UpDownCounter, true)
}

const fn sent(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "By", Shape::Counter, true)
}

const fn watts(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "W", Shape::Gauge, false)
}

const fn degrees(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "Cel", Shape::Gauge, false)
}

const fn hertz(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "Hz", Shape::Gauge, true)
}

const fn held(
    reason: Quantity,
    read_by: &'static str,
    what: &'static [(Key, &'static str)],
) -> GpuMetric {
    let metric = GpuMetric::new(obs::GPU_THROTTLE_TIME, "s", Shape::Counter, false);
    let says = "How long its clocks were held down.";
    metric.of(reason, read_by, says).with(what)
}

const fn errors(
    of: Quantity,
    read_by: &'static str,
    what: &'static [(Key, &'static str)],
) -> GpuMetric {
    let metric = GpuMetric::new(hw::ERRORS, "{error}", Shape::Counter, true);
    metric
        .of(
            of,
            read_by,
            "Number of errors encountered by the component.",
        )
        .with(what)
}

const fn banks(of: Quantity, what: &'static [(Key, &'static str)]) -> GpuMetric {
    let metric = GpuMetric::new(obs::GPU_MEMORY_BANKS, "{bank}", Shape::UpDownCounter, true);
    let says = "Banks of memory by how many spare rows they have.";
    metric
        .of(of, "nvmlDeviceGetRowRemapperHistogram", says)
        .with(what)
}

const fn code(name: &'static str) -> GpuMetric {
    GpuMetric::new(name, "1", Shape::Gauge, true)
}

const TYPE: (Key, &str) = (hw::TYPE, "gpu");
const MIB: f64 = 1_048_576.0;
const MHZ: f64 = 1e6;
const UTILIZATION: &str = "Fraction of time spent in a specific task.";
const IO: &str = "Received and transmitted bytes by the GPU.";
const DEGREES: &str = "Temperature in degrees Celsius.";
const LIMIT: &str = "Temperature limit in degrees Celsius.";
const CLOCK: &str = "Clocks of the GPU.";
const CLOCK_LIMIT: &str = "The highest that clocks of the GPU can be.";

macro_rules! labels {
    ($($key:path = $value:literal),*) => { &[$(($key, $value)),*] };
}

/// All that is made of single quantities. What is made of several, of links, events, processes and of the watching itself stands in
/// [`FURTHER`].
#[rustfmt::skip]
pub const METRICS: &[GpuMetric] = &[
    share(hw::GPU_UTILIZATION).of(Quantity::Utilization, "nvmlDeviceGetUtilizationRates", UTILIZATION)
        .with(labels![hw::GPU_TASK = "general"]).dcgm("DCGM_FI_DEV_GPU_UTIL", 0.01),
    share(hw::GPU_UTILIZATION).of(Quantity::Encoder, "nvmlDeviceGetEncoderUtilization", UTILIZATION)
        .with(labels![hw::GPU_TASK = "encoder"]).dcgm("DCGM_FI_DEV_ENC_UTIL", 0.01),
    share(hw::GPU_UTILIZATION).of(Quantity::Decoder, "nvmlDeviceGetDecoderUtilization", UTILIZATION)
        .with(labels![hw::GPU_TASK = "decoder"]).dcgm("DCGM_FI_DEV_DEC_UTIL", 0.01),
    share(hw::GPU_UTILIZATION).of(Quantity::Jpeg, "nvmlDeviceGetJpgUtilization", UTILIZATION)
        .with(labels![hw::GPU_TASK = "jpeg"]),
    share(hw::GPU_UTILIZATION).of(Quantity::OpticalFlow, "nvmlDeviceGetOfaUtilization", UTILIZATION)
        .with(labels![hw::GPU_TASK = "optical_flow"]),
    share(obs::GPU_MEMORY_CONTROLLER).of(Quantity::MemoryController, "nvmlDeviceGetUtilizationRates",
        "Share of time in which memory was read or written; no bandwidth.").dcgm("DCGM_FI_DEV_MEM_COPY_UTIL", 0.01),
    bytes(hw::GPU_MEMORY_USAGE).of(Quantity::MemoryUsed, "nvmlDeviceGetMemoryInfo_v2", "GPU memory used.")
        .dcgm("DCGM_FI_DEV_FB_USED", MIB),
    bytes(hw::GPU_MEMORY_LIMIT).of(Quantity::MemoryTotal, "nvmlDeviceGetMemoryInfo_v2", "Size of the GPU memory."),
    bytes(obs::GPU_MEMORY_FREE).of(Quantity::MemoryFree, "nvmlDeviceGetMemoryInfo_v2", "Memory that is free.")
        .dcgm("DCGM_FI_DEV_FB_FREE", MIB),
    bytes(obs::GPU_MEMORY_RESERVED).of(Quantity::MemoryReserved, "nvmlDeviceGetMemoryInfo_v2",
        "Memory that the driver keeps for itself.").dcgm("DCGM_FI_DEV_FB_RESERVED", MIB),
    watts(hw::POWER).of(Quantity::Power, "field 186, else nvmlDeviceGetPowerUsage",
        "Instantaneous power consumed by the component.").with(&[TYPE]).dcgm("DCGM_FI_DEV_POWER_USAGE", 1.0),
    GpuMetric::new(hw::ENERGY, "J", Shape::Counter, false).of(Quantity::Energy, "field 83",
        "Energy consumed by the component.").with(&[TYPE]).dcgm("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 0.001),
    hertz(obs::GPU_CLOCK_FREQUENCY).of(Quantity::SmClock, "nvmlDeviceGetClockInfo", CLOCK)
        .with(labels![obs::GPU_CLOCK = "sm"]).dcgm("DCGM_FI_DEV_SM_CLOCK", MHZ),
    hertz(obs::GPU_CLOCK_FREQUENCY).of(Quantity::MemoryClock, "nvmlDeviceGetClockInfo", CLOCK)
        .with(labels![obs::GPU_CLOCK = "memory"]).dcgm("DCGM_FI_DEV_MEM_CLOCK", MHZ),
    hertz(obs::GPU_CLOCK_LIMIT).of(Quantity::SmClockMax, "nvmlDeviceGetMaxClockInfo", CLOCK_LIMIT)
        .with(labels![obs::GPU_CLOCK = "sm"]).dcgm("DCGM_FI_DEV_MAX_SM_CLOCK", MHZ),
    hertz(obs::GPU_CLOCK_LIMIT).of(Quantity::MemoryClockMax, "nvmlDeviceGetMaxClockInfo", CLOCK_LIMIT)
        .with(labels![obs::GPU_CLOCK = "memory"]).dcgm("DCGM_FI_DEV_MAX_MEM_CLOCK", MHZ),
    watts(obs::GPU_POWER_AVERAGE).of(Quantity::PowerAverage, "field 185", "Power averaged over a second."),
    watts(obs::GPU_POWER_LIMIT).of(Quantity::PowerLimit, "nvmlDeviceGetEnforcedPowerLimit", "Power that it is held to.")
        .dcgm("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", 1.0),
    watts(obs::GPU_MODULE_POWER).of(Quantity::ModulePower, "field 186, scope 1",
        "Power of the module that it stands on."),
    degrees(hw::TEMPERATURE).of(Quantity::Temperature, "nvmlDeviceGetTemperature", DEGREES)
        .with(labels![hw::SENSOR_LOCATION = "gpu"]).dcgm("DCGM_FI_DEV_GPU_TEMP", 1.0),
    degrees(hw::TEMPERATURE).of(Quantity::MemoryTemperature, "field 82", DEGREES)
        .with(labels![hw::SENSOR_LOCATION = "memory"]).dcgm("DCGM_FI_DEV_MEMORY_TEMP", 1.0),
    degrees(hw::TEMPERATURE_LIMIT).of(Quantity::TemperatureSlowdown, "nvmlDeviceGetTemperatureThreshold", LIMIT)
        .with(labels![hw::SENSOR_LOCATION = "gpu", hw::LIMIT_TYPE = "high.degraded"]).dcgm("DCGM_FI_DEV_SLOWDOWN_TEMP", 1.0),
    degrees(hw::TEMPERATURE_LIMIT).of(Quantity::TemperatureShutdown, "nvmlDeviceGetTemperatureThreshold", LIMIT)
        .with(labels![hw::SENSOR_LOCATION = "gpu", hw::LIMIT_TYPE = "high.critical"]).dcgm("DCGM_FI_DEV_SHUTDOWN_TEMP", 1.0),
    degrees(obs::GPU_TEMPERATURE_MARGIN).of(Quantity::TemperatureMargin, "nvmlDeviceGetMarginTemperature",
        "Degrees until it is slowed down.").dcgm("DCGM_FI_DEV_GPU_TEMP_LIMIT", 1.0),
    share(hw::FAN_SPEED_RATIO).of(Quantity::FanSpeed, "nvmlDeviceGetFanSpeed_v2",
        "Fan speed expressed as a fraction of its maximum speed.").with(labels![hw::SENSOR_LOCATION = "gpu"])
        .dcgm("DCGM_FI_DEV_FAN_SPEED", 0.01),
    share(obs::GPU_SM_ACTIVE).of(Quantity::SmActive, "GPM 2", "Share of time in which any multiprocessor had work.")
        .dcgm("DCGM_FI_PROF_SM_ACTIVE", 1.0),
    share(obs::GPU_SM_OCCUPANCY).of(Quantity::SmOccupancy, "GPM 3", "Share of warps that were resident.")
        .dcgm("DCGM_FI_PROF_SM_OCCUPANCY", 1.0),
    share(obs::GPU_TENSOR_ACTIVE).of(Quantity::TensorActive, "GPM 5", "Share of time in which the tensor cores worked.")
        .dcgm("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 1.0),
    share(obs::GPU_DRAM_ACTIVE).of(Quantity::DramActive, "GPM 10", "Share of the memory's peak bandwidth that was used.")
        .dcgm("DCGM_FI_PROF_DRAM_ACTIVE", 1.0),
    share(obs::GPU_ENGINE_ACTIVE).of(Quantity::EngineActive, "GPM 1",
        "Share of time in which an engine for graphics or computing was active.").dcgm("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1.0),
    held(Quantity::ThrottlePower, "field 74", labels![obs::GPU_THROTTLE_REASON = "power"])
        .dcgm("DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP_NS", 1e-9),
    held(Quantity::ThrottleThermalSoftware, "field 251 or 269", labels![obs::GPU_THROTTLE_REASON = "thermal_software"])
        .dcgm("DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN_NS", 1e-9),
    held(Quantity::ThrottleThermalHardware, "field 252 or 270", labels![obs::GPU_THROTTLE_REASON = "thermal_hardware"])
        .dcgm("DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS", 1e-9),
    held(Quantity::ThrottlePowerBrake, "field 253 or 271", labels![obs::GPU_THROTTLE_REASON = "power_brake"])
        .dcgm("DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS", 1e-9),
    held(Quantity::ThrottleSyncBoost, "field 76", labels![obs::GPU_THROTTLE_REASON = "sync_boost"])
        .dcgm("DCGM_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST_NS", 1e-9),
    sent(hw::GPU_IO).of(Quantity::PcieSent, "field 197", IO).with(labels![hw::IO_DIRECTION = "transmit"]),
    sent(hw::GPU_IO).of(Quantity::PcieReceived, "field 198", IO).with(labels![hw::IO_DIRECTION = "receive"]),
    sent(obs::GPU_NVLINK_IO).of(Quantity::NvlinkSent, "fields 138 or 202", "Bytes over NVLink, all links together.")
        .with(labels![hw::IO_DIRECTION = "transmit"]),
    sent(obs::GPU_NVLINK_IO).of(Quantity::NvlinkReceived, "fields 139 or 204", "Bytes over NVLink, all links together.")
        .with(labels![hw::IO_DIRECTION = "receive"]),
    errors(Quantity::EccCorrected, "field 3", &[TYPE, (http::ERROR_TYPE, "corrected")])
        .dcgm("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", 1.0),
    errors(Quantity::EccUncorrected, "field 4", &[TYPE, (http::ERROR_TYPE, "uncorrected")])
        .dcgm("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", 1.0),
    errors(Quantity::PcieReplays, "field 94", &[TYPE, (http::ERROR_TYPE, "pcie_replay")])
        .dcgm("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", 1.0),
    errors(Quantity::PcieCorrectable, "field 173", &[TYPE, (http::ERROR_TYPE, "pcie_correctable")]),
    errors(Quantity::PcieNonFatal, "field 179", &[TYPE, (http::ERROR_TYPE, "pcie_non_fatal")]),
    errors(Quantity::PcieFatal, "field 180", &[TYPE, (http::ERROR_TYPE, "pcie_fatal")]),
    errors(Quantity::SramCorrected, "nvmlDeviceGetSramEccErrorStatus", &[TYPE, (http::ERROR_TYPE, "sram_corrected")]),
    errors(Quantity::SramUncorrected, "nvmlDeviceGetSramEccErrorStatus", &[TYPE, (http::ERROR_TYPE, "sram_uncorrected")]),
    code(obs::GPU_SRAM_THRESHOLD).of(Quantity::SramThreshold, "nvmlDeviceGetSramEccErrorStatus",
        "Whether caches and registers had more errors than its maker allows: 1 or 0."),
    GpuMetric::new(obs::GPU_ECC_LIFETIME, "{error}", Shape::Counter, true)
        .of(Quantity::EccCorrectedLifetime, "field 5", "Bit errors in its life.")
        .with(labels![http::ERROR_TYPE = "corrected"]).dcgm("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", 1.0),
    GpuMetric::new(obs::GPU_ECC_LIFETIME, "{error}", Shape::Counter, true)
        .of(Quantity::EccUncorrectedLifetime, "field 6", "Bit errors in its life.")
        .with(labels![http::ERROR_TYPE = "uncorrected"]).dcgm("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", 1.0),
    GpuMetric::new(obs::GPU_REMAPPED_ROWS, "{row}", Shape::Counter, true)
        .of(Quantity::RemappedCorrectable, "field 142", "Rows of memory that were replaced.")
        .with(labels![http::ERROR_TYPE = "corrected"]).dcgm("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", 1.0),
    GpuMetric::new(obs::GPU_REMAPPED_ROWS, "{row}", Shape::Counter, true)
        .of(Quantity::RemappedUncorrectable, "field 143", "Rows of memory that were replaced.")
        .with(labels![http::ERROR_TYPE = "uncorrected"]).dcgm("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", 1.0),
    banks(Quantity::BanksFull, labels![obs::GPU_SPARE_ROWS = "full"]).dcgm("DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_MAX", 1.0),
    banks(Quantity::BanksHigh, labels![obs::GPU_SPARE_ROWS = "high"]).dcgm("DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_HIGH", 1.0),
    banks(Quantity::BanksPartial, labels![obs::GPU_SPARE_ROWS = "partial"]).dcgm("DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_PARTIAL", 1.0),
    banks(Quantity::BanksLow, labels![obs::GPU_SPARE_ROWS = "low"]).dcgm("DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_LOW", 1.0),
    banks(Quantity::BanksNone, labels![obs::GPU_SPARE_ROWS = "none"]).dcgm("DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_NONE", 1.0),
    code(obs::GPU_REMAP_PENDING).of(Quantity::RemapPending, "field 144", "Whether a row waits for a reset to be replaced: 1 or 0.")
        .dcgm("DCGM_FI_DEV_ROW_REMAP_PENDING", 1.0),
    code(obs::GPU_REMAP_FAILED).of(Quantity::RemapFailed, "field 145", "Whether a row could not be replaced: 1 or 0.")
        .dcgm("DCGM_FI_DEV_ROW_REMAP_FAILURE", 1.0),
    GpuMetric::new(obs::GPU_RETIRED_PAGES, "{page}", Shape::Counter, true)
        .of(Quantity::RetiredPagesSingle, "field 29", "Pages of memory that were given up.")
        .with(labels![http::ERROR_TYPE = "corrected"]).dcgm("DCGM_FI_DEV_RETIRED_SBE", 1.0),
    GpuMetric::new(obs::GPU_RETIRED_PAGES, "{page}", Shape::Counter, true)
        .of(Quantity::RetiredPagesDouble, "field 30", "Pages of memory that were given up.")
        .with(labels![http::ERROR_TYPE = "uncorrected"]).dcgm("DCGM_FI_DEV_RETIRED_DBE", 1.0),
    code(obs::GPU_RETIREMENT_PENDING).of(Quantity::RetirementPending, "field 31",
        "Whether pages wait for a reset to be given up: 1 or 0.").dcgm("DCGM_FI_DEV_RETIRED_PENDING", 1.0),
    code(obs::GPU_RECOVERY_ACTION).of(Quantity::RecoveryAction, "field 230",
        "What the driver asks to be done: 0 nothing, 1 reset, 2 reboot, 3 drain peers, 4 drain and reset, further by the driver."),
    code(obs::GPU_PERFORMANCE_STATE).of(Quantity::PerformanceState, "nvmlDeviceGetPerformanceState",
        "Performance state: 0 is the highest.").dcgm("DCGM_FI_DEV_PSTATE", 1.0),
    code(obs::GPU_PCIE_GENERATION).of(Quantity::PcieGeneration, "nvmlDeviceGetCurrPcieLinkGeneration",
        "Generation that the PCIe link runs at.").dcgm("DCGM_FI_DEV_PCIE_LINK_GEN", 1.0),
    GpuMetric::new(obs::GPU_PCIE_WIDTH, "{lane}", Shape::Gauge, true).of(Quantity::PcieWidth, "nvmlDeviceGetCurrPcieLinkWidth",
        "Lanes that the PCIe link has.").dcgm("DCGM_FI_DEV_PCIE_LINK_WIDTH", 1.0),
];

/// A metric that is made of more than one quantity.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FurtherMetric {
    /// Its name.
    pub name: &'static str,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// How it counts.
    pub shape: Shape,
    /// What it says.
    pub description: &'static str,
    /// What tells its series apart, beside the device.
    pub attributes: &'static str,
    /// What it is made of.
    pub made_of: &'static str,
    /// What dcgm-exporter calls it, where it has it.
    pub dcgm: Option<&'static str>,
}

const fn further(
    name: &'static str,
    unit: &'static str,
    shape: Shape,
    description: &'static str,
) -> FurtherMetric {
    FurtherMetric {
        name,
        unit,
        shape,
        description,
        attributes: "",
        made_of: "",
        dcgm: None,
    }
}

impl FurtherMetric {
    const fn of(mut self, made_of: &'static str, attributes: &'static str) -> Self {
        (self.made_of, self.attributes) = (made_of, attributes);
        self
    }

    const fn dcgm(mut self, name: &'static str) -> Self {
        self.dcgm = Some(name);
        self
    }
}

pub(super) const MEMORY_SHARE: FurtherMetric = further(
    hw::GPU_MEMORY_UTILIZATION,
    "1",
    Shape::Gauge,
    "Fraction of GPU memory used.",
)
.of("memory in use by all of it", "");
pub(super) const THROTTLED: FurtherMetric = further(
    obs::GPU_THROTTLED,
    "1",
    Shape::Gauge,
    "Whether its clocks are held down for a reason: 1 or 0.",
)
.of(
    "nvmlDeviceGetCurrentClocksEventReasons, bit by bit",
    "`obs.gpu.throttle.reason`",
)
.dcgm("DCGM_FI_DEV_CLOCKS_EVENT_REASONS");
pub(super) const LINK_IO: FurtherMetric = further(
    obs::GPU_LINK_IO,
    "By",
    Shape::Counter,
    "Bytes over one link.",
)
.of(
    "fields 138, 139 or 202, 204, by link",
    "`obs.gpu.link`, `network.io.direction`",
)
.dcgm("DCGM_FI_DEV_NVLINK_BANDWIDTH_L0 and so on");
pub(super) const LINK_UP: FurtherMetric = further(
    obs::GPU_LINK_UP,
    "1",
    Shape::Gauge,
    "Whether a link is up: 1 or 0.",
)
.of("field 165, by link", "`obs.gpu.link`");
pub(super) const LINK_SPEED: FurtherMetric = further(
    obs::GPU_LINK_SPEED,
    "By/s",
    Shape::Gauge,
    "What a link can carry each way.",
)
.of("field 164, by link", "`obs.gpu.link`");
pub(super) const ERRORS: FurtherMetric = further(
    hw::ERRORS,
    "{error}",
    Shape::Counter,
    "Number of errors encountered by the component.",
)
.of(
    "events (`xid_79` and so on), fields 161 to 163 and 208, 215 by link",
    "`error.type`: `xid_N`, `nvlink_replay`, `nvlink_recovery`, `nvlink_crc`, `nvlink_receive` (with `obs.gpu.link`)",
)
.dcgm("DCGM_FI_DEV_XID_ERRORS (a gauge of the last code), DCGM_FI_DEV_NVLINK_*_ERROR_COUNT_TOTAL");
pub(super) const ERROR_TIME: FurtherMetric = further(
    obs::GPU_ERROR_TIME,
    "s",
    Shape::Gauge,
    "When it reported a fault last, since the Unix epoch.",
)
.of("events", "`error.type`");
pub(super) const PROCESSES: FurtherMetric = further(
    obs::GPU_PROCESSES,
    "{process}",
    Shape::UpDownCounter,
    "Processes that use it.",
)
.of(
    "nvmlDeviceGet{Compute,Graphics,MPSCompute}RunningProcesses_v3",
    "`obs.gpu.process.kind`",
);
pub(super) const DEVICES: FurtherMetric = further(
    obs::GPU_DEVICES,
    "{gpu}",
    Shape::UpDownCounter,
    "GPUs that are in the driver's list, also those that do not say which they are.",
)
.of("nvmlDeviceGetCount_v2; no attribute of a device", "");
pub(super) const ANSWERING: FurtherMetric = further(
    obs::GPU_ANSWERING,
    "1",
    Shape::Gauge,
    "Whether it answers: 1, or 0 for one that is lost or whose driver does not come back.",
)
.of("the watchdog and the driver's word", "");
pub(super) const AGE: FurtherMetric = further(
    obs::GPU_SAMPLE_AGE,
    "s",
    Shape::Gauge,
    "How old what was read is.",
)
.of(
    "the last time that anything of each tier was read",
    "`obs.gpu.tier`",
);
pub(super) const INTERVAL: FurtherMetric = further(
    obs::GPU_READ_INTERVAL,
    "s",
    Shape::Gauge,
    "How often what is read together is read: the period of its tier, or as rarely as the budget makes it.",
)
.of("what calls took", "`obs.gpu.read.group`");

/// What is made of several quantities, of links, events, processes, and of the watching itself.
pub const FURTHER: &[FurtherMetric] = &[
    MEMORY_SHARE,
    THROTTLED,
    LINK_IO,
    LINK_UP,
    LINK_SPEED,
    ERRORS,
    ERROR_TIME,
    PROCESSES,
    DEVICES,
    ANSWERING,
    AGE,
    INTERVAL,
];
