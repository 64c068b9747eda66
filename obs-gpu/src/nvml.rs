//! NVIDIA's devices, by NVML: the library that comes with their driver, loaded when the program runs.
//!
//! A machine without the library or the driver is no error: it is looked for again. A function that this driver's library does not
//! have is one that its devices do not support. What a device does not support it is asked for once; when it is opened anew, after it
//! was lost or reset, once more. The library is loaded once in a process and never unloaded, as a thread may be in it for ever.
#![allow(
    non_upper_case_globals,
    reason = "NVIDIA's numbers have their own names"
)]

mod device;
mod events;
mod fields;
mod gpm;
mod links;
mod processes;
mod raw;
mod units;

use crate::calls::Calls;
use crate::device::{DeviceId, DeviceInfo, MigInstance};
use crate::lock::lock;
use crate::reading::Reading;
use crate::source::{GpuDevice, GpuEvents, GpuSource, SourceError};
use device::NvmlDevice;
use events::NvmlEvents;
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper_sys::bindings::*;
use obs_core::Telemetry;
use raw::{Answer, Code, Handle, Library, MISSING};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// NVIDIA's devices.
#[derive(Debug)]
pub struct NvmlSource {
    telemetry: Telemetry,
    path: Option<PathBuf>,
    state: Mutex<State>,
    nameless: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    library: Option<Library>,
    /// The driver said that it is not there; it is to be initialised again.
    gone: bool,
    /// What is known of each place in the driver's list, with its parts: one that is lost does not say what it is.
    known: HashMap<u32, Vec<DeviceInfo>>,
}

/// Libraries that are loaded, each for good.
static LOADED: Mutex<Vec<(Option<PathBuf>, &'static Nvml)>> = Mutex::new(Vec::new());

const VENDOR: &str = "NVIDIA";

const NO_PERMISSION: i32 = nvmlReturn_enum_NVML_ERROR_NO_PERMISSION.cast_signed();

/// More parts of one device than any has.
const MOST_PARTS: u32 = 64;

impl NvmlSource {
    /// The library where the system's loader finds it: `libnvidia-ml.so.1`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, None)
    }

    /// The library at this path.
    pub fn with_library(telemetry: &Telemetry, path: impl AsRef<Path>) -> Self {
        Self::of(telemetry, Some(path.as_ref().to_owned()))
    }

    fn of(telemetry: &Telemetry, path: Option<PathBuf>) -> Self {
        Self {
            telemetry: *telemetry,
            path,
            state: Mutex::default(),
            nameless: AtomicU32::new(0),
        }
    }

    /// The library, loaded if it was not. Nothing is locked meanwhile.
    fn library(&self, calls: &mut Calls) -> Result<Library, SourceError> {
        let (known, gone) = {
            let state = lock(&self.state);
            (state.library, state.gone)
        };
        let library = match known {
            Some(library) => library,
            None => Library::new(calls.time("nvmlInit_v2", || load(self.path.as_deref()))?),
        };
        if known.is_some() && gone {
            calls
                .time("nvmlInit_v2", || library.init())
                .map_err(error)?;
        }
        let mut state = lock(&self.state);
        (state.library, state.gone) = (Some(library), false);
        Ok(library)
    }

    /// What is known of the device in this place, and of its parts.
    fn device(
        &self,
        library: Library,
        index: u32,
        calls: &mut Calls,
    ) -> Result<Vec<DeviceInfo>, SourceError> {
        let known = lock(&self.state)
            .known
            .get(&index)
            .cloned()
            .unwrap_or_default();
        if known.first().is_some_and(|info| calls.is_avoided(&info.id)) {
            return Ok(known);
        }
        let handle = calls.time("nvmlDeviceGetHandleByIndex_v2", || library.by_index(index));
        let handle = handle.map_err(error)?;
        let uuid = calls.time("nvmlDeviceGetUUID", || library.uuid(handle));
        let uuid = uuid.map_err(error)?;
        let (known, parts) = match known.split_first() {
            Some((info, parts)) if info.id.as_str() == uuid => (Some(info.clone()), parts.to_vec()),
            _ => (None, Vec::new()),
        };
        let info = match known {
            Some(info) => info,
            None => {
                let mut info = DeviceInfo::new(DeviceId::new(uuid), index, VENDOR);
                info.model = calls
                    .time("nvmlDeviceGetName", || library.name(handle))
                    .ok();
                info.serial_number = calls
                    .time("nvmlDeviceGetSerial", || library.serial(handle))
                    .ok();
                info.pci_bus_id = calls
                    .time("nvmlDeviceGetPciInfo_v3", || library.pci_bus_id(handle))
                    .ok();
                info.driver_version = calls
                    .time("nvmlSystemGetDriverVersion", || library.driver_version())
                    .ok();
                info
            }
        };
        // What does not say has those that it had: one that is forgotten for an error is one that takes no work.
        let parts = self.parts(library, handle, &info, calls).unwrap_or(parts);
        let all: Vec<DeviceInfo> = std::iter::once(info).chain(parts).collect();
        lock(&self.state).known.insert(index, all.clone());
        Ok(all)
    }

    /// The parts of a device. One that does not support to be in parts is in none.
    fn parts(
        &self,
        library: Library,
        handle: Handle,
        whole: &DeviceInfo,
        calls: &mut Calls,
    ) -> Answer<Vec<DeviceInfo>> {
        let in_parts = calls.time("nvmlDeviceGetMigMode", || library.is_in_parts(handle));
        match in_parts {
            Ok(true) => {}
            Ok(false) => return Ok(Vec::new()),
            Err(code) if error(code) == SourceError::Unsupported => return Ok(Vec::new()),
            Err(code) => return Err(code),
        }
        let most = calls.time("nvmlDeviceGetMaxMigDeviceCount", || {
            library.most_parts(handle)
        })?;
        let mut parts = Vec::new();
        for index in 0..most.min(MOST_PARTS) {
            let part = calls.time("nvmlDeviceGetMigDeviceHandleByIndex", || {
                library.part(handle, index)
            });
            let part = match part {
                Err(nvmlReturn_enum_NVML_ERROR_NOT_FOUND) => continue,
                part => part?,
            };
            let uuid = calls.time("nvmlDeviceGetUUID", || library.uuid(part))?;
            let gpu_instance =
                calls.time("nvmlDeviceGetGpuInstanceId", || library.gpu_instance(part))?;
            let compute = calls.time("nvmlDeviceGetComputeInstanceId", || {
                library.compute_instance(part)
            });
            let mut info = DeviceInfo::new(DeviceId::new(uuid), whole.index, VENDOR);
            info.model = calls.time("nvmlDeviceGetName", || library.name(part)).ok();
            info.driver_version = whole.driver_version.clone();
            info.mig = Some(MigInstance {
                parent: whole.id.clone(),
                gpu_instance,
                compute_instance: compute.ok(),
            });
            parts.push(info);
        }
        Ok(parts)
    }

    /// A handle by the name that lasts. It is looked for where it was last: the driver, if it is asked for a name, may wake up other
    /// devices on its way, and one of them may hang.
    fn handle(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<(Library, Handle), SourceError> {
        let library = self.library(calls)?;
        let handle = match self.place(device) {
            Some((index, mig)) => self.handle_at(library, (index, mig, device), calls),
            None => Ok(None),
        };
        let handle = match handle {
            Ok(None) => {
                let uuid = device.as_str();
                calls.time("nvmlDeviceGetHandleByUUID", || library.by_uuid(uuid))
            }
            Ok(Some(handle)) => Ok(handle),
            Err(code) => Err(code),
        };
        match handle {
            Ok(handle) => Ok((library, handle)),
            Err(nvmlReturn_enum_NVML_ERROR_NOT_FOUND) => Err(SourceError::Lost(
                nvmlReturn_enum_NVML_ERROR_NOT_FOUND.cast_signed(),
            )),
            Err(code) => Err(self.noting(error(code))),
        }
    }

    /// Where a device, or the whole of a part, was last, and whether it is a part.
    fn place(&self, device: &DeviceId) -> Option<(u32, bool)> {
        let state = lock(&self.state);
        state.known.iter().find_map(|(index, all)| {
            let info = all.iter().find(|info| info.id == *device)?;
            Some((*index, info.mig.is_some()))
        })
    }

    /// What is in a place, if it is this device.
    fn handle_at(
        &self,
        library: Library,
        (index, is_part, device): (u32, bool, &DeviceId),
        calls: &mut Calls,
    ) -> Answer<Option<Handle>> {
        let handle = calls.time("nvmlDeviceGetHandleByIndex_v2", || library.by_index(index))?;
        let is = |handle, calls: &mut Calls| {
            let uuid = calls.time("nvmlDeviceGetUUID", || library.uuid(handle));
            uuid.map(|uuid| uuid == device.as_str())
        };
        if !is_part {
            return Ok(is(handle, calls)?.then_some(handle));
        }
        let most = calls.time("nvmlDeviceGetMaxMigDeviceCount", || {
            library.most_parts(handle)
        })?;
        for index in 0..most.min(MOST_PARTS) {
            let part = calls.time("nvmlDeviceGetMigDeviceHandleByIndex", || {
                library.part(handle, index)
            });
            if let Ok(part) = part
                && is(part, calls) == Ok(true)
            {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// The devices of the driver's list, and how many of it do not say which they are.
    fn search(&self, calls: &mut Calls) -> Result<(Vec<DeviceInfo>, u32), SourceError> {
        let library = self.library(calls)?;
        let count = calls.time("nvmlDeviceGetCount_v2", || library.count());
        let count = count.map_err(|code| self.noting(error(code)))?;
        let mut all: Vec<DeviceInfo> = Vec::new();
        let (mut silent, mut nameless) = (Vec::new(), 0);
        for index in 0..count {
            match self.device(library, index, calls) {
                Ok(found) => all.extend(found),
                Err(SourceError::Absent) => return Err(self.noting(SourceError::Absent)),
                Err(error) => silent.push((index, error)),
            }
        }
        // One that does not say what it is: what was in its place, if that is in no other by now.
        for (index, error) in silent {
            let known = lock(&self.state).known.get(&index).cloned();
            let mut known = known.unwrap_or_default();
            if { known.first() }.is_some_and(|info| all.iter().any(|one| one.id == info.id)) {
                // Nor is it looked for here any more.
                lock(&self.state).known.remove(&index);
                known.clear();
            }
            // One that we may not have the driver counts too: that is another's.
            nameless += u32::from(known.is_empty() && error != SourceError::Failed(NO_PERMISSION));
            all.extend(known);
        }
        // What was in places that are no more.
        lock(&self.state).known.retain(|index, _| *index < count);
        Ok((all, nameless))
    }

    /// A driver that is gone is to be initialised again.
    fn noting(&self, error: SourceError) -> SourceError {
        if error == SourceError::Absent {
            lock(&self.state).gone = true;
        }
        error
    }
}

impl GpuSource for NvmlSource {
    fn name(&self) -> &'static str {
        "nvml"
    }

    fn devices(&self, calls: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        let found = self.search(calls);
        let nameless = { found.as_ref() }.map_or(0, |(_, nameless)| *nameless);
        self.nameless.store(nameless, Ordering::Relaxed);
        found.map(|(devices, _)| devices)
    }

    fn nameless(&self) -> u32 {
        self.nameless.load(Ordering::Relaxed)
    }

    fn open(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuDevice>, SourceError> {
        let (library, handle) = self.handle(device, calls)?;
        Ok(Box::new(NvmlDevice::new(
            self.telemetry,
            library,
            handle,
            calls,
        )))
    }

    fn events(
        &self,
        device: &DeviceId,
        calls: &mut Calls,
    ) -> Result<Box<dyn GpuEvents>, SourceError> {
        let (library, handle) = self.handle(device, calls)?;
        Ok(Box::new(NvmlEvents::new(library, handle, calls)?))
    }
}

/// Loads a library, once for each path, and for good.
fn load(path: Option<&Path>) -> Result<&'static Nvml, SourceError> {
    let known = |loaded: &[(Option<PathBuf>, &'static Nvml)]| {
        loaded
            .iter()
            .find(|(one, _)| one.as_deref() == path)
            .map(|(_, nvml)| *nvml)
    };
    if let Some(nvml) = known(&lock(&LOADED)) {
        // It was there before; whether the driver is still shows what is asked next.
        Library::new(nvml).init().map_err(error)?;
        return Ok(nvml);
    }
    let loaded = match path {
        Some(path) => Nvml::builder().lib_path(path.as_os_str()).init(),
        None => Nvml::init(),
    };
    match loaded {
        Ok(nvml) => {
            let nvml: &'static Nvml = Box::leak(Box::new(nvml));
            lock(&LOADED).push((path.map(Path::to_owned), nvml));
            Ok(nvml)
        }
        Err(failed) => Err(unloaded(&failed)),
    }
}

/// Why there is no library.
fn unloaded(failed: &NvmlError) -> SourceError {
    match failed {
        // No library; one that is none; a driver that is none or is another one than the library's.
        NvmlError::LibloadingError(_)
        | NvmlError::FailedToLoadSymbol(_)
        | NvmlError::DriverNotLoaded
        | NvmlError::LibraryNotFound
        | NvmlError::LibRmVersionMismatch
        | NvmlError::Uninitialized => SourceError::Absent,
        NvmlError::NoPermission => failed_with(nvmlReturn_enum_NVML_ERROR_NO_PERMISSION),
        NvmlError::GpuLost => failed_with(nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST),
        NvmlError::UnexpectedVariant(code) => failed_with(*code),
        _ => failed_with(nvmlReturn_enum_NVML_ERROR_UNKNOWN),
    }
}

fn failed_with(code: Code) -> SourceError {
    SourceError::Failed(code.cast_signed())
}

/// What a number means for whoever asked.
fn error(code: Code) -> SourceError {
    match code {
        nvmlReturn_enum_NVML_ERROR_UNINITIALIZED
        | nvmlReturn_enum_NVML_ERROR_DRIVER_NOT_LOADED
        | nvmlReturn_enum_NVML_ERROR_LIB_RM_VERSION_MISMATCH => SourceError::Absent,
        nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST
        | nvmlReturn_enum_NVML_ERROR_RESET_REQUIRED
        | nvmlReturn_enum_NVML_ERROR_GPU_NOT_FOUND => SourceError::Lost(code.cast_signed()),
        MISSING
        | nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED
        | nvmlReturn_enum_NVML_ERROR_ARGUMENT_VERSION_MISMATCH
        | nvmlReturn_enum_NVML_ERROR_DEPRECATED => SourceError::Unsupported,
        code => failed_with(code),
    }
}

/// What came of asking for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Value(i64),
    Unsupported,
    Failed(i32),
    /// The device is gone, or the driver.
    Lost(SourceError),
}

fn verdict<T: Into<i64>>(answer: Answer<T>) -> Verdict {
    match answer {
        Ok(value) => Verdict::Value(value.into()),
        Err(code) => match error(code) {
            SourceError::Unsupported => Verdict::Unsupported,
            SourceError::Failed(code) => Verdict::Failed(code),
            error => Verdict::Lost(error),
        },
    }
}

impl Verdict {
    fn reading(self) -> Reading {
        match self {
            Self::Value(value) => Reading::Value(value),
            Self::Unsupported => Reading::Unsupported,
            Self::Failed(code) | Self::Lost(SourceError::Lost(code)) => Reading::Failed(code),
            Self::Lost(_) => Reading::Failed(nvmlReturn_enum_NVML_ERROR_UNINITIALIZED as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_mean_what_they_mean() {
        for (code, expect) in [
            (1, SourceError::Absent),
            (9, SourceError::Absent),
            (3, SourceError::Unsupported),
            (13, SourceError::Unsupported),
            (25, SourceError::Unsupported),
            (15, SourceError::Lost(15)),
            (16, SourceError::Lost(16)),
            (4, SourceError::Failed(4)),
            (6, SourceError::Failed(6)),
            (999, SourceError::Failed(999)),
            // One that nobody knows yet.
            (4_711, SourceError::Failed(4_711)),
        ] {
            assert_eq!(error(code), expect, "{code}");
        }
    }
}
