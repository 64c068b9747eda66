//! Exponential histograms as OTLP: what the oracle decodes is what was collected, to the last field.

use crate::metrics::{encoded, instrument};
use crate::support::{Bench, METHODS, SERVER};
use obs_core::encode::BODY_LIMIT;
use obs_core::metrics::{Data, HistogramPoint, IndexedBuckets, Metric, Temporality};
use obs_core::sampling::HeadSampler;
use obs_core::{ExponentialHistogram, Labels, Outcome, Parent, Reader};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram as Proto, ExponentialHistogramDataPoint, metric,
};
use proptest::prelude::*;
use std::time::Duration;

fn points<'a>(metrics: &'a [Metric], name: &str) -> &'a [HistogramPoint] {
    let own = metrics.iter().find(|metric| metric.name == name);
    match &own.expect("collected").data {
        Data::Histogram { points, .. } => points,
        other => panic!("{name} is no histogram: {other:?}"),
    }
}

/// The parts of one metric, in the order of the bodies.
#[track_caller]
fn decoded(metrics: &[Metric], name: &str, limit: usize) -> Vec<Proto> {
    let bodies = encoded(metrics, limit).into_iter();
    let scopes = bodies.flat_map(|(request, _)| {
        let resources = request.resource_metrics.into_iter();
        resources.flat_map(|resource| resource.scope_metrics)
    });
    let own = { scopes.flat_map(|scope| scope.metrics) }.filter(|metric| metric.name == name);
    own.map(|metric| match metric.data {
        Some(metric::Data::ExponentialHistogram(data)) => data,
        other => panic!("{name} became {other:?}"),
    })
    .collect()
}

#[track_caller]
fn agree(of: &ExponentialHistogramDataPoint, point: &HistogramPoint) {
    let buckets = point.exponential.as_ref().expect("exponential");
    assert_eq!(of.attributes.len(), point.attributes.len());
    for (of, (key, value)) in of.attributes.iter().zip(&point.attributes) {
        let text = crate::support::wire(&value.to_text().into_owned().into());
        assert_eq!((&*of.key, of.value.clone()), (&**key, Some(text)));
    }
    assert_eq!(
        (of.start_time_unix_nano, of.time_unix_nano),
        (point.start_unix_nanos, point.unix_nanos)
    );
    assert_eq!((of.count, of.sum), (point.count, Some(point.sum)));
    assert_eq!(of.scale, buckets.scale);
    assert_eq!(of.zero_count, buckets.zero_count);
    for (of, side) in [
        (&of.positive, &buckets.positive),
        (&of.negative, &buckets.negative),
    ] {
        let sent = |of: &Buckets| (of.offset, of.bucket_counts.clone());
        let own = |side: &IndexedBuckets| (side.offset, side.counts.clone());
        let any = !side.counts.is_empty();
        assert_eq!(of.as_ref().map(sent), any.then(|| own(side)));
    }
    assert_eq!((of.min, of.max, of.flags), (None, None, 0));
    assert_eq!(of.zero_threshold, 0.0);
    // `metrics/data-model.md`: the count is the sum of all buckets.
    let sides = [&of.positive, &of.negative].into_iter().flatten();
    let counts: u64 = sides.flat_map(|side| &side.bucket_counts).sum();
    assert_eq!(of.count, counts + of.zero_count);
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 1e-6..1e3_f64,
        1 => -1e3..1e3_f64,
        1 => Just(0.0),
        1 => any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ]
}

const NAME: &str = "test.size";

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_collected_is_what_is_decoded_in_one_body_and_in_many(
        values in prop::collection::vec((0..3_usize, value()), 1..60),
        max_size in 2..=1_024_u32,
        delta in any::<bool>(),
    ) {
        let most = ExponentialHistogram { max_size, max_scale: 20 };
        let bench = Bench::new(|builder| builder.with_histograms(most), |_| ());
        let histogram = bench.telemetry.histogram(&instrument(NAME, "By"), &[1.0]);
        let series = ["a", "löwe", ""].map(|peer| histogram.bind(&[peer, ""]));
        let (temporality, sent) = if delta {
            (Temporality::Delta, AggregationTemporality::Delta)
        } else {
            (Temporality::Cumulative, AggregationTemporality::Cumulative)
        };
        let reader: Reader = bench.telemetry.reader(temporality);
        for (round, half) in values.chunks(30).enumerate() {
            half.iter().for_each(|(at, value)| series[*at].record(*value));
            bench.advance(1_000);
            let metrics = reader.collect();
            let collected = points(&metrics, NAME);
            for limit in [BODY_LIMIT, 300] {
                let parts = decoded(&metrics, NAME, limit);
                prop_assert!(parts.iter().all(|part| part.aggregation_temporality == sent as i32));
                let all: Vec<_> = parts.iter().flat_map(|part| &part.data_points).collect();
                prop_assert_eq!(all.len(), collected.len(), "round {}", round);
                for (of, point) in all.into_iter().zip(collected) {
                    agree(of, point);
                }
            }
        }
    }
}

#[test]
fn a_duration_is_sent_with_the_exemplars_of_its_traces() {
    let bench = Bench::new(
        |builder| {
            builder
                .with_histograms(ExponentialHistogram::default())
                .with_sampler(HeadSampler::always_on())
        },
        |_| (),
    );
    let kind = bench.telemetry.kind(&SERVER);
    let labels = Labels::NONE.with(0, kind.label(0, METHODS[0]));
    for nanos in [3_000_000, 30_000_000, 300_000_000] {
        let operation = kind.start(labels, Parent::Root);
        bench.advance(nanos);
        operation.end(Outcome::ANSWERED);
    }
    let reader = bench.telemetry.reader(Temporality::Cumulative);
    bench
        .telemetry
        .collect(Duration::from_secs(5))
        .expect("no deadline");
    let metrics = reader.collect();
    let name = "test.server.duration";
    let [part] = &decoded(&metrics, name, BODY_LIMIT)[..] else {
        panic!("one part")
    };
    let ([of], [point]) = (&part.data_points[..], points(&metrics, name)) else {
        panic!("one point")
    };
    agree(of, point);
    assert_eq!(point.exemplars.len(), 3, "one in each of three buckets");
    let sent: Vec<_> = { of.exemplars.iter() }
        .map(|one| {
            (
                one.trace_id.clone(),
                one.span_id.clone(),
                one.time_unix_nano,
            )
        })
        .collect();
    let own: Vec<_> = { point.exemplars.iter() }
        .map(|one| {
            let (trace, span) = (one.trace_id.to_bytes(), one.span_id.to_bytes());
            (trace.to_vec(), span.to_vec(), one.unix_nanos)
        })
        .collect();
    assert_eq!(sent, own);
}
