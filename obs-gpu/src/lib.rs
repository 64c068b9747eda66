//! What a service sees of the GPUs that it runs on: sampled by threads of their own, so that a driver that hangs delays nobody;
//! absent is never zero; each fault known by its evidence.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod device;
mod quantity;
mod reading;
mod sample;
mod source;
mod xid;

pub use device::{DeviceId, DeviceInfo, MigInstance};
pub use quantity::{Nature, Quantity, Tier, Unit};
pub use reading::{Reading, Readings};
pub use sample::{Sample, Throttle};
pub use source::{
    Event, GpuDevice, GpuEvents, GpuProcess, GpuSource, LinkReading, ProcessKind, SourceError,
};
pub use xid::{Verdict, Xid, XidAction, XidCatalogue};
