//! Requests that nobody should send.

use super::told::{check, read};
use obs_llm::wire::{RequestScanner, Wire};
use proptest::prelude::*;

const WIRES: [Wire; 7] = [
    Wire::OpenAiChat,
    Wire::OpenAiResponses,
    Wire::AnthropicMessages,
    Wire::Gemini,
    Wire::Ollama,
    Wire::BedrockConverse,
    Wire::BedrockInvoke,
];

#[test]
fn it_is_small() {
    assert!(size_of::<RequestScanner>() <= 256);
}

#[test]
fn behind_much_that_nobody_wants_the_model_is_found() {
    let long = "x".repeat(10 << 20);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let nested = r#"{"model":"#.repeat(50_000) + "1" + &"}".repeat(50_000);
    let digits = "9".repeat(1000);
    for before in [
        format!(r#""messages":[{{"content":"{long}"}}]"#),
        format!(r#""metadata":{deep}"#),
        format!(r#""metadata":{nested}"#),
        format!(r#""response_format":{nested}"#),
        format!(r#""seed":{digits},"n":{digits},"max_tokens":-{digits}"#),
        format!(r#""{long}":1"#),
        r#""user":"\ud800\u0000\udc00","a\u0000b":null"#.to_owned(),
    ] {
        let request = format!(r#"{{{before},"model":"gpt-4o"}}"#);
        let told = read(Wire::OpenAiChat, [request.as_bytes()]);
        assert_eq!(told.0.last().map(String::as_str), Some("model gpt-4o"));
        let pieces = read(Wire::OpenAiChat, request.as_bytes().chunks(4093));
        assert_eq!(pieces, told);
    }
}

#[test]
fn numbers_that_are_none_of_things_are_not_told() {
    check(
        Wire::OpenAiChat,
        r#"{"max_tokens":-1,"n":1.5,"dimensions":1e400,"seed":0.5,"temperature":1e999,"top_p":"0.5","top_k":null,
            "frequency_penalty":{"value":1},"presence_penalty":[1]}"#,
        &[],
    );
    let digits = "9".repeat(1000);
    let request = format!(r#"{{"max_tokens":{digits},"seed":{digits},"temperature":{digits}}}"#);
    check(Wire::OpenAiChat, &request, &[]);
}

#[test]
fn a_value_of_another_kind_is_passed_over() {
    check(
        Wire::OpenAiChat,
        r#"{"model":7,"stream":"true","stop":7,"stream_options":true,"response_format":"json","model":{"model":"none"},
            "reasoning_effort":null,"service_tier":["x"],"modalities":"audio"}"#,
        &[],
    );
}

#[test]
fn what_stands_there_twice_is_told_twice() {
    check(
        Wire::OpenAiChat,
        r#"{"model":"a","stream":false,"model":"b","stream":true}"#,
        &["model a", "stream false", "model b", "stream true"],
    );
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let (long, name) = (format!("{}\u{e9}x", "m".repeat(127)), "m".repeat(127));
    let request = format!(r#"{{"model":"{long}"}}"#);
    check(Wire::OpenAiChat, &request, &[&format!("model {name}")]);
    let exact = "m".repeat(128);
    let request = format!(r#"{{"model":"{exact}"}}"#);
    check(Wire::OpenAiChat, &request, &[&format!("model {exact}")]);
}

#[test]
fn after_what_is_no_json_nothing_is_read() {
    for (request, expect) in [
        (r#"{"model":"a" "stream":true}"#, &["model a"][..]),
        (r#"{"model":tru,"n":2}"#, &[]),
        (r#"{model:"a"}"#, &[]),
        (r#"{"model":"a"]"#, &["model a"]),
        (r#"[{"model":"a"}]"#, &[]),
        (r#""model""#, &[]),
        ("", &[]),
        (r#"{"model":"a"}{"model":"b"}"#, &["model a"]),
    ] {
        check(Wire::OpenAiChat, request, expect);
    }
}

#[test]
fn what_is_no_utf8_harms_nothing() {
    let mut request = br#"{"user":""#.to_vec();
    request.extend([0xff, 0xc3, 0x28, 0]);
    request.extend(br#"","model":"m"#);
    request.extend([0xc3, 0xff]);
    request.extend(br#"","n":2}"#);
    let told = read(Wire::OpenAiChat, [&*request]);
    assert_eq!(told.0.last().map(String::as_str), Some("choice_count 2"));
    assert_eq!(read(Wire::OpenAiChat, request.chunks(1)), told);
}

proptest! {
    #[test]
    fn any_bytes_are_survived_and_pieces_make_no_difference(
        request in "([{}\\[\\],:\"\\\\]|\"model\"|\"n\":|true|null|-?[0-9.e+]{0,4}|\"stop\"|u00e9|.){0,60}",
        size in 1_usize..9,
    ) {
        for wire in WIRES {
            let told = read(wire, [request.as_bytes()]);
            prop_assert_eq!(read(wire, request.as_bytes().chunks(size)), told);
        }
    }
}
