//! From OTLP messages to the plain data of this crate.

use super::proto::collector::logs::v1::ExportLogsServiceRequest;
use super::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use super::proto::collector::trace::v1::ExportTraceServiceRequest;
use super::proto::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use super::proto::metrics::v1 as wire;
use super::proto::resource::v1::Resource;
use super::proto::trace::v1::{SpanFlags, span::SpanKind, status::StatusCode};
use super::received::{ReceivedLog, ReceivedSpan, Scope};
use crate::attr::AttrValue;
use crate::metrics::{
    Exemplar, ExponentialPoint, HistogramPoint, Number, NumberPoint, PointSet, Series, Temporality,
};
use crate::tree::{Kind, SpanStatus, TreeEvent, TreeLink, TreeSpan};
use std::sync::Arc;

impl From<AnyValue> for AttrValue {
    fn from(value: AnyValue) -> Self {
        match value.value {
            None => Self::Empty,
            Some(any_value::Value::StringValue(text)) => Self::Str(text),
            Some(any_value::Value::BoolValue(flag)) => Self::Bool(flag),
            Some(any_value::Value::IntValue(number)) => Self::Int(number),
            Some(any_value::Value::DoubleValue(number)) => Self::Double(number),
            Some(any_value::Value::BytesValue(bytes)) => Self::Bytes(bytes),
            Some(any_value::Value::ArrayValue(array)) => {
                Self::Array(array.values.into_iter().map(Self::from).collect())
            }
            Some(any_value::Value::KvlistValue(map)) => Self::Map(attributes(map.values)),
            // An index into the string table of a profile, which the signals received here do not have.
            Some(any_value::Value::StringValueStrindex(_)) => Self::Empty,
        }
    }
}

fn attributes(sent: Vec<KeyValue>) -> Vec<(String, AttrValue)> {
    sent.into_iter()
        .map(|pair| {
            (
                pair.key,
                pair.value.map_or(AttrValue::Empty, AttrValue::from),
            )
        })
        .collect()
}

/// The first value under `key`.
pub(super) fn attribute(sent: &[KeyValue], key: &str) -> Option<AttrValue> {
    let pair = sent.iter().find(|pair| pair.key == key)?;
    Some(pair.value.clone().map_or(AttrValue::Empty, AttrValue::from))
}

/// Zero unless 16 bytes long.
pub(super) fn trace_id(bytes: &[u8]) -> u128 {
    bytes.try_into().map_or(0, u128::from_be_bytes)
}

/// Zero unless 8 bytes long.
pub(super) fn span_id(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

fn scope(sent: Option<InstrumentationScope>, schema_url: String) -> Arc<Scope> {
    let sent = sent.unwrap_or_default();
    Arc::new(Scope {
        name: sent.name,
        version: sent.version,
        schema_url,
        attributes: attributes(sent.attributes),
    })
}

fn resource(sent: Option<Resource>) -> Arc<Vec<(String, AttrValue)>> {
    Arc::new(attributes(sent.unwrap_or_default().attributes))
}

pub(super) fn spans(request: ExportTraceServiceRequest) -> Vec<ReceivedSpan> {
    let mut spans = Vec::new();
    for of_resource in request.resource_spans {
        let (resource, resource_schema_url) = (
            resource(of_resource.resource),
            Arc::from(of_resource.schema_url),
        );
        for of_scope in of_resource.scope_spans {
            let scope = scope(of_scope.scope, of_scope.schema_url);
            spans.extend(of_scope.spans.into_iter().map(|span| ReceivedSpan {
                resource: Arc::clone(&resource),
                resource_schema_url: Arc::clone(&resource_schema_url),
                scope: Arc::clone(&scope),
                span,
            }));
        }
    }
    spans
}

pub(super) fn logs(request: ExportLogsServiceRequest) -> Vec<ReceivedLog> {
    let mut logs = Vec::new();
    for of_resource in request.resource_logs {
        let (resource, resource_schema_url) = (
            resource(of_resource.resource),
            Arc::from(of_resource.schema_url),
        );
        for of_scope in of_resource.scope_logs {
            let scope = scope(of_scope.scope, of_scope.schema_url);
            logs.extend(of_scope.log_records.into_iter().map(|record| ReceivedLog {
                resource: Arc::clone(&resource),
                resource_schema_url: Arc::clone(&resource_schema_url),
                scope: Arc::clone(&scope),
                record,
            }));
        }
    }
    logs
}

impl From<ReceivedSpan> for TreeSpan {
    fn from(received: ReceivedSpan) -> Self {
        let parent_span_id = received.parent_span_id();
        let mut tree_span = Self::new(received.trace_id(), received.span_id(), "");
        let span = received.span;
        let told = |mask: SpanFlags| span.flags & mask as u32 != 0;
        tree_span.parent_span_id = parent_span_id;
        tree_span.parent_is_remote =
            told(SpanFlags::ContextHasIsRemoteMask).then(|| told(SpanFlags::ContextIsRemoteMask));
        tree_span.name = span.name;
        tree_span.kind = match SpanKind::try_from(span.kind) {
            Ok(SpanKind::Internal) => Kind::Internal,
            Ok(SpanKind::Server) => Kind::Server,
            Ok(SpanKind::Client) => Kind::Client,
            Ok(SpanKind::Producer) => Kind::Producer,
            Ok(SpanKind::Consumer) => Kind::Consumer,
            Ok(SpanKind::Unspecified) | Err(_) => Kind::Unspecified,
        };
        tree_span.status = match span.status {
            Some(status) if status.code == StatusCode::Ok as i32 => SpanStatus::Ok,
            Some(status) if status.code == StatusCode::Error as i32 => {
                SpanStatus::Error(status.message)
            }
            _ => SpanStatus::Unset,
        };
        tree_span.start_ns = span.start_time_unix_nano;
        tree_span.end_ns = span.end_time_unix_nano;
        tree_span.attributes = attributes(span.attributes);
        tree_span.events = span
            .events
            .into_iter()
            .map(|event| TreeEvent {
                time_ns: event.time_unix_nano,
                name: event.name,
                attributes: attributes(event.attributes),
            })
            .collect();
        tree_span.links = span
            .links
            .into_iter()
            .map(|link| TreeLink {
                trace_id: trace_id(&link.trace_id),
                span_id: span_id(&link.span_id),
                attributes: attributes(link.attributes),
            })
            .collect();
        tree_span
    }
}

pub(super) fn points(request: ExportMetricsServiceRequest) -> PointSet {
    let mut points = PointSet::default();
    for of_resource in request.resource_metrics {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        for of_scope in of_resource.scope_metrics {
            let scope = of_scope.scope.unwrap_or_default().name;
            for metric in of_scope.metrics {
                let template = Series {
                    name: metric.name,
                    unit: metric.unit,
                    scope: scope.clone(),
                    resource: resource.clone(),
                    attributes: Vec::new(),
                };
                match metric.data {
                    Some(wire::metric::Data::Histogram(sent)) => {
                        histogram(&mut points, &template, sent)
                    }
                    Some(wire::metric::Data::Sum(sent)) => sum(&mut points, &template, sent),
                    Some(wire::metric::Data::Gauge(sent)) => {
                        let sent = sent.data_points.into_iter();
                        points
                            .gauges
                            .extend(sent.map(|point| number_point(&template, point)));
                    }
                    Some(wire::metric::Data::ExponentialHistogram(sent)) => {
                        exponential(&mut points, &template, sent);
                    }
                    Some(wire::metric::Data::Summary(_)) | None => {
                        points.others.push(template.name);
                    }
                }
            }
        }
    }
    points
}

fn histogram(points: &mut PointSet, template: &Series, sent: wire::Histogram) {
    let temporality = temporality(sent.aggregation_temporality);
    points
        .histograms
        .extend(sent.data_points.into_iter().map(|point| HistogramPoint {
            series: series(template, point.attributes),
            start_ns: point.start_time_unix_nano,
            time_ns: point.time_unix_nano,
            temporality,
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            bounds: point.explicit_bounds,
            bucket_counts: point.bucket_counts,
            exemplars: exemplars(point.exemplars),
        }));
}

fn exponential(points: &mut PointSet, template: &Series, sent: wire::ExponentialHistogram) {
    let temporality = temporality(sent.aggregation_temporality);
    let counts = |side: Option<wire::exponential_histogram_data_point::Buckets>| {
        let side = side.unwrap_or_default();
        let indexed = (side.offset..).zip(side.bucket_counts);
        indexed.filter(|(_, count)| *count > 0).collect()
    };
    let sent = sent.data_points.into_iter();
    points
        .exponentials
        .extend(sent.map(|point| ExponentialPoint {
            start_ns: point.start_time_unix_nano,
            time_ns: point.time_unix_nano,
            temporality,
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            zero_count: point.zero_count,
            zero_threshold: point.zero_threshold,
            negative: counts(point.negative),
            exemplars: exemplars(point.exemplars),
            ..ExponentialPoint::new(
                series(template, point.attributes),
                point.scale,
                counts(point.positive),
            )
        }));
}

fn sum(points: &mut PointSet, template: &Series, sent: wire::Sum) {
    let (temporality, monotonic) = (temporality(sent.aggregation_temporality), sent.is_monotonic);
    points
        .sums
        .extend(sent.data_points.into_iter().map(|point| {
            let mut point = number_point(template, point);
            point.temporality = temporality;
            point.monotonic = monotonic;
            point
        }));
}

fn number_point(template: &Series, point: wire::NumberDataPoint) -> NumberPoint {
    NumberPoint {
        series: series(template, point.attributes),
        start_ns: point.start_time_unix_nano,
        time_ns: point.time_unix_nano,
        temporality: Temporality::Unspecified,
        monotonic: false,
        value: point.value.map(|value| match value {
            wire::number_data_point::Value::AsInt(number) => Number::Int(number),
            wire::number_data_point::Value::AsDouble(number) => Number::Double(number),
        }),
        exemplars: exemplars(point.exemplars),
    }
}

fn series(template: &Series, sent: Vec<KeyValue>) -> Series {
    let mut series = template.clone();
    series.attributes = attributes(sent);
    series.attributes.sort_by(|a, b| a.0.cmp(&b.0));
    series
}

fn temporality(sent: i32) -> Temporality {
    match wire::AggregationTemporality::try_from(sent) {
        Ok(wire::AggregationTemporality::Delta) => Temporality::Delta,
        Ok(wire::AggregationTemporality::Cumulative) => Temporality::Cumulative,
        Ok(wire::AggregationTemporality::Unspecified) | Err(_) => Temporality::Unspecified,
    }
}

/// Exemplars with a value; one without says nothing.
fn exemplars(sent: Vec<wire::Exemplar>) -> Vec<Exemplar> {
    let exemplar = |sent: wire::Exemplar| {
        let value = match sent.value? {
            wire::exemplar::Value::AsInt(number) => Number::Int(number),
            wire::exemplar::Value::AsDouble(number) => Number::Double(number),
        };
        Some(Exemplar {
            value,
            time_ns: sent.time_unix_nano,
            trace_id: trace_id(&sent.trace_id),
            span_id: span_id(&sent.span_id),
            attributes: attributes(sent.filtered_attributes),
        })
    };
    sent.into_iter().filter_map(exemplar).collect()
}
