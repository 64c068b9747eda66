//! Whatever comes is passed on, and told as far as it can be told; and Amazon's binary streams.

use crate::support::{ask, details, details_of_all, layer, structured};
use obs_llm::content::Capture as Content;
use obs_testing::Capture;
use proptest::prelude::*;
use serde_json::{Value, json};

const CONVERSE: &str =
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude/converse-stream";
const INVOKE: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude/invoke-with-response-stream";
const AMAZON: &str = "application/vnd.amazon.eventstream";

/// CRC-32 as zlib has it, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    (!crc).to_be_bytes()
}

/// A message: lengths and their sum, headers, payload and the sum of all (`vnd.amazon.eventstream`).
fn message(kind: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":message-type", "event"), (":event-type", kind)] {
        headers.push(name.len() as u8);
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let all = 16 + headers.len() + payload.len();
    let mut message = (all as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    let sum = crc(&message);
    message.extend_from_slice(&sum);
    message.extend_from_slice(&headers);
    message.extend_from_slice(payload.as_bytes());
    let sum = crc(&message);
    message.extend_from_slice(&sum);
    message
}

fn output(url: &str, (kind, answer): (&str, &[u8]), step: usize) -> Value {
    let capture = Capture::new();
    let request = br#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#;
    ask(
        &layer(&capture, Content::events()),
        (url, request),
        (kind, answer),
        step,
    );
    structured(&details(&capture), "gen_ai.output.messages")
}

#[test]
fn a_stream_of_bedrock_is_read() {
    let events = [
        ("messageStart", json!({"role": "assistant"})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "lo"}}),
        ),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"a\":"}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "1}"}}}),
        ),
        ("messageStop", json!({"stopReason": "tool_use"})),
    ];
    let answer: Vec<u8> = { events.iter() }
        .flat_map(|(kind, payload)| message(kind, &payload.to_string()))
        .collect();
    let expected = json!([{"role": "assistant", "finish_reason": "tool_use", "parts": [
        {"type": "text", "content": "Hello"},
        {"type": "tool_call", "id": "t", "name": "f", "arguments": {"a": 1}}]}]);
    for step in [1, 13, usize::MAX] {
        assert_eq!(
            output(CONVERSE, (AMAZON, &answer), step),
            expected,
            "{step}"
        );
    }
}

#[test]
fn what_a_model_on_bedrock_streams_in_its_own_format_is_read() {
    // {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}
    let inner = "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowLCJkZWx0YSI6eyJ0eXBlIjoidGV4dF9kZWx0YSIsInRleHQiOiJIZWxsbyJ9fQ==";
    let answer = message("chunk", &json!({"bytes": inner}).to_string());
    let expected = json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]);
    assert_eq!(output(INVOKE, (AMAZON, &answer), 7), expected);
}

#[test]
fn events_end_with_either_end_of_a_line_or_both() {
    let url = "https://api.openai.com/v1/chat/completions";
    let chunk = |text: &str| json!({"choices": [{"delta": {"content": text}}]});
    let expected = json!([{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]);
    for end in ["\n", "\r\n", "\r"] {
        let chunks = [chunk("Hel"), chunk("lo")];
        let events = chunks
            .iter()
            .map(|chunk| format!(": a comment{end}data: {chunk}{end}{end}"));
        let answer = events.collect::<String>() + &format!("data: [DONE]{end}{end}");
        for step in [1, 5, usize::MAX] {
            let answer = ("text/event-stream", answer.as_bytes());
            assert_eq!(output(url, answer, step), expected, "{end:?} {step}");
        }
    }
}

/// What is nested deeper than can be read or sent, and texts of many megabytes.
#[test]
fn what_is_deep_or_large_is_passed_on() {
    let url = "https://api.openai.com/v1/chat/completions";
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!(
        "{{\"choices\":[{{\"message\":{{\"content\":\"{}\"}}}}]}}",
        "x".repeat(4 << 20)
    );
    for body in [&deep, &large] {
        let capture = Capture::new();
        let layer = layer(&capture, Content::spans_and_events());
        let (request, answer) = (body.as_bytes(), ("application/json", body.as_bytes()));
        ask(&layer, (url, request), answer, 1 << 16);
        assert_eq!(details_of_all(&capture).len(), 1);
        assert_eq!(capture.records().len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Of what is damaged or nothing at all it is enough that it is passed on and ends as one call. What is told is JSON.
    #[test]
    fn damaged_bytes_are_passed_on(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        which in 0_usize..4,
        step in 1_usize..40,
    ) {
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": "é\u{1}\"", "tool_calls": [{"index": 0, "id": "1",
            "function": {"name": "f", "arguments": "{\"a\":[1]}"}}]}, "finish_reason": "stop"}]});
        let block = json!({"type": "content_block_delta", "index": 0, "delta": {"text": "x"}});
        let (url, kind, mut answer) = match which {
            0 => ("https://api.openai.com/v1/chat/completions", "text/event-stream", format!("data: {chunk}\n\n").into_bytes()),
            1 => ("https://api.anthropic.com/v1/messages", "text/event-stream", format!("data: {block}\n\n").into_bytes()),
            2 => ("http://localhost:11434/api/chat", "application/x-ndjson", b"{\"message\":{\"content\":\"x\"}}\n".to_vec()),
            _ => (CONVERSE, AMAZON, message("x", r#"{"delta":{"text":"x"}}"#)),
        };
        let at = place.index(answer.len());
        answer[at] = byte;
        let capture = Capture::new();
        let layer = layer(&capture, Content::spans_and_events());
        let mut request = chunk.to_string().into_bytes();
        let at = place.index(request.len());
        request[at] = byte;
        ask(&layer, (url, &request), (kind, &answer), step);
        prop_assert_eq!(capture.records().len(), 1);
        if let Some(json) = capture.record().text("gen_ai.output.messages") {
            prop_assert!(serde_json::from_str::<Value>(json).is_ok());
        }
    }
}

/// A list that a tool answers with is of whatever it likes.
#[test]
fn a_tools_list_is_told_as_it_is() {
    let capture = Capture::new();
    let url = "http://localhost:11434/api/chat";
    let answer =
        json!([1, 2.5, true, null, [], {}, [{"a": 1}], "text", {"type": "text", "text": "part"}]);
    let request =
        json!({"model": "m", "messages": [{"role": "tool", "content": answer}]}).to_string();
    let done =
        br#"{"message":{"role":"assistant","content":"ok"},"done":true,"done_reason":"stop"}"#;
    ask(
        &layer(&capture, Content::events()),
        (url, request.as_bytes()),
        ("application/x-ndjson", done),
        1 << 20,
    );
    let told = structured(&details(&capture), "gen_ai.input.messages");
    let text = |content| json!({"type": "text", "content": content});
    let expected = json!([1, 2.5, true, null, [], {}, [{"a": 1}], text("text"), text("part")]);
    assert_eq!(told[0]["parts"][0]["response"], expected);
}
