//! From records, points and events to encoded batches in the courier's outbox.

use super::resource::Resource;
use super::self_metrics;
use crate::contain::contain;
use crate::courier::time::within;
use crate::courier::{Couriers, Signal};
use crate::encode::{BODY_LIMIT, ResourceBytes, TraceEncoder, encode_logs, encode_metrics};
use crate::engine::Engine;
use crate::engine::fold::{Preference, ReaderState};
use crate::engine::instruments::BoundHistogram;
use crate::log_event::LogEvent;
use crate::subscriber::Records;
use std::time::{Duration, Instant};

pub(crate) struct Exporter {
    engine: &'static Engine,
    couriers: Couriers,
    resource: ResourceBytes,
    traces: TraceEncoder,
    /// Bytes of one body.
    limit: usize,
    reader: ReaderState,
    every: Duration,
    /// When metrics are due.
    due: Instant,
    /// How long collecting them takes, in seconds.
    collections: BoundHistogram,
}

impl Exporter {
    pub(crate) fn new(
        engine: &'static Engine,
        couriers: Couriers,
        resource: &Resource,
        preference: Preference,
        every: Duration,
        batch: Option<usize>,
        collections: BoundHistogram,
    ) -> Self {
        let resource = ResourceBytes::new(resource.iter(), resource.schema_url());
        let limit = couriers.body_limit(BODY_LIMIT);
        Self {
            engine,
            couriers,
            traces: TraceEncoder::new(&resource)
                .with_limit(limit)
                .with_batch(batch.unwrap_or(usize::MAX)),
            limit,
            resource,
            reader: ReaderState::new(preference),
            every,
            due: within(every),
            collections,
        }
    }

    /// One that has exported nothing yet, for a forked child.
    pub(crate) fn for_child(&self, resource: &Resource) -> Self {
        let resource = ResourceBytes::new(resource.iter(), resource.schema_url());
        Self {
            engine: self.engine,
            couriers: self.couriers.clone(),
            traces: self.traces.for_child(&resource).with_limit(self.limit),
            limit: self.limit,
            resource,
            reader: self.reader.anew(),
            every: self.every,
            due: within(self.every),
            collections: self.collections,
        }
    }

    pub(crate) fn takes(&self, signal: Signal) -> bool {
        self.couriers.take(signal)
    }

    pub(crate) fn couriers(&self) -> Couriers {
        self.couriers.clone()
    }

    /// One that cannot be encoded takes no other along.
    pub(crate) fn records(&mut self, records: Records<'_>) {
        if !self.takes(Signal::Traces) {
            return;
        }
        let mut rest = records;
        while !rest.is_empty() {
            let before = self.traces.pushed();
            let emit = &mut to(self.engine, &self.couriers, Signal::Traces);
            if self.try_to(|exporter| exporter.traces.push(rest, emit)) {
                break;
            }
            let pushed = self.traces.pushed() - before;
            rest = rest.skip(pushed as usize + 1);
        }
        self.traces.settle();
        let pending = self.traces.pending();
        self.engine.flow.settle(Signal::Traces, pending);
    }

    /// The end of a round: what is encoded leaves.
    pub(crate) fn finish(&mut self) {
        let emit = &mut to(self.engine, &self.couriers, Signal::Traces);
        self.try_to(|exporter| exporter.traces.finish(emit));
        self.engine.flow.settle(Signal::Traces, 0);
    }

    /// Whether it went well.
    fn try_to(&mut self, work: impl FnOnce(&mut Self)) -> bool {
        let done = contain(|| work(self)).is_some();
        if !done {
            self.engine.counts.panics.add(1);
        }
        done
    }

    /// When they are due, or `asked` for until some deadline.
    pub(crate) fn metrics(&mut self, asked: Option<Instant>) {
        if !self.couriers.take(Signal::Metrics)
            || !(asked.is_some() || self.due <= crate::clock::now())
        {
            return;
        }
        self.due = within(self.every);
        let started = self.engine.clock.ticks();
        self.engine.run_observables(asked);
        let metrics = self.engine.collect_metrics(&mut self.reader);
        let took = self.engine.clock.ticks().saturating_sub(started);
        let rate = self.engine.clock.ticks_per_second();
        self.collections.record(took as f64 / rate);
        let points = metrics.iter().map(|metric| metric.data.len() as u64).sum();
        self.engine.flow.take(Signal::Metrics, points, true);
        let limit = self.limit;
        let emit = &mut to(self.engine, &self.couriers, Signal::Metrics);
        self.try_to(|exporter| encode_metrics(&exporter.resource, &metrics, limit, emit));
        self.engine.flow.settle(Signal::Metrics, 0);
    }

    pub(crate) fn log_events(&mut self, events: &[LogEvent]) {
        if self.takes(Signal::Logs) {
            self.encode_events(events);
        }
    }

    /// Of those that could not be encoded together each half is tried again, so that one takes no other along.
    fn encode_events(&mut self, events: &[LogEvent]) {
        let mut handed = 0;
        let mut emit = to(self.engine, &self.couriers, Signal::Logs);
        let mut counting = |body: &[u8], items: u64| {
            emit(body, items);
            handed += items as usize;
        };
        let (scope, limit) = (&self_metrics::SCOPE, self.limit);
        let whole = self.try_to(|exporter| {
            encode_logs(&exporter.resource, scope, events, limit, &mut counting);
        });
        let rest = events.get(handed..).unwrap_or_default();
        if !whole && rest.len() > 1 {
            let (first, second) = rest.split_at(rest.len() / 2);
            self.encode_events(first);
            self.encode_events(second);
        }
    }
}

/// Bodies of `signal` on their way to all who take them.
fn to(
    engine: &'static Engine,
    couriers: &Couriers,
    signal: Signal,
) -> impl FnMut(&[u8], u64) + use<> {
    let couriers = couriers.clone();
    move |body, items| {
        // Who has no room for it counts it.
        let push = || {
            couriers.push(signal, body, items);
        };
        engine.flow.hand(signal, items, push);
    }
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
