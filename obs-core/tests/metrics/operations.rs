//! What finished operations leave: one point each, in the right bucket, and nothing in flight.

use crate::support::points::{all, find, finished, histogram, histograms, in_flight, number};
use crate::support::{METHOD, rig, rig_with};
use crate::{DURATION, FAILED};
use obs_core::{Event, Outcome, StatsLevel};
use std::time::Duration;

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
