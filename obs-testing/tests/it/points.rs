//! Metric points: looked up, settled, summed, and their quantiles.

use crate::client::post;
use crate::messages::{pair, resource, scope, text};
use obs_testing::metrics::{
    ExponentialPoint, HistogramPoint, Number, NumberPoint, PointSet, Series, Temporality,
};
use obs_testing::receiver::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use obs_testing::receiver::proto::common::v1::any_value::Value;
use obs_testing::receiver::proto::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    Summary, exemplar, exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};
use obs_testing::{AttrValue, Receiver, attrs};
use proptest::prelude::*;
use prost::Message;

fn export(metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics {
        scope: scope(),
        metrics,
        ..Default::default()
    }];
    let of_resource = ResourceMetrics {
        resource: resource(),
        scope_metrics,
        ..Default::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![of_resource],
    }
    .encode_to_vec()
}

fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.into(),
        unit: "s".into(),
        data: Some(data),
        ..Default::default()
    }
}

fn duration(
    route: &str,
    time: u64,
    counts: [u64; 3],
    temporality: AggregationTemporality,
) -> Metric {
    let point = HistogramDataPoint {
        attributes: vec![
            text("http.route", route),
            pair("http.response.status_code", Value::IntValue(200)),
        ],
        start_time_unix_nano: 10,
        time_unix_nano: time,
        count: counts.iter().sum(),
        sum: Some(time as f64),
        bucket_counts: counts.to_vec(),
        explicit_bounds: vec![0.1, 1.0],
        exemplars: vec![Exemplar {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            value: Some(exemplar::Value::AsDouble(0.5)),
            ..Default::default()
        }],
        ..Default::default()
    };
    let data = Histogram {
        data_points: vec![point],
        aggregation_temporality: temporality as i32,
    };
    metric("http.server.request.duration", Data::Histogram(data))
}

fn number(kind: &str, value: number_data_point::Value, time_unix_nano: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![text("kind", kind)],
        time_unix_nano,
        value: Some(value),
        ..Default::default()
    }
}

#[test]
fn cumulative_points_are_settled_by_the_latest() {
    let receiver = Receiver::start().unwrap();
    let cumulative = AggregationTemporality::Cumulative;
    for metrics in [
        vec![
            duration("/a", 20, [1, 0, 0], cumulative),
            duration("/b", 20, [0, 0, 1], cumulative),
        ],
        vec![duration("/a", 30, [1, 1, 0], cumulative)],
    ] {
        assert_eq!(post(&receiver, "/v1/metrics", &export(metrics)).0, 200);
    }
    let points = receiver.points();
    assert_eq!(points.histograms.len(), 3);
    let a = points
        .histogram(
            "http.server.request.duration",
            &attrs!["http.route" => "/a"],
        )
        .unwrap();
    assert_eq!(
        (a.count, a.sum, a.start_ns, a.time_ns),
        (2, Some(30.0), 10, 30)
    );
    assert_eq!(
        (a.bounds.as_slice(), a.bucket_counts.as_slice()),
        (&[0.1, 1.0][..], &[1, 1, 0][..])
    );
    assert_eq!(a.temporality, Temporality::Cumulative);
    assert_eq!(a.mean(), Some(15.0));
    assert_eq!(
        (a.series.scope.as_str(), a.series.unit.as_str()),
        ("obs-http", "s")
    );
    assert_eq!(
        a.series.resource,
        [("service.name".to_owned(), AttrValue::from("shop"))]
    );
    assert_eq!(
        (a.exemplars[0].trace_id, a.exemplars[0].value),
        (u128::from_be_bytes([1; 16]), Number::Double(0.5))
    );
    let both = attrs!["http.response.status_code" => 200, "http.route" => "/b"];
    assert_eq!(
        points
            .histogram("http.server.request.duration", &both)
            .unwrap()
            .count,
        1
    );
    assert_eq!(
        points.histogram(
            "http.server.request.duration",
            &attrs!["http.response.status_code" => "200"]
        ),
        None
    );
    assert_eq!(points.histogram("absent", &[]), None);

    let by_status =
        points.histogram_by("http.server.request.duration", "http.response.status_code");
    assert_eq!(by_status["200"].bucket_counts, [1, 1, 1]);
    assert_eq!(by_status["200"].sum, Some(50.0));
    let by_route = points.histogram_by("http.server.request.duration", "http.route");
    assert_eq!(
        by_route
            .iter()
            .map(|(route, point)| (route.as_str(), point.count))
            .collect::<Vec<_>>(),
        [("/a", 2), ("/b", 1)]
    );
}

#[test]
fn delta_points_are_settled_by_adding_up() {
    let receiver = Receiver::start().unwrap();
    let delta = AggregationTemporality::Delta;
    for counts in [[1, 0, 0], [0, 2, 0]] {
        post(
            &receiver,
            "/v1/metrics",
            &export(vec![duration("/a", 20, counts, delta)]),
        );
    }
    let a = receiver
        .points()
        .histogram("http.server.request.duration", &[])
        .unwrap();
    assert_eq!(
        (a.count, a.bucket_counts.as_slice(), a.sum),
        (3, &[1, 2, 0][..], Some(40.0))
    );
}

#[test]
fn sums_and_gauges_are_told_apart() {
    let receiver = Receiver::start().unwrap();
    let sum = |points, temporality: AggregationTemporality| {
        Data::Sum(Sum {
            data_points: points,
            aggregation_temporality: temporality as i32,
            is_monotonic: true,
        })
    };
    let int = number_data_point::Value::AsInt;
    let double = number_data_point::Value::AsDouble;
    let (delta, cumulative) = (
        AggregationTemporality::Delta,
        AggregationTemporality::Cumulative,
    );
    post(
        &receiver,
        "/v1/metrics",
        &export(vec![
            metric(
                "delta",
                sum(vec![number("x", int(2), 1), number("y", int(5), 1)], delta),
            ),
            metric("delta", sum(vec![number("x", int(3), 2)], delta)),
            metric(
                "total",
                sum(
                    vec![number("x", double(2.5), 2), number("x", double(1.5), 1)],
                    cumulative,
                ),
            ),
            metric(
                "now",
                Data::Gauge(Gauge {
                    data_points: vec![number("x", int(9), 1), number("x", int(4), 2)],
                }),
            ),
            metric("old", Data::Summary(Summary::default())),
        ]),
    );
    let points = receiver.points();
    assert_eq!(
        points.names().into_iter().collect::<Vec<_>>(),
        ["delta", "now", "old", "total"]
    );
    let x = points.sum("delta", &attrs!["kind" => "x"]).unwrap();
    assert_eq!(
        (x.value, x.monotonic, x.temporality),
        (Some(Number::Int(5)), true, Temporality::Delta)
    );
    assert_eq!(
        points.sum("total", &[]).unwrap().value,
        Some(Number::Double(2.5)),
        "the latest, not the last"
    );
    assert_eq!(
        points.gauge("now", &[]).unwrap().value,
        Some(Number::Int(4))
    );
    assert_eq!(
        (
            points.gauge("delta", &attrs!["kind" => "y"]),
            points.sum("now", &[])
        ),
        (None, None)
    );
    let by_kind = points.sum_by("delta", "kind");
    assert_eq!(
        by_kind
            .iter()
            .map(|(kind, sum)| (kind.as_str(), *sum))
            .collect::<Vec<_>>(),
        [("x", 5.0), ("y", 5.0)]
    );
    assert_eq!(points.sum_by("delta", "absent")[""], 10.0);
}

#[test]
#[should_panic(
    expected = "2 series fit, name more attributes to choose one:\n  m{k=1}\n  m{k=\"1\"}"
)]
fn an_ambiguous_question_is_no_lucky_answer() {
    let mut points = PointSet::default();
    for value in [AttrValue::from(1), AttrValue::from("1")] {
        points.sums.push(NumberPoint::new(
            Series::new("m", [("k".to_owned(), value)]),
            Number::Int(1),
        ));
    }
    let _ = points.sum("m", &[]);
}

fn buckets(bounds: &[f64], counts: &[u64]) -> HistogramPoint {
    HistogramPoint::new(Series::new("h", []), bounds.to_vec(), counts.to_vec())
}

/// Expectations computed by hand from Prometheus' definition: rank = q × count, linear inside the bucket.
#[test]
fn quantiles_are_those_of_prometheus() {
    #[track_caller]
    fn check(bounds: &[f64], counts: &[u64], q: f64, expected: Option<f64>) {
        let quantile = buckets(bounds, counts).quantile(q);
        match (quantile, expected) {
            (Some(quantile), Some(expected)) => {
                assert!((quantile - expected).abs() < 1e-12, "{quantile}")
            }
            _ => assert_eq!(quantile, expected),
        }
    }
    // Four values up to 1, four in (1, 2], two in (2, 4]: rank 5 is the first of four in the second bucket.
    check(&[1.0, 2.0, 4.0], &[4, 4, 2, 0], 0.5, Some(1.25));
    check(&[1.0, 2.0, 4.0], &[4, 4, 2, 0], 0.9, Some(3.0));
    check(&[1.0, 2.0, 4.0], &[4, 4, 2, 0], 0.4, Some(1.0)); // rank 4 is the end of the first bucket
    check(&[1.0, 2.0, 4.0], &[4, 4, 2, 0], 1.0, Some(4.0));
    check(&[1.0, 2.0, 4.0], &[4, 4, 2, 0], 0.0, Some(0.0));
    check(&[1.0, 2.0, 4.0], &[0, 4, 0, 0], 0.0, Some(1.0)); // empty buckets are skipped
    check(&[1.0, 2.0, 4.0], &[1, 0, 0, 9], 0.5, Some(4.0)); // beyond the last bound: that bound
    check(&[1.0, 2.0, 4.0], &[4, 0, 6, 0], 0.4, Some(1.0)); // the end of its bucket, not the start of the next filled one
    check(&[0.0, 1.0], &[2, 0, 0], 0.5, Some(0.0)); // a first bound that is not positive is the answer
    check(&[-1.0, 1.0], &[0, 2, 0], 0.5, Some(0.0)); // the middle of (-1, 1]
    check(&[1.0], &[0, 0], 0.5, None);
    check(&[], &[3], 0.5, None);
    check(&[1.0], &[3], 0.5, None);
    check(&[1.0], &[3, 0], 1.1, None);
    check(&[1.0], &[3, 0], -0.1, None);
    check(&[1.0], &[3, 0], f64::NAN, None);
}

#[test]
fn only_equal_buckets_add_up() {
    let mut point = buckets(&[1.0], &[1, 2]);
    assert!(!point.merge(&buckets(&[2.0], &[1, 2])));
    assert_eq!(point, buckets(&[1.0], &[1, 2]));
    let mut other = buckets(&[1.0], &[3, 4]);
    (other.min, other.max) = (Some(0.5), Some(9.0));
    let mut empty = buckets(&[1.0], &[0, 0]);
    assert!(empty.merge(&other));
    assert_eq!((empty.min, empty.max), (Some(0.5), Some(9.0)));
    assert!(point.merge(&other));
    assert_eq!(
        (point.count, point.bucket_counts.as_slice()),
        (10, &[4, 6][..])
    );
    assert_eq!(
        (point.min, point.max),
        (None, None),
        "one side's extremes are not those of both"
    );
}

prop_compose! {
    /// Buckets with ascending bounds, and counts of which at least one is not zero.
    fn filled()(
        steps in proptest::collection::vec(1_u32..1000, 1..12),
        from in -2000_i32..2000,
    )(
        counts in proptest::collection::vec(0_u64..50, steps.len() + 1),
        some in 0..=steps.len(),
        steps in Just(steps),
        from in Just(from),
    ) -> HistogramPoint {
        let mut at = f64::from(from);
        let bounds: Vec<f64> = steps.iter().map(|step| { at += f64::from(*step); at / 100.0 }).collect();
        let mut counts = counts;
        counts[some] += 1;
        buckets(&bounds, &counts)
    }
}

proptest! {
    #[test]
    fn a_quantile_lies_in_the_bucket_that_holds_its_rank(point in filled(), q in 0.0..=1.0_f64) {
        let quantile = point.quantile(q).unwrap();
        let rank = q * point.count as f64;
        // The bucket, found the slow way: expand to one entry per value and take the one at the rank.
        let values: Vec<usize> = point.bucket_counts.iter().enumerate()
            .flat_map(|(bucket, count)| std::iter::repeat_n(bucket, *count as usize)).collect();
        let bucket = values[(rank.ceil() as usize).max(1) - 1];
        let last = point.bounds[point.bounds.len() - 1];
        let upper = *point.bounds.get(bucket).unwrap_or(&last);
        let lower = if bucket == 0 { upper.min(0.0) } else { point.bounds[bucket - 1] };
        prop_assert!((lower..=upper).contains(&quantile), "{quantile} outside {lower}..={upper}");
    }

    #[test]
    fn quantiles_rise_with_q(point in filled(), a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(point.quantile(low).unwrap() <= point.quantile(high).unwrap());
    }

    #[test]
    fn adding_up_is_adding_each_bucket(point in filled(), times in 1_usize..5) {
        let mut merged = point.clone();
        for _ in 1..times {
            prop_assert!(merged.merge(&point));
        }
        prop_assert_eq!(merged.count, point.count * times as u64);
        let (once, often) = (point.quantile(0.5).unwrap(), merged.quantile(0.5).unwrap());
        prop_assert!((once - often).abs() < 1e-9, "{} and {}", once, often);
    }
}

fn fine(scale: i32, counts: &[(i32, u64)]) -> ExponentialPoint {
    ExponentialPoint::new(
        Series::new("fine", []),
        scale,
        counts.iter().copied().collect(),
    )
}

#[test]
fn exponential_points_of_two_scales_are_added_at_the_lesser() {
    let mut point = fine(1, &[(-3, 1), (-1, 2), (0, 4), (1, 8)]);
    let (lower, upper) = point.limits(-1);
    assert_eq!(upper, 1.0);
    assert!((lower - 0.5_f64.sqrt()).abs() < 1e-15, "{lower}");
    point.merge(&fine(0, &[(0, 16), (1, 32)]));
    assert_eq!((point.scale, point.count), (0, 63));
    let expect = [(-2, 1), (-1, 2), (0, 28), (1, 32)];
    assert_eq!(point.positive, expect.into_iter().collect());
    assert_eq!(point.limits(-2), (0.25, 0.5));
}

#[test]
fn exponential_histograms_arrive_and_settle_as_others_do() {
    let receiver = Receiver::start().unwrap();
    let point = |scale, offset, counts: &[u64], time| ExponentialHistogramDataPoint {
        time_unix_nano: time,
        count: counts.iter().sum::<u64>() + 1,
        sum: Some(2.5),
        scale,
        zero_count: 1,
        positive: Some(Buckets {
            offset,
            bucket_counts: counts.to_vec(),
        }),
        ..ExponentialHistogramDataPoint::default()
    };
    let data = |temporality, data_points| {
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points,
            aggregation_temporality: temporality as i32,
        })
    };
    let (delta, total) = (
        AggregationTemporality::Delta,
        AggregationTemporality::Cumulative,
    );
    post(
        &receiver,
        "/v1/metrics",
        &export(vec![
            metric("delta", data(delta, vec![point(1, -3, &[1, 0, 2], 1)])),
            metric("delta", data(delta, vec![point(0, 0, &[4], 2)])),
            metric(
                "total",
                data(
                    total,
                    vec![point(3, 5, &[7, 7], 2), point(3, 5, &[7, 6], 1)],
                ),
            ),
        ]),
    );
    let points = receiver.points();
    let names: Vec<_> = points.names().into_iter().collect();
    assert_eq!(names, ["delta", "total"]);
    let added = points.exponential("delta", &[]).unwrap();
    assert_eq!((added.scale, added.count, added.zero_count), (0, 9, 2));
    assert_eq!(added.sum, Some(5.0));
    assert_eq!(
        added.positive,
        [(-2, 1), (-1, 2), (0, 4)].into_iter().collect()
    );
    let latest = points.exponential("total", &[]).unwrap();
    assert_eq!(latest.positive, [(5, 7), (6, 7)].into_iter().collect());
    assert_eq!(latest.temporality, Temporality::Cumulative);
}
