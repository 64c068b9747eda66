//! What arrived, as tests look at it.

use super::convert;
use super::proto::collector::logs::v1::ExportLogsServiceRequest;
use super::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use super::proto::collector::trace::v1::ExportTraceServiceRequest;
use super::proto::logs::v1::LogRecord;
use super::proto::trace::v1::Span;
use crate::attr::{AttrValue, find};
use std::sync::Arc;

/// What a request carries, told by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `/v1/traces`.
    Traces,
    /// `/v1/metrics`.
    Metrics,
    /// `/v1/logs`.
    Logs,
}

impl Signal {
    pub(super) fn of_path(path: &str) -> Option<Self> {
        match path {
            "/v1/traces" => Some(Self::Traces),
            "/v1/metrics" => Some(Self::Metrics),
            "/v1/logs" => Some(Self::Logs),
            _ => None,
        }
    }
}

/// A decoded body.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Payload {
    /// A trace export.
    Traces(ExportTraceServiceRequest),
    /// A metric export.
    Metrics(ExportMetricsServiceRequest),
    /// A log export.
    Logs(ExportLogsServiceRequest),
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// The connection was closed instead ([`Receiver::hang_up_next`](super::Receiver::hang_up_next)).
    HungUp,
    /// Not at all ([`Receiver::never_answer`](super::Receiver::never_answer)).
    Never,
}

/// One HTTP request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The connection it came on, counted from 1.
    pub connection: u64,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// All headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body as sent, without chunk framing.
    pub wire_bytes: usize,
    /// Bytes of the body after unpacking.
    pub unpacked_bytes: usize,
    /// What was decoded, if the path is known and the body sound.
    pub payload: Option<Arc<Payload>>,
    /// How it was answered, or is about to be.
    pub answer: Answer,
}

impl ReceivedRequest {
    /// The first header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// What it carries, told by its path.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        Signal::of_path(&self.path)
    }

    /// Whether it was answered with success.
    #[must_use]
    pub fn accepted(&self) -> bool {
        matches!(self.answer, Answer::Status(200..=299))
    }
}

/// Bytes of request bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ByteCounts {
    /// As sent, without chunk framing.
    pub wire: usize,
    /// After unpacking.
    pub unpacked: usize,
}

/// An instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Scope {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The schema URL that its spans, points or records state.
    pub schema_url: String,
    /// Attributes.
    pub attributes: Vec<(String, AttrValue)>,
}

/// A span with what it was filed under.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedSpan {
    /// The resource's attributes.
    pub resource: Arc<Vec<(String, AttrValue)>>,
    /// The resource's schema URL.
    pub resource_schema_url: Arc<str>,
    /// The instrumentation scope.
    pub scope: Arc<Scope>,
    /// The span as it was sent.
    pub span: Span,
}

impl ReceivedSpan {
    /// The value of an attribute of the span.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<AttrValue> {
        convert::attribute(&self.span.attributes, key)
    }

    /// The value of an attribute of its resource.
    #[must_use]
    pub fn resource_attr(&self, key: &str) -> Option<AttrValue> {
        find(&self.resource, key).cloned()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.span.name
    }

    /// The trace id; zero if it is absent or not 16 bytes long.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        convert::trace_id(&self.span.trace_id)
    }

    /// The span id; zero if it is absent or not 8 bytes long.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        convert::span_id(&self.span.span_id)
    }

    /// The parent's span id; `None` for a root.
    #[must_use]
    pub fn parent_span_id(&self) -> Option<u64> {
        Some(convert::span_id(&self.span.parent_span_id)).filter(|id| *id != 0)
    }
}

/// A log record with what it was filed under.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceivedLog {
    /// The resource's attributes.
    pub resource: Arc<Vec<(String, AttrValue)>>,
    /// The resource's schema URL.
    pub resource_schema_url: Arc<str>,
    /// The instrumentation scope.
    pub scope: Arc<Scope>,
    /// The record as it was sent.
    pub record: LogRecord,
}

impl ReceivedLog {
    /// The value of an attribute of the record.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<AttrValue> {
        convert::attribute(&self.record.attributes, key)
    }

    /// The value of an attribute of its resource.
    #[must_use]
    pub fn resource_attr(&self, key: &str) -> Option<AttrValue> {
        find(&self.resource, key).cloned()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Option<AttrValue> {
        self.record.body.clone().map(AttrValue::from)
    }

    /// The trace it belongs to; zero if none.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        convert::trace_id(&self.record.trace_id)
    }

    /// The span it belongs to; zero if none.
    #[must_use]
    pub fn span_id(&self) -> u64 {
        convert::span_id(&self.record.span_id)
    }
}
