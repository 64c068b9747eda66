//! `SpanData` as OTLP's `Span`.

use super::time;
use crate::encode::otlp_traces::field;
use crate::encode::protobuf::Buffer;
use crate::encode::request::ITEM;
use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// Whether the parent (of a link: the linked span) is remote is known, and whether it is.
const HAS_IS_REMOTE: u32 = 1 << 8;
const IS_REMOTE: u32 = 1 << 9;

/// Writes a span as an item. `false`, and nothing of use is written, if it is longer than `limit`.
pub(crate) fn write_span(into: &mut Buffer, span: &SpanData, limit: usize) -> bool {
    if at_least(span) > limit {
        return false;
    }
    let from = into.len();
    into.nested::<2>(ITEM, |into| write(into, span));
    into.len() - from <= limit
}

fn write(into: &mut Buffer, span: &SpanData) {
    ids(into, &span.span_context);
    if span.parent_span_id != SpanId::INVALID {
        into.bytes(field::PARENT_SPAN_ID, &span.parent_span_id.to_bytes());
    }
    into.text(field::NAME, &span.name);
    into.uint(field::KIND, kind(&span.span_kind));
    time(into, field::START, span.start_time);
    time(into, field::END, span.end_time);
    attributes(into, field::ATTRIBUTES, &span.attributes);
    into.uint(
        field::DROPPED_ATTRIBUTES,
        u64::from(span.dropped_attributes_count),
    );
    for event in &span.events.events {
        write_event(into, event);
    }
    into.uint(field::DROPPED_EVENTS, u64::from(span.events.dropped_count));
    for link in &span.links.links {
        write_link(into, link);
    }
    into.uint(field::DROPPED_LINKS, u64::from(span.links.dropped_count));
    write_status(into, &span.status);
    into.raw(&field::FLAGS);
    into.raw(&flags(&span.span_context, span.parent_span_is_remote).to_le_bytes());
}

/// What begins a span and a link alike.
fn ids(into: &mut Buffer, context: &SpanContext) {
    into.bytes(field::TRACE_ID, &context.trace_id().to_bytes());
    into.bytes(field::SPAN_ID, &context.span_id().to_bytes());
    into.text(field::TRACE_STATE, &context.trace_state().header());
}

fn flags(of: &SpanContext, remote: bool) -> u32 {
    let remote = if remote { IS_REMOTE } else { 0 };
    u32::from(of.trace_flags().to_u8()) | HAS_IS_REMOTE | remote
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn attributes(into: &mut Buffer, field: u8, attributes: &[KeyValue]) {
    for attribute in attributes {
        into.key_value(field, attribute);
    }
}

fn write_event(into: &mut Buffer, event: &Event) {
    into.nested::<2>(field::EVENTS, |into| {
        time(into, field::event::TIME, event.timestamp);
        into.text(field::event::NAME, &event.name);
        attributes(into, field::event::ATTRIBUTES, &event.attributes);
        into.uint(
            field::event::DROPPED_ATTRIBUTES,
            u64::from(event.dropped_attributes_count),
        );
    });
}

fn write_link(into: &mut Buffer, link: &Link) {
    let context = &link.span_context;
    into.nested::<1>(field::LINKS, |into| {
        ids(into, context);
        attributes(into, field::link::ATTRIBUTES, &link.attributes);
        into.uint(
            field::link::DROPPED_ATTRIBUTES,
            u64::from(link.dropped_attributes_count),
        );
        into.raw(&[field::link::FLAGS]);
        into.raw(&flags(context, context.is_remote()).to_le_bytes());
    });
}

/// An unset status is left out: to a decoder it is the same.
fn write_status(into: &mut Buffer, status: &Status) {
    const OK: u64 = 1;
    const ERROR: u64 = 2;
    let (code, description) = match status {
        Status::Unset => return,
        Status::Ok => (OK, ""),
        Status::Error { description } => (ERROR, &**description),
    };
    into.nested::<1>(field::STATUS, |into| {
        into.text(field::status::MESSAGE, description);
        into.uint(field::status::CODE, code);
    });
}

/// Bytes that a span takes at least: one that is too large is not encoded to find that out. `message` tags and numbers are
/// left out of the sum.
fn at_least(span: &SpanData) -> usize {
    let of = |attributes: &[KeyValue]| attributes.iter().map(value_len).sum::<usize>();
    let events = span.events.events.iter();
    let links = span.links.links.iter();
    span.name.len()
        + of(&span.attributes)
        + events
            .map(|event| event.name.len() + of(&event.attributes))
            .sum::<usize>()
        + links.map(|link| of(&link.attributes)).sum::<usize>()
}

fn value_len(attribute: &KeyValue) -> usize {
    match &attribute.value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| text.as_str().len()).sum(),
        Value::Array(Array::F64(list)) => list.len() * 8,
        Value::Array(Array::I64(list)) => list.len(),
        Value::Array(Array::Bool(list)) => list.len(),
        _ => 0,
    }
}
