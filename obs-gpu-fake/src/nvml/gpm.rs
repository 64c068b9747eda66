//! Counters read twice: what was between two samples.

use crate::answer::{Answer, Code};
use crate::entry::{self, Seen, driver};
use crate::gpu::Gpu;
use crate::metric::Total;
use crate::out::{InOut, Out};
use crate::script::{ALL, Numbered};
use crate::value::Micros;
use crate::world::World;
use nvml_wrapper_sys::bindings::*;
use std::ffi::c_uint;

/// Samples have to be further apart than this; this fake holds its readers to it.
const APART: Micros = 100_000;

impl Seen<'_> {
    fn sample(&mut self, sample: nvmlGpmSample_t, gpu_instance: u32) -> Answer<()> {
        if !self.gpu().profile.gpm {
            return Err(Code::NOT_SUPPORTED);
        }
        let taken = (self.slot, gpu_instance, self.now);
        let place = self.world.samples.get_mut(&(sample as usize));
        *place.ok_or(Code::INVALID_ARGUMENT)? = Some(taken);
        Ok(())
    }
}

/// Metrics between two moments, each by its number.
fn metric(gpu: &Gpu, id: u32, instance: u32, from: Micros, to: Micros) -> Answer<f64> {
    let mebibytes = |total: Total, scope: u32| {
        let (before, after) = (gpu.total(total, scope, from)?, gpu.total(total, scope, to)?);
        let seconds = (to - from) as f64 / 1e6;
        Ok((after.now - before.now) as f64 / f64::from(1 << 20) / seconds)
    };
    let scripted = [(id, instance), (id, ALL), (ALL, ALL)];
    if let Some(signal) = scripted.iter().find_map(|key| gpu.gpm.get(key)) {
        let twice = signal.get()?.twice_sum(from, to);
        return Ok(twice as f64 / 2.0 / (to - from) as f64 / 1000.0);
    }
    let links = gpu.profile.links;
    let all = |total| {
        (0..links)
            .map(|link| mebibytes(total, link))
            .sum::<Answer<f64>>()
    };
    match id {
        20 => mebibytes(Total::PcieTx, ALL),
        21 => mebibytes(Total::PcieRx, ALL),
        60 if links > 0 => all(Total::NvlinkRx),
        61 if links > 0 => all(Total::NvlinkTx),
        // From link 0 on, received before sent.
        62..=97 if (id - 62) / 2 < links => {
            let total = [Total::NvlinkRx, Total::NvlinkTx][(id % 2) as usize];
            mebibytes(total, (id - 62) / 2)
        }
        _ => Err(Code::NOT_SUPPORTED),
    }
}

fn between(world: &World, request: &mut nvmlGpmMetricsGet_t) -> Answer<()> {
    if request.version != NVML_GPM_METRICS_GET_VERSION {
        return Err(Code::VERSION);
    }
    let taken = |sample: nvmlGpmSample_t| {
        let sample = world.samples.get(&(sample as usize)).copied().flatten();
        sample.ok_or(Code::INVALID_ARGUMENT)
    };
    let (first, second) = (taken(request.sample1)?, taken(request.sample2)?);
    let ((slot, instance, from), (other, other_instance, to)) = (first, second);
    if (slot, instance) != (other, other_instance) || to < from + APART {
        return Err(Code::INVALID_ARGUMENT);
    }
    let gpu = world.gpus.get(slot).ok_or(Code::INVALID_ARGUMENT)?;
    let many = request.numMetrics as usize;
    let metrics = request
        .metrics
        .get_mut(..many)
        .ok_or(Code::INVALID_ARGUMENT)?;
    for one in metrics {
        (one.nvmlReturn, one.value) = match metric(gpu, one.metricId, instance, from, to) {
            Ok(value) => (nvmlReturn_enum_NVML_SUCCESS, value),
            Err(Code(code)) => (code, 0.0),
        };
    }
    Ok(())
}

pub(super) const NAMES: &[&str] = &[
    "nvmlGpmSampleAlloc",
    "nvmlGpmSampleFree",
    "nvmlGpmSampleGet",
    "nvmlGpmMigSampleGet",
    "nvmlGpmMetricsGet",
    "nvmlGpmQueryDeviceSupport",
];

#[unsafe(no_mangle)]
extern "C" fn nvmlGpmSampleAlloc(sample: Out<nvmlGpmSample_t>) -> nvmlReturn_t {
    driver("nvmlGpmSampleAlloc", |world| {
        let number = world.new_handle();
        sample.put(std::ptr::without_provenance_mut(number))?;
        world.samples.insert(number, None);
        crate::world::counted();
        Ok(())
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlGpmSampleFree(sample: nvmlGpmSample_t) -> nvmlReturn_t {
    driver("nvmlGpmSampleFree", |world| {
        let freed = world.samples.remove(&(sample as usize));
        freed.map(drop).ok_or(Code::INVALID_ARGUMENT)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlGpmSampleGet(device: nvmlDevice_t, sample: nvmlGpmSample_t) -> nvmlReturn_t {
    entry::device("nvmlGpmSampleGet", device, |seen| seen.sample(sample, ALL))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlGpmMigSampleGet(
    device: nvmlDevice_t,
    gpu_instance: c_uint,
    sample: nvmlGpmSample_t,
) -> nvmlReturn_t {
    entry::device("nvmlGpmMigSampleGet", device, |seen| {
        let mut parts = seen.gpu().parts.values();
        if !parts.any(|part| part.gpu_instance == gpu_instance) {
            return Err(Code::INVALID_ARGUMENT);
        }
        seen.sample(sample, gpu_instance)
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlGpmMetricsGet(mut request: InOut<nvmlGpmMetricsGet_t>) -> nvmlReturn_t {
    if let Ok(request) = request.get() {
        let asked = request.metrics.iter().take(request.numMetrics as usize);
        let asked = asked.map(|metric| Numbered::Gpm(metric.metricId));
        entry::held_for("nvmlGpmMetricsGet", asked);
    }
    driver("nvmlGpmMetricsGet", |world| between(world, request.get()?))
}

#[unsafe(no_mangle)]
extern "C" fn nvmlGpmQueryDeviceSupport(
    device: nvmlDevice_t,
    mut support: InOut<nvmlGpmSupport_t>,
) -> nvmlReturn_t {
    entry::device("nvmlGpmQueryDeviceSupport", device, |seen| {
        let support = support.get()?;
        if support.version != NVML_GPM_SUPPORT_VERSION {
            return Err(Code::VERSION);
        }
        support.isSupportedDevice = seen.gpu().profile.gpm.into();
        Ok(())
    })
}
