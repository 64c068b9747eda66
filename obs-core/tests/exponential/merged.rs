//! Series that a view makes one: their buckets are those that all values together would have.

use crate::oracle::check;
use crate::support::points::{all, histogram};
use crate::support::rig_with;
use crate::{DURATION, SIZES, work};
use obs_core::encode::PageFormat;
use obs_core::metrics::Temporality;
use obs_core::{ExponentialHistogram, View};
use proptest::prelude::*;
use std::collections::BTreeMap;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_merged_point_is_what_its_values_would_have_made_alone(
        rounds in prop::collection::vec(
            prop::collection::vec((0..3_usize, 0..3_usize, -1e3..1e6_f64), 0..30),
            1..4,
        ),
        max_size in 2..=200_u32,
    ) {
        let rig = rig_with(false, |builder| {
            let view = View::of(SIZES.name).with_attributes(["peer"]);
            let exponential = ExponentialHistogram { max_size, max_scale: 20 };
            builder
                .with_view(view.with_aggregation(exponential))
                .with_view(View::of(SIZES.name).with_name("all").without_attributes()
                    .with_aggregation(ExponentialHistogram::default()))
        });
        let sizes = rig.telemetry.histogram(&SIZES, &[1.0]);
        let readers = [Temporality::Delta, Temporality::Cumulative]
            .map(|temporality| rig.telemetry.reader(temporality));
        let names = ["x", "y", "z"];
        let mut total = BTreeMap::<&str, Vec<f64>>::new();
        // Counted at the finer of both.
        let recorded = 160_u32.max(max_size).ilog2() as i32 - 1;
        for round in rounds {
            let mut change = BTreeMap::<&str, Vec<f64>>::new();
            for (peer, zone, value) in round {
                sizes.bind(&[names[peer], names[zone]]).record(value);
                change.entry(names[peer]).or_default().push(value);
                total.entry(names[peer]).or_default().push(value);
            }
            for (reader, expect) in readers.iter().zip([&change, &total]) {
                let metrics = reader.collect();
                for (peer, values) in expect {
                    let point = histogram(&metrics, SIZES.name, &[("peer", peer)]);
                    let buckets = point.exponential.expect("asked for");
                    check(&buckets, values, max_size as i32, recorded);
                }
                let all: Vec<f64> = expect.values().flatten().copied().collect();
                if !all.is_empty() {
                    let point = histogram(&metrics, "all", &[]);
                    check(&point.exponential.expect("asked for"), &all, 160, recorded);
                    prop_assert_eq!(point.count, all.len() as u64);
                }
            }
        }
    }
}

#[test]
fn exemplars_are_those_of_the_explicit_buckets_and_lie_in_one_that_counted_them() {
    let rig = rig_with(true, |builder| {
        let view = View::of(DURATION).without_attributes();
        builder.with_view(view.with_aggregation(ExponentialHistogram::default()))
    });
    for (at, ms) in (1..40_u64).map(|round| round * 37).enumerate() {
        work(&rig, ["a", "b"][at % 2], 200, ms);
    }
    let spans = rig.spans();
    let point = histogram(&all(&rig.telemetry), DURATION, &[]);
    let buckets = point.exponential.expect("asked for");
    assert!(point.exemplars.len() > 3, "{:?}", point.exemplars);
    for exemplar in &point.exemplars {
        let known = { spans.iter() }.any(|span| span.span_id == exemplar.span_id);
        assert!(known, "{exemplar:?} leads nowhere");
        let own = crate::oracle::sums(&[exemplar.value], false, buckets.scale);
        let counted = crate::oracle::found(&buckets.positive);
        assert!(own.keys().all(|index| counted.contains_key(index)));
    }
    let page = rig.telemetry.prometheus_page(PageFormat::OpenMetrics);
    assert!(page.contains("trace_id"), "{page}");
}
