//! What a record says of itself by the public API, and that a decoded span says the same.

use crate::support::*;
use obs_core::Record;
use obs_core::otel::trace::{SpanContext, SpanId, Status, TraceId};
use obs_core::otel::{KeyValue, Value};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::trace::v1::{self as proto, Span};

/// What a record says of itself, by the public API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) scope: &'static str,
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) trace_state: String,
    pub(crate) attributes: Vec<(String, Value)>,
    pub(crate) events: Vec<(u64, String, Vec<KeyValue>, u32)>,
    pub(crate) links: Vec<(SpanContext, Vec<KeyValue>, u32)>,
    pub(crate) dropped: (u32, u32, u32),
    pub(crate) status: Status,
    pub(crate) flags: u32,
}

pub(crate) fn said(record: &Record<'_>) -> Said {
    let mut attributes = Vec::new();
    record.visit_attributes(&mut |key, value| attributes.push((key.to_owned(), value.to_value())));
    let mut events = Vec::new();
    record.visit_events(&mut |event| {
        events.push((
            event.unix_nanos,
            event.name.to_owned(),
            event.attributes.to_vec(),
            event.dropped_attributes,
        ));
    });
    Said {
        scope: record.scope().name,
        trace_id: record.trace_id(),
        span_id: record.span_id(),
        parent: record.parent_span_id(),
        name: record.name(),
        start: record.start_unix_nanos(),
        end: record.end_unix_nanos(),
        trace_state: record.trace_state().to_owned(),
        attributes,
        events,
        links: record
            .links()
            .map(|link| {
                let attributes = link.attributes.to_vec();
                (link.context.clone(), attributes, link.dropped_attributes)
            })
            .collect(),
        dropped: (
            record.dropped_attributes(),
            record.dropped_events(),
            record.dropped_links(),
        ),
        status: record.status(),
        flags: u32::from(record.trace_flags().to_u8())
            | 0x100
            | if record.parent_is_remote() { 0x200 } else { 0 },
    }
}

pub(crate) fn pairs_of(
    decoded: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) -> Vec<(String, AnyValue)> {
    decoded
        .iter()
        .map(|pair| (pair.key.clone(), pair.value.clone().expect("a value")))
        .collect()
}

/// The whole span against what the record says by the public API.
#[track_caller]
pub(crate) fn agrees(span: &Span, said: &Said) {
    assert_eq!(span.trace_id, said.trace_id.to_bytes());
    assert_eq!(span.span_id, said.span_id.to_bytes());
    assert_eq!(span.trace_state, said.trace_state);
    let parent = said
        .parent
        .map(|id| id.to_bytes().to_vec())
        .unwrap_or_default();
    assert_eq!(span.parent_span_id, parent);
    assert_eq!(span.name, said.name);
    assert_eq!(
        (span.start_time_unix_nano, span.end_time_unix_nano),
        (said.start, said.end)
    );
    let expected: Vec<_> = said
        .attributes
        .iter()
        .map(|(key, value)| (key.clone(), wire(value)))
        .collect();
    assert_same(&pairs_of(&span.attributes), &expected);
    assert_eq!(span.events.len(), said.events.len());
    for (event, (nanos, name, attributes, dropped)) in span.events.iter().zip(&said.events) {
        assert_eq!((event.time_unix_nano, &event.name), (*nanos, name));
        assert_same(&pairs_of(&event.attributes), &wire_pairs(attributes));
        assert_eq!(event.dropped_attributes_count, *dropped);
    }
    assert_eq!(span.links.len(), said.links.len());
    for (link, (to, attributes, dropped)) in span.links.iter().zip(&said.links) {
        agrees_link(link, to);
        assert_same(&pairs_of(&link.attributes), &wire_pairs(attributes));
        assert_eq!(link.dropped_attributes_count, *dropped);
    }
    let dropped = (
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
    );
    assert_eq!(dropped, said.dropped);
    assert_eq!(status(span), said.status);
    assert_eq!(span.flags, said.flags);
}

/// NaN is not equal to itself, its text is.
#[track_caller]
pub(crate) fn assert_same(
    left: &(impl std::fmt::Debug + ?Sized),
    right: &(impl std::fmt::Debug + ?Sized),
) {
    assert_eq!(format!("{left:?}"), format!("{right:?}"));
}

#[track_caller]
pub(crate) fn agrees_link(link: &proto::span::Link, to: &SpanContext) {
    assert_eq!(link.trace_id, to.trace_id().to_bytes());
    assert_eq!(link.span_id, to.span_id().to_bytes());
    assert_eq!(link.trace_state, to.trace_state().header());
    let remote = if to.is_remote() { 0x200 } else { 0 };
    assert_eq!(
        link.flags,
        u32::from(to.trace_flags().to_u8()) | 0x100 | remote
    );
}

pub(crate) fn status(span: &Span) -> Status {
    match &span.status {
        None => Status::Unset,
        Some(status) if status.code == proto::status::StatusCode::Ok as i32 => Status::Ok,
        Some(status) => {
            assert_eq!(status.code, proto::status::StatusCode::Error as i32);
            Status::error(status.message.clone())
        }
    }
}
