//! Whether work may be sent to a device: read by whoever sends it, in a few instructions and without a lock.
//!
//! Health sets a gate, and an operator may hold it elsewhere. Nothing here resets a device, cancels what runs on it, or refuses
//! anything by itself: a router asks, or a layer that a service has placed.

mod changes;
mod drained;
mod refused;
mod set;
mod word;

#[cfg(feature = "tower")]
mod future;
#[cfg(feature = "tower")]
mod keep;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod rules;
#[cfg(feature = "tower")]
mod service;

#[cfg(feature = "http")]
mod body;

#[cfg(feature = "http")]
pub use body::GpuGateBody;
pub use changes::GateChange;
pub use drained::Drained;
#[cfg(feature = "tower")]
pub use future::ResponseFuture as GpuGateFuture;
#[cfg(feature = "http")]
pub use keep::UntilBodyEnds;
#[cfg(feature = "tower")]
pub use keep::{Keep, UntilAnswered};
#[cfg(feature = "tower")]
pub use layer::GpuGateLayer;
pub use refused::GpuRefused;
#[cfg(feature = "tower")]
pub use rules::{Choose, Fixed, GiveError, Refuse};
#[cfg(feature = "tower")]
pub use service::GpuGateService;
pub use set::{Draining, GpuGateSet, GpuPass};

use crate::device::DeviceId;
use crate::health::HealthReport;
use crate::xid::Verdict;
use changes::Changes;
use obs_core::otel::KeyValue;
use obs_core::semconv::{hw, obs};
use obs_core::{
    Body, BoundCounter, BoundUpDownCounter, Counter, Instrument, Key, Label, LogEvent, Severity,
    Telemetry, UpDownCounter, Values,
};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use word::Word;

/// How far a device takes work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum GateState {
    /// It takes work.
    #[default]
    Serving = 0,
    /// What it has may end; it takes nothing new.
    Draining = 1,
    /// It takes nothing, and what it has may never end.
    Isolated = 2,
}

impl GateState {
    /// All of them, the most open first.
    pub const ALL: [Self; 3] = [Self::Serving, Self::Draining, Self::Isolated];

    /// The value of `obs.gpu.gate.state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Isolated => "isolated",
        }
    }

    pub(crate) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Note | Verdict::App | Verdict::Degraded => Self::Serving,
            Verdict::Drain => Self::Draining,
            Verdict::Isolate => Self::Isolated,
        }
    }

    const fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::Serving,
            1 => Self::Draining,
            _ => Self::Isolated,
        }
    }
}

impl fmt::Display for GateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The gates of all devices: made once, cloned by counting a reference.
#[derive(Clone, Debug)]
pub struct GpuGates(Arc<Gates>);

#[derive(Debug)]
struct Gates {
    gates: RwLock<HashMap<DeviceId, GpuGate>>,
    shared: Arc<Shared>,
}

/// What all gates have in common.
#[derive(Debug)]
struct Shared {
    telemetry: Telemetry,
    changes: Changes,
    refusals: Counter,
    status: UpDownCounter,
}

impl GpuGates {
    /// None as yet.
    pub fn new(telemetry: &Telemetry) -> Self {
        const LABELS: &[Label] = &[
            Label {
                key: hw::ID,
                values: Values::Open { cap: 512 },
            },
            Label {
                key: obs::GPU_GATE_STATE,
                values: Values::Closed(&["serving", "draining", "isolated"]),
            },
        ];
        let refusals = Instrument {
            name: obs::GPU_GATE_REFUSALS,
            unit: "{request}",
            description: "Requests that were refused because of the device that they were for.",
            labels: LABELS,
            scope: &crate::metrics::SCOPE,
        };
        let status = Instrument {
            name: obs::GPU_GATE_STATUS,
            unit: "1",
            description: "Whether a device's gate is in a state.",
            ..refusals
        };
        Self(Arc::new(Gates {
            gates: RwLock::default(),
            shared: Arc::new(Shared {
                telemetry: *telemetry,
                changes: Changes::default(),
                refusals: telemetry.counter(&refusals),
                status: telemetry.absolute_up_down_counter(&status),
            }),
        }))
    }

    /// The gate of a device, which is open until something is known against it. Takes a lock: look it up once, and keep it.
    pub fn of(&self, device: &DeviceId) -> GpuGate {
        let gates = self.0.gates.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(device) {
            return gate.clone();
        }
        drop(gates);
        let mut gates = self.0.gates.write().unwrap_or_else(PoisonError::into_inner);
        let gate = gates
            .entry(device.clone())
            .or_insert_with(|| GpuGate::new(device, &self.0.shared));
        gate.clone()
    }

    /// All gates, in no order.
    pub fn all(&self) -> Vec<GpuGate> {
        let gates = self.0.gates.read().unwrap_or_else(PoisonError::into_inner);
        gates.values().cloned().collect()
    }

    /// Calls `listener` after each change of any gate: one at a time, of one gate in the order in which they happened, on the thread
    /// that changed one. The gate itself is what it is by then, and no lock that anybody reads under is held, so it may ask and even
    /// hold gates. It is what finds faults that calls it: what takes time belongs onto a thread of its own. Where it panics, that
    /// is contained and counted.
    pub fn on_change(&self, listener: impl Fn(&GateChange) + Send + Sync + 'static) {
        self.0.shared.changes.add(Arc::new(listener));
    }

    /// How many changes listeners were not told of, because one of them held up a thousand others.
    pub fn missed_changes(&self) -> u64 {
        self.0.shared.changes.missed()
    }
}

/// The gate of one device. Cloning counts a reference; whoever has one sees what becomes of the device.
#[derive(Clone)]
pub struct GpuGate(Arc<Gate>);

struct Gate {
    word: Word,
    device: DeviceId,
    slow: Mutex<Slow>,
    shared: Arc<Shared>,
    /// Of draining and of isolated.
    refusals: [BoundCounter; 2],
    status: [BoundUpDownCounter; 3],
}

/// What is read where it does not matter how long that takes.
#[derive(Debug, Default)]
struct Slow {
    health: GateState,
    report: Option<Arc<HealthReport>>,
    held: Option<(GateState, Arc<str>)>,
    /// Its device went on purpose, and takes nothing whoever holds it open.
    ended: bool,
}

impl Slow {
    fn state(&self) -> GateState {
        match &self.held {
            _ if self.ended => GateState::Isolated,
            Some((held, _)) => *held,
            None => self.health,
        }
    }
}

impl GpuGate {
    fn new(device: &DeviceId, shared: &Arc<Shared>) -> Self {
        let id = device.as_str();
        let counted = [GateState::Draining, GateState::Isolated];
        let gate = Self(Arc::new(Gate {
            word: Word::default(),
            device: device.clone(),
            slow: Mutex::default(),
            shared: shared.clone(),
            refusals: counted.map(|state| shared.refusals.bind(&[id, state.as_str()])),
            status: GateState::ALL.map(|state| shared.status.bind(&[id, state.as_str()])),
        }));
        gate.show(Some(GateState::Serving));
        gate
    }

    /// Which device it is of.
    pub fn device(&self) -> &DeviceId {
        &self.0.device
    }

    /// How far it takes work now: one load.
    #[inline]
    pub fn state(&self) -> GateState {
        self.0.word.state()
    }

    /// Whether it takes work now.
    #[inline]
    pub fn is_serving(&self) -> bool {
        self.state() == GateState::Serving
    }

    /// Whether its links to others are at fault: work that takes several devices should go elsewhere, what takes this one alone need
    /// not.
    #[inline]
    pub fn is_fabric_impaired(&self) -> bool {
        self.0.word.is_fabric_impaired()
    }

    /// How many passes are out.
    #[inline]
    pub fn in_flight(&self) -> u64 {
        self.0.word.in_flight()
    }

    /// A pass for one piece of work, which counts as in flight until it is dropped.
    ///
    /// # Errors
    /// Where the gate is not [`Serving`](GateState::Serving): which device, and why. It is counted.
    #[inline]
    pub fn enter(&self) -> Result<GpuPass, GpuRefused> {
        self.enter_word(Draining::Refuse, false)?;
        Ok(GpuPass::one(self.clone()))
    }

    /// Ready once the gate is closed to new work and no pass is out.
    pub fn drained(&self) -> Drained {
        Drained::new(self.clone())
    }

    /// What its state is by, as health has it; `None` where nothing was found against it as yet. Takes a lock.
    pub fn report(&self) -> Option<Arc<HealthReport>> {
        self.slow().report.clone()
    }

    /// Where an operator holds it, and why.
    pub fn held(&self) -> Option<(GateState, Arc<str>)> {
        self.slow().held.clone()
    }

    /// Holds it there, whatever health finds, until it is [cleared](Self::clear): also open, for whoever knows better than the driver.
    /// A part that [went](crate::GpuHealth::forget) is isolated meanwhile. It is an event, `obs.gpu.gate`, that says why.
    pub fn hold(&self, state: GateState, why: impl Into<Arc<str>>) {
        let why = why.into();
        let held = Some((state, why.clone()));
        let (from, to) = self.change(|slow| slow.held = held);
        self.deliver();
        self.operated(from, to, Some(&why));
    }

    /// Holds it no longer: it is what health makes of it. What health found is cleared by
    /// [`GpuHealth::clear`](crate::GpuHealth::clear).
    pub fn clear(&self) {
        let mut was_held = false;
        let (from, to) = self.change(|slow| was_held = slow.held.take().is_some());
        self.deliver();
        if was_held {
            self.operated(from, to, None);
        }
    }

    /// What an operator did is said, also where it changed nothing.
    fn operated(&self, from: GateState, to: GateState, why: Option<&str>) {
        let mut event = LogEvent::new(obs::GPU_GATE_EVENT, Body::Empty)
            .with_severity(Severity::Warn)
            .with_scope(&crate::metrics::SCOPE);
        let mut say = |key: Key, value: String| {
            event.attributes.push(KeyValue::new(key.as_str(), value));
        };
        say(hw::ID, self.0.device.to_string());
        say(hw::TYPE, "gpu".to_owned());
        say(obs::GPU_GATE_STATE, to.to_string());
        say(obs::GPU_GATE_PREVIOUS, from.to_string());
        if let Some(why) = why {
            say(obs::GPU_GATE_HELD, why.to_owned());
        }
        self.0.shared.telemetry.emit(event);
    }

    /// What health makes of it. Who calls this calls [`deliver`](Self::deliver) once no lock of its own is held.
    pub(crate) fn set_health(&self, report: HealthReport) {
        self.change(|slow| {
            slow.health = report.gate;
            slow.report = Some(Arc::new(report));
        });
    }

    /// Tells listeners what there is to tell.
    pub(crate) fn deliver(&self) {
        let shared = &self.0.shared;
        shared.changes.deliver(&shared.telemetry);
    }

    /// Its device went on purpose: it is isolated, and in no state as far as anybody is shown.
    pub(crate) fn end(&self, report: HealthReport) {
        self.change(|slow| {
            slow.ended = true;
            slow.report = Some(Arc::new(report));
        });
    }

    /// A device of its name is there again.
    pub(crate) fn begin(&self, report: HealthReport) {
        self.change(|slow| {
            slow.ended = false;
            slow.health = report.gate;
            slow.report = Some(Arc::new(report));
        });
    }

    /// What it was, and is.
    fn change(&self, change: impl FnOnce(&mut Slow)) -> (GateState, GateState) {
        let mut slow = self.slow();
        let ended = slow.ended;
        change(&mut slow);
        let to = slow.state();
        let fabric = slow.report.as_ref().is_some_and(|report| report.fabric);
        // Under the lock, so that of two changes the later one stays.
        let from = self.0.word.set(to, fabric);
        if from != to || ended != slow.ended {
            self.show(Some(to).filter(|_| !slow.ended));
        }
        if from == to {
            return (from, to);
        }
        self.0.shared.changes.push(GateChange {
            device: self.0.device.clone(),
            from,
            to,
            held: slow.held.as_ref().map(|held| held.1.clone()),
            report: slow.report.clone(),
        });
        (from, to)
    }

    fn show(&self, is: Option<GateState>) {
        for (state, series) in GateState::ALL.into_iter().zip(&self.0.status) {
            series.set_absolute(i64::from(Some(state) == is));
        }
    }

    /// Counts one more in, if there is a way in.
    #[inline]
    fn enter_word(&self, draining: Draining, of_several: bool) -> Result<(), GpuRefused> {
        match self.0.word.enter(draining, of_several) {
            Ok(()) => Ok(()),
            Err(state) => Err(self.refuse(state)),
        }
    }

    #[inline]
    fn leave(&self) {
        self.0.word.leave();
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self, state: GateState) -> GpuRefused {
        // A link at fault is refused as what drains.
        let state = state.max(GateState::Draining);
        self.0.refusals[usize::from(state == GateState::Isolated)].add(1);
        let slow = self.slow();
        let (report, held) = (slow.report.clone(), slow.held.clone());
        drop(slow);
        GpuRefused::new(
            self.0.device.clone(),
            state,
            report,
            held.map(|held| held.1),
        )
    }

    fn slow(&self) -> MutexGuard<'_, Slow> {
        self.0.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for GpuGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuGate")
            .field("device", &self.0.device)
            .field("state", &self.state())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
