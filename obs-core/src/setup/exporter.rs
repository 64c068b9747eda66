//! From records, points and events to encoded batches in the courier's outbox.

use super::environment::PerSignal;
use super::resource::Resource;
use super::self_metrics;
use crate::courier::time::within;
use crate::courier::{Batch, Courier, Outbox, Signal};
use crate::encode::{BODY_LIMIT, ResourceBytes, TraceEncoder, encode_logs, encode_metrics};
use crate::engine::Engine;
use crate::engine::fold::{Preference, ReaderState};
use crate::log_event::LogEvent;
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
        preference: Preference,
        every: Duration,
        signals: PerSignal<bool>,
        batch: Option<usize>,
    ) -> Self {
        let resource = ResourceBytes::new(resource.iter(), resource.schema_url());
        Self {
            engine,
            outbox: courier.outbox(),
            courier,
            signals,
            traces: TraceEncoder::new(&resource).with_batch(batch.unwrap_or(usize::MAX)),
            resource,
            reader: ReaderState::new(preference),
            every,
            due: within(every),
        }
    }

    pub(crate) fn takes_traces(&self) -> bool {
        self.signals.traces
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

    /// When they are due, or `asked` for until some deadline.
    pub(crate) fn metrics(&mut self, asked: Option<Instant>) {
        if !self.signals.metrics || !(asked.is_some() || self.due <= crate::clock::now()) {
            return;
        }
        self.due = within(self.every);
        self.engine.run_observables(asked);
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
