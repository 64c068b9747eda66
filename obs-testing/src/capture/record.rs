//! A finished operation, owned.

use crate::attr::{self, AttrValue};
use crate::tree::{Kind, SpanStatus, TreeEvent, TreeLink, TreeSpan};
use obs_core::otel::trace::{SpanId, SpanKind, Status, TraceFlags, TraceId};
use obs_core::otel::{Array, KeyValue, Value};
use obs_core::{Outcome, Record, StatsLevel};
use std::time::Duration;

/// What a record said when it was exported.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CapturedRecord {
    /// The name of its kind: `http.server`.
    pub descriptor: &'static str,
    /// The trace.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The parent, `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// Whether the parent lies in another process.
    pub parent_is_remote: bool,
    /// The W3C flags as propagated: the head decision.
    pub trace_flags: TraceFlags,
    /// The `tracestate` as propagated; empty if none.
    pub trace_state: String,
    /// The span's name.
    pub name: String,
    /// The span's kind.
    pub kind: Kind,
    /// The level it was recorded at.
    pub level: StatsLevel,
    /// Start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The span's status.
    pub status: SpanStatus,
    /// Attributes, in the order exported.
    pub attributes: Vec<(String, AttrValue)>,
    /// Events: at Detailed the event points too.
    pub events: Vec<TreeEvent>,
    /// Links.
    pub links: Vec<TreeLink>,
    /// Why it was kept although the head decision left it out.
    pub keep_reason: Option<&'static str>,
    /// Whether it is the topmost record of a trace that was kept late.
    pub partial: bool,
    /// Attributes, events and links that did not fit.
    pub dropped: u32,
}

impl CapturedRecord {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let mut attributes = Vec::new();
        record.visit_attributes(&mut |key, found| {
            attributes.push((key.to_owned(), value(&found.to_value())));
        });
        let mut events = Vec::new();
        record.visit_events(&mut |event| {
            events.push(TreeEvent {
                time_ns: event.unix_nanos,
                name: event.name.to_owned(),
                attributes: pairs(&event.attributes),
            });
        });
        let links = record.links().map(|link| TreeLink {
            trace_id: u128::from_be_bytes(link.context.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(link.context.span_id().to_bytes()),
            attributes: pairs(&link.attributes),
        });
        Self {
            descriptor: record.descriptor().name,
            trace_id: record.trace_id(),
            span_id: record.span_id(),
            parent_span_id: record.parent_span_id(),
            parent_is_remote: record.parent_is_remote(),
            trace_flags: record.trace_flags(),
            trace_state: record.trace_state().to_owned(),
            name: record.name(),
            kind: kind(&record.span_kind()),
            level: record.level(),
            start_ns: record.start_unix_nanos(),
            duration: record.duration(),
            outcome: record.outcome(),
            status: status(record.status()),
            events,
            links: links.collect(),
            keep_reason: record.keep_reason(),
            partial: attr::find(&attributes, obs_core::semconv::obs::TRACE_PARTIAL.as_str())
                == Some(&AttrValue::Bool(true)),
            attributes,
            dropped: record.dropped_attributes() + record.dropped_events() + record.dropped_links(),
        }
    }

    /// The value of one attribute.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<&AttrValue> {
        attr::find(&self.attributes, key)
    }

    /// The text of one attribute, if it is there and text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.attr(key)?.as_str()
    }

    /// What kind of error it ended in: the attribute `error.type`.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.text(obs_core::semconv::http::ERROR_TYPE.as_str())
    }

    /// The names of its events, in order.
    #[must_use]
    pub fn event_names(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event.name.as_str())
            .collect()
    }
}

impl From<CapturedRecord> for TreeSpan {
    fn from(record: CapturedRecord) -> Self {
        let trace_id = u128::from_be_bytes(record.trace_id.to_bytes());
        let span_id = |id: SpanId| u64::from_be_bytes(id.to_bytes());
        let mut span = Self::new(trace_id, span_id(record.span_id), record.name);
        span.parent_span_id = record.parent_span_id.map(span_id);
        span.parent_is_remote = Some(record.parent_is_remote);
        span.kind = record.kind;
        span.status = record.status;
        span.start_ns = record.start_ns;
        span.end_ns = record
            .start_ns
            .saturating_add(record.duration.as_nanos() as u64);
        span.attributes = record.attributes;
        span.events = record.events;
        span.links = record.links;
        span
    }
}

pub(super) fn pairs(of: &[KeyValue]) -> Vec<(String, AttrValue)> {
    of.iter()
        .map(|pair| (pair.key.as_str().to_owned(), value(&pair.value)))
        .collect()
}

pub(super) fn value(of: &Value) -> AttrValue {
    fn list<T: Clone, V: Into<AttrValue>>(of: &[T], each: impl Fn(T) -> V) -> AttrValue {
        AttrValue::Array(of.iter().cloned().map(|one| each(one).into()).collect())
    }
    match of {
        Value::Bool(flag) => (*flag).into(),
        Value::I64(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(Array::Bool(flags)) => list(flags, |flag| flag),
        Value::Array(Array::I64(numbers)) => list(numbers, |number| number),
        Value::Array(Array::F64(numbers)) => list(numbers, |number| number),
        Value::Array(Array::String(texts)) => list(texts, String::from),
        other => other.to_string().into(),
    }
}

pub(super) fn kind(of: &SpanKind) -> Kind {
    match of {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
        SpanKind::Internal => Kind::Internal,
    }
}

pub(super) fn status(of: Status) -> SpanStatus {
    match of {
        Status::Unset => SpanStatus::Unset,
        Status::Ok => SpanStatus::Ok,
        Status::Error { description } => SpanStatus::Error(description.into_owned()),
    }
}
