//! How devices are: what is read and what they report goes in, and a state with its evidence comes out, as `hw.status`, as an event
//! of each change, and as a [gate](crate::GpuGate).
//!
//! | believed | what | state | gate | until |
//! |---|---|---|---|---|
//! | 1 | recovery action: reset, reboot | failed | isolated | reset or operator |
//! |   | recovery action: drain, or unknown | predicted failure | draining | reset or operator |
//! | 2 | gone by the driver's word (15, 16) or by its list; a call that is not back | failed | isolated | reset or operator |
//! | 3 | XID | by the [catalogue](crate::XidCatalogue) | by the catalogue | reset or operator |
//! | 4 | a row could not be replaced | failed | isolated | reset or operator |
//! |   | a row to be replaced | predicted failure | serving | reset or operator |
//! |   | bit errors not corrected: new / contained, or from before | predicted failure / degraded | draining / serving | reset or operator |
//! |   | corrected bit errors, by rate: many / too many | predicted failure / degraded | draining / serving | reset or operator |
//! | 5 | clocks held down by heat or brake; memory too hot | degraded | serving | calm for a while |
//! | 6 | a link down | degraded | serving; draining for work on several devices | up for a while |
//! |   | the driver answers with errors | degraded | serving | it answers |
//!
//! Nothing here ever resets a device.

mod emit;
mod hysteresis;
mod listener;
mod machine;
mod settings;
mod state;

pub use settings::HealthSettings;
pub use state::{Cause, Evidence, HealthReport, HealthState};

use crate::device::{DeviceId, DeviceInfo};
use crate::gate::{GpuGate, GpuGates};
use crate::lock::lock;
use crate::quantity::Tier;
use crate::reading::Readings;
use crate::source::{Event, LinkReading, SourceError};
use emit::{Emit, Series};
use machine::{Input, Limits, Machine, Outcome};
use obs_core::{Moment, Telemetry};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How the devices are, as far as it was told. Cloning counts a reference.
///
/// A [`GpuMonitor`](crate::GpuMonitor) tells it, as one of its [listeners](crate::GpuSettings::with_listener); so may anybody else who
/// reads devices. Whatever it is told, the gate is what it has to be before the call returns, on the caller's thread; what
/// [listens to gates](GpuGates::on_change) is called there, too.
///
/// ```
/// use obs_core::Telemetry;
/// use obs_gpu::{DeviceId, Event, GateState, GpuHealth, GpuSettings, HealthSettings, HealthState};
/// use std::sync::Arc;
///
/// let telemetry = Telemetry::builder().manual().build()?;
/// let health = GpuHealth::new(&telemetry, HealthSettings::new());
/// // For the monitor, which tells it everything.
/// let settings = GpuSettings::new().with_listener(Arc::new(health.clone()));
///
/// // For a router: looked up once, and read before each piece of work.
/// let gpu = DeviceId::new("GPU-5e1f");
/// let gate = health.gate(&gpu);
/// assert!(gate.is_serving());
///
/// // What the monitor says of a device that has fallen off the bus.
/// let event = Event::Xid { code: 79, gpu_instance: None };
/// health.event(&gpu, event, telemetry.now());
/// assert_eq!(gate.state(), GateState::Isolated);
/// assert_eq!(gate.enter().unwrap_err().health(), HealthState::Failed);
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Clone)]
pub struct GpuHealth(Arc<Inner>);

struct Inner {
    telemetry: Telemetry,
    limits: Arc<Limits>,
    gates: GpuGates,
    emit: Emit,
    devices: RwLock<HashMap<DeviceId, Arc<Watched>>>,
}

struct Watched {
    gate: GpuGate,
    machine: Mutex<Machine>,
    series: Series,
    /// The GPU instance that it is, where it is a part.
    instance: Option<u32>,
    parts: Mutex<Vec<Arc<Watched>>>,
    /// It went on purpose. Who was reading it meanwhile is not heard; set under the lock of the machine.
    gone: AtomicBool,
}

impl GpuHealth {
    /// One that knows of no device as yet.
    pub fn new(telemetry: &Telemetry, settings: HealthSettings) -> Self {
        Self(Arc::new(Inner {
            telemetry: *telemetry,
            limits: Arc::new(Limits::new(settings, |time| telemetry.ticks(time))),
            gates: GpuGates::new(telemetry),
            emit: Emit::new(telemetry),
            devices: RwLock::default(),
        }))
    }

    /// The gates that it sets.
    pub fn gates(&self) -> &GpuGates {
        &self.0.gates
    }

    /// The gate of a device, which is open before it is found. Takes a lock: look it up once, and keep it.
    pub fn gate(&self, device: &DeviceId) -> GpuGate {
        self.0.gates.of(device)
    }

    /// A device is there: from now on it has a state, which is ok. Of a part: what is known against the whole is known against it.
    pub fn found(&self, info: &DeviceInfo) {
        let instance = info.mig.as_ref().map(|mig| mig.gpu_instance);
        let part = self.watched_as(&info.id, instance, |known| !known.is_gone());
        let Some(mig) = &info.mig else {
            return;
        };
        let whole = self.watched(&mig.parent);
        let now = self.0.telemetry.now();
        // As in `tell`: first the whole, then its parts.
        let machine = lock(&whole.machine);
        let mut parts = lock(&whole.parts);
        if parts.iter().any(|known| Arc::ptr_eq(known, &part)) {
            return;
        }
        parts.push(part.clone());
        drop(parts);
        let told = self.inherit(&part, machine.evidence(), now);
        drop(machine);
        self.settle(told);
    }

    /// What a device reported by itself, at that moment. Says whether its
    /// [recovery action](crate::Quantity::RecoveryAction) should be read at once: it is another by now, and the event does not say
    /// which.
    pub fn event(&self, device: &DeviceId, event: Event, at: Moment) -> bool {
        let watched = self.watched(device);
        if let Event::Xid { code, .. } = event {
            let xid = self.0.limits.settings.catalogue.look_up(code);
            watched.series.xid(&xid);
        }
        self.tell(&watched, Input::Event(event), at)
    }

    /// A tier of a device was read: what belongs to it counts as of that moment, the rest of the readings is not looked at.
    pub fn readings(&self, device: &DeviceId, tier: Tier, readings: &Readings, at: Moment) {
        self.tell(&self.watched(device), Input::Readings(tier, readings), at);
    }

    /// The links of a device were read.
    pub fn links(&self, device: &DeviceId, links: &[LinkReading], at: Moment) {
        self.tell(&self.watched(device), Input::Links(links), at);
    }

    /// A device could not be read.
    pub fn failed(&self, device: &DeviceId, error: SourceError, at: Moment) {
        self.tell(&self.watched(device), Input::Error(error), at);
    }

    /// A call about a device that was made at `since` has not come back by now. It may be said again and again.
    pub fn not_answering(&self, device: &DeviceId, since: Moment, at: Moment) {
        self.tell(&self.watched(device), Input::NotAnswering { since }, at);
    }

    /// A device is not in the driver's list any more. One that was taken away on purpose is [forgotten](Self::forget).
    pub fn vanished(&self, device: &DeviceId, at: Moment) {
        self.tell(&self.watched(device), Input::Vanished, at);
    }

    /// A device came back from a reset, as whoever looked knows: what was known against it is over. Where nobody knows, it is seen by
    /// what it counts, once all of that has begun anew.
    pub fn reappeared(&self, device: &DeviceId, at: Moment) {
        self.tell(&self.watched(device), Input::Reappeared, at);
    }

    /// An operator says that a device is well, whatever was known against it. What is the same afterwards as it was before (an action
    /// asked for, rows to be replaced, errors counted, links that are down) counts again once it is another. A
    /// [held](GpuGate::hold) gate stays held.
    pub fn clear(&self, device: &DeviceId, at: Moment) {
        self.tell(&self.watched(device), Input::Clear, at);
    }

    /// Time has passed: what waits for something to come beside it is decided. Whatever else it is told does that, too.
    pub fn tick(&self, device: &DeviceId, at: Moment) {
        self.tell(&self.watched(device), Input::Tick, at);
    }

    /// How a device is, and by what. One that nothing was told of is well.
    pub fn report(&self, device: &DeviceId) -> HealthReport {
        match self.known(device) {
            Some(known) if !known.is_gone() => lock(&known.machine).report(),
            _ => Machine::new(self.0.limits.clone(), self.0.telemetry.now()).report(),
        }
    }

    /// A device that went on purpose, as a part does when the whole is divided anew: it has no state any more, and its series are 0.
    /// Whoever holds its gate finds it isolated, and what else is told of it is not heard, until a device of its name is
    /// [found](Self::found).
    pub fn forget(&self, device: &DeviceId) {
        let (gone, all) = {
            let devices = { self.0.devices.read() }.unwrap_or_else(PoisonError::into_inner);
            let Some(gone) = devices.get(device).cloned() else {
                return;
            };
            let all: Vec<_> = devices.values().cloned().collect();
            (gone, all)
        };
        for whole in all {
            lock(&whole.parts).retain(|part| !Arc::ptr_eq(part, &gone));
        }
        let mut machine = lock(&gone.machine);
        if !gone.gone.swap(true, Ordering::Relaxed) {
            machine.take(Input::Vanished, self.0.telemetry.now());
            gone.series.end();
            gone.gate.end(machine.report());
        }
        drop(machine);
        gone.gate.deliver();
    }

    fn known(&self, device: &DeviceId) -> Option<Arc<Watched>> {
        let devices = { self.0.devices.read() }.unwrap_or_else(PoisonError::into_inner);
        devices.get(device).cloned()
    }

    fn watched(&self, device: &DeviceId) -> Arc<Watched> {
        self.watched_as(device, None, |_| true)
    }

    /// What is known of a device, or a beginning where there is nothing that will do.
    fn watched_as(
        &self,
        device: &DeviceId,
        instance: Option<u32>,
        will_do: impl Fn(&Watched) -> bool,
    ) -> Arc<Watched> {
        if let Some(known) = self.known(device).filter(|known| will_do(known)) {
            return known;
        }
        let mut devices = { self.0.devices.write() }.unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = devices.get(device).filter(|known| will_do(known)) {
            return known.clone();
        }
        let series = self.0.emit.series(device);
        series.state(HealthState::Ok);
        let machine = Machine::new(self.0.limits.clone(), self.0.telemetry.now());
        let gate = self.0.gates.of(device);
        // One that went and is there again.
        if gate.report().is_some() {
            gate.begin(machine.report());
        }
        let new = Arc::new(Watched {
            gate,
            machine: Mutex::new(machine),
            series,
            instance,
            parts: Mutex::default(),
            gone: AtomicBool::new(false),
        });
        devices.insert(device.clone(), new.clone());
        drop(devices);
        new.gate.deliver();
        new
    }

    /// Tells a device's machine, and sets what follows from it.
    fn tell(&self, watched: &Arc<Watched>, input: Input<'_>, at: Moment) -> bool {
        let mut machine = lock(&watched.machine);
        if watched.is_gone() {
            return false;
        }
        let outcome = machine.take(input, at);
        let ask = outcome.ask;
        let mut told = self.publish(watched, &machine, outcome, at);
        if told.dirty {
            // Under the lock, so that the parts have the last of what is known of the whole.
            for part in lock(&watched.parts).clone() {
                let more = self.inherit(&part, machine.evidence(), at);
                told.events.extend(more.events);
            }
        }
        drop(machine);
        self.settle(told);
        ask
    }

    fn inherit(&self, part: &Arc<Watched>, evidence: &[Evidence], at: Moment) -> Told {
        let of_part = |known: &&Evidence| match known.gpu_instance {
            Some(instance) => Some(instance) == part.instance,
            None => true,
        };
        let evidence: Vec<Evidence> = evidence.iter().filter(of_part).cloned().collect();
        let mut machine = lock(&part.machine);
        if part.is_gone() {
            return Told::default();
        }
        let outcome = machine.take(Input::Inherit(&evidence), at);
        self.publish(part, &machine, outcome, at)
    }

    /// Sets series and gate, under the lock of the machine, so that the last of several is the one that stays.
    fn publish(&self, watched: &Watched, machine: &Machine, outcome: Outcome, at: Moment) -> Told {
        let mut told = Told {
            dirty: outcome.dirty,
            gate: outcome.dirty.then(|| watched.gate.clone()),
            events: Vec::new(),
        };
        if outcome.dirty {
            watched.gate.set_health(machine.report());
        }
        if let Some(change) = outcome.change {
            watched.series.state(change.to.0);
            let device = watched.gate.device();
            told.events.push(self.0.emit.event(device, &change, at));
        }
        told
    }

    /// What may call code of others: without a lock.
    fn settle(&self, told: Told) {
        // First whoever routes, then whoever reads.
        if let Some(gate) = told.gate {
            gate.deliver();
        }
        for event in told.events {
            self.0.telemetry.emit(event);
        }
    }
}

impl Watched {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// What is to be said once nothing is locked.
#[derive(Default)]
struct Told {
    dirty: bool,
    gate: Option<GpuGate>,
    events: Vec<obs_core::LogEvent>,
}

impl fmt::Debug for GpuHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GpuHealth")
            .field("gates", &self.0.gates.all())
            .finish_non_exhaustive()
    }
}
