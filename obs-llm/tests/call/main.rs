//! A call: what it says of its request and its answer, and how it ends.

mod annotated;
mod dialects;
mod endings;
mod exceptions;
mod secondhand;
mod slow;
mod told;

use obs_llm::wire::{Content, RequestSink, ResponseSink};
use obs_llm::{Dialect, Llm, LlmCall, LlmOperation, Provider, Tokens, Usage};
use obs_testing::Capture;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

/// A streamed chat that was asked for.
fn asked(llm: &Llm) -> LlmCall {
    let mut call = llm.call(LlmOperation::Chat, &Provider::ANTHROPIC);
    call.model("claude-sonnet-4-5");
    call.stream(true);
    call.max_tokens(1024);
    call.temperature(0.5);
    call.set_server("api.anthropic.com", Some(443));
    call
}

fn usage() -> Usage {
    Usage::new()
        .with(Tokens::Input, 2000)
        .with(Tokens::CacheRead, 1500)
        .with(Tokens::Output, 101)
        .with(Tokens::Reasoning, 20)
}

/// Three chunks: 100 ms, then 20 ms and 30 ms later.
fn answer(capture: &Capture, call: &mut LlmCall) {
    call.response_id("msg_1");
    call.response_model("claude-sonnet-4-5-20250929");
    for after in [100, 20, 30] {
        capture.clock().advance(after * MS);
        call.content(Content::Text);
    }
    call.usage(&usage());
    call.finish_reason(0, "end_turn");
    ResponseSink::complete(call);
}

fn list(texts: &[&str]) -> obs_testing::AttrValue {
    let texts = texts.iter().map(|text| (*text).into());
    obs_testing::AttrValue::Array(texts.collect())
}
