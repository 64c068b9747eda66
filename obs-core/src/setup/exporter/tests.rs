//! Encoding that panics: what was in hand is counted, and nothing else goes with it.

use crate::courier::{Capture, DropReason, Signal};
use crate::encode::trip;
use crate::setup::environment::Environment;
use crate::{
    Body, Book, Descriptor, Instrument, Label, LabelId, Labels, LogEvent, Outcome, Parent,
};
use crate::{Key, Scope, Telemetry, Values};
use opentelemetry::trace::SpanKind;
use std::time::Duration;

static SCOPE: Scope = Scope {
    name: "test",
    version: "",
    schema_url: "",
};

/// The spans of numbers that seven divides can not be encoded.
static NUMBERED: Descriptor = Descriptor {
    name: "test.numbered",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[Label {
        key: Key::new(&"number"),
        values: Values::Number,
    }],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |record, into| {
        let LabelId(number) = record.label(0);
        into.push_str(if number % 7 == 0 { trip::NAME } else { "fine" });
    },
};

const LONG: Duration = Duration::from_secs(20);

fn telemetry() -> (Telemetry, Capture) {
    let capture = Capture::new();
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_transport(capture.clone())
        .manual()
        .build()
        .expect("usable");
    (telemetry, capture)
}

#[track_caller]
fn check(book: &Book, created: u64, lost: u64) {
    assert!(book.is_balanced(), "{book:?}");
    assert_eq!((book.created, book.pending), (created, 0), "{book:?}");
    assert_eq!(book.lost.by(DropReason::Fault), lost, "{book:?}");
    assert_eq!(book.delivered, created - lost, "{book:?}");
}

fn delivered(capture: &Capture, signal: Signal) -> u64 {
    let batches = capture.take();
    let own = batches.iter().filter(|batch| batch.signal == signal);
    own.map(|batch| batch.items).sum()
}

#[test]
fn a_span_that_cannot_be_encoded_is_the_only_one_missing_and_shutdown_says_so() {
    let (telemetry, capture) = telemetry();
    let kind = telemetry.kind(&NUMBERED);
    for number in 1..=20 {
        let labels = Labels::NONE.with(0, LabelId::number(number));
        kind.start(labels, Parent::Root).end(Outcome::ANSWERED);
    }
    let error = telemetry.flush(LONG).expect_err("two are lost");
    assert_eq!(error.losses().traces.by(DropReason::Fault), 2, "{error}");
    check(&telemetry.books().traces, 20, 2);
    assert_eq!(delivered(&capture, Signal::Traces), 18);
    assert_eq!(telemetry.counts().panics, 2);
    telemetry.flush(LONG).expect("it goes on");
    let error = telemetry.shutdown(LONG).expect_err("two were lost");
    assert_eq!(error.lost(), 2, "{error}");
}

#[test]
fn a_log_event_that_cannot_be_encoded_is_the_only_one_missing() {
    let (telemetry, capture) = telemetry();
    for number in 1..=20 {
        let name = if number % 7 == 0 { trip::NAME } else { "fine" };
        telemetry.emit(LogEvent::new(name, Body::Text("x".into())));
    }
    let error = telemetry.flush(LONG).expect_err("two are lost");
    assert_eq!(error.losses().logs.by(DropReason::Fault), 2, "{error}");
    check(&telemetry.books().logs, 20, 2);
    assert_eq!(delivered(&capture, Signal::Logs), 18);
}

#[test]
fn points_that_cannot_be_encoded_are_counted() {
    let (telemetry, _capture) = telemetry();
    let gauge = telemetry.gauge(&Instrument {
        name: trip::NAME,
        unit: "1",
        description: "",
        labels: &[],
        scope: &SCOPE,
    });
    gauge.bind(&[]).set(1.0);
    let error = telemetry.flush(LONG).expect_err("lost");
    let lost = error.losses().metrics.by(DropReason::Fault);
    assert!(lost >= 1, "{error}");
    let book = telemetry.books().metrics;
    check(&book, book.created, lost);
}
