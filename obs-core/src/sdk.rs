//! Finished operations for the processors and exporters of the OpenTelemetry SDK (feature `sdk`).
//!
//! A service that already has a [`SpanProcessor`], because its exporter speaks something other than OTLP or because a
//! vendor wrote it, hands it to [`SpanProcessorSubscriber`] and that to
//! [`Builder::with_subscriber`](crate::Builder::with_subscriber). What such a processor can count on:
//!
//! - It is told the telemetry's resource before anything else.
//! - It sees [`on_end`](SpanProcessor::on_end) only, on the collector's thread, once the operation is over and kept.
//!   `on_start` is never called: there is no span of the SDK to show it, and a record that is dropped never becomes one.
//! - Its spans are flagged as sampled, also those that were kept late: the SDK's processors discard all others. What was
//!   propagated is the head decision, whatever is flagged here.
//! - Its [`force_flush`](SpanProcessor::force_flush) knows no deadline. It runs on the collector's thread, so that
//!   whoever waits for [`Telemetry::flush`](crate::Telemetry::flush) is let go in time all the same; in manual mode it
//!   runs inside the call, and a processor that needs the calling thread's own runtime would wait for itself.

mod beneath;
mod span_data;

pub use beneath::ServerSpanWatch;
pub use span_data::span_data;

use crate::error::Error;
use crate::setup::resource::Resource;
use crate::subscriber::{Records, Subscriber};
use opentelemetry_sdk::trace::SpanProcessor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Hands every finished operation to a span processor of the OpenTelemetry SDK.
#[derive(Debug)]
pub struct SpanProcessorSubscriber<P> {
    processor: P,
    failures: ProcessorFailures,
}

/// How often a processor failed to flush or to shut down. Outlives the subscriber, which the telemetry owns.
#[derive(Clone, Debug, Default)]
pub struct ProcessorFailures(Arc<AtomicU64>);

impl ProcessorFailures {
    /// Calls that returned an error.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<P: SpanProcessor> SpanProcessorSubscriber<P> {
    /// A subscriber for `processor`.
    pub fn new(processor: P) -> Self {
        Self {
            processor,
            failures: ProcessorFailures::default(),
        }
    }

    /// The count of its failures, to be kept when the subscriber is given away.
    pub fn failures(&self) -> ProcessorFailures {
        self.failures.clone()
    }

    fn note(
        &self,
        what: &str,
        result: opentelemetry_sdk::error::OTelSdkResult,
    ) -> Result<(), Error> {
        result.map_err(|error| {
            self.failures.0.fetch_add(1, Ordering::Relaxed);
            Error::failed(format!("the span processor failed to {what}: {error}"))
                .with_source(error)
        })
    }
}

impl<P: SpanProcessor> Subscriber for SpanProcessorSubscriber<P> {
    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(&resource.to_sdk());
    }

    fn on_records(&mut self, records: Records<'_>) {
        for record in records.iter() {
            self.processor.on_end(span_data(&record));
        }
    }

    fn flush(&mut self, _deadline: Duration) -> Result<(), Error> {
        self.note("flush", self.processor.force_flush())
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        self.note("shut down", self.processor.shutdown_with_timeout(deadline))
    }
}
