//! A finished record as the SDK's `SpanData`.

use crate::clock::system_time;
use crate::record::Record;
use crate::recorder::attributes_of;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Event, Link, SpanContext, SpanId, TraceFlags};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The record as the SDK's exporters take it. Allocates; meant for the collector's thread.
///
/// Its flags say that it is sampled even where the head decision said no: see the [module](crate::sdk).
pub fn span_data(record: &Record<'_>) -> SpanData {
    let scope = record.scope();
    SpanData {
        span_context: SpanContext::new(
            record.trace_id(),
            record.span_id(),
            record.trace_flags() | TraceFlags::SAMPLED,
            false,
            record.trace_state().parse().unwrap_or_default(),
        ),
        parent_span_id: record.parent_span_id().unwrap_or(SpanId::INVALID),
        parent_span_is_remote: record.parent_is_remote(),
        span_kind: record.span_kind(),
        name: record.name().into(),
        start_time: system_time(record.start_unix_nanos()),
        end_time: system_time(record.end_unix_nanos()),
        attributes: attributes_of(record),
        dropped_attributes_count: record.dropped_attributes(),
        events: events(record),
        links: links(record),
        status: record.status(),
        instrumentation_scope: InstrumentationScope::builder(scope.name)
            .with_version(scope.version)
            .with_schema_url(scope.schema_url)
            .build(),
    }
}

fn events(record: &Record<'_>) -> SpanEvents {
    let mut events = SpanEvents::default();
    events.dropped_count = record.dropped_events();
    record.visit_events(&mut |event| {
        events.events.push(Event::new(
            event.name.to_owned(),
            system_time(event.unix_nanos),
            event.attributes.into_owned(),
            event.dropped_attributes,
        ));
    });
    events
}

fn links(record: &Record<'_>) -> SpanLinks {
    let mut links = SpanLinks::default();
    links.dropped_count = record.dropped_links();
    links.links.extend(record.links().map(|link| {
        Link::new(
            link.context.clone(),
            link.attributes.into_owned(),
            link.dropped_attributes,
        )
    }));
    links
}
