//! Calls that are told at second hand: late, or for nothing.

use crate::{MS, asked, llm, usage};
use obs_core::otel::trace::SpanKind;
use obs_core::{Descriptor, Labels, Scope};
use obs_llm::wire::{Content, RequestSink, ResponseSink};
use obs_llm::{LlmOperation, Provider};
use obs_testing::{AttrValue, Capture};

const DURATION: &str = "gen_ai.client.operation.duration";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const TOKENS: &str = "gen_ai.client.token.usage";
const ACTIVE: &str = "obs.llm.client.active_calls";

static SCOPE: Scope = Scope {
    name: "obs-llm-tests",
    version: "1",
    schema_url: "",
};

/// What a call turns out to be.
static NODE: Descriptor = Descriptor {
    name: "test.node",
    span_kind: SpanKind::Internal,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("node"),
};

#[test]
fn what_was_no_call_after_all_counts_as_none() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    call.usage(&usage());
    assert_eq!(capture.in_flight(ACTIVE), 1);
    call.end_as(capture.telemetry().kind(&NODE), Labels::NONE);
    assert_eq!(capture.in_flight(ACTIVE), 0);
    assert_eq!(capture.count(DURATION), 0);
    assert_eq!(capture.count(TOKENS), 0);
    let record = capture.record();
    assert_eq!(record.name, "node");
    for key in ["gen_ai.operation.name", "gen_ai.usage.input_tokens"] {
        assert_eq!(record.attr(key), None, "{key}");
    }
}

#[test]
fn a_first_chunk_that_somebody_else_timed() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    capture.clock().advance(500 * MS);
    call.first_chunk_after(120 * MS);
    // One that was seen, or told, before counts.
    call.first_chunk_after(300 * MS);
    call.end();
    assert_eq!(first(&capture), Some(0.12));

    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    capture.clock().advance(50 * MS);
    call.content(Content::Text);
    call.first_chunk_after(120 * MS);
    call.end();
    assert_eq!(first(&capture), Some(0.05));
    // It cannot be later than when it is told.
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    capture.clock().advance(50 * MS);
    call.first_chunk_after(3_600_000 * MS);
    call.end();
    assert_eq!(first(&capture), Some(0.05));
}

fn first(capture: &Capture) -> Option<f64> {
    let points = capture.points().histograms(FIRST, &[]);
    assert_eq!(points.len(), 1);
    let key = "gen_ai.response.time_to_first_chunk";
    let said = capture.record().attr(key).and_then(AttrValue::as_f64);
    assert_eq!(points[0].sum, said);
    said
}

#[test]
fn who_serves_it_is_known_late() {
    let capture = Capture::new();
    let mut call = llm(&capture).call(LlmOperation::Chat, &Provider::named("_OTHER"));
    call.set_provider(&Provider::OPENAI);
    call.model("gpt-4o");
    call.end();
    assert_eq!(capture.in_flight(ACTIVE), 0);
    let by = [("gen_ai.provider.name", "openai".into())];
    assert_eq!(capture.points().histograms(DURATION, &by).len(), 1);
    let record = capture.record();
    assert_eq!(
        record
            .attr("gen_ai.provider.name")
            .and_then(AttrValue::as_str),
        Some("openai")
    );
}
