//! What a service sees of the GPUs that it runs on: sampled by threads of their own, so that a driver that hangs delays nobody;
//! absent is never zero; each fault known by its evidence.
//!
//! ```no_run
//! # #[cfg(feature = "nvml")] {
//! use obs_core::Telemetry;
//! use obs_gpu::{
//!     Attribution, Claims, GpuContext, GpuHealth, GpuMonitor, GpuSettings, HealthSettings, NvmlSource,
//! };
//! use std::sync::Arc;
//!
//! let telemetry = Telemetry::builder().build()?;
//! let claims = Claims::new();
//! let health = GpuHealth::new(&telemetry, HealthSettings::new());
//! let context = GpuContext::by_claims(&telemetry, &claims);
//! telemetry.annotate(context.clone());
//! let settings = GpuSettings::new()
//!     .with_listener(Arc::new(health.clone()))
//!     .with_listener(Attribution::new(&telemetry, &claims))
//!     .with_listener(context.listener());
//! let monitor = GpuMonitor::new(&telemetry, NvmlSource::new(&telemetry), settings)?;
//!
//! // Where a model is loaded, for as long as it is:
//! let device = monitor.gpus()[0].id().clone();
//! let claim = claims.claim(&device).model("qwen3-8b").task("chat").hold();
//! // Where work is sent to a device: one load.
//! let gate = health.gate(&device);
//! assert!(gate.is_serving());
//! # drop(claim);
//! # }
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! | what | where |
//! |---|---|
//! | devices are read in three tiers, each by a thread of its own, with a deadline for each call; their metrics; the last sample in one copy and ten minutes of them | [`GpuMonitor`], [`Gpu`] |
//! | every metric with its unit, convention, support by architecture, cost of reading, and dcgm-exporter's name for it | `docs/gpu.md`, written from [`metrics::METRICS`] |
//! | how devices are, by which evidence; NVIDIA's XIDs; gates that routers read | [`GpuHealth`], [`XidCatalogue`], [`GpuGate`], `docs/gpu_health.md` |
//! | a layer that refuses or drains what would go to a device at fault | `GpuGateLayer` (features `tower`, `http`) |
//! | energy, time and memory by model and task, whose sums are the device's | [`Claims`], [`Attribution`] |
//! | what devices did while a call ran, on the call; why it was slow, what its model used | [`GpuContext`], [`mod@explain`], [`EngineStates`], `docs/gpu_calls.md` |
//! | ports of InfiniBand and RoCE, transfers timed in process | [`fabric`] |
//! | processors, memory, disks, interfaces, pressure, the control group | [`host`] |
//! | another vendor | [`GpuSource`] |
//!
//! # What it costs
//!
//! A request pays for nothing but what it reads: a sample is eight words that are copied, a gate is one load, a claim counts tokens by
//! two atomic additions. No driver is asked on the path of a request or of a scrape, and no file of the kernel's on that of a request:
//! [`fabric`] and [`host`] read theirs for each collection, which waits for them no longer than for any observable.
//!
//! A core pays for what is read, and what a driver takes for that differs by device: reading has a
//! [budget](GpuSettings::with_budget), half a percent of one core in calls of the driver's over all devices. What is dear, such as the energy
//! counter of an H100, is read less often where it must be. Of what health and explanations look at, that is bandwidth, links, the margin of
//! temperature and some of the throttled time (`docs/gpu_calls.md` says what is then not known of calls). What closes a gate at once
//! is not: events, calls that do not come back, the driver's word that a device is lost.
//!
//! # What is never recorded
//!
//! Command lines of other processes, and of their environments anything but what names a model, a task or a service; users; anything
//! of a call but its model.
//!
//! # What it never does
//!
//! It resets no device, sets no clock and no limit, ends no process, and refuses no request but where the service has placed a layer
//! that does.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod attribution;
mod calls;
mod claims;
mod context;
mod device;
mod engines;
pub mod explain;
pub mod fabric;
mod files;
mod gate;
mod health;
pub mod host;
mod lock;
pub mod metrics;
mod monitor;
#[cfg(feature = "nvml")]
mod nvml;
mod page;
mod points;
mod quantity;
mod reading;
mod ring;
mod sample;
mod sampler;
mod slots;
mod snapshot;
mod source;
mod sync;
mod xid;

pub use attribution::Attribution;
pub use calls::{CallEdge, Calls};
pub use claims::{Claim, ClaimBuilder, Claims, Foreign, Owner, Settled};
pub use context::GpuContext;
pub use device::{DeviceId, DeviceInfo, MigInstance};
pub use engines::{EngineState, EngineStates};
#[cfg(feature = "tower")]
pub use gate::{
    Choose, Fixed, GiveError, GpuGateFuture, GpuGateLayer, GpuGateService, Keep, Refuse,
    UntilAnswered,
};
pub use gate::{
    Drained, Draining, GateChange, GateState, GpuGate, GpuGateSet, GpuGates, GpuPass, GpuRefused,
};
#[cfg(feature = "http")]
pub use gate::{GpuGateBody, UntilBodyEnds};
pub use health::{Cause, Evidence, GpuHealth, HealthReport, HealthSettings, HealthState};
pub use monitor::GpuMonitor;
#[cfg(feature = "nvml")]
#[cfg_attr(docsrs, doc(cfg(feature = "nvml")))]
pub use nvml::NvmlSource;
pub use quantity::{Nature, Quantity, Tier, Unit};
pub use reading::{Reading, Readings};
pub use sample::{Sample, Throttle};
pub use sampler::{Gpu, GpuListener, GpuSettings, GpuState};
pub use source::{
    Event, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading, Pace, ProcessKind, ReadGroup,
    SourceError,
};
pub use xid::{Verdict, Xid, XidAction, XidCatalogue};
