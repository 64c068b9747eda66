use super::*;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn resource(name: &str) -> Option<Resource> {
    let value = any_value::Value::StringValue(name.to_owned());
    Some(Resource {
        attributes: vec![KeyValue {
            key: "service.name".into(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        }],
        ..Resource::default()
    })
}

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: name.to_owned(),
        ..InstrumentationScope::default()
    })
}

/// A request of so many spans with names of these lengths, per scope, per resource.
fn traces(shape: &[Vec<Vec<usize>>]) -> ExportTraceServiceRequest {
    let mut number = 0;
    let mut span = |len: &usize| {
        number += 1;
        Span {
            name: format!("{number} {}", "x".repeat(*len)),
            ..Span::default()
        }
    };
    let resources = shape.iter().enumerate().map(|(at, scopes)| ResourceSpans {
        resource: resource(&format!("resource {at}")),
        scope_spans: scopes
            .iter()
            .enumerate()
            .map(|(at, spans)| ScopeSpans {
                scope: scope(&format!("scope {at}")),
                spans: spans.iter().map(&mut span).collect(),
                schema_url: format!("url:{at}"),
            })
            .collect(),
        schema_url: "url".into(),
    });
    ExportTraceServiceRequest {
        resource_spans: resources.collect(),
    }
}

/// Each span with all that is said of where it is from.
fn told(request: &ExportTraceServiceRequest) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for of in &request.resource_spans {
        for scope in &of.scope_spans {
            let from = format!(
                "{:?} {:?} {:?} {:?}",
                of.resource, of.schema_url, scope.scope, scope.schema_url
            );
            let spans = scope.spans.iter();
            all.extend(spans.map(|span| (from.clone(), span.name.clone())));
        }
    }
    all
}

proptest! {
    #[test]
    fn a_request_in_parts_has_the_same_spans_in_the_same_order_each_from_where_it_was(
        shape in vec(vec(vec(0_usize..400, 0..6), 0..4), 0..4),
        limit in 100_usize..2_000,
    ) {
        let request = traces(&shape);
        let body = request.encode_to_vec();
        let mut parts = Vec::new();
        let mut items = 0;
        let cut = cut(Signal::Traces, &body, limit, limit, &mut |part, count| {
            assert!(part.len() <= limit);
            let part = ExportTraceServiceRequest::decode(part).expect("well formed");
            let spans = told(&part);
            assert_eq!(spans.len() as u64, count);
            items += count;
            parts.extend(spans);
        })
        .expect("well formed");
        let all = told(&request);
        prop_assert_eq!(cut.items, all.len() as u64);
        prop_assert_eq!(items + cut.too_large, cut.items);
        // What is missing did not fit, and what is there is in order.
        let mut left = all.iter();
        for part in &parts {
            prop_assert!(left.any(|span| span == part), "{:?}", part);
        }
        for missing in all.iter().filter(|span| !parts.contains(span)) {
            prop_assert!(missing.1.len() + 200 > limit, "{:?} {limit}", missing.1.len());
        }
    }

    #[test]
    fn whatever_bytes_there_are_nothing_is_emitted_of_what_the_official_decoder_refuses(
        body in vec(any::<u8>(), 0..60)
    ) {
        let mut emitted = 0;
        let ours = cut(Signal::Metrics, &body, 10, 10, &mut |_, _| emitted += 1);
        if ours.is_err() {
            prop_assert_eq!(emitted, 0);
            prop_assert!(ExportMetricsServiceRequest::decode(&*body).is_err());
        }
    }

    #[test]
    fn a_request_that_was_cut_short_is_refused_or_counted_less(len in 1_usize..400) {
        let body = traces(&[vec![vec![100, 100, 100]]]).encode_to_vec();
        let short = &body[..body.len().saturating_sub(len)];
        let ours = cut(Signal::Traces, short, usize::MAX, usize::MAX, &mut |_, _| {});
        let official = ExportTraceServiceRequest::decode(short);
        prop_assert_eq!(ours.is_ok(), official.is_ok());
    }
}

#[test]
fn log_records_are_counted() {
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![
                ScopeLogs {
                    log_records: vec![LogRecord::default(); 3],
                    ..ScopeLogs::default()
                };
                2
            ],
            ..ResourceLogs::default()
        }],
    };
    let body = request.encode_to_vec();
    let cut = cut(
        Signal::Logs,
        &body,
        usize::MAX,
        usize::MAX,
        &mut |_, items| {
            assert_eq!(items, 6);
        },
    );
    assert_eq!(cut.expect("well formed").items, 6);
}

#[test]
fn points_of_every_kind_are_counted() {
    let numbers = vec![NumberDataPoint::default(); 2];
    let kinds = [
        Data::Gauge(Gauge {
            data_points: numbers.clone(),
        }),
        Data::Sum(Sum {
            data_points: numbers,
            is_monotonic: true,
            aggregation_temporality: 2,
        }),
        Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint::default(); 3],
            aggregation_temporality: 1,
        }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![ExponentialHistogramDataPoint::default(); 4],
            aggregation_temporality: 1,
        }),
    ];
    let metric = |data| Metric {
        name: "metric".into(),
        data: Some(data),
        ..Metric::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: kinds.into_iter().map(metric).collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let body = request.encode_to_vec();
    let cut = cut(
        Signal::Metrics,
        &body,
        usize::MAX,
        usize::MAX,
        &mut |part, items| {
            assert_eq!((part, items), (&*body, 11));
        },
    );
    assert_eq!(cut.expect("well formed").items, 11);
}
