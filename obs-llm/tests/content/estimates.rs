//! Tokens that are counted here where the provider told none.

use crate::support::{ask, layer};
use obs_llm::content::Capture as Content;
use obs_llm::{CountTokens, Dialect, Llm, LlmClientLayer};
use obs_testing::{AttrValue, Capture};
use serde_json::json;
use std::sync::Arc;

const URL: &str = "https://llm.example/v1/chat/completions";
const USAGE: &str = "gen_ai.client.token.usage";

/// A token for each word, of one model.
#[derive(Debug)]
struct Words;

impl CountTokens for Words {
    fn count(&self, model: &str, text: &str) -> Option<u64> {
        (model == "tiny").then(|| text.split_whitespace().count() as u64)
    }
}

/// Two words of a role and three that are said; four in the answer.
fn asked(layer: &LlmClientLayer, model: &str, usage: Option<[u64; 2]>) {
    asked_at(URL, layer, model, usage);
}

fn asked_at(url: &str, layer: &LlmClientLayer, model: &str, usage: Option<[u64; 2]>) {
    let request = json!({"model": model, "stream": true, "messages": [
        {"role": "system", "content": "Be brief"}, {"role": "user", "content": "hello"}]});
    let chunk = |text: &str| json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    let mut chunks = vec![chunk("To be, \u{201c}or"), chunk(" not\u{201d}")];
    chunks.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
    if let Some([input, output]) = usage {
        chunks.push(
            json!({"choices": [], "usage": {"prompt_tokens": input, "completion_tokens": output}}),
        );
    }
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    let answer = events.collect::<String>() + "data: [DONE]\n\n";
    let request = request.to_string();
    let answer = ("text/event-stream", answer.as_bytes());
    ask(layer, (url, request.as_bytes()), answer, 11);
}

fn llm(capture: &Capture) -> Llm {
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    llm.with_content(Content::off())
        .with_estimates(Arc::new(Words))
}

fn number(value: i64) -> Option<AttrValue> {
    Some(AttrValue::from(value))
}

#[track_caller]
fn is(capture: &Capture, key: &str, expected: Option<AttrValue>) {
    assert_eq!(capture.record().attr(key).cloned(), expected, "{key}");
}

#[test]
fn an_estimate_is_marked_and_no_usage() {
    let capture = Capture::new();
    asked(&LlmClientLayer::of(&llm(&capture)), "tiny", None);
    is(
        &capture,
        "obs.llm.usage.estimated",
        Some(AttrValue::from(true)),
    );
    is(&capture, "obs.llm.usage.estimated.input_tokens", number(5));
    is(&capture, "obs.llm.usage.estimated.output_tokens", number(4));
    is(&capture, "gen_ai.usage.input_tokens", None);
    is(&capture, "gen_ai.usage.output_tokens", None);
    assert_eq!(capture.count(USAGE), 0);
    assert_eq!(capture.log_events().len(), 0, "nothing of content is told");
    is(&capture, "gen_ai.input.messages", None);
}

#[test]
fn an_estimate_counts_where_it_is_to() {
    let capture = Capture::new();
    let llm = llm(&capture).with_estimates_counted(true);
    asked(&LlmClientLayer::of(&llm), "tiny", None);
    is(
        &capture,
        "obs.llm.usage.estimated",
        Some(AttrValue::from(true)),
    );
    is(&capture, "gen_ai.usage.input_tokens", number(5));
    is(&capture, "gen_ai.usage.output_tokens", number(4));
    assert_eq!(capture.count(USAGE), 2);
}

#[test]
fn what_a_provider_tells_is_not_estimated() {
    let capture = Capture::new();
    asked(&LlmClientLayer::of(&llm(&capture)), "tiny", Some([8, 2]));
    is(&capture, "obs.llm.usage.estimated", None);
    is(&capture, "gen_ai.usage.output_tokens", number(2));
}

#[test]
fn of_a_model_that_nobody_knows_there_is_no_estimate() {
    let capture = Capture::new();
    asked(&LlmClientLayer::of(&llm(&capture)), "large", None);
    is(&capture, "obs.llm.usage.estimated", None);
    is(&capture, "obs.llm.usage.estimated.output_tokens", None);
}

#[test]
fn nothing_is_estimated_where_nobody_asks() {
    let capture = Capture::new();
    asked(&layer(&capture, Content::off()), "tiny", None);
    is(&capture, "obs.llm.usage.estimated", None);
}

/// Three tokens before the answer and three around each of two messages, as OpenAI's cookbook has it: of OpenAI's alone.
#[test]
fn what_openai_puts_around_messages_is_estimated_too() {
    let capture = Capture::new();
    let url = "https://api.openai.com/v1/chat/completions";
    asked_at(url, &LlmClientLayer::of(&llm(&capture)), "tiny", None);
    is(&capture, "obs.llm.usage.estimated.input_tokens", number(14));
}

/// Who was refused used nothing, whatever he said.
#[test]
fn a_call_that_was_refused_used_no_tokens() {
    for (kind, answer) in [
        (
            "application/json",
            r#"{"error":{"message":"no","type":"rate_limit_error"}}"#,
        ),
        ("text/html", "<html>"),
    ] {
        let capture = Capture::new();
        let llm = llm(&capture).with_estimates_counted(true);
        let request = json!({"model": "tiny", "messages": [{"role": "user", "content": "hello"}]});
        let request = request.to_string();
        let layer = LlmClientLayer::of(&llm);
        crate::support::ask_for(
            429,
            &layer,
            (URL, request.as_bytes()),
            (kind, answer.as_bytes()),
            11,
        );
        assert!(capture.record().error_type().is_some());
        is(&capture, "obs.llm.usage.estimated", None);
        is(&capture, "gen_ai.usage.input_tokens", None);
        assert_eq!(capture.count(USAGE), 0);
    }
}
