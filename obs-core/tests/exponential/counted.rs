//! Whatever is recorded, by whichever thread: each value in the bucket that contains it, none lost, none twice.

use crate::oracle::{check, found};
use crate::support::points::{all, histogram, histograms};
use crate::support::rig_with;
use crate::{CHUNKS, DURATION, SIZES, STAGE, open, point};
use obs_core::metrics::{HistogramPoint, Temporality};
use obs_core::{
    Event, ExponentialHistogram, Instrument, Key, Label, Outcome, Reader, StatsLevel, Telemetry,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Barrier;

fn telemetry() -> Telemetry {
    let rig = rig_with(false, |builder| {
        builder.with_histograms(ExponentialHistogram::default())
    });
    rig.telemetry
}

/// Away from limits of buckets but for powers of two, which are exactly on them.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => 1e-4..10.0_f64,
        2 => -300.0..300.0_f64,
        2 => (-1_022..=1_023).prop_map(|power| 2_f64.powi(power)),
        1 => Just(0.0),
        1 => Just(-0.0),
        1 => any::<f64>().prop_filter("normal", |value| value.is_normal()),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_value_is_in_the_bucket_that_contains_it(
        values in prop::collection::vec(value(), 1..80),
    ) {
        let telemetry = telemetry();
        let bound = telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
        values.iter().for_each(|value| bound.record(*value));
        let point = point(&telemetry, SIZES.name);
        check(&point.exponential.expect("asked for"), &values, 160, 6);
        prop_assert_eq!(point.count, values.len() as u64);
        // Added in the order they came in, by one thread.
        prop_assert_eq!(point.sum, values.iter().sum::<f64>());
    }

    #[test]
    fn what_threads_counted_is_what_one_would_have(
        parts in prop::collection::vec(prop::collection::vec(value(), 0..30), 1..5),
        shards in 1..4_usize,
    ) {
        // Of more threads than may own a shard some share one.
        let rig = rig_with(false, |builder| {
            builder.with_histograms(ExponentialHistogram::default()).with_shards(shards)
        });
        let bound = rig.telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
        bound.record(1.5);
        std::thread::scope(|scope| {
            for part in &parts {
                scope.spawn(move || part.iter().for_each(|value| bound.record(*value)));
            }
        });
        let values = [vec![1.5], parts.concat()].concat();
        let point = point(&rig.telemetry, SIZES.name);
        check(&point.exponential.expect("asked for"), &values, 160, 6);
        prop_assert_eq!(point.count, values.len() as u64);
    }

    #[test]
    fn a_delta_is_what_came_since_and_a_total_is_all(
        rounds in prop::collection::vec(prop::collection::vec(value(), 0..20), 1..6),
    ) {
        let telemetry = telemetry();
        let bound = telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
        let (cumulative, delta) = (
            telemetry.reader(Temporality::Cumulative),
            telemetry.reader(Temporality::Delta),
        );
        let only = |reader: &Reader| -> Option<HistogramPoint> {
            let metrics = reader.collect();
            let mut points = histograms(&metrics, SIZES.name);
            assert!(points.len() <= 1);
            points.pop()
        };
        let mut all = Vec::new();
        for round in rounds {
            round.iter().for_each(|value| bound.record(*value));
            all.extend_from_slice(&round);
            for (reader, values) in [(&delta, &round), (&cumulative, &all)] {
                match only(reader) {
                    Some(point) => {
                        check(&point.exponential.expect("asked for"), values, 160, 6);
                    }
                    None => prop_assert!(values.is_empty()),
                }
            }
        }
    }

    #[test]
    fn any_size_and_scale_hold(
        values in prop::collection::vec(value(), 1..40),
        max_size in 2..=1_024_u32,
        max_scale in -10..=20_i32,
    ) {
        let rig = rig_with(false, |builder| {
            builder.with_histograms(ExponentialHistogram { max_size, max_scale })
        });
        let bound = rig.telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
        values.iter().for_each(|value| bound.record(*value));
        let buckets = point(&rig.telemetry, SIZES.name).exponential.expect("asked for");
        // The scale at which a power of two takes at most half of the buckets, and not above 8.
        let recorded = (max_size.ilog2() as i32 - 1).clamp(0, 8);
        check(&buckets, &values, max_size as i32, recorded.min(max_scale));
    }
}

#[test]
fn durations_stages_and_measures_of_operations_are_counted_as_instruments_are() {
    let rig = rig_with(false, |builder| {
        builder
            .with_histograms(ExponentialHistogram::default())
            .with_level(StatsLevel::Detailed)
            .with_measures(true)
    });
    let (mut durations, mut stages, mut chunks) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..200_u64 {
        let mut operation = rig.root("a");
        if round % 3 == 0 {
            operation.stamp(Event::SERVER_HANDLE_START);
            rig.advance_ms(round);
            operation.stamp(Event::SERVER_HANDLE_FINISH);
            stages.push(round as f64 / 1e3);
        } else {
            rig.advance_ms(round);
        }
        if round % 2 == 0 {
            operation
                .active()
                .expect("runs")
                .set_measure(0, round * 1_000);
            chunks.push((round * 1_000) as f64);
        }
        rig.advance_ms(1);
        durations.push((round + 1) as f64 / 1e3);
        operation.end(Outcome::ANSWERED);
    }
    let metrics = all(&rig.telemetry);
    for (name, values) in [(DURATION, durations), (STAGE, stages), (CHUNKS, chunks)] {
        let point = histogram(&metrics, name, &[]);
        check(&point.exponential.expect("asked for"), &values, 160, 6);
        assert_eq!(point.count, values.len() as u64, "{name}");
        assert_eq!(point.buckets.iter().sum::<u64>(), point.count, "{name}");
    }
}

#[test]
fn deltas_taken_while_threads_record_add_up_to_everything() {
    const EACH: u32 = 60_000;
    // This thread owns the only shard that may be owned; the others share one, and most of them a series.
    let rig = rig_with(false, |builder| {
        builder
            .with_histograms(ExponentialHistogram::default())
            .with_shards(1)
    });
    let sizes = rig.telemetry.histogram(&SIZES, &[1.0]);
    let reader = rig.telemetry.reader(Temporality::Delta);
    let mut counts = BTreeMap::<i32, u64>::new();
    let mut explicit = 0;
    let mut take = || {
        for point in histograms(&reader.collect(), SIZES.name) {
            explicit += point.count;
            let buckets = point.exponential.expect("asked for");
            for (index, count) in found(&buckets.positive) {
                // Values of one power of two after the other: a delta of few has a finer scale than one of many.
                *counts.entry(index >> buckets.scale).or_default() += count;
            }
        }
    };
    let together = Barrier::new(4);
    std::thread::scope(|scope| {
        let threads = ["a", "a", "a", "b"].map(|peer| {
            let bound = sizes.bind(&[peer, ""]);
            let together = &together;
            scope.spawn(move || {
                together.wait();
                (0..EACH).for_each(|at| bound.record(2_f64.powi(at as i32 % 3) * 1.5));
            })
        });
        while threads.iter().any(|thread| !thread.is_finished()) {
            take();
        }
    });
    take();
    let of = |power| (0..EACH).filter(|at| at % 3 == power).count() as u64 * 4;
    let expect = [(0, of(0)), (1, of(1)), (2, of(2))];
    assert_eq!(counts, expect.into_iter().collect());
    assert_eq!(explicit, u64::from(EACH) * 4);
}

#[test]
fn what_is_no_normal_number_counts_as_the_least_and_what_is_not_finite_does_not() {
    let telemetry = telemetry();
    let bound = telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        bound.record(value);
    }
    for value in [
        f64::from_bits(1),
        f64::MIN_POSITIVE / 2.0,
        f64::MIN_POSITIVE,
    ] {
        bound.record(value);
    }
    let buckets = point(&telemetry, SIZES.name)
        .exponential
        .expect("asked for");
    check(&buckets, &[f64::MIN_POSITIVE; 3], 160, 6);
}

#[test]
fn what_finds_no_series_of_its_own_is_counted_in_the_overflow() {
    static PEERS: &[Label] = &[open(Key::new(&"peer"))];
    let instrument = Instrument {
        labels: PEERS,
        ..SIZES
    };
    let rig = rig_with(false, |builder| {
        builder
            .with_histograms(ExponentialHistogram::default())
            .with_max_series(2)
    });
    let sizes = rig.telemetry.histogram(&instrument, &[1.0]);
    for (peer, value) in [("a", 1.0), ("b", 2.0), ("c", 4.0), ("d", 8.0)] {
        sizes.bind(&[peer]).record(value);
    }
    let metrics = all(&rig.telemetry);
    let of = |key, value| histogram(&metrics, SIZES.name, &[(key, value)]).exponential;
    for (buckets, values) in [
        (of("peer", "a"), &[1.0][..]),
        (of("peer", "b"), &[2.0]),
        (of("otel.metric.overflow", "true"), &[4.0, 8.0]),
    ] {
        check(&buckets.expect("asked for"), values, 160, 6);
    }
}
