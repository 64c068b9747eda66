//! What a device did while a call ran on it, on the call itself.
//!
//! A call that is [annotated](obs_core::Annotator) (an LLM call, a request to a server of models) has, of the devices that it ran on:
//!
//! - `hw.id`, one or several;
//! - as they were when it started (`obs.gpu.start.*`), when the first of its output was there (`obs.gpu.first_output.*`) and when it
//!   ended (`obs.gpu.end.*`): `utilization` and `memory.utilization` from 0 to 1, `power` in watts, `sm_clock_ratio` (of the highest clock),
//!   `throttle` (why clocks are held down), `health`, and `sample_age`, in seconds: how old that was then. What is older than
//!   [it may be](GpuContext::with_too_old) is left out, and the age is not;
//! - where the first of its output, or what followed, came late: `obs.gpu.slow.first_output.cause` or `obs.gpu.slow.output.cause`, and the
//!   same with `evidence`, as [`explain`](mod@crate::explain) finds it;
//! - `obs.gpu.model.energy`, in joules, where the call was long enough to tell: what its [model used](GpuContext::with_energy) of these
//!   devices from its start to its end. Calls of one model that run at once share it, so it is not to be added up over calls: for that there
//!   are the counters of [`Attribution`].
//!
//! Of several devices: utilisation and clock are those of the slowest, memory of the fullest, power is added up, reasons are all there
//! are, health is the worst, age the oldest.
//!
//! Nothing of it is a label of a metric. No driver is asked: what was read last is copied, in well under a microsecond.

mod asked;
mod background;
mod late;
mod merged;
mod names;
mod watched;
pub(crate) mod windows;

use crate::attribution::Attribution;
use crate::claims::Claims;
use crate::device::DeviceId;
use crate::engines::EngineStates;
use crate::explain::{EngineWindow, Phase, Thresholds, Verdict};
use crate::fabric::FabricSettings;
use crate::host::HostSettings;
use crate::quantity::Tier;
use crate::reading::Readings;
use crate::sample::Sample;
use crate::sampler::{Gpu, GpuListener};
use crate::source::Event;
use asked::Asked;
use background::Background;
use late::Late;
use merged::Merged;
use names::{AT_END, AT_FIRST_OUTPUT, AT_START, Names, SLOW_FIRST_OUTPUT, SLOW_OUTPUT, Slow};
use obs_core::otel::{Array, KeyValue, StringValue, Value};
use obs_core::semconv::{gen_ai, hw, obs};
use obs_core::{Active, Annotator, Key, Kind, LabelValue, Milestone, Moment, Telemetry};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use watched::Watched;

/// How old the last sample before a moment may be, to be found in the ring.
const FAR: Duration = Duration::from_secs(30);

/// How old what is told may be, by default: two periods of the fast tier.
const TOO_OLD: Duration = Duration::from_millis(500);

/// How many models are found at once: a process serves a few.
const MOST_SETS: usize = 64;

/// Who says how the devices are: `ok`, `degraded`, `predicted_failure`, `failed`.
type HealthOf = dyn Fn(&DeviceId) -> Option<&'static str> + Send + Sync;

/// Who says what the engine did with a call: from one moment to another.
type EngineOf = dyn Fn(&Active<'_>, Moment, Moment) -> Option<EngineWindow> + Send + Sync;

/// Tells calls what devices did. It is a [listener](GpuListener) of the monitor's, from whom it has them, and an
/// [annotator](obs_core::Annotator) of the telemetry's.
///
/// ```
/// use obs_core::Telemetry;
/// use obs_gpu::{Claims, GpuContext, GpuSettings};
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// // Calls of a model ran on the devices that are claimed for it.
/// let context = GpuContext::by_claims(&telemetry, &Claims::new());
/// telemetry.annotate(context.clone());
/// let settings = GpuSettings::new().with_listener(context.listener());
/// # let _ = settings;
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Clone)]
pub struct GpuContext(Arc<Inner>);

struct Inner {
    telemetry: Telemetry,
    which: Which,
    gpus: RwLock<Vec<Watched>>,
    sets: RwLock<Vec<Set>>,
    too_old: Duration,
    thresholds: Thresholds,
    health: Option<Box<HealthOf>>,
    engine: Option<Box<EngineOf>>,
    engines: Option<EngineStates>,
    energy: Option<Arc<Attribution>>,
    background: Background,
    late: Late,
}

/// Devices by their names, and as they are watched.
type Set = (Arc<[DeviceId]>, Arc<[Watched]>);

enum Which {
    Claimed(Claims),
    These(Arc<[DeviceId]>),
}

impl GpuContext {
    /// Calls ran on the devices that are claimed for their model, by `gen_ai.request.model`; others are told nothing.
    pub fn by_claims(telemetry: &Telemetry, claims: &Claims) -> Self {
        Self::of(telemetry, Which::Claimed(claims.clone()))
    }

    /// Each call ran on these devices: those of a service that serves one model.
    pub fn on(telemetry: &Telemetry, devices: impl IntoIterator<Item = DeviceId>) -> Self {
        Self::of(telemetry, Which::These(devices.into_iter().collect()))
    }

    fn of(telemetry: &Telemetry, which: Which) -> Self {
        Self(Arc::new(Inner {
            telemetry: *telemetry,
            which,
            gpus: RwLock::default(),
            sets: RwLock::default(),
            too_old: TOO_OLD,
            thresholds: Thresholds::DEFAULT,
            health: None,
            engine: None,
            engines: None,
            energy: None,
            background: Background::default(),
            late: Late::default(),
        }))
    }

    /// How old what is told may be: twice the period of the fast tier, where that is another one.
    #[must_use]
    pub fn with_too_old(self, age: Duration) -> Self {
        self.set(|inner| inner.too_old = age)
    }

    /// From which on readings are evidence.
    #[must_use]
    pub fn with_thresholds(self, thresholds: Thresholds) -> Self {
        self.set(|inner| inner.thresholds = thresholds)
    }

    /// Who says how devices are. It is asked on the call's own thread, and must not wait.
    #[must_use]
    pub fn with_health(
        self,
        health: impl Fn(&DeviceId) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        self.set(|inner| inner.health = Some(Box::new(health)))
    }

    /// Engines are a cause, too, by what they say of themselves. How long a call stood in a queue is known without that where the
    /// call itself says when it was [taken out](obs_core::Event::SCHEDULED), as requests to a server of models do.
    #[must_use]
    pub fn with_engines(self, engines: &EngineStates) -> Self {
        self.set(|inner| inner.engines = Some(engines.clone()))
    }

    /// Who else says what the engine did with a slow call, from one moment to another: it is believed before all others. It is asked
    /// on the call's own thread.
    #[must_use]
    pub fn with_engine(
        self,
        engine: impl Fn(&Active<'_>, Moment, Moment) -> Option<EngineWindow> + Send + Sync + 'static,
    ) -> Self {
        self.set(|inner| inner.engine = Some(Box::new(engine)))
    }

    /// Calls that are long enough are told what their model used of its devices meanwhile, in joules: `obs.gpu.model.energy`, by the
    /// books that are kept of claims. Which those are says [`Attribution::energy_of`].
    #[must_use]
    pub fn with_energy(self, books: &Arc<Attribution>) -> Self {
        self.set(|inner| inner.energy = Some(books.clone()))
    }

    /// The host is a cause, too: it is read once a second, on a thread that reads a device.
    #[must_use]
    pub fn with_host(self, settings: &HostSettings) -> Self {
        self.set(|inner| inner.background.read_host(settings))
    }

    /// So are links to other machines.
    #[must_use]
    pub fn with_fabric(self, settings: &FabricSettings) -> Self {
        self.set(|inner| inner.background.read_fabric(settings))
    }

    /// The listener that the monitor is to tell.
    pub fn listener(&self) -> Arc<dyn GpuListener> {
        Arc::new(self.clone())
    }

    /// Why a call was slow that ran on a device from one moment to another, for who asks later: what its attributes say, but for what
    /// its engine did with it. The ring has ten minutes.
    pub fn explain(
        &self,
        device: &DeviceId,
        phase: Phase,
        from: Moment,
        to: Moment,
    ) -> Option<Verdict> {
        let device = self.0.device(device)?;
        let asked = Asked::new(&self.0, phase, (from, to), None);
        Some(asked.of(&[device]))
    }

    /// While it has not been handed on, or else nothing changes any more.
    fn set(mut self, with: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            with(inner);
        }
        self
    }
}

impl Annotator for GpuContext {
    fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>) {
        // Whom it asks is not always known at its start; what was then is known later.
        if *milestone == Milestone::Started {
            return;
        }
        let inner = &*self.0;
        let Some(gpus) = inner.devices_of(operation) else {
            return;
        };
        let started = operation.started();
        let (names, at, from, slow) = match *milestone {
            Milestone::FirstOutput { at, slow } => {
                let slow = slow.then_some((SLOW_FIRST_OUTPUT, Phase::FirstOutput));
                (AT_FIRST_OUTPUT, at, None, slow)
            }
            Milestone::Ending {
                at,
                first_output,
                slow,
            } => {
                let slow = slow.then_some((SLOW_OUTPUT, Phase::Output));
                (AT_END, at, first_output, slow)
            }
            _ => return,
        };
        // The first time that it is asked.
        if from.is_none() {
            tell_ids(operation, &gpus);
            inner.tell(operation, &gpus, AT_START, started);
        }
        inner.tell(operation, &gpus, names, at);
        if let Some((names, phase)) = slow {
            let times = (from.unwrap_or(started), at);
            let strength = inner.tell_cause(operation, &gpus, names, phase, times, None);
            if phase == Phase::FirstOutput {
                inner.late.note(times, strength);
            }
        }
        if let Milestone::Ending { .. } = milestone {
            inner.tell_energy(operation, (started, at));
        }
        // What was read last of the wait for the first output is known by now.
        if let Some(first) = from
            && let Some(told) = inner.late.take((started, first))
        {
            let (phase, times) = (Phase::FirstOutput, (started, first));
            inner.tell_cause(
                operation,
                &gpus,
                SLOW_FIRST_OUTPUT,
                phase,
                times,
                Some(told),
            );
        }
    }
}

fn tell_ids(operation: &mut Active<'_>, gpus: &[Watched]) {
    match gpus {
        [one] => operation.set(hw::ID, one.gpu.id().as_str()),
        several => {
            let ids = several
                .iter()
                .map(|one| StringValue::from(one.gpu.id().as_str().to_owned()));
            let ids = Value::Array(Array::String(ids.collect()));
            operation.set_dynamic(KeyValue::new(hw::ID.as_str(), ids));
        }
    }
}

impl GpuListener for GpuContext {
    fn found(&self, gpu: &Gpu, _: Moment) {
        let mut gpus = self.0.gpus.write().unwrap_or_else(PoisonError::into_inner);
        match gpus.iter_mut().find(|known| known.gpu.id() == gpu.id()) {
            Some(known) => *known = known.found_again(gpu),
            None => gpus.push(Watched::new(gpu)),
        }
        drop(gpus);
        let mut sets = self.0.sets.write().unwrap_or_else(PoisonError::into_inner);
        sets.clear();
    }

    fn read(&self, gpu: &Gpu, at: Moment, tier: Tier, readings: &Readings) {
        let inner = &*self.0;
        if let Some(device) = inner.device(gpu.id()) {
            device.read(&inner.telemetry, readings);
        }
        // However seldom the rest of a device is read.
        if tier == Tier::Fast {
            let between = |from, to| inner.telemetry.between(from, to);
            inner.background.read(at, between);
        }
    }

    fn event(&self, gpu: &Gpu, at: Moment, event: Event) {
        if let Some(device) = self.0.device(gpu.id()) {
            device.reported(at, event);
        }
    }

    fn returned(&self, gpu: &Gpu, at: Moment) {
        if let Some(device) = self.0.device(gpu.id()) {
            device.returned(at);
        }
    }
}

impl Inner {
    fn device(&self, device: &DeviceId) -> Option<Watched> {
        let gpus = self.gpus.read().unwrap_or_else(PoisonError::into_inner);
        gpus.iter().find(|one| one.gpu.id() == device).cloned()
    }

    /// The devices that a call ran on, whether they are watched or not.
    fn named(&self, operation: &Active<'_>) -> Option<Arc<[DeviceId]>> {
        match &self.which {
            Which::These(devices) => Some(devices.clone()),
            Which::Claimed(claims) => claims.devices_of(&model_of(operation)?.to_text()),
        }
    }

    /// Those of them that are watched; none where none is known. Which those are is found once for each list of names.
    fn devices_of(&self, operation: &Active<'_>) -> Option<Arc<[Watched]>> {
        let devices = self.named(operation)?;
        let known = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let set = known.iter().find(|(of, _)| Arc::ptr_eq(of, &devices));
        let set = set.map(|(_, gpus)| gpus.clone());
        drop(known);
        let gpus = set.unwrap_or_else(|| self.find(devices));
        (!gpus.is_empty()).then_some(gpus)
    }

    #[cold]
    fn find(&self, devices: Arc<[DeviceId]>) -> Arc<[Watched]> {
        let gpus: Arc<[Watched]> = devices
            .iter()
            .filter_map(|device| self.device(device))
            .collect();
        // One that is not watched yet is looked for again.
        if gpus.len() == devices.len() {
            let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
            if sets.len() >= MOST_SETS {
                sets.remove(0);
            }
            sets.push((devices, gpus.clone()));
        }
        gpus
    }

    /// Tells how the devices were at a moment.
    fn tell(&self, operation: &mut Active<'_>, gpus: &[Watched], names: Names, at: Moment) {
        let mut merged = Merged::default();
        for Watched { gpu, .. } in gpus {
            let health = self.health.as_ref().and_then(|health| health(gpu.id()));
            let sample = self.sample_at(gpu, at);
            let age = sample.map(|sample| self.telemetry.between(sample.at(), at));
            merged.add(
                sample.filter(|_| age.is_some_and(|age| age <= self.too_old)),
                age,
                health,
            );
        }
        merged.tell(operation, names);
    }

    /// The last sample before a moment, or of it.
    fn sample_at(&self, gpu: &Gpu, at: Moment) -> Option<Sample> {
        if let Some(last) = gpu.sample()
            && last.at() <= at
        {
            return Some(last);
        }
        let mut found = None;
        gpu.history(self.before(at, FAR), at, |sample| found = Some(sample));
        found
    }

    fn before(&self, at: Moment, by: Duration) -> Moment {
        let bits = at.to_bits().saturating_sub(self.telemetry.ticks(by));
        Moment::from_bits(bits.max(1)).unwrap_or(at)
    }

    /// Tells a cause, unless one was told that was as strong, and says how strong it is.
    #[cold]
    fn tell_cause(
        &self,
        operation: &mut Active<'_>,
        gpus: &[Watched],
        names: Slow,
        phase: Phase,
        times: (Moment, Moment),
        told: Option<f64>,
    ) -> f64 {
        let engine = self.engine_of(operation, phase, times);
        let verdict = Asked::new(self, phase, times, engine).of(gpus);
        if told.is_some_and(|told| told >= verdict.strength) {
            return verdict.strength;
        }
        operation.set_static(names.cause, verdict.cause.as_str());
        if !verdict.evidence.is_empty() {
            let said = verdict
                .evidence
                .iter()
                .map(|one| format!("{} {:.3} ({:.3})", one.name, one.value, one.threshold));
            operation.set(names.evidence, said.collect::<Vec<_>>().join(", ").as_str());
        }
        verdict.strength
    }

    /// What the model used meanwhile, of all its devices or not at all: one that nobody watches yet is one of them.
    fn tell_energy(&self, operation: &mut Active<'_>, (from, to): (Moment, Moment)) {
        let Some(books) = &self.energy else { return };
        let Some(model) = model_of(operation) else {
            return;
        };
        let Some(devices) = self.named(operation) else {
            return;
        };
        let model = model.to_text();
        let of_each = { devices.iter() }.map(|device| books.energy_of(device, &model, from, to));
        if let Some(joules) = of_each.sum::<Option<f64>>() {
            operation.set(obs::GPU_MODEL_ENERGY, joules);
        }
    }

    /// What its engine did with a call: as who was named says, as the call itself does, and as engines say of themselves.
    fn engine_of(
        &self,
        operation: &Active<'_>,
        phase: Phase,
        (from, to): (Moment, Moment),
    ) -> Option<EngineWindow> {
        let named = { self.engine.as_ref() }.and_then(|engine| engine(operation, from, to));
        let own = { operation.stamped(QUEUE_LEFT) }
            .filter(|_| phase == Phase::FirstOutput && from < to)
            .map(|left| EngineWindow {
                queue_share: Some(
                    left.min(to).ticks_since(from) as f64 / to.ticks_since(from) as f64,
                ),
                ..EngineWindow::default()
            });
        let theirs = self.engines.as_ref().and_then(|engines| {
            let model = model_of(operation)?;
            let engine = asked::engine_address(operation);
            engines.window(&model.to_text(), engine.as_deref(), (from, to))
        });
        let all = [named, own, theirs].into_iter().flatten();
        all.reduce(EngineWindow::or)
    }
}

/// When a call is taken from the queue of its engine.
const QUEUE_LEFT: obs_core::Event = obs_core::Event::SCHEDULED;

/// The model that a call asks, if its kind says that.
fn model_of(operation: &Active<'_>) -> Option<LabelValue> {
    operation.label_value(label(operation.kind(), gen_ai::REQUEST_MODEL)?)
}

/// Where a kind has a label.
fn label(kind: &Kind, key: Key) -> Option<usize> {
    let labels = kind.descriptor().labels.iter();
    labels.map(|label| label.key).position(|one| one == key)
}

impl fmt::Debug for GpuContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuContext").finish_non_exhaustive()
    }
}
