//! Several telemetries, their ends, and threads that come and go.

use crate::recording;
use crate::support::points::{all, find, number};
use crate::support::rig;
use metrics::{counter, gauge, histogram};
use obs_core::Telemetry;
use obs_core::metrics_facade::MetricsRecorder;
use std::time::Duration;

#[test]
fn two_telemetries_on_one_thread_keep_their_numbers_apart() {
    let (one, two) = (rig(false), rig(false));
    for round in 0..30_u64 {
        let rig = if round % 3 == 0 { &one } else { &two };
        recording(rig, || {
            counter!("orders_total", "shop" => "north").increment(1);
            gauge!("depth").increment(1.0);
        });
    }
    let read = |name| [&one, &two].map(|rig| number(&all(&rig.telemetry), name, &[]));
    assert_eq!(read("orders_total"), [10.0, 20.0]);
    assert_eq!(read("depth"), [10.0, 20.0]);
}

#[test]
fn two_recorders_of_one_telemetry_record_the_same_metrics() {
    let rig = rig(false);
    recording(&rig, || counter!("orders_total").increment(1));
    recording(&rig, || counter!("orders_total").increment(2));
    assert_eq!(number(&all(&rig.telemetry), "orders_total", &[]), 3.0);
    assert!(rig.telemetry.warnings().is_empty());
}

#[test]
fn after_shutdown_nothing_is_recorded_or_registered() {
    let rig = rig(false);
    let kept = recording(&rig, || {
        gauge!("depth").set(1.0);
        counter!("orders_total").increment(1);
        counter!("orders_total")
    });
    rig.telemetry
        .shutdown(Duration::from_secs(1))
        .expect("nothing to deliver");
    recording(&rig, || {
        kept.increment(10);
        counter!("orders_total").increment(10);
        counter!("orders_total").absolute(100);
        counter!("late_total").increment(1);
        gauge!("depth").set(10.0);
        gauge!("depth").increment(10.0);
        histogram!("took").record(1.0);
        histogram!("took").record(f64::NAN);
        metrics::describe_counter!("late_total", "Too late.");
    });
    let metrics = all(&rig.telemetry);
    assert_eq!(number(&metrics, "orders_total", &[]), 1.0);
    assert_eq!(number(&metrics, "depth", &[]), 1.0);
    assert!(find(&metrics, "late_total").is_none() && find(&metrics, "took").is_none());
    assert_eq!(
        rig.telemetry.counts().metrics_refused,
        0,
        "it is over, not refused"
    );
}

#[test]
fn one_that_records_nothing_takes_everything() {
    let recorder = MetricsRecorder::new(&Telemetry::noop());
    metrics::with_local_recorder(&recorder, || {
        counter!("orders_total").increment(1);
        counter!("orders_total").absolute(1);
        gauge!("depth").set(1.0);
        histogram!("took").record(f64::NAN);
    });
    let noop = Telemetry::noop();
    assert!(all(&noop).is_empty() && noop.warnings().is_empty());
    assert_eq!(noop.counts().metrics_refused, 0);
}

#[test]
fn numbers_of_threads_that_ended_stay() {
    let rig = rig(false);
    for _ in 0..50 {
        std::thread::scope(|scope| {
            scope.spawn(|| recording(&rig, || counter!("orders_total").increment(1)));
        });
    }
    assert_eq!(number(&all(&rig.telemetry), "orders_total", &[]), 50.0);
}

#[test]
fn a_destructor_of_a_thread_that_ends_may_record() {
    struct Last(MetricsRecorder);
    impl Drop for Last {
        fn drop(&mut self) {
            metrics::with_local_recorder(&self.0, || counter!("orders_total").increment(1));
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    let rig = rig(false);
    for before in [true, false] {
        let recorder = MetricsRecorder::new(&rig.telemetry);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let record = || recording(&rig, || counter!("orders_total").increment(1));
                // Destructors run in the order in which they are registered, or in the other: both are tried.
                if before {
                    record();
                }
                LAST.with(|last| *last.borrow_mut() = Some(Last(recorder)));
                if !before {
                    record();
                }
            });
            // The scope alone does not wait for destructors.
            thread.join().expect("no panic");
        });
    }
    assert_eq!(number(&all(&rig.telemetry), "orders_total", &[]), 4.0);
}
