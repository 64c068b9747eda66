//! Structured events: log records with a name and a body, tied to the operation they belong to. Content (prompts,
//! outputs) and evaluations travel on them, never as attributes of a span.

use crate::ambient::Ambient;
use crate::attributes::Key;
use crate::descriptor::Scope;
use crate::engine::config::Config;
use crate::redact::{Looking, Place};
use crate::session::Session;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, TraceId};
use std::sync::Arc;

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
    /// What it was done for, exported as `session.id`, `gen_ai.conversation.id` and `user.id`; attributes of these names come
    /// first.
    pub session: Option<Arc<Session>>,
    /// What it says.
    pub body: Body,
    /// Its attributes.
    pub attributes: Vec<KeyValue>,
    /// Its attributes that are more than a value or a list of them: maps, and lists of maps, as conversations are.
    pub structured: Vec<(Key, Body)>,
    /// Whether redactors have seen those.
    seen: bool,
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
    /// An event of the operation that is current on this thread, or of the user's span that is open inside it, if there is
    /// one: of what [`Parent::Current`](crate::Parent::Current) would make a parent of.
    pub fn new(name: &'static str, body: Body) -> Self {
        let ambient = Ambient::here();
        let ids = ambient.as_ref().map(|ambient| ambient.ids);
        Self {
            name,
            scope: None,
            severity: Severity::default(),
            unix_nanos: 0,
            trace_id: ids.map(|ids| ids.trace_id),
            span_id: ids.map(|ids| ids.span_id),
            trace_flags: ids.map_or(0, |ids| ids.flags.to_u8()),
            session: ambient.and_then(|ambient| ambient.session),
            body,
            attributes: Vec::new(),
            structured: Vec::new(),
            seen: false,
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

    /// With an attribute that is a map, or a list of maps. Its texts are seen by redactors and cut as those of a body.
    pub fn with_structured(mut self, key: Key, value: Body) -> Self {
        self.structured.push((key, value));
        self
    }

    /// Whoever made its structured attributes has shown each text in them to [`Telemetry::redact`](crate::Telemetry::redact), so
    /// they are not shown again: of a text that was cut since, a second look would take another word.
    pub fn with_structured_seen(mut self) -> Self {
        self.seen = true;
        self
    }

    /// Of another operation than the current one, and so not of this one's session.
    pub fn of(mut self, parent: crate::propagation::TraceParent) -> Self {
        self.session = None;
        self.trace_id = Some(parent.trace_id);
        self.span_id = Some(parent.span_id);
        self.trace_flags = parent.flags.to_u8();
        self
    }

    /// With a session.
    pub fn with_session(mut self, session: Arc<Session>) -> Self {
        self.session = Some(session.in_bounds());
        self
    }

    /// The session's ids under their keys, unless attributes have these keys.
    pub(crate) fn session_ids(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let own = |key: &str| self.attributes.iter().any(|own| own.key.as_str() == key);
        let ids = self.session.iter().flat_map(|session| session.ids());
        ids.filter_map(|(key, id)| Some((key.as_str(), id?)))
            .filter(move |(key, _)| !own(key))
    }

    /// Shows its texts to redactors.
    pub(crate) fn redact(&mut self, by: Looking<'_>) {
        if !by.body("", &mut self.body) {
            self.body = Body::Empty;
        }
        by.pairs(Place::LogAttribute, &mut self.attributes);
        if !self.seen {
            self.structured
                .retain_mut(|(key, value)| by.tree(Place::LogAttribute, key.as_str(), value));
        }
        self.redact_session(by);
    }

    /// Of the session only what is exported with it.
    pub(crate) fn redact_session(&mut self, by: Looking<'_>) {
        if let Some(session) = &self.session
            && let Some(left) = session.redacted(Place::LogAttribute, by)
        {
            self.session = Some(left);
        }
    }

    /// Cuts texts of more bytes than a value may have, however deep they lie. Bytes are not cut: half of an image is none.
    pub(crate) fn cut(&mut self, config: &Config) {
        fn cut_body(of: &mut Body, limit: usize) {
            match of {
                Body::Text(text) if text.len() > limit => {
                    *text = crate::attributes::cut(text, limit).into_owned();
                }
                Body::List(list) => list.iter_mut().for_each(|item| cut_body(item, limit)),
                Body::Map(map) => map.iter_mut().for_each(|(_, item)| cut_body(item, limit)),
                _ => {}
            }
        }
        cut_body(&mut self.body, config.body_bytes);
        for (_, value) in &mut self.structured {
            cut_body(value, config.body_bytes);
        }
        for pair in &mut self.attributes {
            crate::side::cut_value(&mut pair.value, config.side.value_bytes);
        }
    }

    /// Bytes it holds, for the cap of what waits.
    pub(crate) fn bytes(&self) -> usize {
        // Capacities: texts that were formatted hold up to twice what they say.
        fn body(of: &Body) -> usize {
            match of {
                Body::Text(text) => text.capacity(),
                Body::Bytes(bytes) => bytes.capacity(),
                Body::List(list) => {
                    let items: usize = list.iter().map(body).sum();
                    list.capacity() * size_of::<Body>() + items
                }
                Body::Map(map) => {
                    let of = |(key, item): &(String, Body)| key.capacity() + body(item);
                    let items: usize = map.iter().map(of).sum();
                    map.capacity() * size_of::<(String, Body)>() + items
                }
                _ => 0,
            }
        }
        let attributes = crate::side::pairs_bytes(&self.attributes);
        let session: usize = self.session_ids().map(|(_, id)| id.len()).sum();
        let room = self.structured.capacity() * size_of::<(Key, Body)>();
        let structured: usize = self.structured.iter().map(|(_, of)| body(of)).sum();
        size_of::<Self>() + body(&self.body) + attributes + session + room + structured
    }
}
