//! Deadlines: any duration is one.

use crate::support::builder;
use obs_core::courier::Capture;
use obs_core::{Builder, Telemetry};
use std::time::Duration;

#[track_caller]
fn built(builder: Builder) -> Telemetry {
    builder.build().expect("usable")
}

#[test]
fn the_longest_duration_is_a_deadline_and_no_panic() {
    let capture = Capture::new();
    for builder in [builder(), builder().manual()] {
        let telemetry = built(
            builder
                .with_metric_interval(Duration::MAX)
                .with_collect_interval(Duration::MAX)
                .with_observable_deadline(Duration::MAX)
                .with_transport(capture.clone()),
        );
        telemetry.observe(|| ());
        telemetry.collect(Duration::MAX).expect("in time");
        telemetry.flush(Duration::MAX).expect("in time");
        drop(telemetry.shutdown_on_drop(Duration::MAX));
        telemetry.shutdown(Duration::MAX).expect("it was Ok");
    }
}
