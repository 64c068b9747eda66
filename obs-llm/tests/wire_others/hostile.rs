//! Answers that nobody should send.

use super::{
    amazon::message,
    corpus::page,
    properties::{Log, read},
};
use obs_llm::wire::{Framing, Wire};

/// A document of each wire whose usage stands at its end, behind what is put in.
const LAST: [(Wire, &str, &str); 5] = [
    (
        Wire::AnthropicMessages,
        r#""usage":{"input_tokens":3}"#,
        "usage Input=3",
    ),
    (
        Wire::Gemini,
        r#""usageMetadata":{"promptTokenCount":3}"#,
        "usage Input=3",
    ),
    (Wire::Ollama, r#""prompt_eval_count":3"#, "usage Input=3"),
    (
        Wire::BedrockConverse,
        r#""usage":{"inputTokens":3}"#,
        "usage Input=3",
    ),
    (
        Wire::BedrockInvoke,
        r#""prompt_token_count":3"#,
        "usage Input=3",
    ),
];

#[test]
fn behind_much_that_nobody_wants_the_usage_is_found() {
    let long = "x".repeat(10 << 20);
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let digits = "9".repeat(1000);
    for before in [
        format!(r#""unknown":"{long}""#),
        format!(r#""content":{deep},"candidates":{deep},"message":{deep},"output":{deep}"#),
        format!(r#""{long}":1"#),
        format!(r#""index":{digits},"latency":-{digits}"#),
        r#""a\u0000":"\ud800\u0000\udc00""#.to_owned(),
    ] {
        for (wire, last, expect) in LAST {
            let answer = format!("{{{before},{last}}}");
            let told = read(wire, Framing::Json, true, [answer.as_bytes()]);
            assert_eq!(page(&told), format!("{expect}\ncomplete\n"), "{wire:?}");
            let pieces = read(wire, Framing::Json, true, answer.as_bytes().chunks(4093));
            assert_eq!(pieces, told);
        }
    }
}

#[test]
fn what_is_longer_than_it_can_be_is_cut_or_not_told() {
    let digits = "9".repeat(1000);
    let long = "m".repeat(100);
    let answer = format!(
        r#"{{"model":"{long}","stop_reason":"{long}","usage":{{"input_tokens":{digits},"output_tokens":99999999999}}}}"#
    );
    let told = read(
        Wire::AnthropicMessages,
        Framing::Json,
        true,
        [answer.as_bytes()],
    );
    let expect = [
        format!("model {}", "m".repeat(64)),
        format!("finish 0 {}", "m".repeat(40)),
        format!("usage Output={}", u32::MAX),
        "complete\n".to_owned(),
    ];
    assert_eq!(page(&told), expect.join("\n"));
}

#[test]
fn what_is_no_json_is_malformed_once_and_the_next_event_is_read() {
    let delta = r#"{"type":"content_block_delta","delta":{"text":"x"}}"#;
    for bad in [
        "{",
        "}",
        "[1,]",
        "{\"type\" 1}",
        "nonsense",
        "{}{}",
        "\u{0}",
    ] {
        let answer = format!("data: {bad}\n\ndata: {delta}\n\n");
        let told = read(
            Wire::AnthropicMessages,
            Framing::EventStream,
            true,
            [answer.as_bytes()],
        );
        assert_eq!(
            page(&told),
            "malformed Json\ncontent Text\ntext Text 0 x\n",
            "{bad}"
        );
        let line = format!("{bad}\n{{\"response\":\"x\"}}\n");
        let told = read(Wire::Ollama, Framing::Lines, true, [line.as_bytes()]);
        assert_eq!(
            page(&told),
            "malformed Json\ncontent Text\ntext Text 0 x\n",
            "{bad}"
        );
    }
}

#[track_caller]
fn amazon(wire: Wire, bytes: &[u8], expect: &str) {
    let told = read(wire, Framing::AmazonEventStream, true, [bytes]);
    assert_eq!(page(&told), expect);
    let pieces = read(wire, Framing::AmazonEventStream, true, bytes.chunks(1));
    assert_eq!(pieces, told);
}

#[test]
fn a_sum_that_is_wrong_ends_the_reading() {
    let delta = message("event", "contentBlockDelta", br#"{"delta":{"text":"x"}}"#);
    let mut bad = delta.clone();
    *bad.last_mut().expect("a sum") ^= 1;
    let bytes = [&*delta, &bad, &delta].concat();
    let expect = "content Text *2\nmalformed Frame\ntext Text 0 xx\n";
    amazon(Wire::BedrockConverse, &bytes, expect);
    amazon(
        Wire::BedrockConverse,
        b"data: this is another format\n\n",
        "malformed Frame\n",
    );
    amazon(Wire::BedrockConverse, b"short", "malformed Cut\n");
    amazon(Wire::BedrockConverse, b"", "");
}

#[test]
fn a_message_whose_payload_is_no_json_is_malformed() {
    let bad = message("event", "contentBlockDelta", br#"{"delta":{"text":"#);
    let good = message("event", "contentBlockDelta", br#"{"delta":{"text":"x"}}"#);
    let none = message("event", "contentBlockStop", b"");
    let bytes = [&*bad, &good, &none].concat();
    let expect = "malformed Json\ncontent Text\ntext Text 0 x\n";
    amazon(Wire::BedrockConverse, &bytes, expect);
}

#[test]
fn an_exception_without_a_name_is_an_error_all_the_same() {
    let bytes = message("exception", "", b"{}");
    amazon(Wire::BedrockConverse, &bytes, "error _OTHER\n");
}

/// `{"generation":"x"}` in base64, within whatever holds it.
#[test]
fn the_bytes_of_a_chunk_are_found_wherever_they_stand() {
    const X: &str = "eyJnZW5lcmF0aW9uIjoieCJ9";
    let found = "content Text\ntext Text 0 x\n";
    for (chunk, expect) in [
        (format!(r#"{{"bytes":"{X}"}}"#), found),
        (format!(r#"{{"p":"abc","bytes":"{X}","q":1}}"#), found),
        (
            format!("{{ \"p\" : [ 1 , {{ }} ] ,\n\"bytes\"\t: \"{X}\" }}"),
            found,
        ),
        (
            format!(r#"{{"p":{{"bytes":"AAAA"}},"bytes":"{X}"}}"#),
            found,
        ),
        (
            format!(r#"{{"p":"\"bytes\":\"AAAA\\","bytes":"{X}"}}"#),
            found,
        ),
        (
            format!(r#"{{"byte":"AAAA","bytess":"AAAA","bytes":"{X}"}}"#),
            found,
        ),
        (format!(r#"{{"p":"bytes","bytes":"{X}"}}"#), found),
        // The white space at the document's end makes one sign, or two, of padding.
        (format!(r#"{{"bytes":"{X}IA=="}}"#), found),
        (format!(r#"{{"bytes":"{X}ICA="}}"#), found),
        // The first counts, in whatever pieces it comes.
        (
            format!(r#"{{"bytes":"{X}"l,"bytes":"{X}","bytes":"{X}"}}"#),
            found,
        ),
        (r#"{"bytes":""}"#.to_owned(), ""),
        (r#"{"bytes":null,"p":"x"}"#.to_owned(), ""),
        (r#"{"bytes":["AAAA"]}"#.to_owned(), ""),
        (format!(r#"{{"p":{{"bytes":"{X}"}}}}"#), ""),
        (format!(r#"["bytes","{X}"]"#), ""),
        (r#"{"bytes":"AAAA"}"#.to_owned(), "malformed Json\n"),
        (r#"{"bytes":"eyJ"}"#.to_owned(), "malformed Json\n"),
        (r#"{"bytes":"????"}"#.to_owned(), ""),
    ] {
        let bytes = message("event", "chunk", chunk.as_bytes());
        let told = read(
            Wire::BedrockInvoke,
            Framing::AmazonEventStream,
            true,
            [&*bytes],
        );
        assert_eq!(page(&told), expect, "{chunk}");
        amazon(Wire::BedrockInvoke, &bytes, expect);
    }
}

#[test]
fn a_framing_that_the_format_has_not_tells_nothing() {
    let bytes = message("event", "chunk", b"{}");
    let told = read(
        Wire::OpenAiChat,
        Framing::AmazonEventStream,
        true,
        [&*bytes],
    );
    assert_eq!(told, Log::default());
}

/// No escape of JSON's, and found by the fuzzer: the second byte of the character went with the backslash or was lost, as the
/// answer was cut.
#[test]
fn a_character_behind_a_backslash_stays_whole() {
    let answer = "{\"response\":\"a\\\u{78c}\\\u{1f600}b\"}\n".as_bytes();
    let whole = read(Wire::Ollama, Framing::Lines, true, [answer]);
    assert_eq!(
        page(&whole),
        "content Text\ntext Text 0 a\\\u{78c}\\\u{1f600}b\n"
    );
    for at in 0..answer.len() {
        let (head, tail) = answer.split_at(at);
        assert_eq!(
            read(Wire::Ollama, Framing::Lines, true, [head, tail]),
            whole
        );
    }
    assert_eq!(
        read(Wire::Ollama, Framing::Lines, true, answer.chunks(1)),
        whole
    );
}
