//! Each answer of the corpus tells what the file beside it says, cut at any byte and in any pieces.
//!
//! The answers are written from the formats' public documentation: `NAME.sse` or `NAME.json`, and `NAME.told` with what they
//! tell, a line each. Of lines that follow each other and are the same, one is written, with their number behind it. Lines that
//! begin with `text` say the texts, by their kind and choice.

use obs_llm::wire::{Content, Framing, Wire};
use proptest::prelude::*;
use std::{fs, path::Path};

use crate::properties::{Log, check, cut, read};

struct Case {
    name: String,
    wire: Wire,
    framing: Framing,
    bytes: Vec<u8>,
    told: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, wire) in [
        ("openai_chat", Wire::OpenAiChat),
        ("openai_responses", Wire::OpenAiResponses),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/corpus")
            .join(folder);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let framing = match path.extension().and_then(|extension| extension.to_str()) {
                Some("sse") => Framing::EventStream,
                Some("json") => Framing::Json,
                _ => continue,
            };
            cases.push(Case {
                name: path.display().to_string(),
                wire,
                framing,
                bytes: fs::read(&path).unwrap(),
                told: fs::read_to_string(path.with_extension("told")).unwrap(),
            });
        }
    }
    assert!(cases.len() >= 20, "a corpus of {}", cases.len());
    cases
}

/// As the files beside the answers have it.
fn told(log: &Log) -> String {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for line in &log.lines {
        match lines.last_mut() {
            Some((last, times)) if last == line => *times += 1,
            _ => lines.push((line.clone(), 1)),
        }
    }
    let mut told = String::new();
    for (line, times) in lines {
        match times {
            1 => told.push_str(&format!("{line}\n")),
            _ => told.push_str(&format!("{line} *{times}\n")),
        }
    }
    for choice in 0..4 {
        for content in [Content::Text, Content::Reasoning, Content::ToolCall] {
            let said = log.said(content, choice);
            if !said.is_empty() {
                told.push_str(&format!("text {content:?} {choice} {said}\n"));
            }
        }
    }
    told
}

#[test]
fn each_answer_tells_what_is_written_beside_it() {
    let mut wrong = String::new();
    for case in cases() {
        let told = told(&read(case.wire, case.framing, true, [&*case.bytes]));
        if told != case.told {
            wrong.push_str(&format!(
                "{} tells\n{told}\nnot\n{}\n",
                case.name, case.told
            ));
        }
    }
    assert_eq!(wrong, "");
}

#[test]
fn split_at_every_byte_it_tells_the_same() {
    for case in cases() {
        for at in 0..=case.bytes.len() {
            let (one, other) = case.bytes.split_at(at);
            let log = read(case.wire, case.framing, true, [one, other]);
            assert_eq!(told(&log), case.told, "{} at {at}", case.name);
        }
    }
}

#[test]
fn lines_may_end_in_any_way_that_the_standard_has() {
    for case in cases() {
        if case.framing != Framing::EventStream {
            continue;
        }
        let text = String::from_utf8(case.bytes.clone()).unwrap();
        if text.contains('\r') {
            continue;
        }
        for end in ["\r\n", "\r"] {
            let text = text.replace('\n', end);
            let log = read(case.wire, case.framing, true, [text.as_bytes()]);
            assert_eq!(told(&log), case.told, "{} with {end:?}", case.name);
            check(
                |wire, framing, texts, pieces| read(wire, framing, texts, pieces.iter().copied()),
                case.wire,
                case.framing,
                text.as_bytes(),
                &[7, 1, 64],
            );
        }
    }
}

/// What was told before an answer broke off stands, and nothing is told that the whole does not tell, but for the break.
#[test]
fn cut_short_at_every_byte_it_tells_a_beginning() {
    for case in cases() {
        let whole = read(case.wire, case.framing, true, [&*case.bytes]);
        for at in 0..case.bytes.len() {
            let mut log = read(case.wire, case.framing, true, [&case.bytes[..at]]);
            let is_of_the_end =
                |line: &String| line.starts_with("malformed") || line.starts_with("complete");
            while log.lines.last().is_some_and(is_of_the_end) {
                log.lines.pop();
            }
            assert!(
                whole.lines.starts_with(&log.lines),
                "{} up to {at}: {:?}",
                case.name,
                log.lines
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_random_pieces_it_tells_the_same(lengths in prop::collection::vec(1u8..=255, 1..40)) {
        for case in cases() {
            let pieces = cut(&case.bytes, &lengths);
            let log = read(case.wire, case.framing, true, pieces);
            prop_assert_eq!(told(&log), case.told, "{}", case.name);
        }
    }

    /// Damaged answers, too, tell the same however they are cut.
    #[test]
    fn damaged_it_tells_the_same_however_it_is_cut(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        lengths in prop::collection::vec(1u8..=255, 1..20),
    ) {
        let cases = cases();
        let case = which.get(&cases);
        let mut bytes = case.bytes.clone();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        check(
            |wire, framing, texts, pieces| read(wire, framing, texts, pieces.iter().copied()),
            case.wire,
            case.framing,
            &bytes,
            &lengths,
        );
    }
}
