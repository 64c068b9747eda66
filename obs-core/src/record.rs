//! A finished operation, as everything behind the collector sees it: encoders, subscribers, span processors.

use crate::attributes::Value;
use crate::clock::Anchor;
use crate::contain::contain;
use crate::descriptor::{Descriptor, Scope};
use crate::engine::live::{Flags, Live};
use crate::label::{LabelId, LabelRef, LabelValue};
use crate::level::StatsLevel;
use crate::outcome::Outcome;
use crate::session::Session;
use crate::side::At;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId};
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

pub(crate) mod limits;
pub(crate) mod walk;

pub(crate) use walk::Sink;

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
    pub attributes: Cow<'a, [KeyValue]>,
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
    pub attributes: Cow<'a, [KeyValue]>,
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

    #[inline(always)]
    pub(crate) fn live(&self) -> &'a Live {
        self.live
    }

    #[inline(always)]
    pub(crate) fn anchor(&self) -> &'a Anchor {
        self.anchor
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
            None => self.write_kinds_name(into),
        }
    }

    /// By the kind's rule. A panic in it is counted, and the span named after its kind: nothing else of the record is lost,
    /// and nothing of those behind it.
    pub(crate) fn write_kinds_name(&self, into: &mut String) {
        let kind = self.live.kind;
        let before = into.len();
        if contain(|| (kind.descriptor.span_name)(self, into)).is_none() {
            kind.engine.counts.panics.add(1);
            into.truncate(if into.is_char_boundary(before) {
                before
            } else {
                0
            });
            into.push_str(kind.descriptor.name);
        }
    }

    /// The span's name.
    pub fn name(&self) -> String {
        let mut name = String::new();
        self.write_name(&mut name);
        name
    }

    /// When it started, in nanoseconds since the Unix epoch.
    #[inline]
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

    /// Whether it is the topmost of a trace that was kept although the head decision left it out: there may be holes.
    pub fn is_partial(&self) -> bool {
        self.live.flags.has(Flags::PARTIAL)
    }

    /// Label `index` of its kind, as a number.
    pub fn label(&self, index: usize) -> LabelId {
        self.live.labels.get(index)
    }

    /// Label `index` of its kind, as exported; `None` if absent. Where the label's set was full it is `_OTHER` on metrics and
    /// the text itself here.
    pub fn label_value(&self, index: usize) -> Option<LabelValue> {
        if let Some(text) = self.label_text(index) {
            return Some(LabelValue::Text(text.clone()));
        }
        self.live
            .kind
            .set
            .spaces
            .get(index)?
            .resolve(self.live.labels.get(index))
    }

    /// The text of a label that found its set full.
    pub(crate) fn label_text(&self, index: usize) -> Option<&'a Arc<str>> {
        let side = self.live.side.as_deref()?;
        (self.live.labels.get(index) == LabelId::OVERFLOW)
            .then(|| side.label(index))
            .flatten()
    }

    /// Writes label `index` of its kind as exported, without an allocation of its own; nothing if it is absent. For rules
    /// that name spans.
    pub fn write_label(&self, index: usize, into: &mut String) {
        if let Some(text) = self.label_text(index) {
            return into.push_str(text);
        }
        let Some(space) = self.live.kind.set.spaces.get(index) else {
            return;
        };
        space.read(self.live.labels.get(index), |value| match value {
            LabelRef::Text(text) => into.push_str(text),
            // Writing to a string does not fail.
            LabelRef::Number(number) => drop(write!(into, "{number}")),
            LabelRef::Bool(value) => drop(write!(into, "{value}")),
        });
    }

    /// Session, conversation and user it was done for.
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

    /// Attributes that did not fit.
    pub fn dropped_attributes(&self) -> u32 {
        self.live.attributes.dropped()
            + self
                .live
                .side
                .as_ref()
                .map_or(0, |side| side.dropped_attributes)
            + self.attributes_over()
    }

    /// Calls `visit` for each event: at Detailed the event points, at every level those that the service
    /// [defined](crate::Event::define) for it and those with attributes.
    pub fn visit_events(&self, visit: &mut dyn FnMut(RecordEvent<'_>)) {
        let start = self.start_unix_nanos();
        let mut left = self.limits().events;
        for (index, ticks) in self.live.timeline.shown(self.live.level).take(left) {
            left -= 1;
            visit(RecordEvent {
                name: crate::Event::from_index(index).name(),
                unix_nanos: start + self.anchor.nanos(ticks),
                attributes: Cow::Borrowed(&[]),
                dropped_attributes: 0,
            });
        }
        self.side_events(left).for_each(visit);
    }

    /// The first `most` of the events with attributes.
    pub(crate) fn side_events(&self, most: usize) -> impl Iterator<Item = RecordEvent<'a>> {
        let (start, record, limits) = (self.start_unix_nanos(), *self, self.limits());
        let events = self
            .live
            .side
            .as_deref()
            .map_or(&[][..], |side| &side.events[..]);
        events.iter().take(most).map(move |event| {
            let unix_nanos = match event.at {
                At::Ticks(ticks) => {
                    start + record.anchor.nanos(ticks.saturating_sub(record.live.start))
                }
                At::Unix(nanos) => nanos,
            };
            let (attributes, over) = limits.of(&event.attributes, limits.per_event);
            RecordEvent {
                name: &event.name,
                unix_nanos,
                attributes,
                dropped_attributes: event.dropped_attributes + over,
            }
        })
    }

    /// Events that did not fit.
    pub fn dropped_events(&self) -> u32 {
        let points = self.live.timeline.shown(self.live.level).count();
        let (events, dropped) = match &self.live.side {
            Some(side) => (side.events.len(), side.dropped_events),
            None => (0, 0),
        };
        dropped + (points + events).saturating_sub(self.limits().events) as u32
    }

    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = RecordLink<'a>> {
        let limits = self.limits();
        let links = self
            .live
            .side
            .as_deref()
            .map_or(&[][..], |side| &side.links[..]);
        links.iter().take(limits.links).map(|link| {
            let (attributes, over) = limits.of(&link.attributes, limits.per_link);
            RecordLink {
                context: &link.context,
                attributes,
                dropped_attributes: link.dropped_attributes + over,
            }
        })
    }

    /// Links that did not fit.
    pub fn dropped_links(&self) -> u32 {
        self.live.side.as_ref().map_or(0, |side| {
            let over = side.links.len().saturating_sub(self.limits().links);
            side.dropped_links + over as u32
        })
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
