//! What is recorded by hand: stages at once, quantities as often as there is one.

use crate::support::points::{all, find, histogram, histograms, numbers};
use crate::support::{SCOPE, WORK, builder};
use obs_core::metrics::Data;
use obs_core::otel::trace::SpanKind;
use obs_core::{
    Descriptor, ErrorType, Event, ExponentialHistogram, Histogram, Key, Kind, LabelId, Labels,
    Outcome, Parent, Quantity, Stage, StatsLevel, Telemetry,
};
use std::time::Duration;

const TYPE: Key = Key::new(&"test.type");
const ERROR: usize = 2;

const fn tokens(of: &'static str, bounds: &'static [f64]) -> Quantity {
    let name = match bounds.is_empty() {
        true => "test.tokens.total",
        false => "test.tokens",
    };
    Quantity {
        histogram: Histogram {
            name,
            unit: "{token}",
            description: "Tokens.",
            bounds,
        },
        attribute: Some((TYPE, of)),
    }
}

static ASKED: Descriptor = Descriptor {
    name: "test.asked",
    span_kind: SpanKind::Client,
    scope: &SCOPE,
    labels: WORK.labels,
    method: WORK.method,
    errors: WORK.errors,
    duration: WORK.duration,
    stages: &[Stage {
        histogram: Histogram {
            name: "test.first",
            unit: "s",
            description: "Until the first.",
            bounds: &[0.5],
        },
        attribute: None,
        from: Event::RPC_START,
        to: Event::FIRST_OUTPUT,
        level: StatsLevel::Base,
        by_hand: true,
    }],
    measures: &[],
    quantities: &[
        tokens("in", &[10.0, 100.0]),
        tokens("out", &[10.0, 100.0]),
        tokens("in", &[]),
    ],
    in_flight: None,
    span_name: |_, name| name.push_str("asked"),
};

fn asked(set: impl FnOnce(obs_core::Builder) -> obs_core::Builder) -> (Telemetry, &'static Kind) {
    let telemetry = set(builder().manual()).build().expect("settings");
    (telemetry, telemetry.kind(&ASKED))
}

#[test]
fn a_quantity_counts_each_value_under_the_labels_that_are_given() {
    let (telemetry, kind) = asked(|builder| builder);
    let labels = Labels::NONE.with(0, kind.label(0, "a"));
    let failed = labels.with(ERROR, LabelId::from(ErrorType::own(0)));
    for (labels, quantity, value) in [
        (labels, 0, 10.0),
        (labels, 0, 101.0),
        (failed, 0, 1.0),
        (labels, 1, 0.0),
        (labels, 2, 7.9),
        (labels, 2, 3.0),
        // None of these is one.
        (labels, 0, -1.0),
        (labels, 0, f64::NAN),
        (labels, 2, f64::INFINITY),
        (labels, 3, 1.0),
    ] {
        kind.record_quantity(labels, quantity, value);
    }
    let metrics = all(&telemetry);
    let of = |error: bool, of: &str| {
        let points = histograms(&metrics, "test.tokens").into_iter();
        let mut found = points.filter(|point| {
            let has = |key: &str| point.attributes.iter().find(|(own, _)| own == key);
            has("error.type").is_some() == error
                && has("test.type").is_some_and(|(_, value)| value.to_text() == of)
        });
        let point = found.next().expect("there");
        assert!(found.next().is_none());
        (point.sum, point.buckets)
    };
    assert_eq!(of(false, "in"), (111.0, vec![1, 0, 1]));
    assert_eq!(of(true, "in"), (1.0, vec![1, 0, 0]));
    assert_eq!(of(false, "out"), (0.0, vec![1, 0, 0]));
    let counted = numbers(&metrics, "test.tokens.total");
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0].value.as_f64(), 10.0);
    let sum = find(&metrics, "test.tokens.total").map(|metric| &metric.data);
    let Some(Data::Sum {
        monotonic: true, ..
    }) = sum
    else {
        panic!("{sum:?} is no counter");
    };
}

#[test]
fn a_stage_by_hand_is_there_before_the_end_and_not_once_more_at_it() {
    let clock = obs_core::ManualClock::new();
    let (telemetry, kind) = asked(|builder| builder.with_clock(obs_core::Clock::manual(&clock)));
    let mut operation = kind.start(Labels::NONE, Parent::Root);
    let started = operation.active().expect("recorded").started();
    clock.advance(Duration::from_millis(700));
    let now = kind.now();
    let mut active = operation.active().expect("recorded");
    active.stamp_at(Event::FIRST_OUTPUT, now);
    assert_eq!(active.stamped(Event::FIRST_OUTPUT), Some(now));
    assert_eq!(active.stamped(Event::SCHEDULED), None);
    kind.record_stage(active.labels(), 0, started, now);
    let first = histogram(&all(&telemetry), "test.first", &[]);
    assert_eq!((first.sum, first.buckets), (0.7, vec![0, 1]));
    operation.end(Outcome::failed(ErrorType::own(0)));
    let points = histograms(&all(&telemetry), "test.first");
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].count, 1);
}

#[test]
fn both_are_exponential_where_that_is_asked_for() {
    let exponential = ExponentialHistogram::default();
    let (telemetry, kind) = asked(|builder| builder.with_histograms(exponential));
    let operation = kind.start(Labels::NONE, Parent::Root);
    let now = kind.now();
    kind.record_stage(Labels::NONE, 0, now, now);
    for value in [3.0, 30.0] {
        kind.record_quantity(Labels::NONE, 1, value);
    }
    operation.end(Outcome::ANSWERED);
    let metrics = all(&telemetry);
    for (name, count) in [("test.first", 1), ("test.tokens", 2)] {
        let point = histogram(&metrics, name, &[]);
        let counted = point.exponential.expect("exponential").count();
        assert_eq!((point.count, counted), (count, count), "{name}");
    }
    let first = histogram(&metrics, "test.first", &[]).exponential;
    assert_eq!(first.map(|buckets| buckets.zero_count), Some(1));
}
#[test]
fn the_wall_clock_is_that_of_the_telemetry() {
    let clock = obs_core::ManualClock::new();
    let (_, kind) = asked(|builder| builder.with_clock(obs_core::Clock::manual(&clock)));
    clock.set_wall(1_795_392_000_000_000_000);
    assert_eq!(kind.unix_nanos(), 1_795_392_000_000_000_000);
    clock.advance(Duration::from_nanos(7));
    assert_eq!(kind.unix_nanos(), 1_795_392_000_000_000_007);
}
