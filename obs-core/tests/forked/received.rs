//! What arrived at the collector, by the official definitions.

use crate::collector::Collector;
use obs_core::courier::{Compression, Destinations};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Without compression, so that it can be read here.
pub(crate) fn destinations(collector: &Collector) -> Destinations {
    let mut to = Destinations::below(&collector.url());
    to.traces = to.traces.with_compression(Compression::None);
    to.metrics = to.metrics.with_compression(Compression::None);
    to.logs = to.logs.with_compression(Compression::None);
    to
}

/// By whom it was said, and on which connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct From {
    pub(crate) connection: usize,
    pub(crate) pid: i64,
    pub(crate) instance: String,
}

impl From {
    fn new(connection: usize, resource: Option<&Resource>) -> Self {
        let value = |key: &str| {
            let mut pairs = resource.iter().flat_map(|resource| &resource.attributes);
            let pair = pairs.find(|pair| pair.key == key)?;
            pair.value.as_ref()?.value.clone()
        };
        Self {
            connection,
            pid: match value("process.pid") {
                Some(Value::IntValue(pid)) => pid,
                other => panic!("a pid, not {other:?}"),
            },
            instance: match value("service.instance.id") {
                Some(Value::StringValue(id)) => id,
                other => panic!("an instance, not {other:?}"),
            },
        }
    }
}

fn bodies<M: Message + Default>(collector: &Collector, path: &str) -> Vec<(usize, M)> {
    let requests = collector.requests().into_iter();
    requests
        .filter(|request| request.line.contains(path))
        .map(|request| {
            let decoded = M::decode(&request.body[..]).expect("OTLP");
            (request.connection, decoded)
        })
        .collect()
}

pub(crate) fn spans(collector: &Collector) -> Vec<(From, Span)> {
    let mut all = Vec::new();
    for (connection, request) in bodies::<ExportTraceServiceRequest>(collector, "/v1/traces") {
        for of_resource in request.resource_spans {
            let from = From::new(connection, of_resource.resource.as_ref());
            let spans = of_resource.scope_spans.into_iter().flat_map(|it| it.spans);
            all.extend(spans.map(|span| (from.clone(), span)));
        }
    }
    all
}

/// Names of the spans, sorted.
pub(crate) fn names(collector: &Collector) -> Vec<String> {
    let mut names: Vec<_> = spans(collector)
        .into_iter()
        .map(|(_, span)| span.name)
        .collect();
    names.sort();
    names
}

/// One point of a sum.
#[derive(Debug, PartialEq)]
pub(crate) struct Sum {
    pub(crate) pid: i64,
    pub(crate) value: i64,
    pub(crate) since: u64,
    pub(crate) at: u64,
}

/// All points of the sum `name`, in the order they came.
pub(crate) fn sums(collector: &Collector, name: &str) -> Vec<Sum> {
    let mut all = Vec::new();
    for (connection, request) in bodies::<ExportMetricsServiceRequest>(collector, "/v1/metrics") {
        for of_resource in request.resource_metrics {
            let from = From::new(connection, of_resource.resource.as_ref());
            let metrics = { of_resource.scope_metrics.into_iter() }.flat_map(|it| it.metrics);
            for metric in metrics.filter(|metric| metric.name == name) {
                let Some(Data::Sum(sum)) = metric.data else {
                    panic!("{name} is no sum");
                };
                all.extend(sum.data_points.into_iter().map(|point| Sum {
                    pid: from.pid,
                    value: match point.value {
                        Some(Number::AsInt(value)) => value,
                        other => panic!("a whole number, not {other:?}"),
                    },
                    since: point.start_time_unix_nano,
                    at: point.time_unix_nano,
                }));
            }
        }
    }
    all
}

/// Which process said which text.
pub(crate) fn logs(collector: &Collector) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    for (connection, request) in bodies::<ExportLogsServiceRequest>(collector, "/v1/logs") {
        for of_resource in request.resource_logs {
            let from = From::new(connection, of_resource.resource.as_ref());
            let records = { of_resource.scope_logs.into_iter() }.flat_map(|it| it.log_records);
            for record in records {
                let body = record.body.and_then(|body| body.value);
                let Some(Value::StringValue(text)) = body else {
                    panic!("a text, not {body:?}");
                };
                all.push((from.pid, text));
            }
        }
    }
    all
}
