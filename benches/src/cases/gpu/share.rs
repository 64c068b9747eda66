//! What eight devices take of a core while they are watched, as the front page says to watch them.

use std::{sync::Arc, time::Duration};

use obs_core::{
    Telemetry,
    metrics::{Data, Temporality},
    semconv::obs,
};
use obs_gpu::{
    Attribution, Claims, GpuContext, GpuHealth, GpuMonitor, GpuSettings, HealthSettings, NvmlSource,
};
use obs_gpu_fake::Fake;

use super::{DEVICES, fake, until_all_are_read};
use crate::bars::Unit;
use crate::harness::lived::{Length, Told, ran};

/// Long enough for one turn of the slowest tier.
pub(super) const WHOLE: Duration = Duration::from_secs(10);
/// What calls of a real device take is learned in one turn of the slowest tier, and settles in a few of what is stretched.
const LEARNING: Duration = Duration::from_secs(45);
/// Long enough for something of what is stretched the most to be read again.
const SETTLED: Duration = Duration::from_secs(60);
/// Where nobody waits for the figure.
pub(super) const MOMENT: Duration = Duration::from_millis(600);

/// The share of one core that something takes meanwhile, in percent; this thread sleeps.
pub(super) fn of_a_core(time: Duration) -> Result<f64, String> {
    let none = || String::from("this kernel does not count what threads run");
    let before = ran().ok_or_else(none)?;
    std::thread::sleep(time);
    let took = ran().ok_or_else(none)?.saturating_sub(before);
    Ok(100.0 * took.as_secs_f64() / time.as_secs_f64())
}

/// Everything that watches: all tiers, events, health, attribution, what calls are told. What the library takes of it, on its own, is the
/// time that its calls last by our own metric: on a machine without other work that is the processor's, too.
pub(crate) fn ours(length: Length, told: &mut Told) -> Result<String, String> {
    let watched = Watched::new("real")?;
    watched.measure(length.of(WHOLE, MOMENT), told)
}

/// The same, of devices whose calls take as long as an H100's took. A real driver is busy for as long; the fake sleeps, but for the last 0.2
/// ms of each. So here the time in calls is what a budget holds, and the core's is ours and that of the fake's waking.
pub(crate) fn real(length: Length, told: &mut Told) -> Result<String, String> {
    let watched = Watched::new("real\nlatencies = h100-580")?;
    std::thread::sleep(length.of(LEARNING, MOMENT));
    watched.measure(length.of(SETTLED, MOMENT), told)
}

/// Eight devices and all that watches them. Fields are dropped in their order.
struct Watched {
    telemetry: Telemetry,
    _monitor: GpuMonitor,
    fake: Fake,
}

impl Watched {
    fn new(clock: &str) -> Result<Self, String> {
        let fake = fake(clock);
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
        until_all_are_read(&monitor)?;
        Ok(Self {
            telemetry,
            _monitor: monitor,
            fake,
        })
    }

    fn measure(&self, time: Duration, told: &mut Told) -> Result<String, String> {
        let count = |name: &str| self.fake.calls(name, None);
        let fast = "nvmlDeviceGetUtilizationRates";
        let (before, calls, turns) = (called(&self.telemetry), count("*"), count(fast));
        let share = of_a_core(time)?;
        let outside = called(&self.telemetry) - before;
        let (calls, turns) = (count("*") - calls, count(fast) - turns);
        told.put(Unit::Core, share);
        told.put(Unit::CoreOutside, 100.0 * outside / time.as_secs_f64());
        // The fast tier keeps its pace; on a machine that is busy with other things calls take longer, and it may be stretched.
        let least = time.as_millis() as u64 / 250 * u64::from(DEVICES) / 2;
        match turns >= least {
            true => Ok(format!(
                "{calls} calls of the library, {turns} turns of the fast tier"
            )),
            false => Err(format!(
                "{turns} turns of the fast tier, of at least {least}"
            )),
        }
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
