//! What an SDK's provider exported of operations that it recorded, in place of what our records say.

use super::Span;
use obs_core::Recorder;
use obs_core::otel::trace::SpanId;
use obs_core::otel::{Context, KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanProcessor};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A processor that takes down what ended.
#[derive(Clone, Debug, Default)]
pub struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Spans {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        // The SDK's own processors leave out what was only recorded.
        if span.span_context.is_sampled() {
            super::locked(&self.0).push(span);
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
    pub fn recorder(&self, sampled: bool) -> Recorder {
        let roots = if sampled {
            Sampler::AlwaysOn
        } else {
            Sampler::AlwaysOff
        };
        Recorder::sdk(
            SdkTracerProvider::builder()
                .with_sampler(Sampler::ParentBased(Box::new(roots)))
                .with_span_processor(self.clone())
                .build(),
        )
    }

    /// Each record as its span has it. There is one for each, and none besides.
    #[track_caller]
    pub fn of(&self, records: Vec<Span>) -> Vec<Span> {
        let mut spans = std::mem::take(&mut *super::locked(&self.0));
        let of = |record: Span| {
            let ids = (record.trace_id, record.span_id);
            let found = spans.iter().position(|span| {
                (span.span_context.trace_id(), span.span_context.span_id()) == ids
            });
            match found {
                Some(index) => seen(record, spans.remove(index)),
                None => panic!("no span of the provider's for {record:#?}"),
            }
        };
        let seen = records.into_iter().map(of).collect();
        assert!(spans.is_empty(), "spans without a record: {spans:#?}");
        seen
    }
}

fn seen(record: Span, span: SpanData) -> Span {
    let parent = span.parent_span_id;
    let pair = |pair: KeyValue| (pair.key.as_str().to_owned(), pair.value);
    Span {
        name: span.name.into_owned(),
        parent: (parent != SpanId::INVALID).then_some(parent),
        remote: span.parent_span_is_remote,
        flags: span.span_context.trace_flags(),
        state: span.span_context.trace_state().header(),
        kind: span.span_kind,
        start: nanos(span.start_time),
        end: nanos(span.end_time),
        status: span.status,
        attributes: last_of_each(span.attributes.into_iter().map(pair)),
        dropped_attributes: span.dropped_attributes_count,
        events: span
            .events
            .events
            .into_iter()
            .map(|event| {
                (
                    event.name.into_owned(),
                    nanos(event.timestamp),
                    event.attributes,
                )
            })
            .collect(),
        dropped_events: span.events.dropped_count,
        links: span
            .links
            .links
            .into_iter()
            .map(|link| (link.span_context, link.attributes))
            .collect(),
        dropped_links: span.links.dropped_count,
        ..record
    }
}

/// A span of the SDK has both values of an attribute that was set again; the last one counts.
fn last_of_each(pairs: impl Iterator<Item = (String, Value)>) -> Vec<(String, Value)> {
    let mut last: Vec<(String, Value)> = Vec::new();
    for pair in pairs {
        last.retain(|(key, _)| *key != pair.0);
        last.push(pair);
    }
    last
}

fn nanos(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
