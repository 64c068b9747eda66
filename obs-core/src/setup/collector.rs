//! The collector: takes finished records out of the rings, shows them to subscribers and exporters, and sends each box
//! back to the thread it came from. Runs on its own thread, or inside `collect` in manual mode.

use super::exporter::Exporter;
use super::resource::Resource;
use crate::contain::contain;
use crate::courier::{Couriers, Signal};
use crate::engine::Engine;
use crate::engine::live::Live;
use crate::engine::shard::Shard;
use crate::error::Error;
use crate::quiet::Apart;
use crate::subscriber::{Records, Subscriber};
use crate::thread;
use opentelemetry::Context;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Collector {
    engine: &'static Engine,
    subscribers: Vec<Box<dyn Subscriber>>,
    exporter: Option<Exporter>,
    /// Buffers that go round, so that a steady stream of records allocates nothing.
    spare: Vec<Box<Live>>,
    batch: Vec<Box<Live>>,
}

impl Collector {
    pub(crate) fn new(
        engine: &'static Engine,
        subscribers: Vec<Box<dyn Subscriber>>,
        exporter: Option<Exporter>,
    ) -> Self {
        let exports = { exporter.as_ref() }.is_some_and(|exporter| exporter.takes(Signal::Logs));
        engine.flow.set_subscribed(!subscribers.is_empty());
        engine.logs.set_heard(exports || !subscribers.is_empty());
        Self {
            engine,
            subscribers,
            exporter,
            spare: Vec::new(),
            batch: Vec::new(),
        }
    }

    /// A forked child's, with the subscribers that it took over, if it could.
    pub(crate) fn for_child(
        engine: &'static Engine,
        parents: Option<Box<Self>>,
        exporter: Option<Exporter>,
        resource: &Resource,
    ) -> Self {
        let subscribers = parents.map(|mut parents| std::mem::take(&mut parents.subscribers));
        if subscribers.is_none() {
            engine.diagnostics.warn(
                "the process forked while a collection was running: subscribers are not called in the child".into(),
            );
        }
        let mut own = Self::new(engine, subscribers.unwrap_or_default(), exporter);
        own.each_subscriber(|subscriber| subscriber.set_resource(resource));
        own
    }

    /// What a forked child makes its own of.
    pub(crate) fn exporter(&self) -> Option<&Exporter> {
        self.exporter.as_ref()
    }

    pub(crate) fn couriers(&self) -> Couriers {
        let couriers = self.exporter.as_ref().map(Exporter::couriers);
        couriers.unwrap_or_default()
    }

    /// One round. `asked`: somebody waits for it until then, so nothing is left for later.
    pub(crate) fn tick(&mut self, asked: Option<Instant>) -> Result<(), Error> {
        self.collect_records();
        self.engine.intakes.hand_over();
        self.export(|exporter| {
            exporter.finish();
            exporter.metrics(asked);
        });
        match asked {
            Some(deadline) => self.ask(|subscriber| subscriber.flush(left(deadline))),
            None => Ok(()),
        }
    }

    /// Takes everything that has ended by now.
    pub(crate) fn collect_records(&mut self) {
        // Before what has ended is looked at: a method whose time is over may be raised anew.
        self.engine.settle_levels();
        let exported = self.exports(Signal::Traces);
        for shard in self.engine.shards() {
            // In one move: an item is in the ring, or it is taken.
            self.engine.flow.moving(|| {
                shard.ring.drain(&mut self.spare, &mut self.batch);
                let taken = self.batch.len() as u64;
                self.engine.flow.take(Signal::Traces, taken, exported);
            });
            if !self.batch.is_empty() {
                self.hand_on(&shard);
            }
        }
        let mut freed = std::mem::take(&mut self.spare);
        self.engine.shed_overdue(&mut freed);
        freed.clear();
        self.spare = freed;
        self.engine.logs.settle(false);
        self.log_events();
    }

    fn log_events(&mut self) {
        let exported = self.exports(Signal::Logs);
        let taken = self.engine.flow.moving(|| {
            let taken = self.engine.logs.take();
            let items = taken.len() as u64;
            self.engine.flow.take(Signal::Logs, items, exported);
            taken
        });
        for events in &taken.events {
            self.each_subscriber(|subscriber| subscriber.on_log_events(events));
            self.export(|exporter| exporter.log_events(events));
        }
        self.engine.flow.settle(Signal::Logs, 0);
        // Until here they take their room, or twice as much would be held.
        self.engine.logs.give_back(taken);
    }

    fn hand_on(&mut self, shard: &Arc<Shard>) {
        let anchor = self.engine.clock.anchor();
        let batch = std::mem::take(&mut self.batch);
        let records = Records::new(&batch, &anchor);
        self.each_subscriber(|subscriber| subscriber.on_records(records));
        self.export(|exporter| exporter.records(records));
        self.engine.raise_levels(&batch);
        // What nobody takes leads nowhere.
        if self.engine.config.exemplars && self.takes_records() {
            self.engine.exemplars.take(&batch, &anchor);
        }
        self.batch = batch;
        // Cleared here and not by the thread that reuses them: its time is a request's.
        self.engine.waiting.give_back(&self.batch);
        self.batch.iter_mut().for_each(|live| live.clear());
        shard.give_back(&mut self.batch, self.engine.config.ring * 2);
    }

    /// Whether records go anywhere: to a subscriber, out as traces, or into somebody else's provider.
    fn takes_records(&self) -> bool {
        let others = self.engine.config.recorder.is_sdk();
        others || !self.subscribers.is_empty() || self.exports(Signal::Traces)
    }

    fn exports(&self, signal: Signal) -> bool {
        self.exporter
            .as_ref()
            .is_some_and(|exporter| exporter.takes(signal))
    }

    fn export(&mut self, work: impl FnOnce(&mut Exporter)) {
        if let Some(exporter) = &mut self.exporter
            && contain(|| work(exporter)).is_none()
        {
            self.engine.counts.panics.add(1);
        }
    }

    fn each_subscriber(&mut self, mut call: impl FnMut(&mut dyn Subscriber)) {
        for subscriber in &mut self.subscribers {
            if apart(|| call(subscriber.as_mut())).is_none() {
                self.engine.counts.panics.add(1);
            }
        }
    }

    pub(crate) fn shutdown(&mut self, deadline: Instant) -> Result<(), Error> {
        self.ask(|subscriber| subscriber.shutdown(left(deadline)))
    }

    /// All of them, whatever becomes of one; the first failure is told.
    fn ask(
        &mut self,
        mut call: impl FnMut(&mut dyn Subscriber) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut told = Ok(());
        for subscriber in &mut self.subscribers {
            let answer = apart(|| call(subscriber.as_mut())).unwrap_or_else(|| {
                self.engine.counts.panics.add(1);
                Err(Error::failed("a subscriber panicked"))
            });
            if let Err(failure) = &answer {
                self.engine.diagnostics.failed(failure);
            }
            told = told.and(answer);
        }
        told
    }
}

/// Contained, and with nothing that it does becoming telemetry: what it sends with an instrumented client would be shown to it
/// in turn, for ever.
fn apart<T>(work: impl FnOnce() -> T) -> Option<T> {
    contain(|| {
        let _apart = Apart::enter();
        let _suppressed = thread::sees_otel().then(Context::enter_telemetry_suppressed_scope);
        work()
    })
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(crate::clock::now())
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector")
            .field("subscribers", &self.subscribers.len())
            .finish_non_exhaustive()
    }
}
