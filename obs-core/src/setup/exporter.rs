//! From records, points and events to encoded batches in the courier's outbox.

use super::environment::PerSignal;
use super::resource::Resource;
use super::self_metrics;
use crate::courier::{Batch, Courier, Outbox, Signal};
use crate::encode::{BODY_LIMIT, ResourceBytes, TraceEncoder, encode_logs, encode_metrics};
use crate::engine::Engine;
use crate::engine::fold::ReaderState;
use crate::log_event::LogEvent;
use crate::metrics::Temporality;
use crate::subscriber::Records;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Exporter {
    engine: &'static Engine,
    courier: Arc<Courier>,
    outbox: Outbox,
    signals: PerSignal<bool>,
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
        courier: Arc<Courier>,
        resource: &Resource,
        temporality: Temporality,
        every: Duration,
        signals: PerSignal<bool>,
    ) -> Self {
        let resource = ResourceBytes::new(resource.iter(), resource.schema_url());
        Self {
            engine,
            outbox: courier.outbox(),
            courier,
            signals,
            traces: TraceEncoder::new(&resource),
            resource,
            reader: ReaderState::new(temporality),
            every,
            due: crate::clock::now() + every,
        }
    }

    pub(crate) fn takes_logs(&self) -> bool {
        self.signals.logs
    }

    pub(crate) fn courier(&self) -> Arc<Courier> {
        self.courier.clone()
    }

    pub(crate) fn records(&mut self, records: Records<'_>) {
        if self.signals.traces {
            self.traces
                .push(records, &mut to(&self.outbox, Signal::Traces));
        }
    }

    /// The end of a round: what is encoded leaves.
    pub(crate) fn finish(&mut self) {
        self.traces.finish(&mut to(&self.outbox, Signal::Traces));
    }

    pub(crate) fn metrics(&mut self, now: bool) {
        if !self.signals.metrics || !(now || self.due <= crate::clock::now()) {
            return;
        }
        self.due = crate::clock::now() + self.every;
        self.engine.run_observables();
        let metrics = self.engine.collect_metrics(&mut self.reader);
        encode_metrics(
            &self.resource,
            &metrics,
            BODY_LIMIT,
            &mut to(&self.outbox, Signal::Metrics),
        );
    }

    pub(crate) fn log_events(&mut self, events: &[LogEvent]) {
        if self.signals.logs {
            let emit = &mut to(&self.outbox, Signal::Logs);
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

fn to(outbox: &Outbox, signal: Signal) -> impl FnMut(&[u8], u64) {
    move |body, items| outbox.push(Batch::new(signal, body.to_vec(), items))
}
