//! Nothing is lost: whatever is recorded, a merged point is the sum of its parts, and a delta the difference of two
//! collections.

use crate::support::points::{all, histogram, histograms, numbers};
use crate::support::rig_with;
use crate::{CALLS, DURATION, buckets, viewed, work};
use obs_core::metrics::{HistogramPoint, Number, Temporality};
use obs_core::{DURATION_BOUNDS, Reader, View};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Sums over the points that have one value of the kept attribute.
type Totals = BTreeMap<String, (u64, u64, Vec<u64>)>;

/// Sums are of whole milliseconds, so that they can be compared.
fn totals(points: &[HistogramPoint]) -> Totals {
    let mut totals = Totals::new();
    for point in points {
        let step = point.attributes.iter().find(|(key, _)| key == "test.step");
        let step = step.map(|(_, value)| value.to_text().into_owned());
        let buckets = || vec![0; point.buckets.len()];
        let total = totals
            .entry(step.unwrap_or_default())
            .or_insert_with(|| (0, 0, buckets()));
        total.0 += point.count;
        total.1 += (point.sum * 1e3).round() as u64;
        assert!((point.sum * 1e3 - (point.sum * 1e3).round()).abs() < 1e-6);
        for (total, count) in total.2.iter_mut().zip(&point.buckets) {
            *total += count;
        }
    }
    totals
}

fn minus(now: &Totals, before: &Totals) -> Totals {
    let mut now = now.clone();
    for (step, before) in before {
        let now = now.get_mut(step).expect("what was there stays");
        now.0 -= before.0;
        now.1 -= before.1;
        now.2
            .iter_mut()
            .zip(&before.2)
            .for_each(|(now, before)| *now -= before);
    }
    now.retain(|_, total| total.0 > 0);
    now
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_merged_point_is_the_sum_of_its_parts_and_a_delta_the_difference_of_two_collections(
        rounds in prop::collection::vec(
            prop::collection::vec((0..4_usize, 0..4_u16, 0..12_000_u64), 0..20),
            1..5,
        )
    ) {
        let rig = viewed([
            View::of(DURATION),
            View::of(DURATION).with_name("merged").with_attributes(["test.step"]),
        ]);
        let (cumulative, delta) = (
            rig.telemetry.reader(Temporality::Cumulative),
            rig.telemetry.reader(Temporality::Delta),
        );
        let (mut before, mut last_end) = (Totals::new(), None);
        for round in rounds {
            for (step, code, ms) in round {
                work(&rig, ["a", "b", "c", "d"][step], 200 + code, ms);
            }
            rig.advance_ms(1);
            let read = |reader: &Reader| {
                let metrics = reader.collect();
                let (parts, merged) = (histograms(&metrics, DURATION), histograms(&metrics, "merged"));
                assert_eq!(totals(&parts), totals(&merged));
                // One point for each value, with nothing but it.
                assert_eq!(totals(&merged).len(), merged.len());
                assert!(merged.iter().all(|point| point.attributes.len() == 1));
                merged
            };
            let (now, change) = (read(&cumulative), read(&delta));
            prop_assert_eq!(totals(&change), minus(&totals(&now), &before));
            for point in &change {
                prop_assert!(last_end.is_none_or(|end| point.start_unix_nanos == end));
                prop_assert_eq!(point.buckets.iter().sum::<u64>(), point.count);
            }
            last_end = now.first().map(|point| point.unix_nanos);
            before = totals(&now);
        }
    }

    #[test]
    fn any_boundaries_of_several_views_count_what_was_measured(
        first in prop::collection::btree_set(0..12_000_u32, 0..40),
        second in prop::collection::btree_set(0..12_000_u32, 0..200),
        alert in 0..12_000_u32,
        ms in prop::collection::vec(0..13_000_u64, 1..40),
    ) {
        let limits = |ms: &std::collections::BTreeSet<u32>| -> Vec<f64> {
            ms.iter().map(|ms| f64::from(*ms) / 1e3).collect()
        };
        let (first, second) = (limits(&first), limits(&second));
        let alert = f64::from(alert) / 1e3;
        let rig = rig_with(true, |builder| {
            builder
                .with_boundary(DURATION, alert)
                .with_view(View::of(DURATION).with_boundaries(first.iter().copied()))
                .with_view(View::of(DURATION).with_name("second").with_boundaries(second.iter().copied()))
                .with_view(View::of(DURATION).with_name("own"))
        });
        ms.iter().for_each(|ms| work(&rig, "a", 200, *ms));
        rig.spans();
        let metrics = all(&rig.telemetry);
        for (name, own) in [(DURATION, &first[..]), ("second", &second), ("own", DURATION_BOUNDS)] {
            let point = histogram(&metrics, name, &[]);
            let mut bounds = [own, &[alert]].concat();
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            prop_assert_eq!(&point.bounds, &bounds);
            prop_assert_eq!(&point.buckets, &buckets(&bounds, &ms));
            // All were exported: each bucket with something in it has an exemplar, which counted there.
            let place = |one: &obs_core::metrics::Exemplar| {
                bounds.iter().filter(|bound| one.value > **bound).count()
            };
            let places: Vec<_> = point.exemplars.iter().map(place).collect();
            let filled = point.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
            prop_assert_eq!(places, filled.map(|(index, _)| index).collect::<Vec<_>>());
        }
    }

    #[test]
    fn counters_of_fewer_attributes_are_exact_in_either_temporality(
        rounds in prop::collection::vec(
            prop::collection::vec((0..3_usize, 0..3_usize, 0..1_000_u64), 0..20),
            1..5,
        )
    ) {
        let rig = viewed([View::of("test.calls").with_attributes(["zone"])]);
        let calls = rig.telemetry.counter(&CALLS);
        let (cumulative, delta) = (
            rig.telemetry.reader(Temporality::Cumulative),
            rig.telemetry.reader(Temporality::Delta),
        );
        let (names, mut total) = (["1", "2", "3"], [0_i64; 3]);
        for round in rounds {
            let mut change = [0_i64; 3];
            for (peer, zone, by) in round {
                calls.bind(&[names[peer], names[zone]]).add(by);
                change[zone] += by as i64;
                total[zone] += by as i64;
            }
            for (reader, expect) in [(&cumulative, &total), (&delta, &change)] {
                let mut seen = [0; 3];
                for point in numbers(&reader.collect(), "test.calls") {
                    let zone = point.attributes[0].1.to_text().into_owned();
                    let at = names.iter().position(|name| *name == zone).unwrap();
                    let Number::I64(value) = point.value else { panic!("whole") };
                    prop_assert_eq!(seen[at], 0, "one point for each");
                    seen[at] = value;
                }
                prop_assert_eq!(&seen, expect);
            }
        }
    }
}
