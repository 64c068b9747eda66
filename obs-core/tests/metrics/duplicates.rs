//! Instruments registered more than once: the same again, and something else under the same name.

use crate::support::points::{all, histograms, number};
use crate::support::{Rig, SCOPE, rig};
use crate::{CALLS, DURATION};
use obs_core::metrics::{Data, Metric};
use obs_core::{DURATION_BOUNDS, Instrument, Key, Label, Scope, Values};

/// Warnings and conflicts so far.
fn said(rig: &Rig) -> (Vec<String>, u64) {
    let counts = rig.telemetry.counts();
    (rig.telemetry.warnings(), counts.instrument_conflicts)
}

#[track_caller]
fn warns(rig: &Rig, times: u64, expect: &str) {
    let (warnings, conflicts) = said(rig);
    let [warning] = &warnings[..] else {
        panic!("one warning expected: {warnings:?}");
    };
    assert!(warning.contains(expect), "{warning}");
    assert!(warning.contains("`test.calls`"), "{warning}");
    assert_eq!(conflicts, times);
}

fn named<'m>(metrics: &'m [Metric], name: &str) -> Vec<&'m Metric> {
    let mut named: Vec<_> = metrics.iter().filter(|one| one.name == name).collect();
    named.sort_by_key(|metric| metric.unit.len());
    named
}

#[test]
fn the_same_instrument_again_is_the_same_instrument() {
    let rig = rig(false);
    rig.telemetry.counter(&CALLS).bind(&["p"]).add(1);
    let copy = Instrument { ..CALLS };
    rig.telemetry.counter(&copy).bind(&["p"]).add(2);
    let wait = Instrument {
        name: "test.wait",
        ..CALLS
    };
    rig.telemetry
        .histogram(&wait, &[1.0])
        .bind(&["p"])
        .record(0.5);
    rig.telemetry
        .histogram(&wait, &[1.0])
        .bind(&["p"])
        .record(1.5);
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "test.calls", &[("peer", "p")]), 3.0);
    let points = histograms(&metrics, "test.wait");
    assert_eq!(points[0].buckets, [1, 1]);
    assert_eq!(said(&rig), (Vec::new(), 0));
}

#[test]
fn another_unit_under_the_same_name_is_warned_about_once_and_exported_beside() {
    let rig = rig(false);
    rig.telemetry.counter(&CALLS).bind(&["p"]).add(1);
    let other = Instrument {
        unit: "{connection}",
        ..CALLS
    };
    for _ in 0..3 {
        rig.telemetry.counter(&other).bind(&["p"]).add(10);
    }
    let metrics = all(&rig.telemetry);
    let named = named(&metrics, "test.calls");
    let value = |metric: &Metric| match &metric.data {
        Data::Sum { points, .. } => points[0].value.as_f64(),
        other => panic!("a sum: {other:?}"),
    };
    let both: Vec<_> = named.iter().map(|one| (&*one.unit, value(one))).collect();
    assert_eq!(both, [("{call}", 1.0), ("{connection}", 30.0)]);
    // The second and third time it was the same again.
    warns(&rig, 1, "other unit; both are exported");
    let page = rig.telemetry.prometheus();
    assert!(
        page.contains("# not shown: "),
        "Prometheus knows no such units:\n{page}"
    );
}

#[test]
fn another_kind_under_the_same_name_works_and_is_warned_about() {
    let rig = rig(false);
    rig.telemetry.counter(&CALLS).bind(&["p"]).add(1);
    rig.telemetry.gauge(&CALLS).bind(&["p"]).set(0.5);
    let metrics = all(&rig.telemetry);
    let kinds = named(&metrics, "test.calls");
    let kinds: Vec<_> = kinds
        .iter()
        .map(|one| matches!(one.data, Data::Gauge { .. }))
        .collect();
    assert!(
        kinds == [true, false] || kinds == [false, true],
        "{kinds:?}"
    );
    warns(&rig, 1, "other kind");
}

#[test]
fn other_boundaries_are_warned_about_and_the_first_are_used() {
    let rig = rig(false);
    rig.telemetry
        .histogram(&CALLS, &[1.0])
        .bind(&["p"])
        .record(0.5);
    for _ in 0..2 {
        let other = rig.telemetry.histogram(&CALLS, &[5.0, 10.0]);
        other.bind(&["p"]).record(7.0);
    }
    let metrics = all(&rig.telemetry);
    let [metric] = named(&metrics, "test.calls")[..] else {
        panic!("one metric: {metrics:?}");
    };
    let Data::Histogram { points, .. } = &metric.data else {
        panic!("a histogram");
    };
    assert_eq!(
        (&points[0].bounds[..], &points[0].buckets[..]),
        (&[1.0][..], &[1, 2][..])
    );
    // Counted each time, said once.
    warns(&rig, 2, "other boundaries; the first are used");
}

#[test]
fn other_labels_and_descriptions_are_warned_about() {
    static MORE: [Label; 2] = [
        CALLS.labels[0],
        Label {
            key: Key::new(&"zone"),
            values: Values::Open { cap: 4 },
        },
    ];
    let first = rig(false);
    first.telemetry.counter(&CALLS).bind(&["p"]).add(1);
    let other = Instrument {
        labels: &MORE,
        ..CALLS
    };
    first.telemetry.counter(&other).bind(&["p", "z"]).add(1);
    warns(&first, 1, "other labels");

    let second = rig(false);
    second.telemetry.counter(&CALLS);
    let other = Instrument {
        description: "What is called.",
        ..CALLS
    };
    second.telemetry.counter(&other);
    warns(&second, 1, "other description");
}

#[test]
fn a_name_is_the_same_in_any_case_and_the_first_is_exported() {
    let rig = rig(false);
    rig.telemetry.counter(&CALLS).bind(&["p"]).add(1);
    let shouted = Instrument {
        name: "TEST.Calls",
        ..CALLS
    };
    rig.telemetry.counter(&shouted).bind(&["p"]).add(2);
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), 3.0);
    let other = Instrument {
        unit: "s",
        ..shouted
    };
    rig.telemetry.counter(&other).bind(&["p"]).add(2);
    assert_eq!(named(&all(&rig.telemetry), "test.calls").len(), 2);
}

#[test]
fn another_scope_is_another_instrument() {
    static OTHER: Scope = Scope {
        name: "other",
        ..SCOPE
    };
    let rig = rig(false);
    rig.telemetry.counter(&CALLS).bind(&["p"]).add(1);
    let theirs = Instrument {
        scope: &OTHER,
        unit: "s",
        ..CALLS
    };
    rig.telemetry.counter(&theirs).bind(&["p"]).add(2);
    assert_eq!(named(&all(&rig.telemetry), "test.calls").len(), 2);
    let duration = Instrument {
        name: DURATION,
        ..theirs
    };
    rig.telemetry.histogram(&duration, DURATION_BOUNDS);
    assert_eq!(said(&rig), (Vec::new(), 0));
}
