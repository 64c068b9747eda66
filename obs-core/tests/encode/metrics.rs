//! Random measurements through the public API: what the oracle decodes is what was recorded.

use crate::support::*;
use obs_core::encode::{BODY_LIMIT, encode_metrics};
use obs_core::metrics::{Data, Metric, Temporality};
use obs_core::sampling::HeadSampler;
use obs_core::{
    BoundCounter, BoundGauge, BoundHistogram, ErrorType, Instrument, Key, Label, LabelId, Labels,
    Outcome, Parent, Values,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    self as proto, AggregationTemporality, metric, number_data_point,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

const LABELS: &[Label] = &[
    Label {
        key: Key::new(&"peer"),
        values: Values::Open { cap: 100 },
    },
    Label {
        key: Key::new(&"code"),
        values: Values::Number,
    },
];

pub(crate) const fn instrument(name: &'static str, unit: &'static str) -> Instrument {
    Instrument {
        name,
        unit,
        description: "What \"it\" is.",
        labels: LABELS,
        scope: &OTHER_SCOPE,
    }
}

const BOUNDS: &[f64] = &[-1.0, 0.5, 2.0, 1e9];

/// The points of one metric after encoding and decoding, by their labels.
type Decoded<P> = BTreeMap<Vec<(String, String)>, P>;

#[track_caller]
pub(crate) fn encoded(metrics: &[Metric], limit: usize) -> Vec<(ExportMetricsServiceRequest, u64)> {
    let mut bodies = Vec::new();
    encode_metrics(&resource(), metrics, limit, &mut |body, items| {
        bodies.push((body.to_vec(), items));
    });
    bodies
        .iter()
        .map(|(body, items)| (decode(body), *items))
        .collect()
}

/// All metrics of a body, with the names of their scopes.
fn flat(request: &ExportMetricsServiceRequest) -> Vec<(&str, &proto::Metric)> {
    assert_eq!(request.resource_metrics.len(), 1);
    let of_resource = &request.resource_metrics[0];
    assert_eq!(of_resource.schema_url, RESOURCE_SCHEMA);
    let resource = of_resource.resource.as_ref().expect("a resource");
    assert_eq!(resource.attributes.len(), resource_attributes().len());
    let scopes = of_resource.scope_metrics.iter();
    scopes
        .flat_map(|of_scope| {
            let scope = of_scope.scope.as_ref().expect("a scope");
            of_scope
                .metrics
                .iter()
                .map(|metric| (scope.name.as_str(), metric))
        })
        .collect()
}

fn text(value: &AnyValue) -> String {
    match value.value.as_ref().expect("a value") {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::BoolValue(value) => value.to_string(),
        other => panic!("no label has this: {other:?}"),
    }
}

fn by_labels<'a, P: 'a>(
    points: impl Iterator<Item = &'a P>,
    attributes: fn(&P) -> &[KeyValue],
) -> Decoded<&'a P> {
    let key = |point: &P| {
        let pairs = attributes(point).iter();
        pairs
            .map(|pair| {
                (
                    pair.key.clone(),
                    text(pair.value.as_ref().expect("a value")),
                )
            })
            .collect::<Vec<_>>()
    };
    let mut all = BTreeMap::new();
    for point in points {
        let before = all.insert(key(point), point);
        assert!(before.is_none(), "one point per label set");
    }
    all
}

/// Each decoded metric is the one that was collected, to the last field.
#[track_caller]
fn agree(decoded: &[(&str, &proto::Metric)], metrics: &[Metric]) {
    assert_eq!(decoded.len(), metrics.len());
    for metric in metrics {
        let found = |(scope, of): &&(&str, &proto::Metric)| {
            *scope == metric.scope.name && of.name == metric.name
        };
        let (_, of) = decoded.iter().find(found).expect("every metric");
        assert_eq!(of.unit, metric.unit);
        assert_eq!(of.description, metric.description);
        let temporality_of = |of: Temporality| match of {
            Temporality::Delta => AggregationTemporality::Delta as i32,
            _ => AggregationTemporality::Cumulative as i32,
        };
        match (&metric.data, of.data.as_ref().expect("data")) {
            (
                Data::Histogram {
                    temporality,
                    points,
                },
                metric::Data::Histogram(of),
            ) => {
                assert_eq!(of.aggregation_temporality, temporality_of(*temporality));
                assert_eq!(of.data_points.len(), points.len());
                for (of, point) in of.data_points.iter().zip(points) {
                    agree_labels(&of.attributes, &point.attributes);
                    assert_eq!(of.start_time_unix_nano, point.start_unix_nanos);
                    assert_eq!(of.time_unix_nano, point.unix_nanos);
                    assert_eq!((of.count, of.sum), (point.count, Some(point.sum)));
                    assert_eq!(of.bucket_counts, point.buckets);
                    assert_eq!(of.explicit_bounds, point.bounds);
                }
            }
            (
                Data::Sum {
                    monotonic,
                    temporality,
                    points,
                },
                metric::Data::Sum(of),
            ) => {
                assert_eq!(of.is_monotonic, *monotonic);
                assert_eq!(of.aggregation_temporality, temporality_of(*temporality));
                agree_numbers(&of.data_points, points);
            }
            (Data::Gauge { points }, metric::Data::Gauge(of)) => {
                agree_numbers(&of.data_points, points);
            }
            (data, of) => panic!("{data:?} became {of:?}"),
        }
    }
}

#[track_caller]
fn agree_numbers(decoded: &[proto::NumberDataPoint], points: &[obs_core::metrics::NumberPoint]) {
    assert_eq!(decoded.len(), points.len());
    for (of, point) in decoded.iter().zip(points) {
        agree_labels(&of.attributes, &point.attributes);
        assert_eq!(of.start_time_unix_nano, point.start_unix_nanos);
        assert_eq!(of.time_unix_nano, point.unix_nanos);
        let value = match of.value.expect("a value") {
            number_data_point::Value::AsInt(value) => obs_core::metrics::Number::I64(value),
            number_data_point::Value::AsDouble(value) => obs_core::metrics::Number::F64(value),
        };
        assert_eq!(value, point.value);
    }
}

#[track_caller]
fn agree_labels(decoded: &[KeyValue], attributes: &obs_core::metrics::PointAttributes) {
    let decoded: Vec<_> = decoded
        .iter()
        .map(|pair| (&*pair.key, text(pair.value.as_ref().expect("a value"))))
        .collect();
    let expected: Vec<_> = attributes
        .iter()
        .map(|(key, value)| (&**key, value.to_text().into_owned()))
        .collect();
    assert_eq!(decoded, expected);
}

#[derive(Clone, Debug)]
enum Act {
    Add(usize, u32),
    Set(usize, f64),
    Record(usize, f64),
    Wait(u32),
    Collect,
}

fn act() -> impl Strategy<Value = Act> {
    let value = prop_oneof![
        prop::sample::select(BOUNDS.to_vec()),
        -10.0..10.0_f64,
        any::<f32>()
            .prop_map(f64::from)
            .prop_filter("finite", |value| value.is_finite()),
    ];
    prop_oneof![
        4 => (0..4_usize, any::<u32>()).prop_map(|(series, by)| Act::Add(series, by)),
        2 => (0..4_usize, any::<f64>()).prop_map(|(series, to)| Act::Set(series, to)),
        6 => (0..4_usize, value).prop_map(|(series, value)| Act::Record(series, value)),
        2 => (1..1_000_000_000_u32).prop_map(Act::Wait),
        2 => Just(Act::Collect),
    ]
}

/// What one series of each instrument holds, and since when.
#[derive(Clone, Debug, Default)]
struct Model {
    total: u64,
    gauge: Option<f64>,
    values: Vec<f64>,
}

/// Values of the two labels; the empty one is absent.
const SERIES: [[&str; 2]; 4] = [["a", "200"], ["löwe \"b\"", ""], ["", "404"], ["", ""]];

fn key(series: usize) -> Vec<(String, String)> {
    let [peer, code] = SERIES[series];
    [("peer", peer), ("code", code)]
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn what_was_measured_is_what_is_decoded() {
    let run = |acts: Vec<Act>, delta: bool| {
        let bench = Bench::new(|builder| builder, |_| ());
        let telemetry = bench.telemetry;
        let counter = telemetry.counter(&instrument("test.calls", "{call}"));
        let gauge = telemetry.gauge(&instrument("test.level", "1"));
        let histogram = telemetry.histogram(&instrument("test.size", "By"), BOUNDS);
        let counters: [BoundCounter; 4] = SERIES.map(|labels| counter.bind(&labels));
        let gauges: [BoundGauge; 4] = SERIES.map(|labels| gauge.bind(&labels));
        let histograms: [BoundHistogram; 4] = SERIES.map(|labels| histogram.bind(&labels));
        let reader = telemetry.reader(if delta {
            Temporality::Delta
        } else {
            Temporality::Cumulative
        });
        let mut models = vec![Model::default(); 4];
        let mut since = START;
        for act in acts.into_iter().chain([Act::Collect]) {
            match act {
                Act::Add(series, by) => {
                    counters[series].add(u64::from(by));
                    models[series].total += u64::from(by);
                }
                Act::Set(series, to) => {
                    gauges[series].set(to);
                    models[series].gauge = Some(to);
                }
                Act::Record(series, value) => {
                    histograms[series].record(value);
                    models[series].values.push(value);
                }
                Act::Wait(nanos) => bench.advance(u64::from(nanos)),
                Act::Collect => {
                    let metrics = reader.collect();
                    let bodies = encoded(&metrics, BODY_LIMIT);
                    prop_assert!(bodies.len() <= 1, "small enough for one");
                    for (request, items) in &bodies {
                        let decoded = flat(request);
                        agree(&decoded, &metrics);
                        let points: usize = decoded.iter().map(|(_, metric)| points(metric)).sum();
                        prop_assert_eq!(*items, points as u64);
                        check_models(&decoded, &models, since, bench.unix_nanos());
                    }
                    if delta {
                        since = bench.unix_nanos();
                        for model in &mut models {
                            model.total = 0;
                            model.values.clear();
                        }
                    }
                }
            }
        }
        Ok(())
    };
    let strategy = (proptest::collection::vec(act(), 0..60), any::<bool>());
    TestRunner::new(Config::with_cases(128))
        .run(&strategy, |(acts, delta)| run(acts, delta))
        .unwrap();
}

fn points(metric: &proto::Metric) -> usize {
    match metric.data.as_ref().expect("data") {
        metric::Data::Histogram(of) => of.data_points.len(),
        metric::Data::Sum(of) => of.data_points.len(),
        metric::Data::Gauge(of) => of.data_points.len(),
        other => panic!("never made: {other:?}"),
    }
}

#[track_caller]
fn check_models(decoded: &[(&str, &proto::Metric)], models: &[Model], since: u64, now: u64) {
    for (scope, metric) in decoded {
        assert_eq!(*scope, OTHER_SCOPE.name);
        match metric.data.as_ref().expect("data") {
            metric::Data::Sum(of) => {
                let found = by_labels(of.data_points.iter(), |point| &point.attributes);
                for (series, model) in models.iter().enumerate() {
                    let point = found.get(&key(series));
                    let value = point.map(|point| point.value.expect("a value"));
                    let total = number_data_point::Value::AsInt(model.total as i64);
                    assert!(value == Some(total) || model.total == 0 && value.is_none());
                    if let Some(point) = point {
                        assert_eq!(point.start_time_unix_nano, since);
                        assert_eq!(point.time_unix_nano, now);
                    }
                }
            }
            metric::Data::Gauge(of) => {
                let found = by_labels(of.data_points.iter(), |point| &point.attributes);
                for (series, model) in models.iter().enumerate() {
                    let value = found.get(&key(series)).and_then(|point| point.value);
                    let expected = model.gauge.map(number_data_point::Value::AsDouble);
                    assert_eq!(value, expected);
                }
            }
            metric::Data::Histogram(of) => {
                let found = by_labels(of.data_points.iter(), |point| &point.attributes);
                for (series, model) in models.iter().enumerate() {
                    let Some(point) = found.get(&key(series)) else {
                        assert!(model.values.is_empty());
                        continue;
                    };
                    check_histogram(point, &model.values);
                    assert_eq!(
                        (point.start_time_unix_nano, point.time_unix_nano),
                        (since, now)
                    );
                }
            }
            other => panic!("never made: {other:?}"),
        }
    }
}

#[track_caller]
fn check_histogram(point: &proto::HistogramDataPoint, values: &[f64]) {
    assert_eq!(point.explicit_bounds, BOUNDS);
    assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
    assert_eq!(point.count, values.len() as u64);
    let mut lower = f64::NEG_INFINITY;
    let uppers = BOUNDS.iter().copied().chain([f64::INFINITY]);
    for (upper, count) in uppers.zip(&point.bucket_counts) {
        let inside = values
            .iter()
            .filter(|value| lower < **value && **value <= upper);
        assert_eq!(*count, inside.count() as u64, "({lower}, {upper}]");
        lower = upper;
    }
    // A delta is a difference of two long sums.
    let sum: f64 = values.iter().sum();
    let size: f64 = values.iter().map(|value| value.abs()).sum();
    assert!((point.sum.expect("a sum") - sum).abs() <= 1e-6 * size.max(1e33));
}

#[test]
fn operations_become_histograms_with_the_bounds_of_the_conventions() {
    let sampler = HeadSampler::always_off();
    let build = |builder: obs_core::Builder| builder.with_sampler(sampler).with_measures(true);
    let bench = Bench::new(build, |_| ());
    let kind = bench.telemetry.kind(&SERVER);
    let reader = bench.telemetry.reader(Temporality::Cumulative);
    let labels = Labels::NONE.with(0, LabelId::closed(0));
    for millis in [3, 5, 6, 20_000] {
        let mut operation = kind.start(labels, Parent::Root);
        operation.active().unwrap().set_measure(1, 100);
        bench.advance(millis * 1_000_000);
        operation.end(Outcome::ANSWERED);
    }
    kind.start(labels, Parent::Root)
        .end(Outcome::failed(ErrorType::own(1)));
    let _running = kind.start(labels, Parent::Root);

    let metrics = reader.collect();
    let bodies = encoded(&metrics, BODY_LIMIT);
    let decoded = flat(&bodies[0].0);
    agree(&decoded, &metrics);
    let find = |name: &str| {
        let found = decoded.iter().find(|(_, metric)| metric.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).1
    };
    let metric::Data::Histogram(duration) = find("test.server.duration").data.clone().unwrap()
    else {
        panic!("not a histogram");
    };
    let by = by_labels(duration.data_points.iter(), |point| &point.attributes);
    let method = ("test.method".to_owned(), "GET".to_owned());
    let good = by[&vec![method.clone()]];
    assert_eq!(good.explicit_bounds, obs_core::DURATION_BOUNDS);
    assert_eq!(good.count, 4);
    assert_eq!(
        (
            good.bucket_counts[0],
            good.bucket_counts[1],
            good.bucket_counts[14]
        ),
        (2, 1, 1)
    );
    assert!((good.sum.unwrap() - 20.014).abs() < 1e-9);
    let failed = by[&vec![
        method.clone(),
        ("error.type".to_owned(), "bad_gateway".to_owned()),
    ]];
    assert_eq!(failed.count, 1);
    let metric::Data::Histogram(size) = find("test.server.response.size").data.clone().unwrap()
    else {
        panic!("not a histogram");
    };
    assert_eq!(size.data_points[0].explicit_bounds, obs_core::SIZE_BOUNDS);
    assert_eq!(
        (size.data_points[0].count, size.data_points[0].sum),
        (4, Some(400.0))
    );
    let metric::Data::Sum(active) = find("test.server.active").data.clone().unwrap() else {
        panic!("not a sum");
    };
    assert!(!active.is_monotonic);
    let value = active.data_points[0].value;
    assert_eq!(value, Some(number_data_point::Value::AsInt(1)));
}

#[test]
fn series_without_room_are_one_point_marked_by_a_boolean() {
    let bench = Bench::new(|builder| builder.with_max_series(3), |_| ());
    let counter = bench.telemetry.counter(&instrument("test.calls", "{call}"));
    for peer in 0..20 {
        counter.bind(&[&peer.to_string(), ""]).add(1);
    }
    let metrics = bench.telemetry.reader(Temporality::Cumulative).collect();
    let bodies = encoded(&metrics, BODY_LIMIT);
    let all = flat(&bodies[0].0);
    let calls = all.iter().find(|(_, metric)| metric.name == "test.calls");
    let metric::Data::Sum(sum) = calls.expect("exported").1.data.clone().unwrap() else {
        panic!("not a sum");
    };
    let value = |point: &proto::NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        other => panic!("not whole: {other:?}"),
    };
    assert_eq!(sum.data_points.iter().map(value).sum::<i64>(), 20);
    let marked: Vec<_> = sum
        .data_points
        .iter()
        .flat_map(|point| &point.attributes)
        .filter(|pair| pair.key == "otel.metric.overflow")
        .map(|pair| pair.value.clone().and_then(|value| value.value))
        .collect();
    assert_eq!(marked, [Some(any_value::Value::BoolValue(true))]);
}

/// Whatever the limit, every point arrives once, and no body that could have been cut is over it.
#[test]
fn points_beyond_the_limit_go_on_in_the_next_body() {
    let bench = Bench::new(|builder| builder, |_| ());
    let counter = bench.telemetry.counter(&instrument("test.calls", "{call}"));
    let histogram = bench
        .telemetry
        .histogram(&instrument("test.size", "By"), BOUNDS);
    for peer in 0..90_u64 {
        let labels = [&*format!("peer {peer}"), ""];
        counter.bind(&labels).add(peer);
        histogram.bind(&labels).record(1.0);
    }
    let metrics = bench.telemetry.reader(Temporality::Cumulative).collect();
    let whole = encoded(&metrics, BODY_LIMIT);
    assert_eq!((whole.len(), whole[0].1), (1, 180));
    for limit in [0, 600, 1_000, 5_000] {
        let mut bodies = Vec::new();
        encode_metrics(&resource(), &metrics, limit, &mut |body, items| {
            assert!(
                body.len() <= limit || items == 1,
                "{} bytes of {limit}, {items} points",
                body.len()
            );
            bodies.push((decode::<ExportMetricsServiceRequest>(body), items));
        });
        assert!(bodies.len() > 1);
        let mut numbers = Vec::new();
        let mut histograms = Vec::new();
        for (request, items) in &bodies {
            let decoded = flat(request);
            assert_eq!(
                *items,
                decoded
                    .iter()
                    .map(|(_, metric)| points(metric) as u64)
                    .sum::<u64>()
            );
            for (_, of) in decoded {
                match of.data.clone().unwrap() {
                    metric::Data::Sum(sum) => {
                        assert!(sum.is_monotonic);
                        assert_eq!(of.unit, "{call}");
                        numbers.extend(sum.data_points);
                    }
                    metric::Data::Histogram(of) => histograms.extend(of.data_points),
                    other => panic!("never made: {other:?}"),
                }
            }
        }
        let (_, sum) = flat(&whole[0].0)[0];
        let Some(metric::Data::Sum(sum)) = &sum.data else {
            panic!("the counter comes first")
        };
        assert_eq!(numbers, sum.data_points, "{limit}");
        assert_eq!(histograms.len(), 90);
    }
}

/// Seconds of a counter are doubles, and a sum that goes up and down is one whatever the reader's temporality.
#[test]
fn what_is_mirrored_in_seconds_and_what_goes_up_and_down_decode_as_such() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let bench = Bench::new(|builder| builder, |_| ());
        let seconds = instrument("test.busy", "s");
        let seconds = bench.telemetry.absolute_float_counter(&seconds);
        let seconds = seconds.bind(&["a", ""]);
        let bytes = instrument("test.held", "By");
        let bytes = bench.telemetry.absolute_up_down_counter(&bytes);
        let bytes = bytes.bind(&["a", ""]);
        let reader = bench.telemetry.reader(temporality);
        let delta = temporality == Temporality::Delta;
        let (mut starts, mut before) = (Vec::new(), 0.0);
        // The fourth is a restart of what is mirrored; what makes no sense is not set.
        for (total, held, added) in [
            (0.5, 7, 0.5),
            (0.5, -3, 0.0),
            (2.25, 0, 1.75),
            (0.125, i64::MAX, 0.125),
        ] {
            seconds.set_absolute(total);
            for nonsense in [f64::NAN, f64::INFINITY, -1.0] {
                seconds.set_absolute(nonsense);
            }
            bytes.set_absolute(held);
            bench.advance(1_000_000_000);
            let metrics = reader.collect();
            let bodies = encoded(&metrics, BODY_LIMIT);
            let decoded = flat(&bodies[0].0);
            agree(&decoded, &metrics);
            let sum = |name: &str| {
                let of = decoded.iter().find(|(_, of)| of.name == name).expect(name);
                match &of.1.data {
                    Some(metric::Data::Sum(sum)) => sum.clone(),
                    other => panic!("{name} is no sum: {other:?}"),
                }
            };
            let busy = sum("test.busy");
            let expect = if delta { added } else { total };
            assert!(busy.is_monotonic);
            assert_eq!(
                busy.data_points[0].value,
                Some(number_data_point::Value::AsDouble(expect))
            );
            let began = busy.data_points[0].start_time_unix_nano;
            // Cumulative ones have the same start until a restart.
            let new = delta || starts.is_empty() || total < before;
            assert_eq!(!starts.contains(&began), new);
            starts.push(began);
            before = total;
            let level = sum("test.held");
            assert!(!level.is_monotonic);
            let cumulative = AggregationTemporality::Cumulative as i32;
            assert_eq!(level.aggregation_temporality, cumulative);
            assert_eq!(
                level.data_points[0].value,
                Some(number_data_point::Value::AsInt(held))
            );
        }
    }
}
