//! How answers are divided: what is an event, a line, a document, and what is none.

use obs_llm::wire::{Content, Framing, Wire};
use proptest::prelude::*;

use crate::properties::{check as check_cuts, read};

const A: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;

#[track_caller]
fn check(framing: Framing, input: impl AsRef<[u8]>, expect: &[&str]) {
    let bytes = input.as_ref();
    let log = read(Wire::OpenAiChat, framing, true, [bytes]);
    assert_eq!(
        log.lines,
        expect,
        "{framing:?} {}",
        String::from_utf8_lossy(bytes)
    );
    check_cuts(
        |wire, framing, texts, pieces| read(wire, framing, texts, pieces.iter().copied()),
        Wire::OpenAiChat,
        framing,
        bytes,
        &[3, 1, 5],
    );
}

#[track_caller]
fn events(input: impl AsRef<[u8]>, expect: &[&str]) {
    check(Framing::EventStream, input, expect);
}

#[test]
fn a_value_may_stand_with_or_without_a_space() {
    events(format!("data: {A}\n\n"), &["content Text"]);
    events(format!("data:{A}\n\n"), &["content Text"]);
    // A second one is white space of the document.
    events(format!("data:  {A}\n\n"), &["content Text"]);
}

#[test]
fn an_event_ends_with_an_empty_line_or_with_the_answer() {
    events(format!("data: {A}"), &["content Text"]);
    events(format!("data: {A}\n"), &["content Text"]);
    events(format!("data: {A}\r"), &["content Text"]);
    events(format!("data: {A}\r\n\r"), &["content Text"]);
    events(format!("data: {A}\r\n\r\n"), &["content Text"]);
    let two = format!("data: {A}\r\rdata: {A}\r\n\ndata: {A}\n\r\n");
    events(two, &["content Text"; 3]);
}

#[test]
fn two_documents_in_one_event_are_none() {
    let two = format!("data: {A}\ndata: {A}\n\n");
    events(two, &["content Text", "malformed Json"]);
}

#[test]
fn several_lines_of_data_are_one_document() {
    // Joined by a line feed, which a literal cannot hold.
    events("data: {\"x\":tr\ndata: ue}\n\n", &["malformed Json"]);
    let (one, other) = A.split_at(11);
    let lines = format!("data: {one}\n: a comment\nid: 3\ndata: {other}\ndata:\n\n");
    events(lines, &["content Text"]);
}

#[test]
fn what_is_no_data_is_passed_over() {
    events("", &[]);
    events("\n\n\r\n\r\r", &[]);
    events(": ping\n\n:\n\nevent: ping\n\n", &[]);
    events("data\n\ndata:\n\ndata: \n\nevent\n\n", &[]);
    let others = format!("dat: {A}\n\ndatas: {A}\n\nDATA: {A}\n\n data: {A}\n\nda\nta: {A}\n\n");
    events(others, &[]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    events(format!("\u{feff}data: {A}\n\n"), &["content Text"]);
    // In any other place it is.
    events(format!("\u{feff}\u{feff}data: {A}\n\n"), &[]);
    events(format!("\n\u{feff}data: {A}\n\n"), &[]);
    events(b"\xef\xbbdata: {}\n\n", &[]);
}

#[test]
fn a_byte_order_mark_before_json_is_none_of_it() {
    let whole = &["content Text", "complete"];
    check(Framing::Json, format!("\u{feff}{A}"), whole);
    check(
        Framing::Lines,
        format!("\u{feff}{A}\n{A}"),
        &["content Text"; 2],
    );
    check(
        Framing::Json,
        format!("{A}\u{feff}"),
        &["content Text", "malformed Json"],
    );
    let two = format!("\u{feff}\u{feff}{A}");
    check(Framing::Json, two, &["malformed Json"]);
}

#[test]
fn events_sent_as_json_are_known_by_the_first_byte_of_what_they_say() {
    for lead in ["", "\n", " \t\r\n ", "\u{feff}", "\u{feff}\n "] {
        for begins in ["", "id: 7\r\n", ": hello\n\n"] {
            let events = format!("{lead}{begins}data: {A}\r\n\r\ndata: [DONE]\n\n");
            check(Framing::Json, events, &["content Text", "complete"]);
        }
        let json = format!("{lead}{A}");
        check(Framing::Json, json, &["content Text", "complete"]);
    }
    // A form feed is no white space of JSON, and half a mark is none.
    check(Framing::Json, "\u{c}data: {}\n\n", &["malformed Json"]);
    let half = [b"\xef\xbb", A.as_bytes()].concat();
    check(Framing::Json, half, &["content Text", "complete"]);
    let half = format!("data: {A}\n\n");
    let half = [b"\xef", half.as_bytes()].concat();
    check(Framing::Json, half, &["content Text"]);
}

#[test]
fn the_last_word_completes_the_answer_once() {
    events("data: [DONE]\n\n", &["complete"]);
    events("data:[DONE]", &["complete"]);
    events("data: [DONE]\n\ndata: [DONE]\n\n", &["complete"]);
    events("data: [DONE] \t\r\n\r\n", &["complete"]);
    events("data: [DONE] ", &["complete"]);
    events("data: [DON]\n\n", &["malformed Json"]);
    events("data: [DONE\n\n", &["malformed Json"]);
    events("data: [DONE\ndata: ]\n\n", &["malformed Json"]);
    events("data: [DONE]x\n\n", &["malformed Json"]);
    events("data: [DONE] x\n\n", &["malformed Json"]);
    events("data: [DONE", &["malformed Json"]);
    events("data: [", &["malformed Cut"]);
    events("data: []\n\n", &[]);
}

#[test]
fn what_is_told_once_is_told_by_the_first_that_is_not_empty() {
    let first = r#"{"id":"","model":null,"choices":[]}"#;
    let then = r#"{"id":"i","model":"m","choices":[]}"#;
    let other = r#"{"id":"j","model":"n","choices":[]}"#;
    let input = format!("data: {first}\n\ndata: {then}\n\ndata: {other}\n\n");
    events(input, &["id i", "model m"]);
}

#[test]
fn lines_hold_a_document_each() {
    let lines = format!("{A}\n\n{A}\r\n  \n{{\n{A}");
    let expect = [
        "content Text",
        "content Text",
        "malformed Json",
        "content Text",
    ];
    check(Framing::Lines, lines, &expect);
    check(Framing::Lines, "{\"choices\":[", &["malformed Cut"]);
}

#[test]
fn a_body_is_one_document() {
    check(Framing::Json, A, &["content Text", "complete"]);
    check(
        Framing::Json,
        format!(" \n{A}\n"),
        &["content Text", "complete"],
    );
    let (one, _) = A.split_at(A.len() - 1);
    check(Framing::Json, one, &["content Text", "malformed Cut"]);
    check(
        Framing::Json,
        format!("{A}x"),
        &["content Text", "malformed Json"],
    );
    check(Framing::Json, "", &[]);
    check(Framing::Json, "17", &["complete"]);
    check(Framing::Json, "<html>", &["malformed Json"]);
}

/// A format has no frames of a framing that is not its own.
#[test]
fn a_framing_that_the_format_has_not_is_not_read() {
    check(Framing::AmazonEventStream, format!("data: {A}\n\n"), &[]);
}

/// An event like the one before is read by its shape, which must not be taken for that of another.
#[test]
fn events_that_differ_in_anything_but_their_text_are_read_as_they_are() {
    let event = |head: &str, delta: &str, tail: &str| {
        format!(
            "data: {{\"id\":\"{head}\",\"model\":\"m\",\"created\":17,\"choices\":[{{\"index\":0,\"delta\":{delta}}}]{tail}}}\n\n"
        )
    };
    let mut input = String::new();
    let mut expect = vec!["id i", "model m"];
    let like = event("i", "{\"content\":\"x\"}", "");
    // Twice what it is to be like stands before each.
    let mut say = |event: String, told: &[&'static str]| {
        input.push_str(&like.repeat(2));
        input.push_str(&event);
        expect.extend(["content Text"; 2]);
        expect.extend(told);
    };
    say(event("i", "{\"content\":\"x\"}", ""), &["content Text"]);
    say(event("i", "{\"content\":\"x\"}", ""), &["content Text"]);
    // Nothing, an escape, a character of more bytes, a quote.
    say(event("i", "{\"content\":\"\"}", ""), &[]);
    say(event("i", "{\"content\":\"\\\"\"}", ""), &["content Text"]);
    say(event("i", "{\"content\":\"\\\\\"}", ""), &["content Text"]);
    say(event("i", "{\"content\":\"é\"}", ""), &["content Text"]);
    // What looks like the end of the text, and is not.
    let nested = "{\"content\":\"x\\\"}}],\\\"usage\\\":{}}\"}";
    say(event("i", nested, ""), &["content Text"]);
    // Another id, another kind, another end.
    say(event("j", "{\"content\":\"x\"}", ""), &["content Text"]);
    say(event("i", "{\"refusal\":\"x\"}", ""), &["content Text"]);
    say(
        event("i", "{\"reasoning\":\"x\"}", ""),
        &["content Reasoning"],
    );
    let usage = ",\"usage\":{\"prompt_tokens\":3}";
    say(
        event("i", "{\"content\":\"x\"}", usage),
        &["content Text", "usage Input=3"],
    );
    say(
        event("i", "{\"content\":\"x\",\"content\":\"\"}", ""),
        &["content Text"],
    );
    // A line that ends within the text is an event that is none.
    let broken = event("i", "{\"content\":\"x\n\"}", "");
    say(broken, &["content Text", "malformed Json"]);
    let broken = event("i", "{\"content\":\"a text that is long\rer\"}", "");
    say(broken, &["content Text", "malformed Json"]);
    say(
        event("i", "{\"content\":\"x", ""),
        &["content Text", "malformed Json"],
    );
    events(&input, &expect);
    let log = read(
        Wire::OpenAiChat,
        Framing::EventStream,
        true,
        [input.as_bytes()],
    );
    let texts = r#"xxxxxx xx xx\" xx\\ xxé xxx\"}}],\"usage\":{}} xxx"#;
    let said = log.said(Content::Text, 0);
    assert!(said.starts_with(&texts.replace(' ', "")), "{said}");
}

/// Found by fuzzing: what was told in passing was not told of the second event of the same shape.
#[test]
fn what_is_told_of_an_event_is_told_of_the_next_one_like_it() {
    let broken = "data: [D\":nONE]\n\n";
    events(broken.repeat(3), &["malformed Json"; 3]);
    events("data: [DONE ]\n\n".repeat(3), &["malformed Json"; 3]);
    let image = "event: response.image_generation_call.partial_image\ndata: {\"x\":1}\n\n";
    let images = image.repeat(3);
    let log = read(
        Wire::OpenAiResponses,
        Framing::EventStream,
        true,
        [images.as_bytes()],
    );
    assert_eq!(log.lines, ["content Media"; 3]);
}

/// Found by fuzzing: of an event like the one before it, but without its number, nothing was said.
#[test]
fn a_number_that_is_missing_makes_no_event_like_the_one_before() {
    let event = |number: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{number},\"delta\":\"a\"}}\n\n"
        )
    };
    let said = [event("7"), event("18"), event(""), event("9")].concat();
    let pieces = [said.as_bytes()];
    let log = read(Wire::OpenAiResponses, Framing::EventStream, true, pieces);
    let expect = [
        "content Text",
        "content Text",
        "malformed Json",
        "content Text",
    ];
    assert_eq!(log.lines, expect);
}

#[test]
fn each_text_of_an_event_goes_to_its_own_choice() {
    let texts = |first: u32, other: u32| {
        let event = format!(
            "data: {{\"choices\":[{{\"index\":{first},\"delta\":{{\"content\":\"a\"}}}},{{\"index\":{other},\"delta\":{{\"content\":\"b\"}}}}]}}\n\n"
        );
        let events = event.repeat(4);
        let pieces = [events.as_bytes()];
        let log = read(Wire::OpenAiChat, Framing::EventStream, true, pieces);
        assert_eq!(log.lines, ["content Text"; 4]);
        (
            log.said(Content::Text, first),
            log.said(Content::Text, other),
        )
    };
    let expect = ("aaaa".to_owned(), "bbbb".to_owned());
    assert_eq!(texts(0, 1), expect);
    assert_eq!(texts(3, 300), expect);
    assert_eq!(texts(300, 301), expect);
}

/// Each of these events differs in one byte only, at every place.
#[test]
fn one_other_byte_anywhere_is_another_event() {
    let event =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"some text\"}}],\"x\":1}\n\n";
    for at in 0..event.len() - 2 {
        for byte in [b'"', b'}', b'\\', b'0', b'z'] {
            let mut other = event.as_bytes().to_vec();
            other[at] = byte;
            let twice = [event.as_bytes(), event.as_bytes(), &other].concat();
            let mut alone = read(Wire::OpenAiChat, Framing::EventStream, true, [&*other]);
            let mut lines = vec!["content Text".to_owned(); 2];
            lines.append(&mut alone.lines);
            let log = read(Wire::OpenAiChat, Framing::EventStream, true, [&*twice]);
            assert_eq!(log.lines, lines, "{}", String::from_utf8_lossy(&other));
        }
    }
}

const ALIKE: [(Wire, &str); 3] = [
    (
        Wire::OpenAiChat,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"some\",\"refusal\":null}}],\"obfuscation\":\"x\"}\n\n",
    ),
    (
        Wire::OpenAiChat,
        "data: {\"choices\":[{\"delta\":{\"reasoning\":\"some \\n\",\"content\":\"\"},\"finish_reason\":null}]}\r\n\r\n",
    ),
    (
        Wire::OpenAiResponses,
        "event: response.output_text.delta\ndata: {\"sequence_number\":17,\"delta\":\"some\",\"obfuscation\":\"\"}\n\n",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Events that are alike but for some bytes here and there tell what they tell byte by byte, where no shape is looked at.
    #[test]
    fn events_that_are_nearly_alike_are_told_apart(
        which in 0..ALIKE.len(),
        changes in prop::collection::vec(
            prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(&b"\"\\{}[]:, 0z1u\n\r\xc3"[..])),
                0..3,
            ),
            2..40,
        ),
        lengths in prop::collection::vec(1u8..=255, 1..8),
    ) {
        let (wire, event) = ALIKE[which];
        let mut bytes = Vec::new();
        for change in changes {
            let mut event = event.as_bytes().to_vec();
            for (at, byte) in change {
                *at.get_mut(&mut event) = byte;
            }
            bytes.extend(event);
        }
        check_cuts(
            |wire, framing, texts, pieces| read(wire, framing, texts, pieces.iter().copied()),
            wire,
            Framing::EventStream,
            &bytes,
            &lengths,
        );
    }
}

/// vLLM's, each with the tokens by then: read by their shape, each with its own.
#[test]
fn tokens_that_differ_from_event_to_event_are_those_of_each() {
    let event = |text: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"i\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}],\"usage\":{usage}}}\n\n"
        )
    };
    let of = |input: u64, output: u64| {
        let total = input + output;
        format!(
            "{{\"prompt_tokens\":{input},\"total_tokens\":{total},\"completion_tokens\":{output}}}"
        )
    };
    let reasoned = "{\"prompt_tokens\":7,\"total_tokens\":12,\"completion_tokens\":2,\"completion_tokens_details\":{\"reasoning_tokens\":3}}";
    let mut input = String::new();
    let mut expect = vec!["id i".to_owned()];
    let mut say = |text: &str, usage: &str, told: &str| {
        input.push_str(&event(text, usage));
        if !text.is_empty() {
            expect.push("content Text".to_owned());
        }
        expect.extend((!told.is_empty()).then(|| told.to_owned()));
    };
    for (text, output) in [
        ("a", 1),
        ("b", 2),
        ("", 3),
        ("c\\\"", 99),
        ("d", 100),
        ("e", 5),
    ] {
        say(
            text,
            &of(7, output),
            &format!("usage Input=7 Output={output}"),
        );
    }
    say("f", "null", "");
    say("g", &of(7, 6), "usage Input=7 Output=6");
    say("g", &of(8, 7), "usage Input=8 Output=7");
    // As many as there are, more than there are, and what is no count.
    let most = u64::from(u32::MAX);
    say("h", &of(7, most), &format!("usage Input=7 Output={most}"));
    say(
        "h",
        &of(7, 1 << 40),
        &format!("usage Input=7 Output={most}"),
    );
    let many =
        "{\"prompt_tokens\":7,\"total_tokens\":7,\"completion_tokens\":99999999999999999999999}";
    say("h", many, &format!("usage Input=7 Output={most}"));
    for count in ["-1", "1.5", "\"1\""] {
        let usage = of(7, 0).replace(
            "completion_tokens\":0",
            &format!("completion_tokens\":{count}"),
        );
        let told = if count == "1.5" { " Output=1" } else { "" };
        say("i", &of(7, 8), "usage Input=7 Output=8");
        say("i", &usage, &format!("usage Input=7{told}"));
    }
    // Reasoning that is beside the output is in no sum of places.
    for _ in 0..3 {
        say("j", reasoned, "usage Input=7 Output=5 Reasoning=3");
    }
    say("k", &of(7, 9), "usage Input=7 Output=9");
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    events(&input, &expect);
}

/// Google's: tokens beside those at places, thoughts that are known only after their text, and parts of several kinds.
#[test]
fn googles_events_are_told_one_by_one() {
    let event = |parts: &str, output: u64| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{parts}]}},\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":8,\"candidatesTokenCount\":{output},\"totalTokenCount\":{},\"promptTokensDetails\":[{{\"modality\":\"TEXT\",\"tokenCount\":8}}],\"thoughtsTokenCount\":31}},\"modelVersion\":\"m\"}}\r\n\r\n",
            39 + output
        )
    };
    let told = |output: u64| {
        format!(
            "usage Input=8 Output={} Reasoning=31 TextInput=8",
            output + 31
        )
    };
    let kinds = [
        ("{\"text\":\"a\"}", "content Text"),
        ("{\"text\":\"t\",\"thought\":true}", "content Reasoning"),
        ("{\"thought\":true,\"text\":\"t\"}", "content Reasoning"),
        (
            "{\"text\":\"t\",\"thought\":true},{\"text\":\"a\"}",
            "content Reasoning",
        ),
        ("{\"text\":\"\"}", ""),
    ];
    let (mut input, mut expect) = (String::new(), Vec::new());
    for (parts, content) in kinds {
        for output in [1, 2, 30, 4] {
            input.push_str(&event(parts, output));
            expect.extend((!content.is_empty()).then(|| content.to_owned()));
            expect.push(told(output));
            if expect.len() == 2 {
                expect.push("model m".to_owned());
            }
        }
    }
    for texts in [false, true] {
        let pieces = [input.as_bytes()];
        let log = read(Wire::Gemini, Framing::EventStream, texts, pieces);
        assert_eq!(log.lines, expect);
        if texts {
            assert_eq!(log.said(Content::Text, 0), "aaaaaaaa");
            assert_eq!(log.said(Content::Reasoning, 0), "t".repeat(12));
        }
    }
    check_cuts(
        |wire, framing, texts, pieces| read(wire, framing, texts, pieces.iter().copied()),
        Wire::Gemini,
        Framing::EventStream,
        input.as_bytes(),
        &[3, 200, 5],
    );
}
