//! A wall clock that is set, an hour on or back: durations are the monotonic clock's, and nothing ends before it begins.

use crate::support::points::{all, find};
use crate::support::*;
use obs_core::metrics::{Data, Metric, Temporality};
use obs_core::{Outcome, Parent};
use std::time::Duration;

const HOUR: u64 = 3_600_000_000_000;
/// When the manual clock begins.
const BEGIN: u64 = 1_767_225_600_000_000_000;

const STEPS: [u64; 2] = [BEGIN + HOUR, BEGIN - HOUR];

#[test]
fn an_operation_takes_as_long_as_it_took_whatever_the_wall_clock_did_meanwhile() {
    for wall in STEPS {
        let rig = rig(true);
        let mut outer = rig.root("outer");
        rig.advance_ms(20);
        let inner = outer.scope(|| rig.start("inner", Parent::Current));
        let handle = outer.handle().expect("recording");
        handle.add_event("before", Vec::new());
        rig.clock.set_wall(wall);
        rig.advance_ms(30);
        handle.add_event("after", Vec::new());
        inner.end(Outcome::ANSWERED);
        rig.advance_ms(50);
        outer.end(Outcome::ANSWERED);
        let spans = rig.spans();
        let [inner, outer] = &spans[..] else {
            panic!("two spans in {spans:#?}");
        };
        let took = |span: &Span| Duration::from_nanos(span.end - span.start);
        assert_eq!(took(outer), Duration::from_millis(100));
        assert_eq!(took(inner), Duration::from_millis(30));
        // By the clock of when they were collected, and in order.
        assert_eq!(outer.end, wall + 80_000_000);
        assert_eq!(inner.start - outer.start, 20_000_000);
        let at: Vec<_> = outer
            .events
            .iter()
            .map(|(_, at, _)| at - outer.start)
            .collect();
        assert_eq!(at, [20_000_000, 50_000_000]);
    }
}

#[test]
fn spans_after_a_step_have_the_new_time() {
    for wall in STEPS {
        let rig = rig(true);
        rig.root("before").end(Outcome::ANSWERED);
        assert_eq!(rig.span().start, BEGIN);
        rig.clock.set_wall(wall);
        rig.root("after").end(Outcome::ANSWERED);
        assert_eq!(rig.span().start, wall);
    }
}

/// Start and time of each point that has a start.
fn times(metric: &Metric) -> Vec<(u64, u64)> {
    match &metric.data {
        Data::Sum { points, .. } => { points.iter() }
            .map(|point| (point.start_unix_nanos, point.unix_nanos))
            .collect(),
        Data::Histogram { points, .. } => { points.iter() }
            .map(|point| (point.start_unix_nanos, point.unix_nanos))
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn points_never_begin_after_they_are_taken_and_durations_are_not_counted_by_the_wall() {
    for wall in STEPS {
        for temporality in [Temporality::Cumulative, Temporality::Delta] {
            let rig = rig(true);
            let reader = rig.telemetry.reader(temporality);
            let work = || {
                let operation = rig.root("a");
                rig.advance_ms(10);
                operation.end(Outcome::ANSWERED);
            };
            work();
            reader.collect();
            let running = rig.root("a");
            rig.clock.set_wall(wall);
            rig.advance_ms(10);
            running.end(Outcome::ANSWERED);
            for round in 0..3 {
                let metrics = reader.collect();
                for metric in &metrics {
                    for (start, at) in times(metric) {
                        assert!(start <= at, "{}: {start} to {at}", metric.name);
                    }
                }
                let _ = round;
                work();
            }
        }
        // None of it took an hour.
        let rig = rig(true);
        let operation = rig.root("a");
        rig.clock.set_wall(wall);
        rig.advance_ms(10);
        operation.end(Outcome::ANSWERED);
        let metrics = all(&rig.telemetry);
        let durations = find(&metrics, "test.work.duration").expect("it ended");
        let Data::Histogram { points, .. } = &durations.data else {
            panic!("a histogram");
        };
        assert_eq!(points[0].sum, 0.01);
    }
}

#[test]
fn a_cumulative_metric_begins_once_more_after_the_clock_was_set_back_and_not_at_each_collection() {
    let rig = rig(true);
    let reader = rig.telemetry.reader(Temporality::Cumulative);
    let mut starts = Vec::new();
    for round in 0..6 {
        rig.root("a").end(Outcome::ANSWERED);
        rig.advance_ms(1_000);
        if round == 3 {
            rig.clock.set_wall(BEGIN - HOUR);
        }
        let metrics = reader.collect();
        let durations = find(&metrics, "test.work.duration").expect("it ended");
        starts.extend(times(durations).into_iter().map(|(start, _)| start));
    }
    assert_eq!(starts[..3], [BEGIN; 3]);
    assert_eq!(starts[3..], [BEGIN - HOUR; 3]);
}
