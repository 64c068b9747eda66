//! What OpenAI's two formats say, piece by piece, and what others add to them.

use obs_llm::wire::{Content, Framing, Wire};

use crate::properties::read;

#[track_caller]
fn check(wire: Wire, body: &str, expect: &[&str]) {
    let log = read(wire, Framing::Json, false, [body.as_bytes()]);
    let (last, lines) = log
        .lines
        .split_last()
        .expect("a whole body completes the answer");
    assert_eq!(lines, expect, "{body}");
    assert_eq!(last, "complete", "{body}");
}

#[track_caller]
fn chat(body: &str, expect: &[&str]) {
    check(Wire::OpenAiChat, body, expect);
}

#[track_caller]
fn delta(delta: &str, expect: &[&str]) {
    chat(
        &format!("{{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}"),
        expect,
    );
    // In an answer that is whole, a message says the same.
    chat(
        &format!("{{\"choices\":[{{\"index\":0,\"message\":{delta}}}]}}"),
        expect,
    );
}

#[track_caller]
fn usage(usage: &str, expect: &[&str]) {
    chat(&format!("{{\"choices\":[],\"usage\":{usage}}}"), expect);
}

#[test]
fn what_brings_content() {
    delta(r#"{"content":"a"}"#, &["content Text"]);
    delta(r#"{"role":"assistant","content":"a"}"#, &["content Text"]);
    delta(r#"{"refusal":"a"}"#, &["content Text"]);
    delta(r#"{"reasoning_content":"a"}"#, &["content Reasoning"]);
    delta(r#"{"reasoning":"a"}"#, &["content Reasoning"]);
    delta(
        r#"{"tool_calls":[{"function":{"name":"f"}}]}"#,
        &["content ToolCall"],
    );
    delta(
        r#"{"tool_calls":[{"function":{"arguments":" "}}]}"#,
        &["content ToolCall"],
    );
    delta(
        r#"{"tool_calls":[{"type":"custom","custom":{"name":"f","input":""}}]}"#,
        &["content ToolCall"],
    );
    delta(r#"{"function_call":{"name":"f"}}"#, &["content ToolCall"]);
    delta(r#"{"audio":{"data":"AA=="}}"#, &["content Media"]);
    delta(r#"{"audio":{"transcript":"a"}}"#, &["content Text"]);
    delta(
        r#"{"content":[{"type":"text","text":"a"}]}"#,
        &["content Text"],
    );
    chat(r#"{"choices":[{"text":"a"}]}"#, &["content Text"]);
}

#[test]
fn what_brings_none() {
    for nothing in [
        "{}",
        "null",
        r#"{"role":"assistant"}"#,
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":null,"refusal":null,"reasoning_content":null}"#,
        r#"{"tool_calls":[]}"#,
        r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"","arguments":""}}]}"#,
        r#"{"audio":{"id":"audio_1","expires_at":17}}"#,
        r#"{"content":[]}"#,
        r#"{"content":{"text":"a"}}"#,
        r#"{"content":["a"]}"#,
        r#"{"text":"a"}"#,
    ] {
        delta(nothing, &[]);
    }
    chat(
        r#"{"choices":[{"index":0,"text":"","logprobs":{"content":[{"token":"a"}]}}]}"#,
        &[],
    );
    chat(r#"{"data":[{"index":0,"embedding":[1,2]}]}"#, &[]);
}

#[test]
fn content_is_told_once_by_what_comes_first() {
    delta(r#"{"reasoning":"a","content":"b"}"#, &["content Reasoning"]);
    delta(
        r#"{"content":"b","reasoning":"a","refusal":"c"}"#,
        &["content Text"],
    );
    let two = r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}"#;
    chat(two, &["content Text"]);
}

#[test]
fn pieces_know_their_choice_where_its_number_comes_first() {
    let body = r#"{"choices":[{"index":1,"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#;
    let log = read(Wire::OpenAiChat, Framing::Json, true, [body.as_bytes()]);
    assert_eq!(log.said(Content::Text, 1), "ab");
    let body = r#"{"choices":[{"delta":{"content":"a"},"index":3}]}"#;
    let log = read(Wire::OpenAiChat, Framing::Json, true, [body.as_bytes()]);
    assert_eq!(log.said(Content::Text, 0), "a");
}

#[test]
fn a_reason_waits_for_the_number_of_its_choice() {
    chat(
        r#"{"choices":[{"finish_reason":"stop","delta":{},"index":2}]}"#,
        &["finish 2 stop"],
    );
    chat(
        r#"{"choices":[{"index":2,"finish_reason":"stop"}]}"#,
        &["finish 2 stop"],
    );
    chat(
        r#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"length"}]}"#,
        &["finish 0 stop", "finish 1 length"],
    );
    chat(
        r#"{"choices":[{"finish_reason":null},{"finish_reason":""}]}"#,
        &[],
    );
}

#[test]
fn tokens_are_what_is_told_and_no_more() {
    usage("null", &[]);
    usage("{}", &[]);
    usage(r#"{"total_tokens":9}"#, &[]);
    usage(r#"{"prompt_tokens":9}"#, &["usage Input=9"]);
    usage(
        r#"{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#,
        &["usage Input=9 Output=0"],
    );
    usage(
        r#"{"prompt_tokens":9,"prompt_tokens_details":null,"completion_tokens_details":null}"#,
        &["usage Input=9"],
    );
}

/// Each with the name of who says it so.
#[test]
fn tokens_of_every_kind() {
    // OpenAI.
    usage(
        r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":1}}"#,
        &["usage Input=9 Output=5 CacheRead=4 Reasoning=3 AudioInput=2 AudioOutput=1"],
    );
    // DeepSeek.
    usage(
        r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":1}"#,
        &["usage Input=9 Output=5 CacheRead=8"],
    );
    // OpenRouter.
    usage(
        r#"{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"cost":0.01}"#,
        &["usage Input=9 Output=5 CacheRead=4 CacheWrite=3"],
    );
    // A proxy before Anthropic.
    usage(
        r#"{"prompt_tokens":9,"completion_tokens":5,"cache_creation_input_tokens":3,"cache_read_input_tokens":4}"#,
        &["usage Input=9 Output=5 CacheRead=4 CacheWrite=3"],
    );
    // SGLang.
    usage(
        r#"{"prompt_tokens":9,"completion_tokens":5,"reasoning_tokens":3}"#,
        &["usage Input=9 Output=5 Reasoning=3"],
    );
}

#[test]
fn reasoning_beside_the_output_is_added_where_the_total_says_so() {
    let told = |total: u64| {
        format!(
            "{{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":{total},\"completion_tokens_details\":{{\"reasoning_tokens\":3}}}}"
        )
    };
    usage(&told(18), &["usage Input=10 Output=8 Reasoning=3"]);
    // Within it, as with OpenAI; and a total of which nothing is known.
    usage(&told(15), &["usage Input=10 Output=5 Reasoning=3"]);
    usage(&told(17), &["usage Input=10 Output=5 Reasoning=3"]);
}

#[test]
fn an_engine_tells_its_own_time() {
    // llama.cpp: what was in the cache and what was read are the input; where the first is not told, that is not known.
    chat(
        r#"{"timings":{"cache_n":3,"prompt_n":2,"prompt_ms":1.5,"predicted_n":4,"predicted_ms":20}}"#,
        &[
            "time Prefill 1500000",
            "time Decode 20000000",
            "usage Input=5 Output=4 CacheRead=3",
        ],
    );
    chat(
        r#"{"timings":{"prompt_n":2,"predicted_n":4}}"#,
        &["usage Output=4"],
    );
    chat(r#"{"timings":{"prompt_ms":-1}}"#, &[]);
    // Groq, Cerebras.
    usage(
        r#"{"prompt_time":0.5,"completion_time":1.25,"total_time":1.75}"#,
        &[
            "time Prefill 500000000",
            "time Decode 1250000000",
            "time Total 1750000000",
        ],
    );
    chat(
        r#"{"time_info":{"queue_time":1,"prompt_time":0.5,"created":17}}"#,
        &["time Prefill 500000000"],
    );
}

#[test]
fn errors_are_told_by_the_best_name_they_have() {
    let error = |error: &str, expect: &[&str]| {
        let body = format!("{{\"error\":{error}}}");
        chat(&body, expect);
        check(Wire::OpenAiResponses, &body, expect);
    };
    error(r#"{"type":"t","code":"c","message":"m"}"#, &["error c"]);
    error(r#"{"code":"c","type":"t"}"#, &["error c"]);
    error(r#"{"type":"t","code":null}"#, &["error t"]);
    error(r#"{"type":"t","code":429}"#, &["error t"]);
    error(r#"{"code":429,"message":"m"}"#, &["error 429"]);
    error(r#"{"message":"m"}"#, &["error _OTHER"]);
    error("null", &[]);
    chat(r#"{"error":"a text"}"#, &["error _OTHER"]);
    // Google's, through its interface of this format.
    chat(
        r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#,
        &["error INVALID_ARGUMENT"],
    );
    // No error says so only in passing.
    chat(
        r#"{"object":"chat.completion","type":"t","code":"c","choices":[{"index":0}]}"#,
        &[],
    );
    chat(
        r#"{"type":"t","code":"c","choices":[{"finish_reason":"stop"}]}"#,
        &["finish 0 stop"],
    );
}

#[test]
fn a_response_ends_with_its_reason_or_its_status() {
    let response = |rest: &str, expect: &[&str]| {
        check(Wire::OpenAiResponses, &format!("{{{rest}}}"), expect);
        // In an event, too.
        check(
            Wire::OpenAiResponses,
            &format!("{{\"type\":\"x\",\"response\":{{{rest}}}}}"),
            expect,
        );
    };
    response(
        r#""status":"completed""#,
        &["status completed", "finish 0 completed"],
    );
    response(r#""status":"in_progress""#, &["status in_progress"]);
    response(
        r#""status":"queued","incomplete_details":null"#,
        &["status queued"],
    );
    response(
        r#""incomplete_details":{"reason":"content_filter"},"status":"incomplete""#,
        &["status incomplete", "finish 0 content_filter"],
    );
    response(
        r#""status":"failed","error":{"code":"server_error","message":"m"}"#,
        &["status failed", "error server_error", "finish 0 failed"],
    );
    response(
        r#""usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5,"input_tokens_details":{"cached_tokens":1},"output_tokens_details":{"reasoning_tokens":1}}"#,
        &["usage Input=3 Output=2 CacheRead=1 Reasoning=1"],
    );
}

/// A code in an event is that of an error only in an event that is one.
#[test]
fn code_that_an_interpreter_runs_is_no_error() {
    let event =
        r#"{"type":"response.code_interpreter_call_code.done","code":"print(1)","output_index":0}"#;
    check(Wire::OpenAiResponses, event, &[]);
    let event = r#"{"code":"c","message":"m","type":"error"}"#;
    check(Wire::OpenAiResponses, event, &["error c"]);
    check(
        Wire::OpenAiResponses,
        r#"{"type":"error","message":"m"}"#,
        &["error _OTHER"],
    );
}

#[test]
fn a_delta_may_stand_before_its_type() {
    let event = r#"{"delta":"a","type":"response.reasoning_text.delta"}"#;
    check(Wire::OpenAiResponses, event, &["content Reasoning"]);
    let event = r#"{"delta":"","type":"response.reasoning_text.delta"}"#;
    check(Wire::OpenAiResponses, event, &[]);
    let event = r#"{"delta":"a","type":"response.something.else"}"#;
    check(Wire::OpenAiResponses, event, &[]);
}
