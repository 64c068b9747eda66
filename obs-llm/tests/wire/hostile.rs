//! What no provider sends: it is survived, and what stands beside it is still read.

use obs_llm::wire::{Framing, ResponseScanner, Wire};

use crate::properties::{Log, check as check_cuts, read};

#[track_caller]
fn check(input: impl AsRef<[u8]>, expect: &[&str]) {
    let bytes = input.as_ref();
    let read_pieces =
        |wire, framing, texts, pieces: &[&[u8]]| read(wire, framing, texts, pieces.iter().copied());
    let log = read(Wire::OpenAiChat, Framing::Json, true, [bytes]);
    assert_eq!(log.lines, expect);
    check_cuts(read_pieces, Wire::OpenAiChat, Framing::Json, bytes, &[250]);
}

#[test]
fn a_text_of_ten_megabytes_is_told_in_pieces_and_kept_nowhere() {
    let text = "x".repeat(10 << 20);
    let body =
        format!("{{\"choices\":[{{\"message\":{{\"content\":\"{text}\"}}}}],\"x\":\"{text}\"}}");
    let mut scanner = ResponseScanner::new(Wire::OpenAiChat, Framing::Json).with_texts();
    let mut log = Log::default();
    for piece in body.as_bytes().chunks(16_384) {
        scanner.feed(piece, &mut log);
    }
    scanner.end(&mut log);
    assert_eq!(log.lines, ["content Text", "complete"]);
    assert_eq!(log.texts.len(), 1);
    assert_eq!(log.texts[0].2.len(), text.len());
}

#[test]
fn brackets_a_hundred_thousand_deep_are_counted() {
    let deep = |bracket: &str| bracket.repeat(100_000);
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"choices\":", "}]")] {
        let (open, close) = (deep(open), deep(close));
        let body = format!("{{\"x\":{open}1{close},\"model\":\"m\"}}");
        check(&body, &["model m", "complete"]);
        let body = format!("{{\"choices\":{open}1{close},\"model\":\"m\"}}");
        check(&body, &["model m", "complete"]);
        // One bracket is missing.
        let body = format!("{{\"x\":{open}1{},\"model\":\"m\"}}", &close[1..]);
        check(&body, &["malformed Cut"]);
        check(format!("{{\"x\":{open}"), &["malformed Cut"]);
    }
}

#[test]
fn brackets_within_strings_are_none() {
    let body = r#"{"x":{"a":"]}\"}","b":["[\\",{"c":"\\\"{"}]},"model":"m"}"#;
    check(body, &["model m", "complete"]);
}

#[test]
fn bytes_that_are_no_text_are_passed_over_or_replaced() {
    check(b"{\"model\":\"m\0n\"}", &["model m\0n", "complete"]);
    check(b"\0", &["malformed Json"]);
    // Of what is kept, what stands before them.
    check(b"{\"model\":\"m\xffn\"}", &["model m", "complete"]);
    check(
        b"{\"x\":\"\xff\xfe\",\"model\":\"m\"}",
        &["model m", "complete"],
    );
    check(b"{\"\xff\":1,\"model\":\"m\"}", &["model m", "complete"]);
    let body = b"{\"choices\":[{\"message\":{\"content\":\"a\xe2\x82\xff\xe2\x82\"}}]}";
    check(body, &["content Text", "complete"]);
    let log = read(Wire::OpenAiChat, Framing::Json, true, [&body[..]]);
    assert_eq!(log.texts[0].2, "a\u{fffd}\u{fffd}\u{fffd}");
}

#[test]
fn escapes_are_resolved_where_a_text_is_kept() {
    let body = r#"{"model":"\u0041\/\"\\\b\f\n\r\t\ud83d\ude00\u00e9"}"#;
    check(body, &["model A/\"\\\u{8}\u{c}\n\r\t😀é", "complete"]);
    check(r#"{"\u006dodel":"m"}"#, &["model m", "complete"]);
    check(
        r#"{"mod\u0065l":"m","\u0069d":"i"}"#,
        &["model m", "id i", "complete"],
    );
    // Half a pair stands for nothing.
    check(r#"{"model":"\ud83dx"}"#, &["model \u{fffd}x", "complete"]);
    check(r#"{"model":"\ud83d"}"#, &["model \u{fffd}", "complete"]);
    check(r#"{"model":"\ud83d\n"}"#, &["model \u{fffd}\n", "complete"]);
    check(r#"{"model":"\ude00"}"#, &["model \u{fffd}", "complete"]);
    check(r#"{"model":"\q"}"#, &["malformed Json"]);
    check(r#"{"model":"\u12x4"}"#, &["malformed Json"]);
}

#[test]
fn a_kept_text_is_cut_at_a_character() {
    for (repeated, kept) in [("x", 64), ("é", 32), ("€", 21), ("😀", 16)] {
        let long = repeated.repeat(100);
        let expect = format!("model {}", repeated.repeat(kept));
        check(format!("{{\"model\":\"{long}\"}}"), &[&expect, "complete"]);
    }
    // An escape that has no room ends it, whatever comes.
    let long = format!("{}\\u20acxyz", "x".repeat(62));
    let expect = format!("model {}", "x".repeat(62));
    check(format!("{{\"model\":\"{long}\"}}"), &[&expect, "complete"]);
    let just = "x".repeat(64);
    check(
        format!("{{\"model\":\"{just}\"}}"),
        &[&format!("model {just}"), "complete"],
    );
}

#[test]
fn a_reason_that_is_held_is_cut_sooner() {
    let body =
        |reason: &str| format!("{{\"choices\":[{{\"finish_reason\":\"{reason}\",\"index\":2}}]}}");
    let long = "é".repeat(30);
    check(
        body(&long),
        &[&format!("finish 2 {}", "é".repeat(20)), "complete"],
    );
}

#[test]
fn numbers_are_what_they_say_or_not_told() {
    let usage = |number: &str| format!("{{\"usage\":{{\"prompt_tokens\":{number}}}}}");
    check(usage("17"), &["usage Input=17", "complete"]);
    check(usage("17.0"), &["usage Input=17", "complete"]);
    check(usage("1.7e1"), &["usage Input=17", "complete"]);
    check(usage("0"), &["usage Input=0", "complete"]);
    check(usage("4294967296"), &["usage Input=4294967295", "complete"]);
    check(usage("1e300"), &["usage Input=4294967295", "complete"]);
    for other in [
        "-1", "-", "1e", "1.2.3", "--", "\"17\"", "null", "true", "{}", "[17]", "+1",
    ] {
        let expect: &[&str] = match other {
            "+1" => &["malformed Json"],
            _ => &["complete"],
        };
        check(usage(other), expect);
    }
    let long = format!("1{}", "0".repeat(999));
    check(usage(&long), &["complete"]);
    check(
        format!("{{\"x\":{long},\"model\":\"m\"}}"),
        &["model m", "complete"],
    );
    let fits = format!("{}17", "0".repeat(62));
    check(usage(&fits), &["usage Input=17", "complete"]);
}

#[test]
fn keys_of_any_length_are_keys() {
    for length in [63, 64, 65, 1_000, 1 << 20] {
        let key = "k".repeat(length);
        check(
            format!("{{\"{key}\":1,\"model\":\"m\"}}"),
            &["model m", "complete"],
        );
        let key = format!("model{}", "\\u0000".repeat(length));
        check(
            format!("{{\"{key}\":\"x\",\"id\":\"i\"}}"),
            &["id i", "complete"],
        );
    }
    check("{\"\":1,\"model\":\"m\"}", &["model m", "complete"]);
}

#[test]
fn a_key_that_comes_twice_is_read_twice() {
    let body = r#"{"model":"a","model":"b","usage":{"prompt_tokens":1,"prompt_tokens":2},"usage":{"completion_tokens":3}}"#;
    check(
        body,
        &["model a", "usage Input=2", "usage Output=3", "complete"],
    );
}

#[test]
fn wanted_keys_at_other_places_are_not_wanted() {
    let body = r#"{"x":{"model":"no","usage":{"prompt_tokens":1}},"choices":[{"model":"no","message":{"id":"no","role":"usage"}},"content",[{"finish_reason":"no"}]],"model":{"id":"no"},"id":["no"],"usage":[{"prompt_tokens":9}]}"#;
    check(body, &["complete"]);
}

/// What stands among the choices and is none has no number.
#[test]
fn choices_without_a_number_are_counted() {
    let body = r#"{"choices":[[1],{"finish_reason":"a"},null,{"finish_reason":"b","index":7},{"finish_reason":"c"}]}"#;
    let expect = ["finish 0 a", "finish 7 b", "finish 2 c", "complete"];
    check(body, &expect);
}

#[test]
fn what_is_not_json_is_said_once() {
    for body in [
        "{",
        "{\"",
        "{\"a",
        "{\"a\\",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":\"",
        "{\"a\":[",
        "[1,",
    ] {
        check(body, &["malformed Cut"]);
    }
    // With that a comment of a stream of events begins, and servers send those as JSON.
    check(":", &[]);
    for body in [
        "}",
        "]",
        ",",
        "{]",
        "[}",
        "{,",
        "{1",
        "{\"a\"}",
        "{\"a\",1}",
        "{\"a\":}",
        "{\"a\":1,}",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "[,]",
        "[1,]",
        "{\"a\":tru}",
        "{\"a\":nul",
        "truefalse",
        "{}{}",
        "{} x",
        "'a'",
        "{\"choices\":[}",
        "{\"choices\":{]",
        "{\"choices\":[}{",
        "nan",
        "{\"a\":\u{a0}1}",
    ] {
        let log = read(Wire::OpenAiChat, Framing::Json, false, [body.as_bytes()]);
        match log.lines.as_slice() {
            [line] => assert!(line.starts_with("malformed"), "{body}: {line}"),
            lines => panic!("{body}: {lines:?}"),
        }
    }
}
