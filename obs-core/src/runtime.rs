//! Tokio runtimes, as they see themselves. No convention names these yet, so they are ours.
//!
//! [`Telemetry::observe_tokio`](crate::Telemetry::observe_tokio) reads what tokio's stable metrics say, at each collection:
//!
//! | metric | unit | kind | attributes | stability |
//! |---|---|---|---|---|
//! | `obs.tokio.workers` | {worker} | up-down counter | `obs.tokio.runtime` | ours |
//! | `obs.tokio.tasks` | {task} | up-down counter, tasks that are not over | `obs.tokio.runtime` | ours |
//! | `obs.tokio.global_queue.depth` | {task} | up-down counter, tasks that wait for any worker | `obs.tokio.runtime` | ours |
//! | `obs.tokio.worker.busy.time` | s | counter; its rate is 1 for a worker that does nothing but work | `obs.tokio.runtime`, `obs.tokio.worker` | ours |
//! | `obs.tokio.worker.parks` | {park} | counter; a worker that no longer parks is overloaded or blocked | `obs.tokio.runtime`, `obs.tokio.worker` | ours |
//!
//! `obs.tokio.runtime` is the runtime's name ([`tokio::runtime::Builder::name`]), else its number in the process; the
//! seventeenth and later are told nothing of. Workers are numbered from 0; all from the 64th on are one,
//! `_OTHER`, the sum of them. Where there are no 64-bit atomics, tokio has no numbers of single workers.

use crate::engine::instruments::{BoundCounter, BoundFloatCounter, BoundUpDownCounter, Instrument};
use crate::label::{Label, OTHER, Values};
use crate::semconv::obs;
use crate::setup::{SCOPE, Telemetry};
use tokio::runtime::{Handle, RuntimeMetrics};

/// Workers that are told apart.
const WORKERS: u16 = 64;
/// Runtimes, likewise.
const RUNTIMES: u16 = 16;

const RUNTIME: Label = Label {
    key: obs::TOKIO_RUNTIME,
    values: Values::Open { cap: RUNTIMES },
};
const WORKER: Label = Label {
    key: obs::TOKIO_WORKER,
    values: Values::Open { cap: WORKERS },
};

impl Telemetry {
    /// Observes a tokio runtime: its workers, tasks and queue (see [`runtime`](self)). Several are told apart by their
    /// names; again for the same one it says the same. The handle does not keep the runtime from shutting down.
    pub fn observe_tokio(&self, runtime: &Handle) {
        if !self.is_shut_down()
            && let Some(observed) = Observed::new(self, runtime)
        {
            self.observe(move || observed.read());
        }
    }
}

struct Observed {
    metrics: RuntimeMetrics,
    workers: BoundUpDownCounter,
    tasks: BoundUpDownCounter,
    queue: BoundUpDownCounter,
    /// The last one may stand for many.
    each: Vec<Worker>,
}

struct Worker {
    busy: BoundFloatCounter,
    parks: BoundCounter,
    which: std::ops::Range<usize>,
}

impl Observed {
    /// Nothing where there is no room for one more: two in one series would overwrite each other.
    fn new(telemetry: &Telemetry, runtime: &Handle) -> Option<Self> {
        let name = runtime
            .name()
            .map_or_else(|| runtime.id().to_string(), |name| name.to_owned());
        let metrics = runtime.metrics();
        let instrument = |name, unit, description, labels| Instrument {
            name,
            unit,
            description,
            labels,
            scope: &SCOPE,
        };
        let level = |metric, unit, description| {
            let made = instrument(metric, unit, description, &[RUNTIME]);
            telemetry.absolute_up_down_counter(&made)
        };
        let workers = level(obs::TOKIO_WORKERS, "{worker}", "Worker threads.");
        if !workers.0.fits(&[&name]) {
            return None;
        }
        let tasks = level(obs::TOKIO_TASKS, "{task}", "Tasks that are not over.");
        let queue = level(
            obs::TOKIO_QUEUE_DEPTH,
            "{task}",
            "Tasks that wait in the global queue.",
        );
        let busy = telemetry.absolute_float_counter(&instrument(
            obs::TOKIO_WORKER_BUSY_TIME,
            "s",
            "How long a worker was busy.",
            &[RUNTIME, WORKER],
        ));
        let parks = telemetry.absolute_counter(&instrument(
            obs::TOKIO_WORKER_PARKS,
            "{park}",
            "How often a worker had nothing to do and went to sleep.",
            &[RUNTIME, WORKER],
        ));
        let all = metrics.num_workers();
        let single = all.min(usize::from(WORKERS));
        let each = (0..single).map(|worker| (worker.to_string(), worker..worker + 1));
        let rest = (all > single).then(|| (OTHER.to_owned(), single..all));
        Some(Self {
            workers: workers.bind(&[&name]),
            tasks: tasks.bind(&[&name]),
            queue: queue.bind(&[&name]),
            each: each
                .chain(rest)
                .map(|(worker, which)| Worker {
                    busy: busy.bind(&[&name, &worker]),
                    parks: parks.bind(&[&name, &worker]),
                    which,
                })
                .collect(),
            metrics,
        })
    }

    fn read(&self) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let metrics = &self.metrics;
        self.workers.set_absolute(whole(metrics.num_workers()));
        self.tasks.set_absolute(whole(metrics.num_alive_tasks()));
        self.queue.set_absolute(whole(metrics.global_queue_depth()));
        #[cfg(target_has_atomic = "64")]
        for worker in &self.each {
            let which = || worker.which.clone();
            let busy = which().map(|id| metrics.worker_total_busy_duration(id).as_secs_f64());
            worker.busy.set_absolute(busy.sum());
            let parks = which().map(|id| metrics.worker_park_count(id));
            worker.parks.set_absolute(parks.sum());
        }
    }
}
