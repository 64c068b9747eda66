//! NVML's functions, called where the safe crate has none or loses something: numbers of errors, bits without a name, scopes of field
//! values. This file and [`held`] are the only ones of this crate with `unsafe`.
//!
//! The library is loaded by `nvml-wrapper`, which looks up each function once; one that this driver does not have is an answer
//! ([`MISSING`]) and no error. The library is never unloaded ([`Library`] is a `'static` reference), so its functions stay where they
//! are, and a thread that is stuck in one finds its way back.
#![allow(unsafe_code)]

mod held;

pub(super) use held::{EventSet, GpmSample, Reported};

use nvml_wrapper::{FieldIdScheme, Nvml};
use nvml_wrapper_sys::bindings::*;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong};
use std::fmt;

/// A number that NVML answers with (`nvmlReturn_t`).
pub(super) type Code = u32;
pub(super) type Answer<T> = Result<T, Code>;

/// The number that NVML itself has for a function that is not there.
pub(super) const MISSING: Code = nvmlReturn_enum_NVML_ERROR_FUNCTION_NOT_FOUND;

/// The library, loaded for good.
#[derive(Clone, Copy)]
pub(super) struct Library(&'static Nvml);

/// A device, or a part of one, as the library knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle(nvmlDevice_t);

// SAFETY: it is a number that only the library follows, and its functions may be called from any thread (nvml.h: "thread-safe").
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

type Function<F> = Result<F, libloading::Error>;
type OneOf<T> = unsafe extern "C" fn(nvmlDevice_t, *mut T) -> nvmlReturn_t;
type TwoOf<T> = unsafe extern "C" fn(nvmlDevice_t, *mut T, *mut T) -> nvmlReturn_t;
type ByOf<T> = unsafe extern "C" fn(nvmlDevice_t, c_uint, *mut T) -> nvmlReturn_t;
type TextOf = unsafe extern "C" fn(nvmlDevice_t, *mut c_char, c_uint) -> nvmlReturn_t;
type ProcessesOf =
    unsafe extern "C" fn(nvmlDevice_t, *mut c_uint, *mut nvmlProcessInfo_t) -> nvmlReturn_t;

fn check(code: nvmlReturn_t) -> Answer<()> {
    match code {
        nvmlReturn_enum_NVML_SUCCESS => Ok(()),
        code => Err(code),
    }
}

fn there<F: Copy>(function: &Function<F>) -> Answer<F> {
    function.as_ref().copied().map_err(|_| MISSING)
}

/// What a function writes for a device.
fn one<T: Default>(function: &Function<OneOf<T>>, of: Handle) -> Answer<T> {
    let (function, mut value) = (there(function)?, T::default());
    // SAFETY: a function of the library that writes one value of this type, by its declaration.
    check(unsafe { function(of.0, &mut value) }).map(|()| value)
}

/// The first of two that a function writes.
fn first<T: Default>(function: &Function<TwoOf<T>>, of: Handle) -> Answer<T> {
    let (function, mut value, mut other) = (there(function)?, T::default(), T::default());
    // SAFETY: a function of the library that writes two values of this type, by its declaration.
    check(unsafe { function(of.0, &mut value, &mut other) }).map(|()| value)
}

/// What a function writes for a device and a number.
fn by<T: Default>(function: &Function<ByOf<T>>, of: Handle, which: c_uint) -> Answer<T> {
    let (function, mut value) = (there(function)?, T::default());
    // SAFETY: a function of the library that takes a number and writes one value of this type, by its declaration.
    check(unsafe { function(of.0, which, &mut value) }).map(|()| value)
}

/// The longest text that is asked for: a UUID with its part has 80.
const TEXT: usize = 96;

fn text(write: impl FnOnce(*mut c_char, c_uint) -> nvmlReturn_t) -> Answer<String> {
    let mut bytes = [0_u8; TEXT];
    check(write(bytes.as_mut_ptr().cast(), TEXT as c_uint))?;
    let text = CStr::from_bytes_until_nul(&bytes).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}

/// Memory as the driver counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) used: u64,
    pub(super) free: u64,
    pub(super) total: u64,
    /// Older drivers count it as used.
    pub(super) reserved: Option<u64>,
}

/// A field value: its number and scope, and what came of asking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) id: u32,
    pub(super) scope: u32,
    pub(super) answer: Answer<i64>,
}

/// Room for field values, kept from call to call.
#[derive(Default)]
pub(super) struct Room(Vec<nvmlFieldValue_t>);

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({})", self.0.capacity())
    }
}

/// A process that computes, draws, or computes through the multi-process service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) memory: u64,
    pub(super) gpu_instance: u32,
    pub(super) compute_instance: u32,
}

/// Which list of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Compute,
    Graphics,
    Mps,
}

/// What a process did for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) pid: u32,
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) percent: u32,
}

impl Library {
    pub(super) const fn new(nvml: &'static Nvml) -> Self {
        Self(nvml)
    }

    /// Whether the driver has the newer numbers for field values.
    pub(super) fn is_renumbered(self) -> bool {
        self.0.field_id_scheme() == FieldIdScheme::V13Update1
    }

    /// Once more, where the driver was gone.
    pub(super) fn init(self) -> Answer<()> {
        let function = there(&self.0.lib().nvmlInit_v2)?;
        // SAFETY: it takes nothing, and may be called again: the library counts.
        check(unsafe { function() })
    }

    pub(super) fn driver_version(self) -> Answer<String> {
        let function = there(&self.0.lib().nvmlSystemGetDriverVersion)?;
        // SAFETY: it writes a text of at most the length that it is told.
        text(|bytes, length| unsafe { function(bytes, length) })
    }

    pub(super) fn count(self) -> Answer<u32> {
        let (function, mut count) = (there(&self.0.lib().nvmlDeviceGetCount_v2)?, 0);
        // SAFETY: it writes one number.
        check(unsafe { function(&mut count) }).map(|()| count)
    }

    pub(super) fn by_index(self, index: u32) -> Answer<Handle> {
        let function = there(&self.0.lib().nvmlDeviceGetHandleByIndex_v2)?;
        let mut device = std::ptr::null_mut();
        // SAFETY: it writes one handle.
        check(unsafe { function(index, &mut device) }).map(|()| Handle(device))
    }

    pub(super) fn by_uuid(self, uuid: &str) -> Answer<Handle> {
        let function = there(&self.0.lib().nvmlDeviceGetHandleByUUID)?;
        let uuid = CString::new(uuid).map_err(|_| nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT)?;
        let mut device = std::ptr::null_mut();
        // SAFETY: it reads a text that ends, and writes one handle.
        check(unsafe { function(uuid.as_ptr(), &mut device) }).map(|()| Handle(device))
    }

    fn text(function: &Function<TextOf>, of: Handle) -> Answer<String> {
        let function = there(function)?;
        // SAFETY: it writes a text of at most the length that it is told.
        text(|bytes, length| unsafe { function(of.0, bytes, length) })
    }

    pub(super) fn uuid(self, of: Handle) -> Answer<String> {
        Self::text(&self.0.lib().nvmlDeviceGetUUID, of)
    }

    pub(super) fn name(self, of: Handle) -> Answer<String> {
        Self::text(&self.0.lib().nvmlDeviceGetName, of)
    }

    pub(super) fn serial(self, of: Handle) -> Answer<String> {
        Self::text(&self.0.lib().nvmlDeviceGetSerial, of)
    }

    /// As the kernel's log has it: `0000:1b:00.0`.
    pub(super) fn pci_bus_id(self, of: Handle) -> Answer<String> {
        let function = there(&self.0.lib().nvmlDeviceGetPciInfo_v3)?;
        let mut info = nvmlPciInfo_t {
            busIdLegacy: [0; 16],
            domain: 0,
            bus: 0,
            device: 0,
            pciDeviceId: 0,
            pciSubSystemId: 0,
            busId: [0; 32],
        };
        // SAFETY: it writes one structure of this type.
        check(unsafe { function(of.0, &mut info) })?;
        let (domain, bus, device) = (info.domain, info.bus, info.device);
        Ok(format!("{domain:04x}:{bus:02x}:{device:02x}.0"))
    }

    /// Kernels and memory, in percent.
    pub(super) fn utilization(self, of: Handle) -> Answer<(u32, u32)> {
        let function = there(&self.0.lib().nvmlDeviceGetUtilizationRates)?;
        let mut rates = nvmlUtilization_t { gpu: 0, memory: 0 };
        // SAFETY: it writes one structure of this type.
        check(unsafe { function(of.0, &mut rates) }).map(|()| (rates.gpu, rates.memory))
    }

    pub(super) fn memory(self, of: Handle) -> Answer<Memory> {
        let mut memory = nvmlMemory_v2_t {
            version: version::<nvmlMemory_v2_t>(2),
            total: 0,
            reserved: 0,
            free: 0,
            used: 0,
        };
        let answer = there(&self.0.lib().nvmlDeviceGetMemoryInfo_v2).and_then(|function| {
            // SAFETY: it writes one structure of this type, whose version says how long it is.
            check(unsafe { function(of.0, &mut memory) })
        });
        match answer {
            Ok(()) => Ok(Memory {
                used: memory.used,
                free: memory.free,
                total: memory.total,
                reserved: Some(memory.reserved),
            }),
            Err(MISSING) => self.memory_before(of),
            Err(code) => Err(code),
        }
    }

    /// As drivers before 510 have it.
    fn memory_before(self, of: Handle) -> Answer<Memory> {
        let function = there(&self.0.lib().nvmlDeviceGetMemoryInfo)?;
        let mut memory = nvmlMemory_t {
            total: 0,
            free: 0,
            used: 0,
        };
        // SAFETY: it writes one structure of this type.
        check(unsafe { function(of.0, &mut memory) }).map(|()| Memory {
            used: memory.used,
            free: memory.free,
            total: memory.total,
            reserved: None,
        })
    }

    /// In MHz.
    pub(super) fn clock(self, of: Handle, clock: nvmlClockType_t) -> Answer<u32> {
        by(&self.0.lib().nvmlDeviceGetClockInfo, of, clock)
    }

    /// In MHz.
    pub(super) fn max_clock(self, of: Handle, clock: nvmlClockType_t) -> Answer<u32> {
        by(&self.0.lib().nvmlDeviceGetMaxClockInfo, of, clock)
    }

    /// The bits, with those that have no name yet.
    pub(super) fn throttle(self, of: Handle) -> Answer<u64> {
        match one(&self.0.lib().nvmlDeviceGetCurrentClocksEventReasons, of) {
            Err(MISSING) => one(&self.0.lib().nvmlDeviceGetCurrentClocksThrottleReasons, of),
            answer => answer,
        }
    }

    /// In milliwatts.
    pub(super) fn power(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetPowerUsage, of)
    }

    /// In milliwatts.
    pub(super) fn power_limit(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetEnforcedPowerLimit, of)
    }

    /// In millijoules.
    pub(super) fn energy(self, of: Handle) -> Answer<u64> {
        one(&self.0.lib().nvmlDeviceGetTotalEnergyConsumption, of)
    }

    /// In degrees.
    pub(super) fn temperature(self, of: Handle) -> Answer<u32> {
        let die = nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU;
        by(&self.0.lib().nvmlDeviceGetTemperature, of, die)
    }

    /// In degrees.
    pub(super) fn threshold(self, of: Handle, which: nvmlTemperatureThresholds_t) -> Answer<u32> {
        by(&self.0.lib().nvmlDeviceGetTemperatureThreshold, of, which)
    }

    /// In degrees; below zero where it is too hot already.
    pub(super) fn margin(self, of: Handle) -> Answer<i32> {
        let function = there(&self.0.lib().nvmlDeviceGetMarginTemperature)?;
        let mut margin = nvmlMarginTemperature_v1_t {
            version: version::<nvmlMarginTemperature_v1_t>(1),
            marginTemperature: 0,
        };
        // SAFETY: it writes one structure of this type, whose version says how long it is.
        check(unsafe { function(of.0, &mut margin) }).map(|()| margin.marginTemperature)
    }

    /// Errors in caches and registers since the driver was loaded: corrected, not corrected, and whether there were too many.
    pub(super) fn sram(self, of: Handle) -> Answer<[u64; 3]> {
        let function = there(&self.0.lib().nvmlDeviceGetSramEccErrorStatus)?;
        let mut status = nvmlEccSramErrorStatus_t {
            version: version::<nvmlEccSramErrorStatus_t>(1),
            aggregateUncParity: 0,
            aggregateUncSecDed: 0,
            aggregateCor: 0,
            volatileUncParity: 0,
            volatileUncSecDed: 0,
            volatileCor: 0,
            aggregateUncBucketL2: 0,
            aggregateUncBucketSm: 0,
            aggregateUncBucketPcie: 0,
            aggregateUncBucketMcu: 0,
            aggregateUncBucketOther: 0,
            bThresholdExceeded: 0,
        };
        // SAFETY: it writes one structure of this type, whose version says how long it is.
        check(unsafe { function(of.0, &mut status) })?;
        let uncorrected = status
            .volatileUncParity
            .saturating_add(status.volatileUncSecDed);
        Ok([
            status.volatileCor,
            uncorrected,
            status.bThresholdExceeded.into(),
        ])
    }

    /// Banks of memory by how many spare rows they have: all, most, some, few, none.
    pub(super) fn banks(self, of: Handle) -> Answer<[u32; 5]> {
        let function = there(&self.0.lib().nvmlDeviceGetRowRemapperHistogram)?;
        let mut rows = nvmlRowRemapperHistogramValues_t {
            max: 0,
            high: 0,
            partial: 0,
            low: 0,
            none: 0,
        };
        // SAFETY: it writes one structure of this type.
        check(unsafe { function(of.0, &mut rows) })?;
        Ok([rows.max, rows.high, rows.partial, rows.low, rows.none])
    }

    /// In percent of its full speed. A device that has no fan says that there is none of this number (an H100 with driver 580.159.04).
    pub(super) fn fan(self, of: Handle) -> Answer<u32> {
        match by(&self.0.lib().nvmlDeviceGetFanSpeed_v2, of, 0) {
            Err(nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT) => {
                Err(nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED)
            }
            answer => answer,
        }
    }

    /// In percent.
    pub(super) fn encoder(self, of: Handle) -> Answer<u32> {
        first(&self.0.lib().nvmlDeviceGetEncoderUtilization, of)
    }

    /// In percent.
    pub(super) fn decoder(self, of: Handle) -> Answer<u32> {
        first(&self.0.lib().nvmlDeviceGetDecoderUtilization, of)
    }

    /// In percent.
    pub(super) fn jpeg(self, of: Handle) -> Answer<u32> {
        first(&self.0.lib().nvmlDeviceGetJpgUtilization, of)
    }

    /// In percent.
    pub(super) fn optical_flow(self, of: Handle) -> Answer<u32> {
        first(&self.0.lib().nvmlDeviceGetOfaUtilization, of)
    }

    pub(super) fn performance_state(self, of: Handle) -> Answer<i32> {
        // What the driver does not know it says as 32; the type of the number differs between systems.
        let state: nvmlPstates_t = one(&self.0.lib().nvmlDeviceGetPerformanceState, of)?;
        match i64::from(state) {
            state @ 0..=15 => Ok(state as i32),
            _ => Err(nvmlReturn_enum_NVML_ERROR_NO_DATA),
        }
    }

    pub(super) fn pcie_generation(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetCurrPcieLinkGeneration, of)
    }

    pub(super) fn pcie_width(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetCurrPcieLinkWidth, of)
    }

    /// Asks for many values at once, each with its scope: the safe crate knows none, so that each link would read as the first.
    /// `room` is kept from call to call.
    pub(super) fn fields(
        self,
        of: Handle,
        fields: &mut [Field],
        Room(room): &mut Room,
    ) -> Answer<()> {
        let function = there(&self.0.lib().nvmlDeviceGetFieldValues)?;
        room.clear();
        room.extend(fields.iter().map(|field| nvmlFieldValue_t {
            fieldId: field.id,
            scopeId: field.scope,
            timestamp: 0,
            latencyUsec: 0,
            valueType: 0,
            nvmlReturn: nvmlReturn_enum_NVML_ERROR_UNKNOWN,
            value: nvmlValue_t { ullVal: 0 },
        }));
        let many = c_int::try_from(room.len()).unwrap_or(0);
        // SAFETY: it reads and writes so many structures of this type, all of which are there.
        check(unsafe { function(of.0, many, room.as_mut_ptr()) })?;
        for (field, read) in fields.iter_mut().zip(room.iter()) {
            field.answer = check(read.nvmlReturn).and_then(|()| value(read));
        }
        Ok(())
    }

    /// Adds the processes of a list. Where there are more than fit, it is asked again with more room.
    pub(super) fn processes(self, of: Handle, list: List, into: &mut Vec<Process>) -> Answer<()> {
        let lib = self.0.lib();
        let function: ProcessesOf = there(match list {
            List::Compute => &lib.nvmlDeviceGetComputeRunningProcesses_v3,
            List::Graphics => &lib.nvmlDeviceGetGraphicsRunningProcesses_v3,
            List::Mps => &lib.nvmlDeviceGetMPSComputeRunningProcesses_v3,
        })?;
        let none = nvmlProcessInfo_t {
            pid: 0,
            usedGpuMemory: 0,
            gpuInstanceId: 0,
            computeInstanceId: 0,
        };
        for room in [32, 256, 4_096] {
            let mut read = vec![none; room];
            let mut many = room as c_uint;
            // SAFETY: it writes at most so many structures of this type, all of which are there, and how many there are.
            match check(unsafe { function(of.0, &mut many, read.as_mut_ptr()) }) {
                Err(nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE) => continue,
                Err(code) => return Err(code),
                Ok(()) => {}
            }
            into.extend(read.iter().take(many as usize).map(|read| Process {
                pid: read.pid,
                memory: read.usedGpuMemory,
                gpu_instance: read.gpuInstanceId,
                compute_instance: read.computeInstanceId,
            }));
            return Ok(());
        }
        Err(nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE)
    }

    /// What processes did since a time in microseconds.
    pub(super) fn busy(self, of: Handle, since: u64, into: &mut Vec<Busy>) -> Answer<()> {
        let function = there(&self.0.lib().nvmlDeviceGetProcessUtilization)?;
        let none = nvmlProcessUtilizationSample_t {
            pid: 0,
            timeStamp: 0,
            smUtil: 0,
            memUtil: 0,
            encUtil: 0,
            decUtil: 0,
        };
        for room in [128, 1_024, 8_192] {
            let mut read = vec![none; room];
            let mut many = room as c_uint;
            let since = since as c_ulonglong;
            // SAFETY: it writes at most so many structures of this type, all of which are there, and how many there are.
            match check(unsafe { function(of.0, read.as_mut_ptr(), &mut many, since) }) {
                Err(nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE) => continue,
                Err(code) => return Err(code),
                Ok(()) => {}
            }
            into.extend(read.iter().take(many as usize).map(|read| Busy {
                pid: read.pid,
                at: read.timeStamp,
                percent: read.smUtil,
            }));
            return Ok(());
        }
        Err(nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE)
    }

    /// Whether it is in parts.
    pub(super) fn is_in_parts(self, of: Handle) -> Answer<bool> {
        first(&self.0.lib().nvmlDeviceGetMigMode, of).map(|mode: c_uint| mode == 1)
    }

    pub(super) fn most_parts(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetMaxMigDeviceCount, of)
    }

    pub(super) fn part(self, of: Handle, index: u32) -> Answer<Handle> {
        let function = there(&self.0.lib().nvmlDeviceGetMigDeviceHandleByIndex)?;
        let mut part = std::ptr::null_mut();
        // SAFETY: it writes one handle.
        check(unsafe { function(of.0, index, &mut part) }).map(|()| Handle(part))
    }

    pub(super) fn whole(self, of: Handle) -> Answer<Handle> {
        let function = there(&self.0.lib().nvmlDeviceGetDeviceHandleFromMigDeviceHandle)?;
        let mut whole = std::ptr::null_mut();
        // SAFETY: it writes one handle.
        check(unsafe { function(of.0, &mut whole) }).map(|()| Handle(whole))
    }

    pub(super) fn gpu_instance(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetGpuInstanceId, of)
    }

    pub(super) fn compute_instance(self, of: Handle) -> Answer<u32> {
        one(&self.0.lib().nvmlDeviceGetComputeInstanceId, of)
    }

    /// Bits of the events that it can report.
    pub(super) fn event_types(self, of: Handle) -> Answer<u64> {
        one(&self.0.lib().nvmlDeviceGetSupportedEventTypes, of)
    }

    /// Whether it counts what GPM tells.
    pub(super) fn has_gpm(self, of: Handle) -> Answer<bool> {
        let function = there(&self.0.lib().nvmlGpmQueryDeviceSupport)?;
        let mut support = nvmlGpmSupport_t {
            version: 1,
            isSupportedDevice: 0,
        };
        // SAFETY: it writes one structure of this type, whose version is the only one there is.
        check(unsafe { function(of.0, &mut support) }).map(|()| support.isSupportedDevice != 0)
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Library")
    }
}

/// Length and number of a structure, as the library wants to be told.
const fn version<T>(number: u32) -> u32 {
    size_of::<T>() as u32 | number << 24
}

/// A field's value by the type that it says it has. Shares that are kept as fractions are cut to whole numbers.
fn value(read: &nvmlFieldValue_t) -> Answer<i64> {
    let value = &read.value;
    let unknown = Err(nvmlReturn_enum_NVML_ERROR_UNKNOWN);
    // SAFETY: all of the union was written before the call, and any bits are a number of each of its types.
    let whole = unsafe {
        match read.valueType {
            nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE => {
                let fraction = value.dVal;
                return if fraction.is_finite() {
                    Ok(fraction as i64)
                } else {
                    unknown
                };
            }
            nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT => i64::from(value.uiVal),
            nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT => i64::from(value.siVal),
            nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT => i64::from(value.usVal),
            nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG => value.sllVal,
            nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG
            | nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG => {
                // Beyond what is counted here no counter has got yet; all bits set is what drivers say for "not known".
                return i64::try_from(value.ullVal).map_err(|_| nvmlReturn_enum_NVML_ERROR_NO_DATA);
            }
            _ => return unknown,
        }
    };
    Ok(whole)
}
