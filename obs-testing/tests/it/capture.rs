//! Captures: everything a record says, metrics, events, clocks, and that two captures do not know each other.

use obs_core::otel::KeyValue;
use obs_core::otel::trace::{SpanContext, SpanId, SpanKind, TraceFlags, TraceId, TraceState};
use obs_core::sampling::HeadSampler;
use obs_core::{
    Body, DURATION_BOUNDS, Descriptor, End, ErrorType, Event, ExponentialHistogram, Histogram,
    InFlight, Key, Kind, Label, Labels, LogEvent, Operation, Outcome, Parent, Scope, StatsLevel,
    Values,
};
use obs_testing::{AttrValue, Capture, SpanStatus, assert_tree, attrs};
use std::time::Duration;

static SCOPE: Scope = Scope {
    name: "obs-testing-tests",
    version: "1",
    schema_url: "",
};

const CUPS: Key = Key::new(&"brew.cups");

static BREW: Descriptor = Descriptor {
    name: "brew",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[
        Label {
            key: Key::new(&"brew.sort"),
            values: Values::Closed(&["espresso", "filter"]),
        },
        Label {
            key: Key::new(&"error.type"),
            values: Values::Error,
        },
    ],
    method: None,
    errors: &["no_water"],
    duration: Some(Histogram {
        name: "brew.duration",
        unit: "s",
        description: "How long it takes.",
        bounds: DURATION_BOUNDS,
    }),
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: Some(InFlight {
        name: "brew.active",
        unit: "{brew}",
        description: "How many are under way.",
        labels: 1,
    }),
    span_name: |_, name| name.push_str("brew"),
};

fn brew(capture: &Capture) -> Operation {
    let kind: &'static Kind = capture.telemetry().kind(&BREW);
    let sort = obs_core::LabelId::closed(0);
    kind.start(Labels::NONE.with(0, sort), Parent::Current)
}

#[test]
fn a_record_says_everything_that_was_said_of_the_operation() {
    let capture = Capture::builder().with_level(StatsLevel::Detailed).build();
    let mut operation = brew(&capture);
    let elsewhere = SpanContext::new(
        TraceId::from(7),
        SpanId::from(8),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    capture.clock().advance(Duration::from_millis(3));
    let mut active = operation.active().expect("Detailed records");
    active.set(CUPS, 2_i64);
    active.stamp(Event::SERVER_HANDLE_START);
    active.add_event("boiling", vec![KeyValue::new("celsius", 96.5)]);
    active.add_link(elsewhere, vec![KeyValue::new("why", "beans")]);
    active.set_dynamic(KeyValue::new(
        "brew.notes",
        obs_core::otel::Value::Array(vec![true, false].into()),
    ));
    operation.end(Outcome::failed(ErrorType::own(0)));

    let record = capture.record();
    assert_eq!(record.duration, Duration::from_millis(3));
    assert_eq!(record.outcome.end(), End::Failed);
    assert_eq!(record.error_type(), Some("no_water"));
    assert_eq!(record.status, SpanStatus::Error(String::new()));
    assert_eq!(record.attr("brew.cups"), Some(&2.into()));
    assert_eq!(record.event_names(), ["server_handle_start", "boiling"]);
    assert_eq!(
        (record.keep_reason, record.partial, record.dropped),
        (None, false, 0)
    );
    assert_tree(
        capture.tree().with_durations(true),
        r#"
        trace 1
          brew [internal] error 3ms
            - brew.cups: 2
            - brew.notes: [true, false]
            - brew.sort: "espresso"
            - error.type: "no_water"
            * server_handle_start +3ms
            * boiling +3ms {celsius: 96.5}
            ~ elsewhere {why: "beans"}
        "#,
    );
}

#[test]
fn metrics_are_looked_up_by_name_and_attributes() {
    let capture = Capture::new();
    let running = brew(&capture);
    assert_eq!(capture.in_flight("brew.active"), 1);
    capture.clock().advance(Duration::from_millis(250));
    running.end(Outcome::ANSWERED);
    drop(brew(&capture));

    assert_eq!(capture.in_flight("brew.active"), 0);
    assert_eq!(capture.count("brew.duration"), 2);
    let points = capture.points();
    let cancelled = attrs!["brew.sort" => "espresso", "error.type" => "cancelled"];
    let point = points.histogram("brew.duration", &cancelled).unwrap();
    assert_eq!((point.count, point.sum), (1, Some(0.0)));
    let by_error = points.histogram_by("brew.duration", "error.type");
    assert_eq!(by_error[""].sum, Some(0.25));
    assert_eq!(by_error[""].series.unit, "s");
    assert_eq!(by_error[""].series.scope, "obs-testing-tests");
}

#[test]
fn structured_events_are_captured_with_their_operation() {
    let capture = Capture::new();
    let mut operation = brew(&capture);
    operation.scope(|| {
        let event = LogEvent::new("brew.tasted", Body::Text("good".into()));
        capture.telemetry().emit(event);
    });
    operation.end(Outcome::ANSWERED);
    let [event] = &capture.log_events()[..] else {
        panic!("one event expected");
    };
    assert_eq!(event.name, "brew.tasted");
    assert_eq!(event.span_id, Some(capture.record().span_id));
}

#[test]
fn what_was_taken_or_cleared_is_gone_and_metrics_count_on() {
    let capture = Capture::new();
    brew(&capture).end(Outcome::ANSWERED);
    assert_eq!(capture.take_records().len(), 1);
    assert_eq!(capture.records(), []);
    brew(&capture).end(Outcome::ANSWERED);
    capture.clear();
    assert_eq!(capture.records(), []);
    assert_eq!(capture.count("brew.duration"), 2);
}

#[test]
fn what_is_kept_late_says_why() {
    let capture = Capture::builder()
        .with_sampler(HeadSampler::always_off())
        .build();
    brew(&capture).end(Outcome::ANSWERED);
    brew(&capture).end(Outcome::PANICKED);
    let record = capture.record();
    assert_eq!((record.keep_reason, record.partial), (Some("error"), true));
    assert_eq!(
        record.attr("obs.trace.partial"),
        Some(&AttrValue::Bool(true))
    );
}

#[test]
fn two_captures_do_not_see_each_other() {
    let (one, other) = (Capture::new(), Capture::builder().threaded().build());
    let mut outer = brew(&one);
    outer.scope(|| brew(&other).end(Outcome::ANSWERED));
    outer.end(Outcome::ANSWERED);
    // They meet in the trace and nowhere else.
    assert_eq!(other.record().parent_span_id, Some(one.record().span_id));
    assert_eq!(other.record().trace_id, one.record().trace_id);
    assert_eq!(one.count("brew.duration"), 1);
}

#[test]
#[should_panic(expected = "there are [\"brew\", \"brew\"]")]
fn the_only_record_of_two_is_a_mistake() {
    let capture = Capture::new();
    brew(&capture).end(Outcome::ANSWERED);
    brew(&capture).end(Outcome::ANSWERED);
    let _ = capture.record();
}

#[test]
#[should_panic(expected = "real clock")]
fn the_real_clock_cannot_be_moved() {
    let capture = Capture::builder().with_real_clock().build();
    capture.clock().advance(Duration::from_secs(1));
}

#[test]
fn exponential_histograms_are_captured_beside_the_explicit_ones() {
    let capture = Capture::builder()
        .with(|builder| builder.with_histograms(ExponentialHistogram::default()))
        .build();
    let brewing = brew(&capture);
    capture.clock().advance(Duration::from_millis(300));
    brewing.end(Outcome::ANSWERED);
    let points = capture.points();
    let explicit = points.histogram("brew.duration", &[]).expect("counted");
    let exponential = points.exponential("brew.duration", &[]).expect("asked for");
    assert_eq!((explicit.count, exponential.count), (1, 1));
    assert_eq!(exponential.sum, explicit.sum);
    let (index, count) = exponential.positive.first_key_value().expect("a bucket");
    let (lower, upper) = exponential.limits(*index);
    assert!(lower < 0.3 && 0.3 <= upper && *count == 1);
}
