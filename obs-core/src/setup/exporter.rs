//! From records, points and events to encoded batches in the courier's outbox.

use super::environment::PerSignal;
use super::resource::Resource;
use crate::courier::Courier;
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
    signals: PerSignal<bool>,
    reader: ReaderState,
    every: Duration,
    /// When metrics are due.
    due: Instant,
}

impl Exporter {
    pub(crate) fn new(
        engine: &'static Engine,
        courier: Courier,
        _resource: &Resource,
        temporality: Temporality,
        every: Duration,
        signals: PerSignal<bool>,
    ) -> Self {
        Self {
            engine,
            courier: Arc::new(courier),
            signals,
            reader: ReaderState::new(temporality),
            every,
            due: crate::clock::now() + every,
        }
    }

    pub(crate) fn courier(&self) -> Arc<Courier> {
        self.courier.clone()
    }

    pub(crate) fn records(&mut self, records: Records<'_>) {
        if self.signals.traces && !records.is_empty() {}
    }

    pub(crate) fn metrics(&mut self, now: bool) {
        if !self.signals.metrics || !(now || self.due <= crate::clock::now()) {
            return;
        }
        self.due = crate::clock::now() + self.every;
        self.engine.run_observables();
        let _ = self.engine.collect_metrics(&mut self.reader);
    }

    pub(crate) fn log_events(&mut self, _events: &[LogEvent]) {
        if self.signals.logs {}
    }
}
