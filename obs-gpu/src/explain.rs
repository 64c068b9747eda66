//! Why a call was slow, by what was read of the device, the fabric, the host and the engine meanwhile: one cause with its
//! evidence, or that it is unknown.
//!
//! ```
//! use obs_core::Moment;
//! use obs_gpu::explain::{Cause, Phase, Question, explain};
//! use obs_gpu::{Sample, Throttle};
//!
//! let at = |tick| Moment::from_bits(tick).unwrap();
//! let hot = Sample::new(at(1))
//!     .with_throttle(Some(Throttle::THERMAL_HARDWARE))
//!     .with_sm_clock_ratio(Some(550_000));
//!
//! let verdict = explain(&Question::new(Phase::FirstOutput, &[hot]));
//! assert_eq!(verdict.cause, Cause::ThermalThrottle);
//! assert!(verdict.evidence.iter().any(|evidence| evidence.name == "clock_ratio"));
//!
//! // Where nothing was read nothing is said.
//! assert_eq!(explain(&Question::new(Phase::FirstOutput, &[])).cause, Cause::Unknown);
//! ```
//!
//! # What counts as evidence
//!
//! Each cause has conditions with thresholds, by which it is as strong as its readings are beyond them; the strongest that is met is
//! the cause. What is always so explains nothing:
//!
//! - A device under full load is held by its **power limit** as a rule: the bit alone is no evidence, a clock that fell is.
//! - Engines take nearly all **memory** when they start: being full is no evidence, growing until it is full is, or an engine
//!   that says that its cache is.
//! - **Bandwidth** bounds decoding, by its nature: it explains slow tokens, never a slow first one.
//! - A **queue** explains the time to the first token, and what is in use meanwhile does not matter.
//! - What is **older than the call** is no evidence, as long as it is a [`GpuContext`](crate::GpuContext) that asks: a sample has what was
//!   read last, and what is dear to read may be seconds old.
//!
//! Thresholds were set on scripted scenarios and judged on others (`obs-gpu/tests/explain_played`, figures in `docs/gpu_calls.md`): they
//! are numbers of a model of a machine, not of a fleet, and stand in [`Thresholds`] to be changed.

mod causes;
mod windows;

pub use windows::{EngineWindow, FabricWindow, HostWindow};

use crate::sample::Sample;
use std::fmt;

/// Which wait is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From the start to the first of the output.
    FirstOutput,
    /// From the first of the output on.
    Output,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The device was too hot, and slowed itself down.
    ThermalThrottle,
    /// The device was held by its power, below the clock that it usually has under load.
    PowerThrottle,
    /// Its clock was low, and nothing says why.
    Clock,
    /// Its memory ran full.
    Memory,
    /// The bandwidth of its memory was used up.
    Bandwidth,
    /// A link to other devices or machines was down, congested, or lost what it carried.
    Fabric,
    /// The processors, the memory or the disks of the host, or the limits of the control group.
    Host,
    /// It waited for the engine to begin.
    EngineQueue,
    /// There is no evidence for any.
    Unknown,
}

impl Cause {
    /// `obs.gpu.slow.cause`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThermalThrottle => "thermal_throttle",
            Self::PowerThrottle => "power_throttle",
            Self::Clock => "clock",
            Self::Memory => "memory",
            Self::Bandwidth => "bandwidth",
            Self::Fabric => "fabric",
            Self::Host => "host",
            Self::EngineQueue => "engine_queue",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was read while a call waited. What is not known is left empty, and is then no cause.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Question<'a> {
    /// Which wait.
    pub phase: Phase,
    /// Of the device that it ran on, in that time.
    pub during: &'a [Sample],
    /// Of the same device, some minutes before: what is usual.
    pub before: &'a [Sample],
    /// Of the links.
    pub fabric: Option<FabricWindow>,
    /// Of the host.
    pub host: Option<HostWindow>,
    /// Of the engine.
    pub engine: Option<EngineWindow>,
    /// From which on readings count.
    pub thresholds: Thresholds,
}

impl<'a> Question<'a> {
    /// With what was read of the device alone.
    pub const fn new(phase: Phase, during: &'a [Sample]) -> Self {
        Self {
            phase,
            during,
            before: &[],
            fabric: None,
            host: None,
            engine: None,
            thresholds: Thresholds::DEFAULT,
        }
    }

    /// With what was usual.
    pub const fn with_before(self, before: &'a [Sample]) -> Self {
        Self { before, ..self }
    }

    /// With what the links did.
    pub const fn with_fabric(self, fabric: FabricWindow) -> Self {
        Self {
            fabric: Some(fabric),
            ..self
        }
    }

    /// With what the host did.
    pub const fn with_host(self, host: HostWindow) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// With what the engine did.
    pub const fn with_engine(self, engine: EngineWindow) -> Self {
        Self {
            engine: Some(engine),
            ..self
        }
    }

    /// By other thresholds.
    pub const fn with_thresholds(self, thresholds: Thresholds) -> Self {
        Self { thresholds, ..self }
    }
}

/// From which on a reading is evidence.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Thresholds {
    /// Share of the samples that must say that clocks were held down.
    pub throttled: f64,
    /// At which share of the highest clock heat is a cause.
    pub thermal_clock: f64,
    /// At which share of the usual clock under load power is a cause.
    pub power_clock: f64,
    /// At which share of the highest clock it is low without a reason.
    pub low_clock: f64,
    /// From which share of memory on it is full.
    pub memory: f64,
    /// By which share of memory it must have grown meanwhile.
    pub memory_growth: f64,
    /// From which share of the bandwidth on it is used up.
    pub bandwidth: f64,
    /// Share of time in which a port had to wait.
    pub fabric_wait: f64,
    /// How many times as many retries as before, and at least so many per second.
    pub fabric_retries: f64,
    /// At which share of what all links between devices can carry they are at their limit: packets have heads, so that nobody gets
    /// all of it.
    pub nvlink: f64,
    /// How many times as many errors of those links as before, and at least so many per second.
    pub nvlink_errors: f64,
    /// Share of time in which a control group was held back.
    pub host_throttled: f64,
    /// Share of time in which some task waited for a processor.
    pub host_cpu: f64,
    /// Share of time in which all waited for memory.
    pub host_memory: f64,
    /// Share of time in which all waited for a disk.
    pub host_io: f64,
    /// Share of the wait that was spent in the queue.
    pub queue: f64,
    /// How many requests wait on average, where nobody says for how long.
    pub waiting: f64,
    /// From which share on an engine's cache is full.
    pub cache: f64,
}

impl Thresholds {
    /// As scenarios taught.
    pub const DEFAULT: Self = Self {
        throttled: 0.2,
        thermal_clock: 0.9,
        power_clock: 0.85,
        low_clock: 0.7,
        memory: 0.97,
        memory_growth: 0.01,
        bandwidth: 0.88,
        fabric_wait: 0.2,
        fabric_retries: 10.0,
        nvlink: 0.75,
        nvlink_errors: 10.0,
        host_throttled: 0.2,
        host_cpu: 0.4,
        host_memory: 0.1,
        host_io: 0.3,
        queue: 0.4,
        waiting: 4.0,
        cache: 0.95,
    };
}

/// What is said of a slow call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The strongest cause.
    pub cause: Cause,
    /// How strong: 0 for unknown, 1 where readings could not be worse.
    pub strength: f64,
    /// What was read that speaks for it, most telling first.
    pub evidence: Vec<Evidence>,
    /// Causes that were met too, the stronger first.
    pub also: Vec<Cause>,
}

/// One reading that speaks for a cause.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// What was read: `clock_ratio`, `wait_share`.
    pub name: &'static str,
    /// How much it was.
    pub value: f64,
    /// From where on it counts.
    pub threshold: f64,
}

/// Tells the cause of a slow call by what was read meanwhile. It reads nothing else and keeps nothing.
pub fn explain(question: &Question<'_>) -> Verdict {
    let mut met = causes::met(question);
    // Stable: of equals the one that is listed first, which is the more specific one.
    met.sort_by(|one, other| other.strength.total_cmp(&one.strength));
    let mut met = met.into_iter();
    let Some(first) = met.next() else {
        return Verdict {
            cause: Cause::Unknown,
            strength: 0.0,
            evidence: Vec::new(),
            also: Vec::new(),
        };
    };
    Verdict {
        cause: first.cause,
        strength: first.strength,
        evidence: first.evidence,
        also: met.map(|candidate| candidate.cause).collect(),
    }
}
