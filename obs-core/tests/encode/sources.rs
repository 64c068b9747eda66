//! Points that somebody else counted, as the oracle decodes them: buckets of any bounds side by side.

use crate::metrics::encoded;
use crate::support::OTHER_SCOPE;
use obs_core::encode::BODY_LIMIT;
use obs_core::metrics::{Data, HistogramPoint, Metric, Temporality};
use obs_core::setup::environment::Environment;
use obs_core::{LabelValue, Telemetry};
use opentelemetry_proto::tonic::metrics::v1::metric::Data as Decoded;
use std::time::Duration;

#[test]
fn each_point_has_the_bounds_that_it_was_counted_in() {
    let telemetry = Telemetry::builder()
        .with_environment(Environment::from_fn(|_| None))
        .manual()
        .build()
        .expect("usable");
    let source = telemetry.point_source();
    let now = source.unix_nanos();
    let point = |model, bounds: &[f64], buckets: &[u64]| {
        let attributes = vec![("model".into(), LabelValue::Static(model))];
        let (bounds, buckets) = (bounds.to_vec(), buckets.to_vec());
        HistogramPoint::explicit(attributes, (now - 5, now), bounds, buckets, 2.5).expect("usable")
    };
    let points = vec![
        point("a", &[0.001, 2560.0], &[1, 0, 2]),
        point("b", &[0.1], &[4, 5]),
        point("c", &[], &[6]),
    ];
    let data = Data::Histogram {
        temporality: Temporality::Cumulative,
        points,
    };
    let metric = Metric::new("test.first", "s", "First.", &OTHER_SCOPE, data);
    source.show(vec![metric], Duration::from_secs(60));

    let metrics = telemetry.reader(Temporality::Cumulative).collect();
    let ours: Vec<_> = { metrics.into_iter() }
        .filter(|metric| metric.name == "test.first")
        .collect();
    let bodies = encoded(&ours, BODY_LIMIT);
    let [(request, 3)] = &bodies[..] else {
        panic!("one body of three points: {bodies:?}");
    };
    let scope = &request.resource_metrics[0].scope_metrics[0];
    let Some(Decoded::Histogram(histogram)) = &scope.metrics[0].data else {
        panic!("a histogram: {scope:?}");
    };
    // Cumulative.
    assert_eq!(histogram.aggregation_temporality, 2);
    let decoded: Vec<_> = { histogram.data_points.iter() }
        .map(|point| {
            assert_eq!(
                (point.start_time_unix_nano, point.time_unix_nano),
                (now - 5, now)
            );
            assert_eq!(point.sum, Some(2.5));
            (
                &point.explicit_bounds[..],
                &point.bucket_counts[..],
                point.count,
            )
        })
        .collect();
    let expect: [(&[f64], &[u64], u64); 3] = [
        (&[0.001, 2560.0], &[1, 0, 2], 3),
        (&[0.1], &[4, 5], 9),
        (&[], &[6], 6),
    ];
    assert_eq!(decoded, expect);
}
