//! What the library makes and frees: sets of events, samples of counters.

use super::{Answer, Handle, Library, check, there};
use nvml_wrapper_sys::bindings::*;
use std::ffi::c_uint;

/// Events of one device. One set for each: a registration that fails frees the set, whatever else was in it.
#[derive(Debug)]
pub(in crate::nvml) struct EventSet {
    library: Library,
    set: nvmlEventSet_t,
}

// SAFETY: it is a number that only the library follows; it is used by one thread at a time, as it is not `Sync`.
unsafe impl Send for EventSet {}

/// What was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nvml) struct Reported {
    pub(in crate::nvml) bits: u64,
    pub(in crate::nvml) data: u64,
    pub(in crate::nvml) gpu_instance: u32,
}

impl EventSet {
    pub(in crate::nvml) fn of(library: Library, device: Handle, bits: u64) -> Answer<Self> {
        let create = there(&library.0.lib().nvmlEventSetCreate)?;
        let register = there(&library.0.lib().nvmlDeviceRegisterEvents)?;
        let mut set = std::ptr::null_mut();
        // SAFETY: it writes one handle of a set.
        check(unsafe { create(&mut set) })?;
        let this = Self { library, set };
        // SAFETY: the device and the set are the library's own.
        check(unsafe { register(device.0, bits, this.set) })?;
        Ok(this)
    }

    pub(in crate::nvml) fn wait(&mut self, milliseconds: u32) -> Answer<Reported> {
        let function = there(&self.library.0.lib().nvmlEventSetWait_v2)?;
        let mut data = nvmlEventData_t {
            device: std::ptr::null_mut(),
            eventType: 0,
            eventData: 0,
            gpuInstanceId: u32::MAX,
            computeInstanceId: u32::MAX,
        };
        // SAFETY: the set is the library's own; it writes one structure of this type.
        check(unsafe { function(self.set, &mut data, milliseconds) }).map(|()| Reported {
            bits: data.eventType,
            data: data.eventData,
            gpu_instance: data.gpuInstanceId,
        })
    }
}

impl Drop for EventSet {
    fn drop(&mut self) {
        if let Ok(function) = there(&self.library.0.lib().nvmlEventSetFree) {
            // SAFETY: the set came from the library and nobody has it but us. What it answers changes nothing.
            let _ = unsafe { function(self.set) };
        }
    }
}

/// Counters at one moment.
#[derive(Debug)]
pub(in crate::nvml) struct GpmSample {
    library: Library,
    sample: nvmlGpmSample_t,
}

// SAFETY: it is a number that only the library follows; it is used by one thread at a time, as it is not `Sync`.
unsafe impl Send for GpmSample {}

impl GpmSample {
    pub(in crate::nvml) fn new(library: Library) -> Answer<Self> {
        let function = there(&library.0.lib().nvmlGpmSampleAlloc)?;
        let mut sample = std::ptr::null_mut();
        // SAFETY: it writes one handle of a sample.
        check(unsafe { function(&mut sample) }).map(|()| Self { library, sample })
    }

    /// Takes what is counted now; of a part by the whole that it is of and its GPU instance.
    pub(in crate::nvml) fn take(&mut self, of: Handle, gpu_instance: Option<u32>) -> Answer<()> {
        let lib = self.library.0.lib();
        match gpu_instance {
            None => {
                let function = there(&lib.nvmlGpmSampleGet)?;
                // SAFETY: the device and the sample are the library's own.
                check(unsafe { function(of.0, self.sample) })
            }
            Some(instance) => {
                let function = there(&lib.nvmlGpmMigSampleGet)?;
                // SAFETY: the device and the sample are the library's own.
                check(unsafe { function(of.0, instance, self.sample) })
            }
        }
    }

    /// What was between two of them, in percent where it is a share; N metrics at most. What was not asked for is not known.
    pub(in crate::nvml) fn between<const N: usize>(
        &self,
        later: &Self,
        metrics: impl ExactSizeIterator<Item = u32>,
    ) -> Answer<[Answer<f64>; N]> {
        const { assert!(N <= MOST, "there is no room for so many") };
        let function = there(&self.library.0.lib().nvmlGpmMetricsGet)?;
        let none = nvmlGpmMetric_t {
            metricId: 0,
            nvmlReturn: nvmlReturn_enum_NVML_ERROR_UNKNOWN,
            value: 0.0,
            metricInfo: nvmlGpmMetric_t__bindgen_ty_1 {
                shortName: std::ptr::null_mut(),
                longName: std::ptr::null_mut(),
                unit: std::ptr::null_mut(),
            },
        };
        let mut request = nvmlGpmMetricsGet_t {
            version: NVML_GPM_METRICS_GET_VERSION,
            numMetrics: metrics.len().min(N) as c_uint,
            sample1: self.sample,
            sample2: later.sample,
            metrics: [none; MOST],
        };
        for (asked, metric) in request.metrics.iter_mut().zip(metrics) {
            asked.metricId = metric;
        }
        // SAFETY: it reads and writes one structure of this type; both samples are the library's own.
        check(unsafe { function(&mut request) })?;
        Ok(std::array::from_fn(|at| {
            let read = &request.metrics[at];
            check(read.nvmlReturn).map(|()| read.value)
        }))
    }
}

/// As many metrics as one request has room for.
const MOST: usize = nvmlGpmMetricId_t_NVML_GPM_METRIC_MAX as usize;

impl Drop for GpmSample {
    fn drop(&mut self) {
        if let Ok(function) = there(&self.library.0.lib().nvmlGpmSampleFree) {
            // SAFETY: the sample came from the library and nobody has it but us. What it answers changes nothing.
            let _ = unsafe { function(self.sample) };
        }
    }
}
