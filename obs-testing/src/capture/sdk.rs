//! What an SDK's provider exported of operations, in place of what our records say of them.

use super::record::{CapturedRecord, kind, pairs, status, value};
use crate::tree::{TreeEvent, TreeLink};
use obs_core::otel::Context;
use obs_core::otel::trace::{SpanContext, SpanId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A processor that takes down what ended and is exported.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans(Arc<Mutex<Ended>>);

#[derive(Debug, Default)]
struct Ended {
    spans: HashMap<SpanId, SpanData>,
    /// What cannot be: told to the test, because a panic in a processor or a subscriber is contained.
    wrong: Vec<String>,
}

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        // As the SDK's own processors do.
        if span.span_context.is_sampled() {
            let mut ended = super::lock(&self.0);
            let known = ended.spans.insert(span.span_context.span_id(), span);
            if let Some(known) = known {
                ended.wrong.push(format!("a span ended twice: {known:#?}"));
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Spans {
    /// Puts into the record what its span says, which has ended before.
    pub(super) fn exchange(&self, mut record: CapturedRecord) -> CapturedRecord {
        let mut ended = super::lock(&self.0);
        match ended.spans.remove(&record.span_id) {
            Some(span) if span.span_context.trace_id() == record.trace_id => {
                exchange(&mut record, span);
            }
            other => {
                let wrong = format!("{record:#?} has this span: {other:#?}");
                ended.wrong.push(wrong);
            }
        }
        record
    }

    /// # Panics
    ///
    /// If a record had no span, or a span ended twice.
    #[track_caller]
    pub(super) fn check(&self) {
        let ended = super::lock(&self.0);
        assert!(ended.wrong.is_empty(), "{}", ended.wrong.join("\n"));
    }
}

fn exchange(record: &mut CapturedRecord, span: SpanData) {
    let (context, parent) = (&span.span_context, span.parent_span_id);
    record.parent_span_id = (parent != SpanId::INVALID).then_some(parent);
    record.parent_is_remote = span.parent_span_is_remote;
    record.trace_flags = context.trace_flags();
    record.trace_state = context.trace_state().header();
    record.kind = kind(&span.span_kind);
    record.start_ns = nanos(span.start_time);
    record.duration = span
        .end_time
        .duration_since(span.start_time)
        .unwrap_or_default();
    record.status = status(span.status);
    record.dropped =
        span.dropped_attributes_count + span.events.dropped_count + span.links.dropped_count;
    record.name = span.name.into_owned();
    record.attributes.clear();
    for attribute in span.attributes {
        // A span of the SDK has both values of what was set again; the last one counts.
        let key = attribute.key.as_str();
        record.attributes.retain(|(known, _)| known != key);
        record
            .attributes
            .push((key.to_owned(), value(&attribute.value)));
    }
    let events = span.events.events.into_iter().map(|event| TreeEvent {
        time_ns: nanos(event.timestamp),
        name: event.name.into_owned(),
        attributes: pairs(&event.attributes),
    });
    record.events = events.collect();
    let links = span.links.links.into_iter();
    record.links = links
        .map(|link| linked(&link.span_context, &link.attributes))
        .collect();
}

fn linked(context: &SpanContext, attributes: &[obs_core::otel::KeyValue]) -> TreeLink {
    TreeLink {
        trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(context.span_id().to_bytes()),
        attributes: pairs(attributes),
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
