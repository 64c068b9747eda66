//! Numbers: every ending counted once, exact totals whatever threads and labels do, readers that do not disturb each
//! other.

#[path = "support/support.rs"]
mod support;

use obs_core::metrics::{Data, Number, Temporality};
use obs_core::{
    Clock, Event, Instrument, Key, Label, LabelId, Labels, Outcome, Parent, StatsLevel, Telemetry,
    Values,
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;
use support::points::{all, find, finished, histogram, histograms, in_flight, number, numbers};
use support::{CODE, METHOD, SCOPE, WORK, rig, rig_with, sampler};

const FAILED: Outcome = Outcome::failed(obs_core::ErrorType::own(0));
const DURATION: &str = "test.work.duration";

static CALLS: Instrument = Instrument {
    name: "test.calls",
    unit: "{call}",
    description: "Calls.",
    labels: &[Label {
        key: Key::new(&"peer"),
        values: Values::Open { cap: 4 },
    }],
    scope: &SCOPE,
};

#[test]
fn every_ending_is_one_point_and_leaves_the_gauge_at_zero() {
    let rig = rig(false);
    let running = |step: &str| rig.root(step);
    running("w").end(Outcome::ANSWERED);
    running("w").end(FAILED);
    running("w").end(Outcome::failed(obs_core::ErrorType::code(503)));
    running("w").end(Outcome::TIMED_OUT);
    drop(running("w"));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut operation = running("w");
        operation.scope(|| panic!("on purpose"));
    }));
    assert!(unwound.is_err());
    let mut late = running("w");
    late.active()
        .expect("recording")
        .set_deadline(Duration::from_secs(1));
    rig.advance_ms(1_500);
    drop(late);
    let mut in_place = running("w");
    in_place.end_in_place(Outcome::ANSWERED);
    in_place.end_in_place(FAILED);
    drop(in_place);

    assert_eq!(in_flight(&rig.telemetry), 0);
    assert_eq!(finished(&rig.telemetry), 8);
    let metrics = all(&rig.telemetry);
    let by_error = |error: &str| histogram(&metrics, DURATION, &[("error.type", error)]).count;
    assert_eq!(
        ["bad", "503", "timeout", "cancelled", "panic"].map(by_error),
        [1, 1, 2, 1, 1]
    );
    let answered = histograms(&metrics, DURATION)
        .into_iter()
        .find(|point| point.attributes.iter().all(|(key, _)| key != "error.type"))
        .expect("the answered ones");
    assert_eq!(answered.count, 2);
}

#[test]
fn the_gauge_counts_what_runs_by_the_labels_it_started_with() {
    let rig = rig(false);
    let (a, mut b, c) = (rig.root("a"), rig.root("b"), rig.root("b"));
    b.active()
        .expect("recording")
        .set_label_text(METHOD, "renamed");
    let active = |step| {
        number(
            &all(&rig.telemetry),
            "test.work.active",
            &[("test.step", step)],
        )
    };
    assert_eq!((active("a"), active("b")), (1.0, 2.0));
    a.end(Outcome::ANSWERED);
    b.end(Outcome::ANSWERED);
    assert_eq!((active("a"), active("b")), (0.0, 1.0));
    // Ended on another thread than it began on: the sum over both is right.
    std::thread::scope(|scope| scope.spawn(move || c.end(Outcome::ANSWERED)).join())
        .expect("no panic");
    assert_eq!((active("a"), active("b")), (0.0, 0.0));
    let renamed = histogram(&all(&rig.telemetry), DURATION, &[("test.step", "renamed")]);
    assert_eq!(renamed.count, 1);
}

#[test]
fn durations_fall_into_the_bucket_whose_bound_they_do_not_pass() {
    let rig = rig(false);
    for ms in [0, 5, 6, 10, 10_000, 10_001] {
        let operation = rig.root("w");
        rig.advance_ms(ms);
        operation.end(Outcome::ANSWERED);
    }
    let point = histogram(&all(&rig.telemetry), DURATION, &[]);
    assert_eq!(point.bounds, obs_core::DURATION_BOUNDS);
    let filled: Vec<_> = point
        .buckets
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(index, count)| (index, *count))
        .collect();
    assert_eq!(filled, [(0, 2), (1, 2), (13, 1), (14, 1)]);
    assert_eq!(point.count, 6);
    assert!((point.sum - 20.022).abs() < 1e-9, "{}", point.sum);
}

#[test]
fn stages_are_recorded_where_both_events_happened_and_the_level_allows() {
    let rig = rig_with(false, |builder| builder.with_measures(true));
    let run = |stop: bool| {
        let mut operation = rig.root("w");
        operation.stamp(Event::SERVER_HANDLE_START);
        rig.advance_ms(20);
        if stop {
            operation.stamp(Event::SERVER_HANDLE_FINISH);
        }
        operation.active().expect("recording").set_measure(0, 100);
        operation.end(Outcome::ANSWERED);
    };
    run(true);
    assert!(find(&all(&rig.telemetry), "test.work.stage.duration").is_none());
    rig.kind.set_level(StatsLevel::Detailed);
    run(true);
    run(false);
    let metrics = all(&rig.telemetry);
    let stage = histogram(
        &metrics,
        "test.work.stage.duration",
        &[("test.stage", "handle")],
    );
    assert_eq!(stage.count, 1);
    assert!((stage.sum - 0.02).abs() < 1e-9);
    let chunks = histogram(&metrics, "test.work.chunks", &[]);
    assert_eq!((chunks.count, chunks.sum), (3, 300.0));
}

#[test]
fn readers_of_either_temporality_do_not_disturb_each_other() {
    let rig = rig(false);
    let cumulative = rig.telemetry.reader(Temporality::Cumulative);
    let (delta, slow_delta) = (
        rig.telemetry.reader(Temporality::Delta),
        rig.telemetry.reader(Temporality::Delta),
    );
    let count = |reader: &obs_core::Reader| {
        histograms(&reader.collect(), DURATION)
            .iter()
            .map(|point| point.count)
            .sum::<u64>()
    };
    let run = |times| (0..times).for_each(|_| rig.root("w").end(Outcome::ANSWERED));
    run(3);
    assert_eq!((count(&cumulative), count(&delta)), (3, 3));
    rig.advance_ms(10);
    run(2);
    assert_eq!((count(&cumulative), count(&delta)), (5, 2));
    assert_eq!((count(&cumulative), count(&delta)), (5, 0));
    assert_eq!(count(&slow_delta), 5);
}

#[test]
fn a_delta_begins_where_the_last_one_ended_and_a_cumulative_point_where_everything_did() {
    let rig = rig(false);
    let (cumulative, delta) = (
        rig.telemetry.reader(Temporality::Cumulative),
        rig.telemetry.reader(Temporality::Delta),
    );
    let span = |reader: &obs_core::Reader| {
        let point = histogram(&reader.collect(), DURATION, &[]);
        (point.start_unix_nanos, point.unix_nanos)
    };
    rig.root("w").end(Outcome::ANSWERED);
    rig.advance_ms(10);
    let (first, first_delta) = (span(&cumulative), span(&delta));
    rig.root("w").end(Outcome::ANSWERED);
    rig.advance_ms(10);
    let (second, second_delta) = (span(&cumulative), span(&delta));
    assert_eq!(first.0, second.0);
    assert_eq!(second.1 - first.1, 10_000_000);
    assert_eq!(first_delta.1, second_delta.0);
}

#[test]
fn the_start_of_a_cumulative_point_stays_where_it_was() {
    // A start that moves reads as a restart of the process at every backend.
    for clock in [Clock::fastest(), Clock::portable()] {
        let telemetry = support::builder()
            .manual()
            .with_clock(clock)
            .build()
            .expect("usable");
        let kind = telemetry.kind(&WORK);
        kind.start(Labels::NONE, Parent::Root)
            .end(Outcome::ANSWERED);
        telemetry.counter(&CALLS).bind(&[]).add(1);
        let starts = || {
            let metrics = all(&telemetry);
            let operations = histogram(&metrics, DURATION, &[]).start_unix_nanos;
            (
                operations,
                numbers(&metrics, "test.calls")[0].start_unix_nanos,
            )
        };
        let first = starts();
        for _ in 0..50 {
            assert_eq!(starts(), first);
        }
    }
}

#[test]
fn what_runs_is_counted_from_the_start_by_a_reader_of_deltas_too() {
    let rig = rig(false);
    let reader = rig.telemetry.reader(Temporality::Delta);
    let _running = rig.root("w");
    let starts = [1, 2, 3].map(|_| {
        rig.advance_ms(10);
        let metrics = reader.collect();
        let gauge = metrics.iter().find_map(|metric| match &metric.data {
            Data::Sum {
                monotonic: false,
                temporality,
                points,
            } => Some((*temporality, points[0].start_unix_nanos)),
            _ => None,
        });
        gauge.expect("the gauge of running operations")
    });
    assert_eq!(starts[0].0, Temporality::Cumulative);
    assert_eq!([starts[1], starts[2]], [starts[0]; 2]);
}

#[test]
fn threads_come_and_go_and_nothing_is_lost() {
    let rig = rig_with(false, |builder| builder.with_shards(4));
    let sizes = rig.telemetry.histogram(&CALLS, &[1.0, 10.0]);
    for round in 0..20 {
        std::thread::scope(|scope| {
            for thread in 0..10 {
                let (rig, sizes) = (&rig, &sizes);
                scope.spawn(move || {
                    let step = ["a", "b", "c"][(round + thread) % 3];
                    for _ in 0..5 {
                        rig.root(step).end(Outcome::ANSWERED);
                        sizes.bind(&["p"]).record(2.0);
                    }
                });
            }
        });
    }
    assert_eq!(finished(&rig.telemetry), 1_000);
    let sizes = histogram(&all(&rig.telemetry), "test.calls", &[("peer", "p")]);
    assert_eq!(
        (sizes.count, sizes.sum, sizes.buckets),
        (1_000, 2_000.0, vec![0, 1_000, 0])
    );
    rig.assert_at_rest();
}

#[test]
fn more_threads_than_shards_share_one_exactly() {
    let rig = rig_with(true, |builder| builder.with_shards(1));
    const THREADS: usize = 8;
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for _ in 0..40 {
                    rig.root("w").end(Outcome::ANSWERED);
                }
                // All are alive now, so that at most one of them owns a shard.
                together.wait();
            });
        }
    });
    assert_eq!(finished(&rig.telemetry), 320);
    assert_eq!(
        rig.spans().len() as u64 + rig.telemetry.counts().ring_full,
        320
    );
    rig.assert_at_rest();
}

#[test]
fn label_values_beyond_the_cap_share_one_series_with_exact_totals() {
    let rig = rig(false);
    assert!(rig.kind.reserve(METHOD, "reserved"));
    for index in 0..100 {
        rig.root(&format!("flood{index}")).end(Outcome::ANSWERED);
    }
    rig.root("reserved").end(Outcome::ANSWERED);
    let points = histograms(&all(&rig.telemetry), DURATION);
    assert_eq!(points.len(), 8 + 1, "the cap's eight and the overflow");
    let metrics = all(&rig.telemetry);
    let count = |step: &str| histogram(&metrics, DURATION, &[("test.step", step)]).count;
    assert_eq!(count("flood0"), 1);
    assert_eq!(count("reserved"), 1, "a reserved value survives the flood");
    assert_eq!(count("_OTHER"), 93);
    assert_eq!(finished(&rig.telemetry), 101);
    assert!(!rig.kind.reserve(METHOD, "too late"));
    rig.assert_at_rest();
}

#[test]
fn series_beyond_the_cap_share_one_with_exact_totals() {
    let rig = rig_with(false, |builder| builder.with_max_series(10));
    let run = |code| {
        let labels = rig.labels("w").with(CODE, LabelId::number(code));
        rig.kind.start(labels, Parent::Root).end(Outcome::ANSWERED);
    };
    (100..200).for_each(run);
    (100..200).for_each(run);
    let metrics = all(&rig.telemetry);
    assert_eq!(histograms(&metrics, DURATION).len(), 11);
    assert_eq!(
        histogram(&metrics, DURATION, &[("test.status", "100")]).count,
        2
    );
    let overflow = histogram(&metrics, DURATION, &[("otel.metric.overflow", "true")]);
    assert_eq!(overflow.count, 180);
    assert_eq!(overflow.attributes.len(), 1);
    assert_eq!(finished(&rig.telemetry), 200);
    rig.assert_at_rest();
}

#[test]
fn totals_are_exact_when_many_metrics_fill_the_telemetrys_room_for_series() {
    let rig = rig(false);
    const EACH: usize = 2_000;
    const METRICS: usize = 12;
    static LABELS: [Label; 1] = [Label {
        key: Key::new(&"value"),
        values: Values::Open { cap: 4_000 },
    }];
    let names: [&'static str; METRICS] = [
        "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9", "m10", "m11",
    ];
    for name in names {
        let counter = rig.telemetry.counter(&Instrument {
            name,
            labels: &LABELS,
            ..CALLS
        });
        for value in 0..EACH {
            counter.bind(&[&value.to_string()]).add(1);
        }
    }
    let metrics = all(&rig.telemetry);
    for name in names {
        let total: f64 = numbers(&metrics, name)
            .iter()
            .map(|point| point.value.as_f64())
            .sum();
        assert_eq!(total, EACH as f64, "{name}");
    }
}

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

#[test]
fn an_observable_that_panics_is_counted_and_the_others_run() {
    let rig = rig(false);
    let gauge = rig.telemetry.gauge(&CALLS).bind(&["p"]);
    rig.telemetry.observe(|| panic!("on purpose"));
    let mut value = 0.0;
    rig.telemetry.observe(move || {
        value += 1.0;
        gauge.set(value);
    });
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), 1.0);
    assert_eq!(number(&all(&rig.telemetry), "test.calls", &[]), 2.0);
    assert_eq!(rig.telemetry.counts().panics, 2);
}

#[test]
fn an_observable_that_is_slow_is_counted_and_sits_out() {
    let rig = rig_with(false, |builder| {
        builder.with_observable_deadline(Duration::from_millis(5))
    });
    let (slow, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let (is_slow, counted) = (slow.clone(), calls.clone());
    rig.telemetry.observe(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        if is_slow.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let others = Arc::new(AtomicU64::new(0));
    let other = others.clone();
    rig.telemetry.observe(move || {
        other.fetch_add(1, Ordering::Relaxed);
    });
    let collect = |times| (0..times).for_each(|_| drop(all(&rig.telemetry)));
    collect(1);
    assert_eq!(rig.telemetry.counts().slow_observables, 1);
    slow.store(false, Ordering::Relaxed);
    collect(10);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "it sits out");
    collect(3);
    assert_eq!(calls.load(Ordering::Relaxed), 4, "and is called again");
    assert_eq!(
        others.load(Ordering::Relaxed),
        14,
        "nobody else missed a call"
    );
    assert_eq!(rig.telemetry.counts().slow_observables, 1);
}

#[test]
fn an_observable_may_register_another() {
    let rig = rig(false);
    let telemetry = rig.telemetry;
    let gauge = telemetry.gauge(&CALLS).bind(&["p"]);
    let mut first = true;
    telemetry.observe(move || {
        if std::mem::take(&mut first) {
            telemetry.observe(move || gauge.set(4.0));
        }
    });
    drop(all(&telemetry));
    assert_eq!(number(&all(&telemetry), "test.calls", &[]), 4.0);
}

#[test]
fn levels_change_per_kind_and_method_while_running() {
    let rig = rig(true);
    let level = |step| {
        let operation = rig.root(step);
        let recording = operation.is_recording();
        operation.end(Outcome::ANSWERED);
        recording.then(|| rig.span().level)
    };
    let (base, detailed) = (Some(StatsLevel::Base), Some(StatsLevel::Detailed));
    assert_eq!((level("a"), level("b")), (base, base));
    rig.kind.set_level(StatsLevel::Detailed);
    assert_eq!((level("a"), level("b")), (detailed, detailed));
    assert!(rig.kind.set_method_level("a", Some(StatsLevel::Disabled)));
    assert_eq!((level("a"), level("b")), (None, detailed));
    rig.kind.set_level(StatsLevel::Disabled);
    assert!(rig.kind.set_method_level("a", Some(StatsLevel::Base)));
    assert_eq!((level("a"), level("b")), (base, None));
    assert!(rig.kind.set_method_level("a", None));
    assert_eq!((level("a"), level("b")), (None, None));
    rig.kind.set_level(StatsLevel::Base);
    assert_eq!((level("a"), level("b")), (base, base));
}

#[test]
fn a_level_that_changes_leaves_running_operations_alone() {
    let rig = rig(true);
    let mut operation = rig.root("w");
    rig.kind.set_level(StatsLevel::Disabled);
    operation.stamp(Event::WRITE_START);
    operation.end(Outcome::ANSWERED);
    assert_eq!(rig.span().level, StatsLevel::Base);
    assert_eq!(
        (finished(&rig.telemetry), in_flight(&rig.telemetry)),
        (1, 0)
    );
}

#[test]
fn at_base_there_are_no_events_and_at_detailed_they_come_in_order_with_first_stamps() {
    let rig = rig(true);
    let mine = Event::define("test_cache_looked_up", StatsLevel::Detailed).expect("room for one");
    for (level, expected) in [
        (StatsLevel::Base, &[][..]),
        (
            StatsLevel::Detailed,
            &[
                ("write_start", 5),
                ("test_cache_looked_up", 10),
                ("write_finish", 20),
            ],
        ),
    ] {
        rig.kind.set_level(level);
        let mut operation = rig.root("w");
        for event in [
            Event::WRITE_START,
            mine,
            Event::WRITE_START,
            Event::WRITE_FINISH,
        ] {
            rig.advance_ms(5);
            operation.stamp(event);
        }
        operation.end(Outcome::ANSWERED);
        let span = rig.span();
        let events: Vec<_> = span
            .events
            .iter()
            .map(|(name, at, _)| (name.as_str(), (at - span.start) / 1_000_000))
            .collect();
        assert_eq!(events, expected);
    }
}

#[test]
fn disabled_records_nothing() {
    let rig = rig_with(true, |builder| builder.with_level(StatsLevel::Disabled));
    let mut operation = rig.root("w");
    assert!(
        !operation.is_recording() && operation.active().is_none() && operation.handle().is_none()
    );
    operation.set(support::STEP, "x");
    operation.stamp(Event::WRITE_START);
    let child = operation.scope(|| rig.start("child", Parent::Current));
    drop(child);
    drop(operation);
    assert_eq!(rig.exported(), [""; 0]);
    assert!(
        all(&rig.telemetry)
            .iter()
            .all(|metric| metric.data.is_empty())
    );

    let noop = Telemetry::noop();
    let operation = noop.kind(&WORK).start(Labels::NONE, Parent::Root);
    assert!(!operation.is_recording());
    noop.kind(&WORK).set_level(StatsLevel::Detailed);
    assert!(
        !noop
            .kind(&WORK)
            .start(Labels::NONE, Parent::Root)
            .is_recording()
    );
}

#[test]
fn after_shutdown_nothing_starts_and_what_runs_may_end() {
    let rig = rig(true);
    let running = rig.root("running");
    rig.root("before").end(Outcome::ANSWERED);
    rig.telemetry
        .shutdown(Duration::from_secs(1))
        .expect("nothing to deliver");
    running.end(Outcome::ANSWERED);
    rig.kind.set_level(StatsLevel::Detailed);
    let late = |step| rig.root(step).is_recording();
    assert!(!late("after"));
    rig.kind.set_method_level("after", Some(StatsLevel::Base));
    assert!(!late("after"), "a method's level does not revive it");
    assert_eq!(
        (finished(&rig.telemetry), in_flight(&rig.telemetry)),
        (2, 0)
    );
}

#[test]
fn two_telemetries_on_one_thread_keep_their_numbers_apart() {
    let (one, two) = (rig(true), rig(true));
    for index in 0..30 {
        let rig = if index % 3 == 0 { &one } else { &two };
        rig.root("w").end(Outcome::ANSWERED);
    }
    let mut outer = one.root("outer");
    outer.scope(|| two.start("inner", Parent::Current).end(Outcome::ANSWERED));
    outer.end(Outcome::ANSWERED);
    assert_eq!(
        (finished(&one.telemetry), finished(&two.telemetry)),
        (11, 21)
    );
    let outer = one
        .spans()
        .into_iter()
        .find(|span| span.step() == "outer")
        .expect("outer");
    let inner = two
        .spans()
        .into_iter()
        .find(|span| span.step() == "inner")
        .expect("inner");
    assert_eq!(
        (inner.trace_id, inner.parent),
        (outer.trace_id, Some(outer.span_id))
    );
    one.assert_at_rest();
    two.assert_at_rest();
}

#[test]
fn a_child_of_another_telemetrys_undecided_root_is_decided_by_its_own() {
    let (one, two) = (rig(false), rig(false));
    let mut outer = one.root("outer");
    outer.scope(|| two.start("fine", Parent::Current).end(Outcome::ANSWERED));
    outer.scope(|| two.start("bad", Parent::Current).end(FAILED));
    outer.end(Outcome::ANSWERED);
    assert_eq!(one.exported(), [""; 0]);
    assert_eq!(two.exported(), ["bad (error, partial)"]);
    one.assert_at_rest();
    two.assert_at_rest();
}

#[test]
fn a_subscriber_that_panics_is_counted_and_the_others_see_everything() {
    struct Panics;
    impl obs_core::Subscriber for Panics {
        fn on_records(&mut self, _: obs_core::Records<'_>) {
            panic!("on purpose");
        }
    }
    let seen = support::Captured::default();
    let telemetry = support::builder()
        .manual()
        .with_sampler(sampler(true))
        .with_subscriber(Panics)
        .with_subscriber(seen.clone())
        .build()
        .expect("usable");
    telemetry
        .kind(&WORK)
        .start(Labels::NONE, Parent::Root)
        .end(Outcome::ANSWERED);
    telemetry.collect(Duration::from_secs(1)).expect("manual");
    assert_eq!(seen.take_spans().len(), 1);
    assert_eq!(telemetry.counts().panics, 1);
}
