//! Structured events: log records with a name and a body, tied to the operation they belong to. Content (prompts,
//! outputs) and evaluations travel on them, never as attributes of a span.

use crate::descriptor::Scope;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, TraceId};

/// One structured event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogEvent {
    /// Its name, low in cardinality: `gen_ai.evaluation.result`.
    pub name: &'static str,
    /// Who says so: the crate that emits it, or the target it was logged to; none is this crate.
    pub scope: Option<&'static Scope>,
    /// How grave it is.
    pub severity: Severity,
    /// When, in nanoseconds since the Unix epoch; 0 is filled in when it is emitted.
    pub unix_nanos: u64,
    /// Its trace, if it belongs to one.
    pub trace_id: Option<TraceId>,
    /// Its operation, if it belongs to one.
    pub span_id: Option<SpanId>,
    /// The head decision of its trace.
    pub trace_flags: u8,
    /// What it says.
    pub body: Body,
    /// Its attributes.
    pub attributes: Vec<KeyValue>,
}

/// What an event says: a value of OTLP's `AnyValue`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Body>),
    /// A map, in order.
    Map(Vec<(String, Body)>),
}

/// The severities of OpenTelemetry's log model that have a name of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Severity {
    /// Fine-grained.
    Trace = 1,
    /// For debugging.
    Debug = 5,
    /// Informational.
    #[default]
    Info = 9,
    /// Something is odd.
    Warn = 13,
    /// Something failed.
    Error = 17,
    /// The program cannot go on.
    Fatal = 21,
}

impl Severity {
    /// Its number in the log model.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its short name.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl LogEvent {
    /// An event of the operation that is current on this thread, if there is one.
    pub fn new(name: &'static str, body: Body) -> Self {
        let ids = crate::current::with(|active| active.trace_parent());
        Self {
            name,
            scope: None,
            severity: Severity::default(),
            unix_nanos: 0,
            trace_id: ids.map(|ids| ids.trace_id),
            span_id: ids.map(|ids| ids.span_id),
            trace_flags: ids.map_or(0, |ids| ids.flags.to_u8()),
            body,
            attributes: Vec::new(),
        }
    }

    /// With a severity.
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Said by somebody else than this crate.
    pub fn with_scope(mut self, scope: &'static Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// With an attribute.
    pub fn with_attribute(mut self, attribute: KeyValue) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Of another operation than the current one.
    pub fn of(mut self, parent: crate::propagation::TraceParent) -> Self {
        self.trace_id = Some(parent.trace_id);
        self.span_id = Some(parent.span_id);
        self.trace_flags = parent.flags.to_u8();
        self
    }

    /// Bytes it holds, for the cap of what waits.
    pub(crate) fn bytes(&self) -> usize {
        fn body(of: &Body) -> usize {
            match of {
                Body::Text(text) => text.len(),
                Body::Bytes(bytes) => bytes.len(),
                Body::List(list) => list.iter().map(|item| body(item) + 32).sum(),
                Body::Map(map) => map
                    .iter()
                    .map(|(key, item)| key.len() + body(item) + 56)
                    .sum(),
                _ => 0,
            }
        }
        let attributes: usize = self
            .attributes
            .iter()
            .map(crate::side::key_value_bytes)
            .sum();
        size_of::<Self>() + body(&self.body) + attributes
    }
}
