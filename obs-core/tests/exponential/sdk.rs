//! Against the exponential histogram of the OpenTelemetry SDK.
//!
//! It takes the logarithm in floating point, so that a value on the limit of a bucket may be in the next one: powers of two
//! are left to the other oracle.

use crate::oracle::found;
use crate::support::rig_with;
use crate::{SIZES, point};
use obs_core::ExponentialHistogram;
use obs_core::metrics::ExponentialBuckets;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, ExponentialBucket, MetricData};
use opentelemetry_sdk::metrics::{
    Aggregation, InMemoryMetricExporter, Instrument, SdkMeterProvider, Stream,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Scale, zeros, and counts by index of each sign.
type Seen = (i32, u64, BTreeMap<i32, u64>, BTreeMap<i32, u64>);

fn theirs(values: &[f64], most: ExponentialHistogram) -> Seen {
    let exporter = InMemoryMetricExporter::default();
    let aggregation = move || Aggregation::Base2ExponentialHistogram {
        max_size: most.max_size,
        max_scale: most.max_scale as i8,
        record_min_max: false,
    };
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .with_view(move |_: &Instrument| {
            Stream::builder()
                .with_aggregation(aggregation())
                .build()
                .ok()
        })
        .build();
    let histogram = meters.meter("test").f64_histogram(SIZES.name).build();
    values
        .iter()
        .for_each(|value| histogram.record(*value, &[]));
    meters.force_flush().expect("it collects");
    let exported = exporter.get_finished_metrics().expect("collected");
    let metrics = exported[0].scope_metrics().next().expect("a scope");
    let metric = metrics.metrics().next().expect("a metric");
    let AggregatedMetrics::F64(MetricData::ExponentialHistogram(data)) = metric.data() else {
        panic!("exponential: {metric:?}")
    };
    let point = data.data_points().next().expect("a point");
    let counts = |side: &ExponentialBucket| {
        let indexed = (side.offset()..).zip(side.counts());
        indexed.filter(|(_, count)| *count > 0).collect()
    };
    (
        i32::from(point.scale()),
        point.zero_count(),
        counts(point.positive_bucket()),
        counts(point.negative_bucket()),
    )
}

fn lowered(counts: &BTreeMap<i32, u64>, by: i32) -> BTreeMap<i32, u64> {
    let mut sums = BTreeMap::new();
    for (index, count) in counts {
        *sums.entry(index >> by).or_default() += count;
    }
    sums
}

/// The same but for the scale: ours counts at no finer one than `recorded`.
#[track_caller]
fn check(ours: &ExponentialBuckets, theirs: &Seen, recorded: i32) {
    let (scale, zeros, positive, negative) = theirs;
    assert_eq!(ours.scale, (*scale).min(recorded));
    let by = scale - ours.scale;
    assert_eq!(ours.zero_count, *zeros);
    assert_eq!(found(&ours.positive), lowered(positive, by));
    assert_eq!(found(&ours.negative), lowered(negative, by));
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 1e-4..10.0_f64,
        2 => 0.1..0.2_f64,
        2 => -300.0..300.0_f64,
        1 => Just(0.0),
        1 => any::<f64>().prop_filter("normal", |value| value.is_normal()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_point_is_that_of_the_sdk_at_the_scale_that_we_count_at(
        values in prop::collection::vec(value(), 1..60),
        max_size in 2..=400_u32,
        max_scale in -10..=20_i32,
    ) {
        let most = ExponentialHistogram { max_size, max_scale };
        let rig = rig_with(false, |builder| builder.with_histograms(most));
        let bound = rig.telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
        values.iter().for_each(|value| bound.record(*value));
        let ours = point(&rig.telemetry, SIZES.name).exponential.expect("asked for");
        check(&ours, &theirs(&values, most), (max_size.ilog2() as i32 - 1).clamp(0, 8));
    }
}

#[test]
fn values_over_a_factor_of_two_and_a_half_have_the_scale_of_the_sdk() {
    let most = ExponentialHistogram::default();
    let rig = rig_with(false, |builder| builder.with_histograms(most));
    let bound = rig.telemetry.histogram(&SIZES, &[1.0]).bind(&["p", "z"]);
    let values = [0.0301, 0.0411, 0.0555, 0.0753];
    values.iter().for_each(|value| bound.record(*value));
    let theirs = theirs(&values, most);
    let ours = point(&rig.telemetry, SIZES.name)
        .exponential
        .expect("asked for");
    assert_eq!(ours.scale, theirs.0);
    check(&ours, &theirs, theirs.0);
}
