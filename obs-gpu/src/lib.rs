//! What a service sees of the GPUs that it runs on: sampled by threads of their own, so that a driver that hangs delays nobody;
//! absent is never zero; each fault known by its evidence.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod attribution;
mod calls;
mod claims;
mod context;
mod device;
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
    Event, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading, ProcessKind, SourceError,
};
pub use xid::{Verdict, Xid, XidAction, XidCatalogue};
