//! Bad input at set-up: what becomes of it, and that somebody is told.

use crate::support::points::{all, histogram, number};
use crate::support::{Rig, SCOPE, rig};
use obs_core::{Descriptor, Instrument, Key, Label, Values};

const fn open(key: Key) -> Label {
    Label {
        key,
        values: Values::Open { cap: 8 },
    }
}

const A: Label = open(Key::new(&"a"));
const B: Label = open(Key::new(&"b"));

const fn labelled(labels: &'static [Label]) -> Instrument {
    Instrument {
        name: "test.input",
        unit: "1",
        description: "",
        labels,
        scope: &SCOPE,
    }
}

#[track_caller]
fn warned(rig: &Rig, about: &[&str]) {
    let warnings = rig.telemetry.warnings();
    assert_eq!(warnings.len(), about.len(), "{warnings:#?}");
    for (warning, about) in warnings.iter().zip(about) {
        assert!(warning.contains(about), "{warning}");
    }
}

#[track_caller]
fn check_bounds(bounds: &[f64], expect: &[f64], about: &[&str]) {
    let rig = rig(false);
    let sizes = rig.telemetry.histogram(&labelled(&[]), bounds).bind(&[]);
    for value in [0.5, 1.0, 4.0, 7.0] {
        sizes.record(value);
    }
    let point = histogram(&all(&rig.telemetry), "test.input", &[]);
    assert_eq!(point.bounds, expect);
    let below = |bound: &f64| {
        [0.5, 1.0, 4.0, 7.0]
            .iter()
            .filter(|v| **v <= *bound)
            .count() as u64
    };
    let sums = point.buckets.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    assert_eq!(
        sums.take(expect.len()).collect::<Vec<_>>(),
        expect.iter().map(below).collect::<Vec<_>>()
    );
    warned(&rig, about);
}

#[test]
fn bounds_out_of_order_repeated_or_not_finite_are_put_right_and_warned_about() {
    check_bounds(&[1.0, 5.0], &[1.0, 5.0], &[]);
    check_bounds(&[], &[], &[]);
    let said = ["boundaries of `test.input`"];
    check_bounds(&[5.0, 1.0, f64::NAN, 1.0], &[1.0, 5.0], &said);
    check_bounds(&[1.0, f64::INFINITY], &[1.0], &said);
    check_bounds(&[0.0, -0.0, 1.0], &[0.0, 1.0], &said);
    check_bounds(&[f64::NEG_INFINITY, f64::NAN], &[], &said);
}

#[test]
fn the_same_bad_bounds_again_are_the_same_instrument() {
    let rig = rig(false);
    for _ in 0..2 {
        let sizes = rig.telemetry.histogram(&labelled(&[]), &[5.0, 1.0]);
        sizes.bind(&[]).record(1.0);
    }
    assert_eq!(histogram(&all(&rig.telemetry), "test.input", &[]).count, 2);
    warned(&rig, &["boundaries"]);
}

#[test]
fn the_ninth_label_is_left_out_and_warned_about() {
    const NINE: [Label; 9] = [
        A,
        B,
        open(Key::new(&"c")),
        open(Key::new(&"d")),
        open(Key::new(&"e")),
        open(Key::new(&"f")),
        open(Key::new(&"g")),
        open(Key::new(&"h")),
        open(Key::new(&"i")),
    ];
    let rig = rig(false);
    let values = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    rig.telemetry.counter(&labelled(&NINE)).bind(&values).add(1);
    let expect = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let labels: Vec<_> = expect.iter().copied().zip(values).collect();
    assert_eq!(number(&all(&rig.telemetry), "test.input", &labels), 1.0);
    warned(&rig, &["9 labels"]);
}

#[test]
fn a_label_that_is_repeated_or_has_no_key_is_left_out_and_warned_about() {
    let rig = rig(false);
    const REPEATED: [Label; 4] = [A, B, A, open(Key::new(&""))];
    let calls = rig.telemetry.counter(&labelled(&REPEATED));
    calls.bind(&["first", "b", "second", "none"]).add(1);
    let labels = [("a", "first"), ("b", "b")];
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "test.input", &labels), 1.0);
    let page = rig.telemetry.prometheus();
    assert!(!page.contains("second") && !page.contains("none"), "{page}");
    warned(&rig, &["label `a` is there twice", "a label without a key"]);
}

#[test]
fn an_instrument_without_a_name_records_nothing_and_is_warned_about() {
    let rig = rig(false);
    let nameless = Instrument {
        name: "",
        ..labelled(&[])
    };
    rig.telemetry.counter(&nameless).bind(&[]).add(1);
    assert!(
        all(&rig.telemetry)
            .iter()
            .all(|metric| !metric.name.is_empty())
    );
    warned(&rig, &["without a name"]);
}

#[test]
fn a_name_that_opentelemetry_does_not_allow_is_exported_and_warned_about() {
    let rig = rig(false);
    let odd = Instrument {
        name: "7 calls",
        ..labelled(&[])
    };
    rig.telemetry.counter(&odd).bind(&[]).add(1);
    assert_eq!(number(&all(&rig.telemetry), "7 calls", &[]), 1.0);
    warned(&rig, &["`7 calls`"]);
}

#[test]
fn a_kind_with_bad_bounds_or_too_many_labels_is_warned_about() {
    static BAD: Descriptor = Descriptor {
        name: "test.bad",
        labels: &[A, B, A, B, A, B, A, B, A],
        method: None,
        duration: Some(obs_core::Histogram {
            name: "test.bad.duration",
            unit: "s",
            description: "",
            bounds: &[2.0, 1.0],
        }),
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_kind: obs_core::otel::trace::SpanKind::Internal,
        scope: &SCOPE,
        errors: &[],
        span_name: |_, into| into.push_str("bad"),
    };
    let rig = rig(false);
    rig.telemetry.kind(&BAD);
    warned(
        &rig,
        &[
            "9 labels",
            "label `a`",
            "label `b`",
            "boundaries of `test.bad.duration`",
        ],
    );
}

#[test]
fn label_values_of_instruments_that_found_no_room_are_counted_and_the_telemetrys_own_have_room() {
    let rig = crate::support::rig_with(false, |builder| builder.with_max_series(1));
    let calls = rig.telemetry.counter(&labelled(&[A]));
    for value in ["1", "2", "3"] {
        calls.bind(&[value]).add(1);
    }
    let metrics = all(&rig.telemetry);
    let reason = [("obs.drop.reason", "label_overflow")];
    assert_eq!(number(&metrics, "obs.telemetry.dropped", &reason), 2.0);
}

#[test]
fn a_kinds_bad_boundaries_are_put_right_too() {
    use crate::support::*;
    use obs_core::{Descriptor, Histogram, Labels, Outcome, Parent};
    static BAD: Descriptor = Descriptor {
        name: "test.bad",
        method: Some(77),
        duration: Some(Histogram {
            name: "test.bad.duration",
            unit: "s",
            description: "",
            bounds: &[1.0, f64::NAN, 0.5, 1.0, f64::INFINITY],
        }),
        span_kind: obs_core::otel::trace::SpanKind::Internal,
        scope: &SCOPE,
        labels: &[],
        errors: &[],
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, name| name.push_str("bad"),
    };
    let rig = rig_with(true, |builder| builder);
    rig.telemetry
        .kind(&BAD)
        .start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    let page = rig.telemetry.prometheus();
    let limits: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("test_bad_duration_seconds_bucket"))
        .filter_map(|line| line.split("le=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(limits, ["0.5", "1", "+Inf"], "{page}");
    let warnings = rig.telemetry.warnings().join("\n");
    assert!(warnings.contains("test.bad.duration"), "{warnings}");
    assert!(warnings.contains("the method of `test.bad`"), "{warnings}");
}
