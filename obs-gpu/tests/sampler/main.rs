//! Devices of a scripted source: what is read of them, what is shown, and what of everything that can go wrong.

mod annotated;
mod asked;
mod budget;
mod claimed;
mod found;
mod hangs;
mod lost;
mod manual;
mod scripted;
mod shown;

use obs_core::metrics::{Data, Metric, NumberPoint, Temporality};
use obs_core::setup::environment::Environment;
use obs_core::{Builder, Moment, Telemetry};
use obs_gpu::{
    Event, Gpu, GpuListener, GpuMonitor, GpuSettings, GpuState, Quantity, Readings, Tier,
};
use scripted::Script;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) fn builder() -> Builder {
    Telemetry::builder().with_environment(Environment::from_fn(|_| None))
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Quick enough for a test, slow enough for a machine that has other things to do.
pub(crate) fn quick() -> GpuSettings {
    GpuSettings::new()
        .with_period(Tier::Fast, ms(10))
        .with_period(Tier::Second, ms(20))
        .with_period(Tier::Slow, ms(40))
        .with_deadline(ms(150))
        .with_discovery(ms(30), ms(30))
        .with_event_wait(ms(50))
        .with_back_off(ms(10), ms(80))
        .with_history(Duration::ZERO)
        // Whatever else this machine does: how long calls take is no matter here.
        .without_budget()
}

/// A telemetry, devices, and who watches them.
pub(crate) struct Rig {
    pub(crate) telemetry: Telemetry,
    pub(crate) script: Script,
    pub(crate) monitor: GpuMonitor,
    pub(crate) told: Arc<Told>,
}

impl Rig {
    pub(crate) fn of(many: u32) -> Self {
        Self::with(Script::of(many), quick())
    }

    pub(crate) fn with(script: Script, settings: GpuSettings) -> Self {
        let telemetry = builder().build().expect("usable");
        Self::on(telemetry, script, settings)
    }

    pub(crate) fn on(telemetry: Telemetry, script: Script, settings: GpuSettings) -> Self {
        let told = Arc::new(Told::default());
        let settings = settings.with_listener(told.clone());
        let monitor = GpuMonitor::new(&telemetry, script.clone(), settings).expect("threads");
        Self {
            telemetry,
            script,
            monitor,
            told,
        }
    }

    #[track_caller]
    pub(crate) fn gpu(&self, index: u32) -> Gpu {
        let id = scripted::uuid(index);
        let find = || {
            self.monitor
                .gpus()
                .into_iter()
                .find(|gpu| gpu.id().as_str() == id)
        };
        eventually("a device", || find().is_some());
        find().expect("it is there")
    }

    /// One of which everything was read.
    #[track_caller]
    pub(crate) fn read(&self, index: u32) -> Gpu {
        let gpu = self.gpu(index);
        eventually("read", || gpu.read_at(Quantity::EccCorrected).is_some());
        gpu
    }

    #[track_caller]
    pub(crate) fn becomes(&self, gpu: &Gpu, what: &str, is: impl Fn(GpuState) -> bool) {
        eventually(what, || is(gpu.state()));
    }

    pub(crate) fn shown(&self) -> Shown {
        Shown(self.telemetry.reader(Temporality::Cumulative).collect())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Or a thread of the test's is stuck for ever.
        self.script.change(|world| {
            world.search_stalls = false;
            world.stalled_search = None;
            world
                .devices
                .values_mut()
                .for_each(|device| device.stalls = false);
        });
        let _ = self.telemetry.shutdown(Duration::from_secs(5));
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "not yet: {what}");
        std::thread::sleep(ms(1));
    }
}

/// What a listener was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) lines: Mutex<Vec<String>>,
    /// When one was found not to answer, and since when it does not.
    pub(crate) late: Mutex<Vec<(Moment, Moment, &'static str)>>,
    pub(crate) read: Mutex<[u32; 3]>,
}

impl Told {
    fn say(&self, what: &str, gpu: &Gpu) {
        let index = gpu.info().index;
        self.lines
            .lock()
            .expect("no panic")
            .push(format!("{what} {index}"));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|said| said == line)
    }
}

impl GpuListener for Told {
    fn found(&self, gpu: &Gpu, _at: Moment) {
        self.say("found", gpu);
    }

    fn gone(&self, gpu: &Gpu, _at: Moment) {
        self.say("gone", gpu);
    }

    fn read(&self, _gpu: &Gpu, _at: Moment, tier: Tier, _readings: &Readings) {
        self.read.lock().expect("no panic")[tier as usize] += 1;
    }

    fn event(&self, gpu: &Gpu, _at: Moment, event: Event) {
        self.say(&format!("{event:?}"), gpu);
    }

    fn lost(&self, gpu: &Gpu, _at: Moment, code: i32) {
        self.say(&format!("lost {code}"), gpu);
    }

    fn returned(&self, gpu: &Gpu, _at: Moment) {
        self.say("returned", gpu);
    }

    fn not_answering(&self, gpu: &Gpu, at: Moment, since: Moment, call: &'static str) {
        self.say("not answering", gpu);
        self.late.lock().expect("no panic").push((at, since, call));
    }

    fn answering(&self, gpu: &Gpu, _at: Moment) {
        self.say("answering", gpu);
    }
}

pub(crate) struct Shown(Vec<Metric>);

impl Shown {
    pub(crate) fn points(&self, name: &str) -> &[NumberPoint] {
        let mut found = self.0.iter().filter(|metric| metric.name == name);
        let metric = found.next();
        assert!(found.next().is_none(), "{name} is there twice");
        match metric.map(|metric| &metric.data) {
            Some(Data::Sum { points, .. } | Data::Gauge { points }) => points,
            Some(_) => panic!("{name} is a histogram"),
            None => &[],
        }
    }

    /// The point that has all of these labels.
    pub(crate) fn point(&self, name: &str, labels: &[(&str, &str)]) -> Option<&NumberPoint> {
        let has = |point: &&NumberPoint| {
            labels.iter().all(|(key, value)| {
                let mut attributes = point.attributes.iter();
                attributes.any(|(k, v)| k == key && v.to_text() == *value)
            })
        };
        let mut found = self.points(name).iter().filter(has);
        let point = found.next();
        assert!(found.next().is_none(), "two of {name} {labels:?}");
        point
    }

    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.point(name, labels).map(|point| point.value.as_f64())
    }

    pub(crate) fn metric(&self, name: &str) -> Option<&Metric> {
        self.0.iter().find(|metric| metric.name == name)
    }
}
