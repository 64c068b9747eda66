//! What a service sees of the GPUs that it runs on: sampled by threads of their own, so that a driver that hangs delays nobody;
//! absent is never zero; each fault known by its evidence.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod claims;
mod device;
pub mod explain;
pub mod fabric;
mod files;
pub mod host;
mod points;
mod quantity;
mod reading;
mod sample;
mod source;

pub use claims::{Claim, ClaimBuilder, Claims, Foreign, Owner, Settled};
pub use device::{DeviceId, DeviceInfo, MigInstance};
pub use quantity::{Nature, Quantity, Tier, Unit};
pub use reading::{Reading, Readings};
pub use sample::{Sample, Throttle};
pub use source::{
    Event, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading, ProcessKind, SourceError,
};
