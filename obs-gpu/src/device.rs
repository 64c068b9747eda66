//! Which device it is.

use std::fmt;
use std::sync::Arc;

/// The name of a device that lasts: its UUID as the driver has it (`GPU-…`, `MIG-…`). An index is another one's after a device is
/// lost. Cloning counts a reference.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// One by its UUID.
    pub fn new(uuid: impl Into<Arc<str>>) -> Self {
        Self(uuid.into())
    }

    /// The UUID.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What does not change while a device is there. What the driver does not say is `None`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Its lasting name: `hw.id`.
    pub id: DeviceId,
    /// Where it stands in the driver's list now.
    pub index: u32,
    /// `hw.model`, as the driver has it: `NVIDIA H100 80GB HBM3`.
    pub model: Option<String>,
    /// `hw.vendor`.
    pub vendor: &'static str,
    /// `hw.driver_version`.
    pub driver_version: Option<String>,
    /// `hw.serial_number`.
    pub serial_number: Option<String>,
    /// Domain, bus and device: `0000:1b:00.0`. What the kernel's log names it by.
    pub pci_bus_id: Option<String>,
    /// The part of which device it is, where it is one.
    pub mig: Option<MigInstance>,
}

impl DeviceInfo {
    /// One of which the identity is known.
    pub fn new(id: DeviceId, index: u32, vendor: &'static str) -> Self {
        Self {
            id,
            index,
            model: None,
            vendor,
            driver_version: None,
            serial_number: None,
            pci_bus_id: None,
            mig: None,
        }
    }
}

/// A part of a device that is used as a device: `hw.parent` is the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigInstance {
    /// The device that it is a part of.
    pub parent: DeviceId,
    /// The GPU instance's number.
    pub gpu_instance: u32,
    /// The compute instance's number within.
    pub compute_instance: Option<u32>,
}
