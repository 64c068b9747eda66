//! Recording APIs of the OpenTelemetry SDK on their own: a span, a histogram, and a histogram under two threads.

use std::hint::black_box;

use opentelemetry::{
    KeyValue, global,
    trace::{Span, SpanKind, Tracer, TracerProvider},
};

use super::sdk::{Sdk, same};
use crate::harness::{pair::Pair, scaling::Scaling};

const HISTOGRAM: &str = "bench.duration";

/// A span with 8 attributes set one by one and `EVENTS` events, into the batch processor.
pub(crate) fn span<const EVENTS: usize>() -> Pair {
    let sdk = Sdk::install();
    let tracer = sdk.tracers.tracer("bench");
    let pair = Pair::new(|| {}, move || drop(black_box(start_span(&tracer, EVENTS))));
    sdk.hold(pair, None)
}

/// The span that [`span`] ends and `peers_encode` encodes.
pub(crate) fn start_span<T: Tracer>(tracer: &T, events: usize) -> T::Span {
    let mut span = tracer
        .span_builder("GET /v1/models/{model}")
        .with_kind(SpanKind::Server)
        .start(tracer);
    for attribute in attributes() {
        span.set_attribute(attribute);
    }
    for name in EVENT_NAMES.into_iter().take(events) {
        span.add_event(name, Vec::new());
    }
    span
}

/// Eight attributes of an HTTP server span: five fixed texts, two numbers, one text of the request's own.
fn attributes() -> [KeyValue; 8] {
    [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/v1/models/{model}"),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("network.protocol.version", "1.1"),
        KeyValue::new("server.address", "models.example.com"),
        KeyValue::new("server.port", 443),
        KeyValue::new("http.response.status_code", 200),
        KeyValue::new("url.path", black_box("/v1/models/llama-3-8b").to_owned()),
    ]
}

const EVENT_NAMES: [&str; 13] = [
    "read.start",
    "read.finish",
    "decode.start",
    "decode.finish",
    "handle.start",
    "conn.start",
    "conn.finish",
    "wait.start",
    "wait.finish",
    "handle.finish",
    "encode.start",
    "encode.finish",
    "write.finish",
];

fn labels() -> [KeyValue; 5] {
    [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/v1/models/{model}"),
        KeyValue::new("http.response.status_code", 200),
        KeyValue::new("url.scheme", "https"),
        KeyValue::new("network.protocol.version", "1.1"),
    ]
}

pub(crate) fn values() -> impl FnMut() -> f64 {
    let mut n = 0_u32;
    move || {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(n >> 12) * 1e-6
    }
}

/// `Histogram::record` with five attributes.
pub(crate) fn histogram() -> Pair {
    recorded(Sdk::install())
}

/// The same into an exponential one.
pub(crate) fn exponential() -> Pair {
    recorded(Sdk::install_exponential())
}

fn recorded(sdk: Sdk) -> Pair {
    let instrument = global::meter("bench").f64_histogram(HISTOGRAM).build();
    let (mut bare, mut value) = (values(), values());
    let pair = Pair::new(
        move || {
            black_box(bare());
        },
        move || instrument.record(value(), &labels()),
    );
    hold_points(&sdk, pair)
}

/// The same histogram, bound to its attributes beforehand.
pub(crate) fn histogram_bound() -> Pair {
    recorded_bound(Sdk::install())
}

/// The same into an exponential one.
pub(crate) fn exponential_bound() -> Pair {
    recorded_bound(Sdk::install_exponential())
}

fn recorded_bound(sdk: Sdk) -> Pair {
    let instrument = global::meter("bench")
        .f64_histogram(HISTOGRAM)
        .build()
        .bind(&labels());
    let (mut bare, mut value) = (values(), values());
    let pair = Pair::new(
        move || {
            black_box(bare());
        },
        move || instrument.record(value()),
    );
    hold_points(&sdk, pair)
}

fn hold_points(sdk: &Sdk, pair: Pair) -> Pair {
    let sdk = sdk.clone();
    pair.with_burst(10_000).with_account(move |operations| {
        same("points", sdk.points_of(HISTOGRAM), operations)?;
        Ok(format!("{operations} points"))
    })
}

/// Two threads with one histogram and five attributes.
pub(crate) fn contended_histogram() -> Scaling {
    let sdk = Sdk::install();
    let instrument = global::meter("bench").f64_histogram(HISTOGRAM).build();
    Scaling::new(
        move || {
            let (instrument, mut value) = (instrument.clone(), values());
            Box::new(move || instrument.record(value(), &labels()))
        },
        move |operations| {
            same("points", sdk.points_of(HISTOGRAM), operations)
                .map(|()| format!("{operations} points"))
        },
    )
}

/// Two threads with one series, bound on each.
pub(crate) fn contended_histogram_bound() -> Scaling {
    contended_bound(Sdk::install())
}

/// The same into an exponential one.
pub(crate) fn contended_exponential_bound() -> Scaling {
    contended_bound(Sdk::install_exponential())
}

fn contended_bound(sdk: Sdk) -> Scaling {
    let instrument = global::meter("bench").f64_histogram(HISTOGRAM).build();
    Scaling::new(
        move || {
            let (bound, mut value) = (instrument.bind(&labels()), values());
            Box::new(move || bound.record(value()))
        },
        move |operations| {
            same("points", sdk.points_of(HISTOGRAM), operations)
                .map(|()| format!("{operations} points"))
        },
    )
}
