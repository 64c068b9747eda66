//! Instruments of other crates and of services.

use crate::CALLS;
use crate::support::points::{all, find, histogram, number, numbers};
use crate::support::rig;
use obs_core::metrics::{Data, Number, Temporality};

#[test]
fn counters_add_up_over_threads() {
    let rig = rig(false);
    let calls = rig.telemetry.counter(&CALLS).bind(&["p"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| calls.add(3)));
        }
    });
    assert_eq!(
        number(&all(&rig.telemetry), "test.calls", &[("peer", "p")]),
        12_000.0
    );
}

/// The value and the start of the mirrored counter.
#[track_caller]
fn mirrored(reader: &obs_core::Reader) -> (i64, u64) {
    let metrics = reader.collect();
    let points = numbers(&metrics, "test.calls");
    let [point] = &points[..] else {
        panic!("one point expected: {points:?}")
    };
    let Number::I64(value) = point.value else {
        panic!("a whole number expected")
    };
    (value, point.start_unix_nanos)
}

#[test]
fn a_mirrored_counter_follows_its_source_through_a_restart() {
    for absolute in [true, false] {
        let rig = rig(false);
        let counter = if absolute {
            rig.telemetry.absolute_counter(&CALLS)
        } else {
            rig.telemetry.counter(&CALLS)
        };
        let counter = counter.bind(&["p"]);
        let (cumulative, delta) = (
            rig.telemetry.reader(Temporality::Cumulative),
            rig.telemetry.reader(Temporality::Delta),
        );
        let both = |total| {
            counter.set_absolute(total);
            let both = (mirrored(&cumulative), mirrored(&delta).0);
            rig.advance_ms(1_000);
            both
        };
        let ((value, start), change) = both(100);
        assert_eq!((value, change), (100, 100));
        let ((value, second_start), change) = both(130);
        assert_eq!((value, change, second_start), (130, 30, start));
        let ((value, third_start), change) = both(7);
        assert_eq!((value, change), (7, 7), "started again from zero");
        assert!(
            third_start > second_start,
            "a restart has a start of its own"
        );
        let ((value, fourth_start), change) = both(9);
        assert_eq!((value, change, fourth_start), (9, 2, third_start));
    }
}

#[test]
fn what_one_thread_adds_to_a_tally_another_takes_away() {
    let rig = rig(false);
    let held = rig.telemetry.tally(&CALLS).bind(&["p"]);
    let (delta, whole) = (
        rig.telemetry.reader(Temporality::Delta),
        rig.telemetry.reader(Temporality::Cumulative),
    );
    let both = || [&delta, &whole].map(|reader| number(&reader.collect(), "test.calls", &[]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1_000).for_each(|_| held.add(3)));
        }
    });
    // It is a level whatever the reader's temporality.
    assert_eq!(both(), [12_000.0; 2]);
    std::thread::scope(|scope| scope.spawn(|| held.add(-11_999)).join()).expect("no panic");
    assert_eq!(both(), [1.0; 2]);
    held.add(-1);
    assert_eq!(both(), [0.0; 2]);
    // As between the two halves of a move from one thread to the next.
    held.add(-1);
    assert_eq!(both(), [0.0; 2], "never less than none");
    let metrics = all(&rig.telemetry);
    assert!(matches!(
        find(&metrics, "test.calls").map(|metric| &metric.data),
        Some(Data::Sum {
            monotonic: false,
            ..
        })
    ));
}

#[test]
fn a_gauge_says_what_was_set_last_on_any_thread() {
    let rig = rig(false);
    let gauge = rig.telemetry.gauge(&CALLS).bind(&["p"]);
    gauge.set(1.0);
    std::thread::scope(|scope| scope.spawn(|| gauge.set(2.5)).join()).expect("no panic");
    let metrics = all(&rig.telemetry);
    assert!(matches!(
        find(&metrics, "test.calls").map(|m| &m.data),
        Some(Data::Gauge { .. })
    ));
    assert_eq!(number(&metrics, "test.calls", &[]), 2.5);
    gauge.set(-3.0);
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), -3.0);
}

#[test]
fn a_value_that_is_no_number_is_not_recorded() {
    let rig = rig(false);
    let sizes = rig.telemetry.histogram(&CALLS, &[1.0]).bind(&["p"]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0, 1.5] {
        sizes.record(value);
    }
    let point = histogram(&all(&rig.telemetry), "test.calls", &[]);
    assert_eq!(
        (point.count, point.sum, point.buckets),
        (2, 2.5, vec![1, 1])
    );
}
