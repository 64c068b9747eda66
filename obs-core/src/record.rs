//! A finished operation, as everything behind the collector sees it: encoders, subscribers, span processors.

use crate::attributes::{Key, Value};
use crate::clock::Anchor;
use crate::descriptor::{Descriptor, Scope};
use crate::engine::live::{Flags, Live};
use crate::label::{LabelId, LabelValue};
use crate::level::StatsLevel;
use crate::outcome::Outcome;
use crate::semconv;
use crate::session::Session;
use crate::side::At;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId};
use std::borrow::Cow;
use std::time::Duration;

/// One finished operation that is exported. Borrowed: the record behind it goes back to its thread.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    live: &'a Live,
    anchor: &'a Anchor,
}

/// An event of a finished operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordEvent<'a> {
    /// Its name.
    pub name: &'a str,
    /// When, in nanoseconds since the Unix epoch.
    pub unix_nanos: u64,
    /// Its attributes.
    pub attributes: &'a [KeyValue],
    /// How many did not fit.
    pub dropped_attributes: u32,
}

/// A link of a finished operation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordLink<'a> {
    /// Where to.
    pub context: &'a SpanContext,
    /// Its attributes.
    pub attributes: &'a [KeyValue],
    /// How many did not fit.
    pub dropped_attributes: u32,
}

/// The value of an attribute of a record: text, number, list.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RecordValue<'a> {
    /// A scalar or a list.
    Value(Value<'a>),
    /// A label's text.
    Label(LabelValue),
}

impl<'a> Record<'a> {
    pub(crate) fn new(live: &'a Live, anchor: &'a Anchor) -> Self {
        Self { live, anchor }
    }

    /// What kind of operation it was.
    pub fn descriptor(&self) -> &'static Descriptor {
        self.live.kind.descriptor
    }

    /// Who emits it.
    pub fn scope(&self) -> &'static Scope {
        self.live.kind.descriptor.scope
    }

    /// Its trace.
    pub fn trace_id(&self) -> TraceId {
        self.live.trace_id.into()
    }

    /// Its own id.
    pub fn span_id(&self) -> SpanId {
        self.live.span_id.into()
    }

    /// Its parent's id, if it has one.
    pub fn parent_span_id(&self) -> Option<SpanId> {
        self.live
            .flags
            .has(Flags::HAS_PARENT)
            .then(|| self.live.parent_id.into())
    }

    /// Whether the parent lies in another process.
    pub fn parent_is_remote(&self) -> bool {
        self.live.flags.has(Flags::REMOTE)
    }

    /// The W3C trace flags as propagated: the head decision, whatever was kept later.
    pub fn trace_flags(&self) -> TraceFlags {
        TraceFlags::new(self.live.trace_flags)
    }

    /// The `tracestate` as propagated; empty if none.
    pub fn trace_state(&self) -> &'a str {
        self.live.tracestate()
    }

    /// Client, server, internal.
    pub fn span_kind(&self) -> SpanKind {
        self.live.kind.descriptor.span_kind.clone()
    }

    /// Writes the span's name: the user's, or by the kind's rule.
    pub fn write_name(&self, into: &mut String) {
        match self.live.side.as_ref().and_then(|side| side.name.as_ref()) {
            Some(name) => into.push_str(name),
            None => (self.live.kind.descriptor.span_name)(self, into),
        }
    }

    /// The span's name.
    pub fn name(&self) -> String {
        let mut name = String::new();
        self.write_name(&mut name);
        name
    }

    /// When it started, in nanoseconds since the Unix epoch.
    pub fn start_unix_nanos(&self) -> u64 {
        self.anchor.unix_nanos(self.live.start)
    }

    /// When it ended, in nanoseconds since the Unix epoch; never before its start.
    pub fn end_unix_nanos(&self) -> u64 {
        self.start_unix_nanos() + self.duration().as_nanos() as u64
    }

    /// How long it took, by the monotonic clock.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(
            self.anchor
                .nanos(self.live.end.saturating_sub(self.live.start)),
        )
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            end: self.live.ended,
            error: self.live.error,
        }
    }

    /// The level it was recorded at.
    pub fn level(&self) -> StatsLevel {
        self.live.level
    }

    /// The status of the span: the user's if set, an error where the outcome is one, unset otherwise.
    pub fn status(&self) -> Status {
        match self.live.side.as_ref().and_then(|side| side.status.clone()) {
            Some(status) => status,
            None if self.outcome().is_error() => Status::Error {
                description: Cow::Borrowed(""),
            },
            None => Status::Unset,
        }
    }

    /// Why it was kept although the head decision left it out.
    pub fn keep_reason(&self) -> Option<&'static str> {
        self.live.reason.text()
    }

    /// Label `index` of its kind, as a number.
    pub fn label(&self, index: usize) -> LabelId {
        self.live.labels.get(index)
    }

    /// Label `index` of its kind, as exported; `None` if absent.
    pub fn label_value(&self, index: usize) -> Option<LabelValue> {
        self.live
            .kind
            .set
            .spaces
            .get(index)?
            .resolve(self.live.labels.get(index))
    }

    /// Session and user it was done for.
    pub fn session(&self) -> Option<&'a Session> {
        self.live.session.as_deref()
    }

    /// Measure `index` of its kind, if it was set.
    pub fn measure(&self, index: usize) -> Option<u64> {
        (self.live.measured & (1 << index) != 0)
            .then(|| self.live.measures.get(index).copied())
            .flatten()
    }

    /// When the event point happened, as the time since the start.
    pub fn event_offset(&self, event: crate::Event) -> Option<Duration> {
        self.live
            .timeline
            .at(event)
            .map(|ticks| Duration::from_nanos(self.anchor.nanos(ticks)))
    }

    /// Calls `visit` for each attribute of the span: labels, measures, attributes, session, and why it was kept.
    pub fn visit_attributes(&self, visit: &mut dyn FnMut(&str, RecordValue<'_>)) {
        let live = self.live;
        let side = live
            .side
            .as_deref()
            .map_or(&[][..], |side| &side.attributes[..]);
        let overwritten = |key: &str| side.iter().any(|attribute| attribute.key.as_str() == key);
        for (index, space) in live.kind.set.spaces.iter().enumerate() {
            if let Some(value) = space.resolve(live.labels.get(index))
                && !overwritten(space.key().as_str())
            {
                visit(space.key().as_str(), RecordValue::Label(value));
            }
        }
        for (key, value) in live.attributes.iter() {
            if !overwritten(key.as_str()) {
                visit(key.as_str(), RecordValue::Value(value));
            }
        }
        for (index, measure) in live.kind.descriptor.measures.iter().enumerate() {
            if let Some(value) = self.measure(index) {
                visit(
                    measure.key.as_str(),
                    RecordValue::Value(Value::I64(i64::try_from(value).unwrap_or(i64::MAX))),
                );
            }
        }
        for attribute in side {
            visit(
                attribute.key.as_str(),
                RecordValue::Value(Value::from(&attribute.value)),
            );
        }
        if let Some(session) = self.session() {
            let mut text = |key: Key, value: &Option<Box<str>>| {
                if let Some(value) = value {
                    visit(key.as_str(), RecordValue::Value(Value::Str(value)));
                }
            };
            text(semconv::session::ID, &session.session_id);
            text(semconv::user::ID, &session.user_id);
        }
        if let Some(reason) = self.keep_reason() {
            visit(
                semconv::obs::KEEP_REASON.as_str(),
                RecordValue::Value(Value::Str(reason)),
            );
        }
        if live.flags.has(Flags::PARTIAL) {
            visit(
                semconv::obs::TRACE_PARTIAL.as_str(),
                RecordValue::Value(Value::Bool(true)),
            );
        }
    }

    /// The value of one attribute, as text or number; for subscribers and tests.
    pub fn attribute(&self, key: &str) -> Option<opentelemetry::Value> {
        let mut found = None;
        self.visit_attributes(&mut |name, value| {
            if name == key {
                found = Some(value.to_value());
            }
        });
        found
    }

    /// Attributes that did not fit.
    pub fn dropped_attributes(&self) -> u32 {
        self.live.attributes.dropped()
            + self
                .live
                .side
                .as_ref()
                .map_or(0, |side| side.dropped_attributes)
    }

    /// Calls `visit` for each event: at Detailed the event points, at every level those with attributes.
    pub fn visit_events(&self, visit: &mut dyn FnMut(RecordEvent<'_>)) {
        let start = self.start_unix_nanos();
        if self.live.level == StatsLevel::Detailed {
            for (event, ticks) in self.live.timeline.iter() {
                let unix_nanos = start + self.anchor.nanos(ticks);
                visit(RecordEvent {
                    name: event.name(),
                    unix_nanos,
                    attributes: &[],
                    dropped_attributes: 0,
                });
            }
        }
        for event in self
            .live
            .side
            .as_deref()
            .map_or(&[][..], |side| &side.events[..])
        {
            let unix_nanos = match event.at {
                At::Ticks(ticks) => {
                    start + self.anchor.nanos(ticks.saturating_sub(self.live.start))
                }
                At::Unix(nanos) => nanos,
            };
            let (attributes, dropped_attributes) =
                (&event.attributes[..], event.dropped_attributes);
            visit(RecordEvent {
                name: &event.name,
                unix_nanos,
                attributes,
                dropped_attributes,
            });
        }
    }

    /// Events that did not fit.
    pub fn dropped_events(&self) -> u32 {
        self.live
            .side
            .as_ref()
            .map_or(0, |side| side.dropped_events)
    }

    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = RecordLink<'a>> {
        self.live
            .side
            .as_deref()
            .map_or(&[][..], |side| &side.links[..])
            .iter()
            .map(|link| RecordLink {
                context: &link.context,
                attributes: &link.attributes,
                dropped_attributes: link.dropped_attributes,
            })
    }

    /// Links that did not fit.
    pub fn dropped_links(&self) -> u32 {
        self.live.side.as_ref().map_or(0, |side| side.dropped_links)
    }
}

impl RecordValue<'_> {
    /// As an owned OpenTelemetry value.
    pub fn to_value(&self) -> opentelemetry::Value {
        match self {
            Self::Value(Value::Bool(value)) => (*value).into(),
            Self::Value(Value::I64(value)) => (*value).into(),
            Self::Value(Value::F64(value)) => (*value).into(),
            Self::Value(Value::Str(value)) => (*value).to_owned().into(),
            Self::Value(Value::Ip(address)) => address.to_string().into(),
            Self::Value(Value::List(list)) => opentelemetry::Value::Array((*list).clone()),
            Self::Label(LabelValue::Static(text)) => (*text).into(),
            Self::Label(LabelValue::Text(text)) => text.clone().into(),
            Self::Label(LabelValue::Number(number)) => (*number).into(),
            Self::Label(LabelValue::Bool(value)) => (*value).into(),
        }
    }
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("name", &self.name())
            .field("trace_id", &self.trace_id())
            .field("span_id", &self.span_id())
            .field("duration", &self.duration())
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}
