//! Counters of the multiprocessors (GPM, from Hopper on): what was between two moments.

use super::raw::{Answer, GpmSample, Handle, Library};
use super::units::percent;
use super::{Verdict, error};
use crate::calls::Calls;
use crate::quantity::Quantity;
use crate::reading::{Reading, Readings};
use crate::source::SourceError;
use nvml_wrapper_sys::bindings::*;
use obs_core::{Moment, Telemetry};
use std::time::Duration;

/// Numbers of metrics (`nvmlGpmMetricId_t`), each a share in percent. DRAM's counts reads and writes together: they are not told
/// apart. The last is dear: on an H100 with driver 580.159.04 it takes 1.8 ms of any pair of samples, and the others together 12 µs.
const METRICS: [(u32, Quantity); 5] = [
    (
        nvmlGpmMetricId_t_NVML_GPM_METRIC_SM_UTIL,
        Quantity::SmActive,
    ),
    (
        nvmlGpmMetricId_t_NVML_GPM_METRIC_SM_OCCUPANCY,
        Quantity::SmOccupancy,
    ),
    (
        nvmlGpmMetricId_t_NVML_GPM_METRIC_ANY_TENSOR_UTIL,
        Quantity::TensorActive,
    ),
    (
        nvmlGpmMetricId_t_NVML_GPM_METRIC_DRAM_BW_UTIL,
        Quantity::DramActive,
    ),
    (
        nvmlGpmMetricId_t_NVML_GPM_METRIC_GRAPHICS_UTIL,
        Quantity::EngineActive,
    ),
];

/// Which of them are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All but the dear one.
    Cheap,
    /// The dear one, of the two samples that were taken last; where those are old of new ones, and then the others as well.
    Dear,
}

/// How many are not dear.
const CHEAP: usize = METRICS.len() - 1;

/// Two samples must be further apart than this (`nvml.h`, `nvmlGpmMetricsGet`).
const APART: Duration = Duration::from_millis(100);

/// The counters of one device.
#[derive(Debug)]
pub(super) struct Gpm {
    telemetry: Telemetry,
    library: Library,
    handle: Handle,
    /// Of a part: which one of the whole.
    gpu_instance: Option<u32>,
    is_there: bool,
    before: Option<(GpmSample, Moment)>,
    /// For the next one.
    spare: Option<GpmSample>,
}

impl Gpm {
    pub(super) fn new(
        telemetry: Telemetry,
        library: Library,
        handle: Handle,
        calls: &mut Calls,
    ) -> Self {
        // A part is read by the whole, and the number that it has there.
        let whole = calls.time("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", || {
            library.whole(handle)
        });
        let (handle, gpu_instance) = match whole {
            Ok(whole) if whole != handle => {
                let instance = calls.time("nvmlDeviceGetGpuInstanceId", || {
                    library.gpu_instance(handle)
                });
                (whole, instance.ok())
            }
            _ => (handle, None),
        };
        Self {
            telemetry,
            library,
            handle,
            gpu_instance,
            is_there: true,
            before: None,
            spare: None,
        }
    }

    /// Reads what was since the last time. The first time there is nothing to say; where it is too soon, nothing new is.
    pub(super) fn read(
        &mut self,
        which: Which,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        let asked = match which {
            Which::Cheap => &METRICS[..CHEAP],
            Which::Dear => &METRICS,
        };
        if !self.is_there {
            asked
                .iter()
                .for_each(|(_, quantity)| into.set(*quantity, Reading::Unsupported));
            return Ok(());
        }
        let now = self.telemetry.now();
        let is_new = self
            .before
            .as_ref()
            .is_some_and(|(_, before)| self.telemetry.between(*before, now) <= APART);
        let (asked, measured) = match (is_new, which) {
            (false, _) => (asked, self.measure(asked, now, calls)),
            (true, Which::Cheap) => return Ok(()),
            (true, Which::Dear) => {
                let dear = &METRICS[CHEAP..];
                (dear, self.again(dear, calls))
            }
        };
        match measured {
            Ok(None) => Ok(()),
            Ok(Some(values)) => {
                for ((_, quantity), value) in asked.iter().zip(values) {
                    into.set(*quantity, share(value)?);
                }
                Ok(())
            }
            Err(code) => {
                (self.before, self.spare) = (None, None);
                let reading = match error(code) {
                    SourceError::Unsupported => {
                        self.is_there = false;
                        Reading::Unsupported
                    }
                    SourceError::Failed(code) => Reading::Failed(code),
                    error => return Err(error),
                };
                asked
                    .iter()
                    .for_each(|(_, quantity)| into.set(*quantity, reading));
                Ok(())
            }
        }
    }

    /// More of the two samples that were taken last.
    fn again(&self, asked: &[(u32, Quantity)], calls: &mut Calls) -> Answer<Option<Values>> {
        let (Some(before), Some((after, _))) = (&self.spare, &self.before) else {
            return Ok(None);
        };
        let between = || before.between(after, ids(asked));
        calls.time("nvmlGpmMetricsGet", between).map(Some)
    }

    fn measure(
        &mut self,
        asked: &[(u32, Quantity)],
        now: Moment,
        calls: &mut Calls,
    ) -> Answer<Option<Values>> {
        let (library, handle, instance) = (self.library, self.handle, self.gpu_instance);
        let mut sample = match self.spare.take() {
            Some(sample) => sample,
            None => {
                if !calls.time("nvmlGpmQueryDeviceSupport", || library.has_gpm(handle))? {
                    return Err(nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED);
                }
                calls.time("nvmlGpmSampleAlloc", || GpmSample::new(library))?
            }
        };
        let name = if instance.is_some() {
            "nvmlGpmMigSampleGet"
        } else {
            "nvmlGpmSampleGet"
        };
        calls.time(name, || sample.take(handle, instance))?;
        let Some((before, _)) = self.before.take() else {
            self.before = Some((sample, now));
            return Ok(None);
        };
        let between = || before.between(&sample, ids(asked));
        let values = calls.time("nvmlGpmMetricsGet", between);
        self.spare = Some(before);
        self.before = Some((sample, now));
        values.map(Some)
    }
}

/// What came of asking, in the order of what was asked for.
type Values = [Answer<f64>; METRICS.len()];

/// The numbers of what is asked for.
fn ids(asked: &[(u32, Quantity)]) -> impl ExactSizeIterator<Item = u32> + '_ {
    asked.iter().map(|(id, _)| *id)
}

fn share(value: Answer<f64>) -> Result<Reading, SourceError> {
    let failed = Reading::Failed(nvmlReturn_enum_NVML_ERROR_NO_DATA.cast_signed());
    match value {
        Ok(value) => Ok(percent(value).map_or(failed, Reading::Value)),
        Err(code) => match super::verdict::<i64>(Err(code)) {
            Verdict::Lost(error) => Err(error),
            said => Ok(said.reading()),
        },
    }
}
