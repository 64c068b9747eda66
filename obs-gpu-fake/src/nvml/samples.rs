//! What the driver keeps of the last moments.

use super::unsigned;
use crate::answer::{Answer, Code};
use crate::entry::{self, Seen};
use crate::metric::Level;
use crate::out::{Array, InOut, Out};
use crate::script::ALL;
use crate::value::Micros;
use nvml_wrapper_sys::bindings::*;
use std::ffi::{c_uint, c_ulonglong};

/// How many it keeps, and how far they are apart: what has been seen of utilisation.
const KEPT: u64 = 120;
const PERIOD: Micros = 20_000;

impl Seen<'_> {
    fn samples(&self, kind: nvmlSamplingType_t, since: u64) -> Answer<Vec<nvmlSample_t>> {
        let level = match kind {
            nvmlSamplingType_enum_NVML_TOTAL_POWER_SAMPLES => Level::Power,
            nvmlSamplingType_enum_NVML_GPU_UTILIZATION_SAMPLES => Level::Util,
            nvmlSamplingType_enum_NVML_MEMORY_UTILIZATION_SAMPLES => Level::UtilMemory,
            nvmlSamplingType_enum_NVML_ENC_UTILIZATION_SAMPLES => Level::UtilEncoder,
            nvmlSamplingType_enum_NVML_DEC_UTILIZATION_SAMPLES => Level::UtilDecoder,
            nvmlSamplingType_enum_NVML_PROCESSOR_CLK_SAMPLES => Level::ClockSm,
            nvmlSamplingType_enum_NVML_MEMORY_CLK_SAMPLES => Level::ClockMemory,
            nvmlSamplingType_enum_NVML_MODULE_POWER_SAMPLES => Level::PowerModule,
            nvmlSamplingType_enum_NVML_JPG_UTILIZATION_SAMPLES => Level::UtilJpeg,
            nvmlSamplingType_enum_NVML_OFA_UTILIZATION_SAMPLES => Level::UtilOfa,
            _ => return Err(Code::INVALID_ARGUMENT),
        };
        if level != Level::Power && level != Level::ClockSm && level != Level::ClockMemory {
            // Engines are not counted on a device in parts.
            self.is_whole()?;
        }
        let signal = self.gpu().signal(level, ALL)?;
        let newest = self.now / PERIOD;
        // The ring begins with the world.
        let first = (newest + 1).saturating_sub(KEPT).max(1);
        let after = self.world.clock.unstamp(since) / PERIOD + 1;
        Ok((first.max(after)..=newest)
            .map(|n| nvmlSample_t {
                timeStamp: self.world.clock.stamp(n * PERIOD),
                sampleValue: nvmlValue_t {
                    ullVal: unsigned(signal.at(n * PERIOD)).into(),
                },
            })
            .collect())
    }
}

device_calls! { device:
    fn nvmlDeviceGetSamples(
        |seen| kind: nvmlSamplingType_t,
        since: c_ulonglong,
        value_type: Out<nvmlValueType_t>,
        count: InOut<c_uint>,
        samples: Array<nvmlSample_t>
    ) {
        let rows = seen.samples(kind, since)?;
        let count = count.get()?;
        value_type.put(nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT)?;
        // Without a place to put them it is told how many there can be.
        if samples.is_null() {
            *count = KEPT as c_uint;
            return Ok(());
        }
        if *count == 0 {
            return Err(Code::INVALID_ARGUMENT);
        }
        if rows.is_empty() {
            return Err(Code::NOT_FOUND);
        }
        // Where there is less room, the oldest come: the next call goes on from them.
        let room = std::mem::replace(count, rows.len().min(*count as usize) as c_uint) as usize;
        samples.fill(rows, room)
    }
}
