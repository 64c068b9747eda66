//! What eight devices take of a core while they are watched, as the front page says to watch them.

use std::{sync::Arc, time::Duration};

use obs_core::{
    Telemetry,
    metrics::{Data, Temporality},
    semconv::obs,
};
use obs_gpu::{
    Attribution, Claims, GpuContext, GpuHealth, GpuMonitor, GpuSettings, HealthSettings,
    NvmlSource, Quantity,
};

use super::{DEVICES, fake, until};
use crate::bars::Unit;
use crate::harness::lived::{Length, Told, ran};

/// Long enough for one turn of the slowest tier.
const WHOLE: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(600);

/// The share of one core that something takes meanwhile, in percent; this thread sleeps.
pub(super) fn of_a_core(length: Length) -> Result<f64, String> {
    let time = length.of(WHOLE, MOMENT);
    let none = || String::from("this kernel does not count what threads run");
    let before = ran().ok_or_else(none)?;
    std::thread::sleep(time);
    let took = ran().ok_or_else(none)?.saturating_sub(before);
    Ok(100.0 * took.as_secs_f64() / time.as_secs_f64())
}

/// Everything that watches: all tiers, events, health, attribution, what calls are told. What the library takes of it, on its own, is the
/// time that its calls last by our own metric: on a machine without other work that is the processor's, too.
pub(crate) fn ours(length: Length, told: &mut Told) -> Result<String, String> {
    let fake = fake("real");
    let telemetry = Telemetry::builder().build().expect("usable");
    let claims = Claims::new();
    let health = GpuHealth::new(&telemetry, HealthSettings::new());
    let context = GpuContext::by_claims(&telemetry, &claims);
    telemetry.annotate(context.clone());
    let settings = GpuSettings::new()
        .with_listener(Arc::new(health.clone()))
        .with_listener(Attribution::new(&telemetry, &claims))
        .with_listener(context.listener());
    let source = NvmlSource::with_library(&telemetry, fake.library());
    let monitor = GpuMonitor::new(&telemetry, source, settings).expect("threads");
    until("all are read", || {
        let gpus = monitor.gpus();
        let read = |gpu: &obs_gpu::Gpu| gpu.read_at(Quantity::EccCorrected).is_some();
        gpus.len() == DEVICES as usize && gpus.iter().all(read)
    })?;
    let outside = || called(&telemetry);
    let (before, calls) = (outside(), fake.calls("*", None));
    let share = of_a_core(length)?;
    let calls = fake.calls("*", None) - calls;
    let seconds = length.of(WHOLE, MOMENT).as_secs_f64();
    told.put(Unit::Core, share);
    told.put(Unit::CoreOutside, 100.0 * (outside() - before) / seconds);
    // The fast tier alone makes this many.
    let least = 2 * 6 * u64::from(DEVICES);
    match calls >= least {
        true => Ok(format!("{calls} calls of the library")),
        false => Err(format!("{calls} calls of the library, of at least {least}")),
    }
}

/// Seconds that calls of the library lasted by now, but for those that wait for events.
fn called(telemetry: &Telemetry) -> f64 {
    let metrics = telemetry.reader(Temporality::Cumulative).collect();
    let durations = metrics
        .iter()
        .filter(|metric| metric.name == obs::GPU_CALL_DURATION);
    let points = durations.flat_map(|metric| match &metric.data {
        Data::Histogram { points, .. } => points.iter().map(|point| point.sum).collect(),
        _ => Vec::new(),
    });
    points.sum()
}
