//! What arrived, in numbers.

use std::collections::HashSet;

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    metrics::v1::metric::Data,
    trace::v1::Span,
};
use prost::Message;

/// A decoded request.
#[derive(Debug)]
pub(crate) enum Payload {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Payload {
    pub(super) fn decode(path: &str, body: &[u8]) -> Option<Self> {
        match path {
            "/v1/traces" => ExportTraceServiceRequest::decode(body)
                .ok()
                .map(Self::Traces),
            "/v1/metrics" => ExportMetricsServiceRequest::decode(body)
                .ok()
                .map(Self::Metrics),
            "/v1/logs" => ExportLogsServiceRequest::decode(body).ok().map(Self::Logs),
            _ => None,
        }
    }

    /// Spans, data points or log records: the unit of the sender's accounts.
    pub(crate) fn items(&self) -> u64 {
        match self {
            Self::Traces(_) => self.spans().count() as u64,
            Self::Logs(request) => {
                let scopes = request
                    .resource_logs
                    .iter()
                    .flat_map(|logs| &logs.scope_logs);
                scopes.map(|scope| scope.log_records.len() as u64).sum()
            }
            Self::Metrics(request) => {
                let scopes = request
                    .resource_metrics
                    .iter()
                    .flat_map(|of| &of.scope_metrics);
                let metrics = scopes.flat_map(|scope| &scope.metrics);
                metrics
                    .filter_map(|metric| metric.data.as_ref())
                    .map(points)
                    .sum()
            }
        }
    }

    pub(crate) fn spans(&self) -> impl Iterator<Item = &Span> {
        let resources = match self {
            Self::Traces(request) => request.resource_spans.as_slice(),
            _ => &[],
        };
        let scopes = resources.iter().flat_map(|spans| &spans.scope_spans);
        scopes.flat_map(|scope| &scope.spans)
    }
}

fn points(data: &Data) -> u64 {
    let points = match data {
        Data::Gauge(gauge) => gauge.data_points.len(),
        Data::Sum(sum) => sum.data_points.len(),
        Data::Histogram(histogram) => histogram.data_points.len(),
        Data::ExponentialHistogram(histogram) => histogram.data_points.len(),
        Data::Summary(summary) => summary.data_points.len(),
    };
    points as u64
}

/// Items by what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Acknowledged, those that came twice as often as they came; less what a partial success rejected.
    pub(crate) spans: u64,
    pub(crate) points: u64,
    pub(crate) logs: u64,
    /// Span ids among the acknowledged.
    pub(crate) distinct: u64,
    /// Spans that were acknowledged before.
    pub(crate) duplicates: u64,
    /// Requests that brought any of those.
    pub(crate) duplicate_requests: u64,
    /// Acknowledged requests.
    pub(crate) requests: u64,
    /// Items rejected by a partial success.
    pub(crate) rejected: u64,
    /// Items answered with a failure.
    pub(crate) refused: u64,
    /// Requests that were never answered, or by drops.
    pub(crate) unanswered: u64,
    /// Requests cut off by a reset.
    pub(crate) reset: u64,
}

impl Tally {
    pub(super) fn refuse(&mut self, payload: &Payload) {
        self.refused += payload.items();
    }

    pub(super) fn take(&mut self, payload: &Payload, rejected: u64, seen: &mut HashSet<u64>) {
        self.requests += 1;
        self.rejected += rejected;
        let taken = payload.items() - rejected;
        match payload {
            Payload::Traces(_) => self.spans += taken,
            Payload::Metrics(_) => self.points += taken,
            Payload::Logs(_) => self.logs += taken,
        }
        let again = payload
            .spans()
            .filter(|span| !seen.insert(id_of(span)))
            .count() as u64;
        self.duplicates += again;
        self.duplicate_requests += u64::from(again > 0);
    }
}

fn id_of(span: &Span) -> u64 {
    let id = <[u8; 8]>::try_from(span.span_id.as_slice());
    id.map_or(0, u64::from_be_bytes)
}
