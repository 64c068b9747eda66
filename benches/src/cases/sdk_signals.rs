//! What a provider's processor costs the thread that ends a span or emits a record: ours, which encodes there, and the
//! SDK's, which moves or copies into a queue and leaves the encoding (`peer/otel-encode-span8`) to a thread of its own.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use obs_core::{
    Telemetry,
    courier::{Batch, Sent, Signal, Transport},
    otel::{
        InstrumentationScope,
        logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity},
    },
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    logs::{
        BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord, SdkLoggerProvider,
    },
    trace::{BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor},
};

use super::{peers_encode::captured, sdk::same};
use crate::harness::{pair::Pair, scaling::Scaling};

/// Counts the items of one signal, and lets them go.
struct Count(Signal, Arc<AtomicU64>);

impl Transport for Count {
    fn send(&mut self, batch: &Batch, _: Instant) -> Sent {
        if batch.signal == self.0 {
            self.1.fetch_add(batch.items, Ordering::Relaxed);
        }
        Sent::DELIVERED
    }
}

/// No threads: what is measured is what a processor does where it is called.
fn counting(signal: Signal) -> (Telemetry, Arc<AtomicU64>) {
    let items = Arc::new(AtomicU64::new(0));
    let telemetry = Telemetry::builder()
        .with_transport(Count(signal, items.clone()))
        .manual()
        .build()
        .expect("the settings are valid");
    (telemetry, items)
}

fn hold(pair: Pair, settle: impl Fn() + 'static, items: Arc<AtomicU64>) -> Pair {
    pair.with_settle(settle).with_account(move |calls| {
        let items = items.load(Ordering::Relaxed);
        same("items that left", items, calls)?;
        Ok(format!("{items} items"))
    })
}

fn flush(telemetry: Telemetry) -> impl Fn() {
    move || telemetry.flush(Duration::from_secs(10)).expect("taken")
}

/// The span of `peers_recording`: a processor gets it for good, so the copy made for each call is in both sides.
fn spans(processor: impl SpanProcessor + 'static) -> Pair {
    let span = captured(0).swap_remove(0);
    let copied = span.clone();
    Pair::new(
        move || drop(black_box(copied.clone())),
        move || processor.on_end(black_box(span.clone())),
    )
}

pub(crate) fn span() -> Pair {
    let (telemetry, items) = counting(Signal::Traces);
    hold(spans(telemetry.span_processor()), flush(telemetry), items)
}

#[derive(Debug)]
struct Spans(Arc<BatchSpanProcessor>);

impl SpanProcessor for Spans {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, cx: &obs_core::otel::Context) {
        self.0.on_start(span, cx);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
}

#[derive(Debug)]
struct Nowhere(Arc<AtomicU64>);

impl SpanExporter for Nowhere {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl LogExporter for Nowhere {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = batch.iter().count() as u64;
        self.0.fetch_add(records, Ordering::Relaxed);
        Ok(())
    }
}

pub(crate) fn peer_span() -> Pair {
    let items = Arc::new(AtomicU64::new(0));
    let processor = Arc::new(BatchSpanProcessor::builder(Nowhere(items.clone())).build());
    let flushed = Arc::clone(&processor);
    let settle = move || flushed.force_flush().expect("the queue drains");
    hold(spans(Spans(processor)), settle, items)
}

/// A record with a text and five attributes.
fn record() -> (SdkLogRecord, InstrumentationScope) {
    let logger = SdkLoggerProvider::builder().build().logger("bench");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Info);
    record.set_severity_text("INFO");
    record.set_target("bench::cart");
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    record.set_timestamp(time);
    record.set_observed_timestamp(time);
    record.set_body(AnyValue::from("cart filled"));
    record.set_trace_context(7.into(), 9.into(), None);
    record.add_attribute("items", 3);
    record.add_attribute("balance", -7);
    record.add_attribute("full", true);
    record.add_attribute("user", "ada");
    record.add_attribute("path", "/v1/models/llama-3-8b");
    let scope = InstrumentationScope::builder("bench")
        .with_version("0")
        .build();
    (record, scope)
}

fn records(processor: impl LogProcessor + 'static) -> Pair {
    let (mut record, scope) = record();
    Pair::new(
        || {},
        move || {
            processor.emit(black_box(&mut record), black_box(&scope));
        },
    )
}

pub(crate) fn log() -> Pair {
    let (telemetry, items) = counting(Signal::Logs);
    hold(records(telemetry.log_processor()), flush(telemetry), items)
}

#[derive(Debug)]
struct Logs(Arc<BatchLogProcessor>);

impl LogProcessor for Logs {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.0.emit(record, scope);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }
}

pub(crate) fn peer_log() -> Pair {
    let items = Arc::new(AtomicU64::new(0));
    let processor = Arc::new(BatchLogProcessor::builder(Nowhere(items.clone())).build());
    let flushed = Arc::clone(&processor);
    let settle = move || flushed.force_flush().expect("the queue drains");
    hold(records(Logs(processor)), settle, items)
}

/// Two threads end spans of one provider; the copies alone are taken for 2. Nobody takes what they fill, so that the oldest
/// goes: an outage.
pub(crate) fn contended() -> Scaling {
    let (telemetry, _) = counting(Signal::Traces);
    let processor = telemetry.span_processor();
    let counted = processor.clone();
    let span = captured(0).swap_remove(0);
    let copied = span.clone();
    Scaling::new(
        move || {
            let (processor, span) = (processor.clone(), span.clone());
            Box::new(move || processor.on_end(black_box(span.clone())))
        },
        move |operations| {
            let counts = counted.counts();
            same("spans", counts.created, operations)?;
            same(
                "spans accounted for",
                counts.handed_over + counts.waiting,
                operations,
            )?;
            Ok(format!("{operations} spans"))
        },
    )
    .with_control(move || {
        let copied = copied.clone();
        Box::new(move || drop(black_box(copied.clone())))
    })
}
