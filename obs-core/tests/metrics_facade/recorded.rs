//! Each macro, and what it makes of its numbers.

use crate::recording;
use crate::support::points::{all, find, histogram, number, numbers};
use crate::support::rig;
use metrics::{counter, gauge, histogram as histogram_macro};
use obs_core::metrics::{Data, Number, Temporality};
use obs_core::{DURATION_BOUNDS, SIZE_BOUNDS};

#[test]
fn a_counter_counts_over_threads_and_call_sites() {
    let rig = rig(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                recording(&rig, || {
                    for _ in 0..1_000 {
                        counter!("orders_total", "shop" => "north").increment(2);
                        counter!("orders_total", "shop" => "south".to_owned()).increment(1);
                    }
                });
            });
        }
    });
    let metrics = all(&rig.telemetry);
    let orders = |shop| number(&metrics, "orders_total", &[("shop", shop)]);
    assert_eq!((orders("north"), orders("south")), (8_000.0, 4_000.0));
    assert!(matches!(
        find(&metrics, "orders_total").map(|metric| (&metric.data, metric.scope.name)),
        Some((
            Data::Sum {
                monotonic: true,
                ..
            },
            "metrics"
        ))
    ));
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn the_order_of_labels_makes_no_other_series_and_the_last_of_one_key_counts() {
    let rig = rig(false);
    recording(&rig, || {
        counter!("orders_total", "a" => "1", "b" => "2").increment(1);
        counter!("orders_total", "b" => "2", "a" => "1").increment(1);
        counter!("orders_total", "a" => "0", "b" => "2", "a" => "1").increment(1);
        counter!("orders_total", "a" => "1", "b" => "2", "c" => "").increment(1);
    });
    let points = numbers(&all(&rig.telemetry), "orders_total");
    assert_eq!(points.len(), 1, "{points:?}");
    assert_eq!(points[0].value, Number::I64(4));
    let keys: Vec<_> = points[0].attributes.iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["a", "b"]);
}

#[test]
fn label_sets_of_one_metric_may_have_other_keys() {
    let rig = rig(false);
    recording(&rig, || {
        counter!("orders_total").increment(1);
        counter!("orders_total", "shop" => "north").increment(2);
        counter!("orders_total", "paid" => "card", "late" => "yes").increment(4);
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(numbers(&metrics, "orders_total").len(), 3);
    assert_eq!(number(&metrics, "orders_total", &[("shop", "north")]), 2.0);
    assert_eq!(number(&metrics, "orders_total", &[("late", "yes")]), 4.0);
}

#[test]
fn a_total_raises_a_counter_and_never_lowers_it() {
    let rig = rig(false);
    let total = || number(&all(&rig.telemetry), "polled", &[]);
    recording(&rig, || {
        counter!("polled").absolute(10);
        assert_eq!(total(), 10.0);
        counter!("polled").absolute(7);
        assert_eq!(total(), 10.0);
        std::thread::scope(|scope| {
            let counter = counter!("polled");
            scope.spawn(move || counter.increment(5));
        });
        assert_eq!(total(), 15.0);
        counter!("polled").absolute(12);
        assert_eq!(total(), 15.0);
        counter!("polled").absolute(20);
        assert_eq!(total(), 20.0);
    });
}

#[test]
fn totals_set_on_many_threads_at_once_end_at_the_greatest() {
    let rig = rig(false);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let rig = &rig;
            scope.spawn(move || {
                recording(rig, || {
                    (0..500).for_each(|step| counter!("polled").absolute(step * 4 + thread));
                });
            });
        }
    });
    assert_eq!(number(&all(&rig.telemetry), "polled", &[]), 1_999.0);
}

#[test]
fn a_gauge_is_set_and_moved_from_any_thread() {
    let rig = rig(false);
    let value = || number(&all(&rig.telemetry), "depth", &[("queue", "in")]);
    recording(&rig, || {
        gauge!("depth", "queue" => "in").set(5);
        gauge!("depth", "queue" => "in").increment(2.5);
        gauge!("depth", "queue" => "in").decrement(1);
    });
    assert_eq!(value(), 6.5);
    let together = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                recording(&rig, || {
                    let depth = gauge!("depth", "queue" => "in");
                    together.wait();
                    (0..100_000).for_each(|_| depth.increment(1));
                });
            });
        }
    });
    assert_eq!(value(), 400_006.5);
    recording(&rig, || gauge!("depth", "queue" => "in").set(f64::NAN));
    assert!(value().is_nan());
}

#[test]
fn a_histogram_counts_values_once_or_many_times() {
    let rig = rig(false);
    recording(&rig, || {
        histogram_macro!("took_seconds").record(0.2);
        histogram_macro!("took_seconds").record(std::time::Duration::from_millis(300));
        histogram_macro!("took_seconds").record_many(2.0, 3);
    });
    let point = histogram(&all(&rig.telemetry), "took_seconds", &[]);
    assert_eq!(point.bounds, DURATION_BOUNDS);
    assert_eq!(point.count, 5);
    assert!((point.sum - 6.5).abs() < 1e-9, "{}", point.sum);
    let in_bucket = |value: f64| {
        let bucket = point.bounds.iter().position(|bound| value <= *bound);
        point.buckets[bucket.expect("within")]
    };
    assert_eq!((in_bucket(0.2), in_bucket(0.3), in_bucket(2.0)), (1, 1, 3));
}

#[test]
fn what_is_registered_is_there_at_zero() {
    let rig = rig(false);
    recording(&rig, || {
        let _ = counter!("orders_total");
        let _ = gauge!("depth");
        let _ = histogram_macro!("took");
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "orders_total", &[]), 0.0);
    assert_eq!(number(&metrics, "depth", &[]), 0.0);
    assert!(find(&metrics, "took").is_none(), "nothing to show as yet");
}

#[test]
fn a_handle_works_on_any_thread_and_without_the_recorder() {
    let rig = rig(false);
    let handle = recording(&rig, || counter!("orders_total"));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let handle = handle.clone();
            std::thread::spawn(move || handle.increment(7))
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
    handle.increment(1);
    assert_eq!(number(&all(&rig.telemetry), "orders_total", &[]), 22.0);
}

#[test]
fn each_increment_is_in_one_delta() {
    let rig = rig(false);
    let reader = rig.telemetry.reader(Temporality::Delta);
    recording(&rig, || {
        for step in 1..=3_u64 {
            counter!("orders_total").increment(step);
            gauge!("depth").increment(1);
            histogram_macro!("took").record_many(0.5, step as usize);
            let metrics = reader.collect();
            assert_eq!(number(&metrics, "orders_total", &[]), step as f64);
            assert_eq!(number(&metrics, "depth", &[]), step as f64, "a level");
            assert_eq!(histogram(&metrics, "took", &[]).count, step);
            rig.advance_ms(1_000);
        }
    });
    assert_eq!(number(&all(&rig.telemetry), "orders_total", &[]), 6.0);
}

#[test]
fn limits_of_histograms_are_those_of_their_unit() {
    let rig = rig(false);
    recording(&rig, || {
        metrics::describe_histogram!("answer", metrics::Unit::Bytes, "");
        metrics::describe_histogram!("wait", metrics::Unit::Seconds, "");
        for name in ["answer", "wait", "items"] {
            histogram_macro!(name).record(3.0);
        }
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(histogram(&metrics, "answer", &[]).bounds, SIZE_BOUNDS);
    assert_eq!(histogram(&metrics, "wait", &[]).bounds, DURATION_BOUNDS);
    let items = histogram(&metrics, "items", &[]).bounds;
    assert_eq!((items[0], items[items.len() - 1]), (0.005, 10_000.0));
    assert!(items.is_sorted_by(|a, b| a < b));
}
