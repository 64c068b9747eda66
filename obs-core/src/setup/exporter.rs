//! From records, points and events to encoded batches in the courier's outbox.

use super::resource::Resource;
use super::self_metrics;
use crate::courier::time::within;
use crate::courier::{Couriers, Signal};
use crate::encode::{BODY_LIMIT, ResourceBytes, TraceEncoder, encode_logs, encode_metrics};
use crate::engine::Engine;
use crate::engine::fold::{Preference, ReaderState};
use crate::log_event::LogEvent;
use crate::subscriber::Records;
use std::time::{Duration, Instant};

pub(crate) struct Exporter {
    engine: &'static Engine,
    couriers: Couriers,
    resource: ResourceBytes,
    traces: TraceEncoder,
    reader: ReaderState,
    every: Duration,
    /// When metrics are due.
    due: Instant,
}

impl Exporter {
    pub(crate) fn new(
        engine: &'static Engine,
        couriers: Couriers,
        resource: &Resource,
        preference: Preference,
        every: Duration,
        batch: Option<usize>,
    ) -> Self {
        let resource = ResourceBytes::new(resource.iter(), resource.schema_url());
        Self {
            engine,
            couriers,
            traces: TraceEncoder::new(&resource).with_batch(batch.unwrap_or(usize::MAX)),
            resource,
            reader: ReaderState::new(preference),
            every,
            due: within(every),
        }
    }

    pub(crate) fn takes_traces(&self) -> bool {
        self.couriers.take(Signal::Traces)
    }

    pub(crate) fn takes_logs(&self) -> bool {
        self.couriers.take(Signal::Logs)
    }

    pub(crate) fn couriers(&self) -> Couriers {
        self.couriers.clone()
    }

    pub(crate) fn records(&mut self, records: Records<'_>) {
        if self.couriers.take(Signal::Traces) {
            self.traces
                .push(records, &mut to(&self.couriers, Signal::Traces));
        }
    }

    /// The end of a round: what is encoded leaves.
    pub(crate) fn finish(&mut self) {
        self.traces.finish(&mut to(&self.couriers, Signal::Traces));
    }

    /// When they are due, or `asked` for until some deadline.
    pub(crate) fn metrics(&mut self, asked: Option<Instant>) {
        if !self.couriers.take(Signal::Metrics)
            || !(asked.is_some() || self.due <= crate::clock::now())
        {
            return;
        }
        self.due = within(self.every);
        self.engine.run_observables(asked);
        let metrics = self.engine.collect_metrics(&mut self.reader);
        encode_metrics(
            &self.resource,
            &metrics,
            BODY_LIMIT,
            &mut to(&self.couriers, Signal::Metrics),
        );
    }

    pub(crate) fn log_events(&mut self, events: &[LogEvent]) {
        if self.couriers.take(Signal::Logs) {
            let emit = &mut to(&self.couriers, Signal::Logs);
            encode_logs(
                &self.resource,
                &self_metrics::SCOPE,
                events,
                BODY_LIMIT,
                emit,
            );
        }
    }
}

fn to(couriers: &Couriers, signal: Signal) -> impl FnMut(&[u8], u64) {
    move |body, items| couriers.push(signal, body, items)
}
