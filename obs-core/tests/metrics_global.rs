//! The recorder of a process, in a process of its own.
#![cfg(all(feature = "metrics", not(loom)))]

#[path = "support/support.rs"]
mod support;

use obs_core::metrics_facade::MetricsRecorder;
use support::points::{all, number};
use support::rig;

#[test]
fn the_installed_one_records_for_all_threads_and_a_second_one_is_refused() {
    let (first, second) = (rig(false), rig(false));
    MetricsRecorder::new(&first.telemetry)
        .install_global()
        .expect("the first");
    let refused = MetricsRecorder::new(&second.telemetry)
        .install_global()
        .expect_err("the second");
    assert!(refused.is_configuration(), "{refused}");
    assert!(
        refused.to_string().contains("installed already"),
        "{refused}"
    );
    let threads = (0..4).map(|_| {
        std::thread::spawn(|| metrics::counter!("orders_total", "shop" => "north").increment(1))
    });
    threads
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(number(&all(&first.telemetry), "orders_total", &[]), 4.0);
    assert!(
        all(&second.telemetry)
            .iter()
            .all(|metric| metric.scope.name != "metrics")
    );
}
