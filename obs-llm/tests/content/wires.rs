//! What is said in each format, however its bytes are divided. The shapes are those of the providers' references and of the
//! conventions' JSON schemas.

use crate::support::{ask, details, layer, structured};
use obs_llm::content::Capture as Content;
use obs_testing::Capture;
use serde_json::{Value, json};

struct Case {
    url: &'static str,
    request: Value,
    kind: &'static str,
    answer: String,
    input: Value,
    output: Value,
    system: Value,
    tools: Value,
}

#[track_caller]
fn check(case: &Case) {
    let request = case.request.to_string();
    for step in [1, 7, 64, usize::MAX] {
        let capture = Capture::new();
        let exchange = (case.url, request.as_bytes());
        let layer = layer(&capture, Content::spans_and_events());
        ask(&layer, exchange, (case.kind, case.answer.as_bytes()), step);
        let event = details(&capture);
        let record = capture.record();
        for (key, expected) in [
            ("gen_ai.input.messages", &case.input),
            ("gen_ai.output.messages", &case.output),
            ("gen_ai.system_instructions", &case.system),
            ("gen_ai.tool.definitions", &case.tools),
        ] {
            assert_eq!(structured(&event, key), *expected, "{key}, step {step}");
            let on_span = record.text(key).map(serde_json::from_str::<Value>);
            let on_span = on_span.map_or(Value::Null, |json| json.expect("JSON"));
            assert_eq!(on_span, *expected, "{key} of the span, step {step}");
        }
    }
}

fn events(events: &[Value]) -> String {
    let lines = events.iter().map(|event| format!("data: {event}\n\n"));
    lines.collect()
}

fn weather() -> Value {
    json!([{"type": "function", "name": "weather", "description": "of a place",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}])
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}})
}

fn text(role: &str, text: &str) -> Value {
    json!({"role": role, "parts": [{"type": "text", "content": text}]})
}

/// SHA-256 of `abc`, by FIPS 180-2.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn a_streamed_chat_of_openai() {
    let delta = |index: u64, delta: Value| json!({"id": "c1", "choices": [{"index": index, "delta": delta}]});
    let stream = [
        delta(0, json!({"role": "assistant", "content": ""})),
        delta(0, json!({"content": "Let me \"se"})),
        delta(1, json!({"role": "assistant", "content": "Other"})),
        delta(0, json!({"content": "e\" 😀"})),
        delta(
            0,
            json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}]}),
        ),
        delta(
            0,
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":"}}]}),
        ),
        delta(
            0,
            json!({"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}}]}),
        ),
        delta(
            0,
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"Oslo\"}"}}]}),
        ),
        json!({"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ];
    check(&Case {
        url: "https://api.openai.com/v1/chat/completions",
        request: json!({"model": "gpt-4o", "stream": true, "n": 2, "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it like?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj"}},
                {"type": "image_url", "image_url": {"url": "https://b.example/i.png?X-Amz-Signature=5ec2e7"}}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_0", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}]},
            {"role": "tool", "tool_call_id": "call_0", "content": "rain"}],
            "tools": [{"type": "function", "function": {"name": "weather", "description": "of a place", "parameters": schema()}}]}),
        kind: "text/event-stream",
        answer: events(&stream) + "data: [DONE]\n\n",
        input: json!([
            text("system", "Be brief."),
            {"role": "user", "parts": [
                {"type": "text", "content": "What is it like?"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "", "bytes": 3, "sha256": ABC},
                {"type": "uri", "modality": "image", "uri": "https://b.example/i.png?REDACTED"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_0", "name": "weather", "arguments": {"city": "Bonn"}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_0", "response": "rain"}]}]),
        output: json!([
            {"role": "assistant", "finish_reason": "tool_calls", "parts": [
                {"type": "text", "content": "Let me \"see\" 😀"},
                {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}},
                {"type": "tool_call", "id": "call_2", "name": "weather", "arguments": {"city": "Rome"}}]},
            {"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "Other"}]}]),
        system: Value::Null,
        tools: weather(),
    });
}

#[test]
fn a_streamed_chat_that_is_sent_as_json_behind_a_mark() {
    let delta = |text| json!({"choices": [{"index": 0, "delta": {"content": text}}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    check(&Case {
        url: "https://api.openai.com/v1/chat/completions",
        request: json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}),
        kind: "application/json",
        answer: String::from("\u{feff}\r\n") + &events(&[delta("he"), delta("llo"), end]),
        input: json!([text("user", "Hi")]),
        output: json!([{"role": "assistant", "finish_reason": "stop", "parts": [{"type": "text", "content": "hello"}]}]),
        system: Value::Null,
        tools: Value::Null,
    });
}

#[test]
fn a_chat_of_openai_that_is_not_streamed() {
    check(&Case {
        url: "https://api.openai.com/v1/chat/completions",
        request: json!({"model": "o3", "messages": [{"role": "user", "content": "hi"}]}),
        kind: "application/json",
        answer: json!({"id": "c1", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "reasoning_content": "They greet.", "content": "Hello"}}]})
        .to_string(),
        input: json!([text("user", "hi")]),
        output: json!([{"role": "assistant", "finish_reason": "stop", "parts": [
            {"type": "reasoning", "content": "They greet."}, {"type": "text", "content": "Hello"}]}]),
        system: Value::Null,
        tools: Value::Null,
    });
}

#[test]
fn a_streamed_message_of_anthropic() {
    let block = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stream = [
        json!({"type": "message_start", "message": {"id": "m1", "role": "assistant", "content": []}}),
        block(0, json!({"type": "thinking", "thinking": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "Weather"})),
        delta(0, json!({"type": "thinking_delta", "thinking": " it is."})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        block(1, json!({"type": "text", "text": ""})),
        json!({"type": "ping"}),
        delta(1, json!({"type": "text_delta", "text": "I look."})),
        block(
            2,
            json!({"type": "tool_use", "id": "tu_1", "name": "weather", "input": {}}),
        ),
        delta(
            2,
            json!({"type": "input_json_delta", "partial_json": "{\"city\": "}),
        ),
        delta(
            2,
            json!({"type": "input_json_delta", "partial_json": "\"Oslo\"}"}),
        ),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ];
    check(&Case {
        url: "https://api.anthropic.com/v1/messages",
        request: json!({"model": "claude-sonnet-4-5", "stream": true, "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "tu_0", "name": "weather", "input": {"city": "Bonn"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "tu_0", "content": [
                        {"type": "text", "text": "rain"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "YWJj"}}]}]}],
            "tools": [{"name": "weather", "description": "of a place", "input_schema": schema()}]}),
        kind: "text/event-stream",
        answer: stream
            .iter()
            .map(|event| format!("event: x\r\ndata: {event}\r\n\r\n"))
            .collect(),
        input: json!([
            text("user", "Weather?"),
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "tu_0", "name": "weather", "arguments": {"city": "Bonn"}}]},
            {"role": "user", "parts": [{"type": "tool_call_response", "id": "tu_0", "response": [
                {"type": "text", "content": "rain"},
                {"type": "blob", "modality": "image", "mime_type": "image/jpeg", "content": "", "bytes": 3, "sha256": ABC}]}]}]),
        output: json!([{"role": "assistant", "finish_reason": "tool_use", "parts": [
            {"type": "reasoning", "content": "Weather it is."},
            {"type": "text", "content": "I look."},
            {"type": "tool_call", "id": "tu_1", "name": "weather", "arguments": {"city": "Oslo"}}]}]),
        system: json!([{"type": "text", "content": "Be brief."}]),
        tools: weather(),
    });
}

#[test]
fn a_message_of_anthropic_that_is_not_streamed() {
    check(&Case {
        url: "https://api.anthropic.com/v1/messages",
        request: json!({"model": "claude-sonnet-4-5", "system": "Brief.", "messages": [{"role": "user", "content": "hi"}]}),
        kind: "application/json",
        answer: json!({"type": "message", "id": "m1", "role": "assistant", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Hello"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 1.5}}]})
        .to_string(),
        input: json!([text("user", "hi")]),
        output: json!([{"role": "assistant", "finish_reason": "end_turn", "parts": [
            {"type": "text", "content": "Hello"},
            {"type": "tool_call", "id": "t", "name": "f", "arguments": {"n": 1.5}}]}]),
        system: json!([{"type": "text", "content": "Brief."}]),
        tools: Value::Null,
    });
}

#[test]
fn a_streamed_response_of_openai() {
    let stream = [
        json!({"type": "response.created", "response": {"id": "r1", "status": "in_progress"}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "role": "assistant"}}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hel"}),
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "lo"}),
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "call_id": "c1", "name": "f", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{\"a\":1}"}),
        json!({"type": "response.completed", "response": {"id": "r1", "status": "completed", "output": []}}),
    ];
    check(&Case {
        url: "https://api.openai.com/v1/responses",
        request: json!({"model": "gpt-4o", "stream": true, "instructions": "Brief.", "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call_output", "call_id": "c0", "output": "4"}],
            "tools": [{"type": "function", "name": "weather", "description": "of a place", "parameters": schema()}]}),
        kind: "text/event-stream",
        answer: events(&stream),
        input: json!([text("user", "hi"),
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c0", "response": "4"}]}]),
        output: json!([{"role": "assistant", "finish_reason": "completed", "parts": [
            {"type": "text", "content": "Hello"},
            {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}}]}]),
        system: json!([{"type": "text", "content": "Brief."}]),
        tools: weather(),
    });
}

#[test]
fn a_streamed_answer_of_gemini() {
    let chunk = |parts: Value| json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": parts}}]});
    let stream = [
        chunk(json!([{"text": "They ask", "thought": true}])),
        chunk(json!([{"text": "Hel"}])),
        chunk(json!([{"text": "lo"}])),
        chunk(json!([{"functionCall": {"name": "f", "args": {"a": [1, null]}}}])),
        json!({"candidates": [{"index": 0, "finishReason": "STOP"}]}),
    ];
    check(&Case {
        url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        request: json!({"systemInstruction": {"parts": [{"text": "Brief."}]}, "contents": [
            {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "audio/wav", "data": "YWJj"}}]}],
            "tools": [{"functionDeclarations": [{"name": "weather", "description": "of a place", "parameters": schema()}]}]}),
        kind: "text/event-stream",
        answer: events(&stream),
        input: json!([{"role": "user", "parts": [{"type": "text", "content": "hi"},
            {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "", "bytes": 3, "sha256": ABC}]}]),
        output: json!([{"role": "assistant", "finish_reason": "STOP", "parts": [
            {"type": "reasoning", "content": "They ask"},
            {"type": "text", "content": "Hello"},
            {"type": "tool_call", "name": "f", "arguments": {"a": [1, null]}}]}]),
        system: json!([{"type": "text", "content": "Brief."}]),
        tools: weather(),
    });
}

#[test]
fn a_streamed_chat_of_ollama() {
    let lines = [
        json!({"model": "m", "message": {"role": "assistant", "content": "Hel"}, "done": false}),
        json!({"model": "m", "message": {"role": "assistant", "content": "lo", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, "done": false}),
        json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop"}),
    ];
    check(&Case {
        url: "http://localhost:11434/api/chat",
        request: json!({"model": "m", "messages": [{"role": "user", "content": "hi", "images": ["YWJj"]}]}),
        kind: "application/x-ndjson",
        answer: lines.iter().map(|line| format!("{line}\n")).collect(),
        input: json!([{"role": "user", "parts": [{"type": "text", "content": "hi"},
            {"type": "blob", "modality": "image", "content": "", "bytes": 3, "sha256": ABC}]}]),
        output: json!([{"role": "assistant", "finish_reason": "stop", "parts": [
            {"type": "text", "content": "Hello"},
            {"type": "tool_call", "name": "f", "arguments": {"a": 1}}]}]),
        system: Value::Null,
        tools: Value::Null,
    });
}

#[test]
fn an_answer_of_bedrock() {
    check(&Case {
        url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse",
        request: json!({"system": [{"text": "Brief."}], "messages": [{"role": "user", "content": [{"text": "hi"},
            {"image": {"format": "png", "source": {"bytes": "YWJj"}}}]}],
            "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "description": "of a place", "inputSchema": {"json": schema()}}}]}}),
        kind: "application/json",
        answer: json!({"output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "They greet."}}}, {"text": "Hello"},
            {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": true}}}]}}, "stopReason": "tool_use"})
        .to_string(),
        input: json!([{"role": "user", "parts": [{"type": "text", "content": "hi"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "", "bytes": 3, "sha256": ABC}]}]),
        output: json!([{"role": "assistant", "finish_reason": "tool_use", "parts": [
            {"type": "reasoning", "content": "They greet."}, {"type": "text", "content": "Hello"},
            {"type": "tool_call", "id": "t", "name": "f", "arguments": {"a": true}}]}]),
        system: json!([{"type": "text", "content": "Brief."}]),
        tools: weather(),
    });
}
