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

//!
//! The other way round, what the user's own providers record goes to the telemetry's destinations, with the same bound in
//! bytes and the same accounts:
//!
//! | from | by | how it is handed over |
//! |---|---|---|
//! | `SdkTracerProvider` | [`Telemetry::span_processor`] | encoded where the span ends; at the next collection, or when 128 KiB are full |
//! | `SdkLoggerProvider` | [`Telemetry::log_processor`] | the same, where the record is emitted |
//! | `SdkMeterProvider` | [`Telemetry::metric_exporter`], in a `PeriodicReader` | encoded and queued on the reader's thread |
//! | HTTP exporters of `opentelemetry-otlp` | `Telemetry::http_client`, feature `http-client` | queued as they are; see `CourierHttpClient` for what it cannot know |
//!
//! ```
//! use obs_core::Telemetry;
//! use obs_core::courier::{Capture, Signal};
//! use obs_core::otel::trace::{Tracer, TracerProvider};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use std::time::Duration;
//!
//! let telemetry = Telemetry::builder().with_transport(Capture::new()).manual().build()?;
//! let resource = telemetry.resource().expect("not a noop").to_sdk();
//! let tracers = SdkTracerProvider::builder()
//!     .with_resource(resource)
//!     .with_span_processor(telemetry.span_processor())
//!     .build();
//!
//! tracers.tracer("orders").in_span("settle", |_| {});
//!
//! telemetry.flush(Duration::from_secs(5))?;
//! assert_eq!(telemetry.counts().sdk_spans, 1);
//! assert_eq!(telemetry.accounts().of(Signal::Traces).delivered, 1);
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! [Redactors](crate::redact) of the telemetry see each text of the first three before it waits, and the caps of
//! [texts](crate::Builder::with_value_bytes) and [bodies](crate::Builder::with_body_bytes) hold for their spans and log records
//! once they are set; without either they are exported as the SDK's own exporters would. Bounds on numbers of attributes, events and
//! links are the SDK's.
//!
//! Each is of its provider's resource, in a forked child too: who wants that child's process and instance in it makes the
//! provider there. None of them ever waits for a destination. Requests are cut by bytes, at 4 MiB or a
//! sixteenth of what may wait for their destination:
//! `OTEL_BSP_MAX_*` and `OTEL_BLRP_*` limit queues and batches that are not here. A provider and a telemetry are shut down
//! in either order: what comes after is counted.

mod beneath;
mod counts;
#[cfg(feature = "http-client")]
mod http_client;
mod intake;
mod log_processor;
mod metric_exporter;
mod scratch;
mod source;
mod span_data;
mod span_processor;

pub use beneath::ServerSpanWatch;
pub use counts::SignalCounts;
#[cfg(feature = "http-client")]
pub use http_client::CourierHttpClient;
pub use log_processor::CourierLogProcessor;
pub use metric_exporter::CourierMetricExporter;
pub use span_data::span_data;
pub use span_processor::CourierSpanProcessor;

use crate::courier::Signal;
use crate::error::Error;
use crate::setup::Telemetry;
use crate::setup::resource::Resource;
use crate::subscriber::{Records, Subscriber};
use opentelemetry_sdk::trace::SpanProcessor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the SDK's own processors wait for a flush that says no deadline.
const FLUSH: Duration = Duration::from_secs(5);

impl Telemetry {
    /// A span processor for a tracer provider of the user's. It holds up to 256 KiB for each of at most sixteen cores, and does
    /// nothing where no destination takes traces: not with a [provider's recorder](crate::Recorder::sdk), of which a
    /// [warning](Telemetry::warnings) tells.
    pub fn span_processor(&self) -> CourierSpanProcessor {
        CourierSpanProcessor(source::Source::new(self, Signal::Traces))
    }

    /// A log processor for a logger provider of the user's. It holds up to 256 KiB for each of at most sixteen cores, and does
    /// nothing where no destination takes logs.
    pub fn log_processor(&self) -> CourierLogProcessor {
        CourierLogProcessor(source::Source::new(self, Signal::Logs))
    }

    /// An exporter for the periodic reader of a meter provider of the user's. It does nothing where no destination takes metrics.
    pub fn metric_exporter(&self) -> CourierMetricExporter {
        CourierMetricExporter::new(self)
    }

    /// A client for HTTP exporters of `opentelemetry-otlp` (feature `http-client`).
    #[cfg(feature = "http-client")]
    pub fn http_client(&self) -> CourierHttpClient {
        CourierHttpClient::new(self)
    }
}

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
