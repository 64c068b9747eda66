//! Readers of either temporality: whatever one of them has seen changes nothing for the others.

use crate::support::points::{all, histogram, histograms, numbers};
use crate::support::{self, WORK, rig};
use crate::{CALLS, DURATION};
use obs_core::metrics::{Data, Temporality};
use obs_core::{Clock, Labels, Outcome, Parent};

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
