//! Reads devices, each on a thread of its own, and shows what was read last: see [`GpuMonitor`](crate::GpuMonitor).
//!
//! | thread | how many | does |
//! |---|---|---|
//! | `obs-gpu-find` | one | looks which devices there are; another one, if it does not come back |
//! | `obs-gpu-read` | one per device | reads it, tier by tier |
//! | `obs-gpu-wait` | one per device | waits for what it reports by itself |
//! | `obs-gpu-look` | one | finds calls that do not come back; asks no driver |
//!
//! A thread whose call does not come back is left alone: nobody waits for it, and there is no second one for its device. It goes on
//! when the call is back. Nothing is locked while the driver is asked.

pub(crate) mod board;
mod budget;
mod events;
mod finder;
mod gpu;
mod group;
mod hang;
mod listener;
mod manual;
mod pace;
mod schedule;
mod settings;

pub use gpu::{Gpu, GpuState};
pub use listener::GpuListener;
pub use settings::GpuSettings;

use crate::calls::{Calls, Out};
use crate::lock::lock;
use crate::metrics::Metrics;
use crate::quantity::Tier;
use crate::source::GpuSource;
use board::Stamp;
use budget::Budget;
use events::EventWatch;
use group::{Group, Hang, Reader};
use hang::Watch;
use manual::Manual;
use obs_core::{Error, Moment, Telemetry};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// What all threads have in common. They hold it for as long as they are there, so that one that is stuck finds everything as it
/// was.
pub(crate) struct Shared {
    pub(crate) telemetry: Telemetry,
    pub(crate) settings: GpuSettings,
    pub(crate) source: Arc<dyn GpuSource>,
    pub(crate) metrics: Metrics,
    budget: Arc<Budget>,
    /// How many ticks each period is.
    periods: [u64; 3],
    groups: Mutex<Vec<Arc<Group>>>,
    /// How many have looked for devices before the one that does.
    finders: AtomicU64,
    watches: Mutex<Vec<Watch>>,
    closed: AtomicBool,
    /// Waited on by threads that rest; it guards nothing but the end.
    resting: Mutex<()>,
    changed: Condvar,
    manual: Option<Mutex<Manual>>,
}

impl Shared {
    pub(crate) fn start_up(
        telemetry: &Telemetry,
        source: Arc<dyn GpuSource>,
        settings: GpuSettings,
    ) -> Result<Arc<Self>, Error> {
        let manual = telemetry.is_manual();
        let shared = Arc::new(Self {
            telemetry: *telemetry,
            periods: Tier::ALL.map(|tier| telemetry.ticks(settings.period(tier)).max(1)),
            metrics: Metrics::new(telemetry),
            budget: Arc::new(Budget::new(settings.budget)),
            settings,
            source,
            groups: Mutex::default(),
            finders: AtomicU64::new(0),
            watches: Mutex::default(),
            closed: AtomicBool::new(telemetry.is_shut_down()),
            resting: Mutex::new(()),
            changed: Condvar::new(),
            manual: manual.then(Mutex::default),
        });
        if shared.is_over() {
            return Ok(shared);
        }
        if shared.manual.is_none() {
            shared.spawn("obs-gpu-look", |shared| {
                while !shared.is_over() {
                    let pause = shared.look_for_hangs();
                    shared.rest(pause);
                }
            })?;
        }
        shared.start_finding(0)?;
        Ok(shared)
    }

    fn spawn(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), Error> {
        let shared = self.clone();
        let started = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || work(&shared));
        let failed = |error| Error::failed("no thread for watching GPUs").with_source(error);
        started.map(drop).map_err(failed)
    }

    /// Calls that are watched. What comes with them is held by who makes them.
    fn calls(
        self: &Arc<Self>,
        deadline: Duration,
        gpu: Option<&Gpu>,
        hang: &Arc<Hang>,
    ) -> (Calls, Arc<()>) {
        let used = Arc::new(());
        let (shared, whose) = (Arc::downgrade(self), (gpu.cloned(), hang.clone()));
        let back = move |out: &Out| {
            if let Some(shared) = shared.upgrade() {
                shared.is_back(out, whose.0.as_ref(), &whose.1);
            }
        };
        let (calls, out): (Calls, Arc<Out>) =
            Calls::new(&self.telemetry, self.metrics.calls.clone(), Box::new(back));
        let watch = Watch::new(out, deadline, (gpu.cloned(), hang.clone()), &used);
        lock(&self.watches).push(watch);
        // Whoever sleeps longer than this call may take looks sooner.
        self.changed.notify_all();
        (calls, used)
    }

    /// Starts the threads of a group that are not there.
    fn start(self: &Arc<Self>, group: &Arc<Group>) {
        for thread in [READS, WAITS] {
            if std::mem::replace(&mut lock(&group.state).alive[thread], true) {
                continue;
            }
            let (calls, used) = self.calls(self.settings.deadline, Some(&group.gpu), &group.hang);
            let started = match (thread, &self.manual) {
                (READS, Some(manual)) => {
                    let reader = Reader::new(self, group, calls, used);
                    lock(manual).readers.push(reader);
                    Ok(())
                }
                (READS, None) => {
                    let mut reader = Reader::new(self, group, calls, used);
                    self.spawn("obs-gpu-read", move |shared| {
                        while reader.group.goes_on(READS, shared.is_over()) {
                            let pause = shared
                                .contain(shared.settings.period(Tier::Second), || {
                                    reader.turn(shared)
                                });
                            shared.rest(pause);
                        }
                    })
                }
                (_, Some(manual)) => {
                    let watch = EventWatch::new(group, calls, used);
                    lock(manual).events.push(watch);
                    Ok(())
                }
                (_, None) => {
                    let mut watch = EventWatch::new(group, calls, used);
                    self.spawn("obs-gpu-wait", move |shared| {
                        while watch.group.goes_on(WAITS, shared.is_over()) {
                            let most = shared.settings.back_off.1;
                            let at_most = shared.settings.event_wait;
                            let pause = shared
                                .contain(Some(most), || watch.turn(shared, at_most))
                                .unwrap_or(most);
                            shared.rest(pause);
                        }
                    })
                }
            };
            if started.is_err() {
                // The finder tries again.
                lock(&group.state).alive[thread] = false;
            }
        }
    }

    /// Rests; in pieces, so that a shutdown, which tells nobody, ends the thread before long.
    fn rest(&self, time: Duration) {
        if time.is_zero() || self.is_over() {
            return;
        }
        let piece = time.min(Duration::from_millis(500));
        let guard = lock(&self.resting);
        let waited = self.changed.wait_timeout(guard, piece);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_closed() || self.telemetry.is_shut_down()
    }

    /// Whether nobody holds the monitor any more. Of a telemetry that shuts down the last collection is still to come.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        drop(lock(&self.resting));
        self.changed.notify_all();
    }

    pub(crate) fn groups(&self) -> Vec<Arc<Group>> {
        lock(&self.groups).clone()
    }

    /// All devices that are in the driver's list, parts after the whole that they are of.
    pub(crate) fn gpus(&self) -> Vec<Gpu> {
        let listed = |group: &&Arc<Group>| lock(&group.state).listed;
        let groups = self.groups();
        groups
            .iter()
            .filter(listed)
            .flat_map(|group| group.gpus())
            .collect()
    }

    fn contain<T>(&self, otherwise: T, work: impl FnOnce() -> T) -> T {
        self.telemetry.contain(otherwise, work)
    }

    fn tell(&self, tell: impl Fn(&dyn GpuListener)) {
        for listener in &self.settings.listeners {
            self.contain((), || tell(&**listener));
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        let at = self.telemetry.now();
        let [unix] = self.telemetry.unix_nanos_at([at]);
        Stamp { at, unix }
    }

    fn period_ticks(&self, tier: Tier) -> u64 {
        self.periods[tier as usize]
    }

    fn after(&self, now: Moment, time: Duration) -> Option<Moment> {
        Moment::from_bits(now.to_bits().saturating_add(self.telemetry.ticks(time)))
    }
}

/// A group's threads.
const READS: usize = 0;
const WAITS: usize = 1;
