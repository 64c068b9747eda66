//! Answers as the providers' documentation has them, each beside what it must tell: `NAME.sse`, `NAME.json`, `NAME.ndjson` or
//! `NAME.messages` (see [`amazon`]), and `NAME.told`, of which the corpus of OpenAI's formats says how it is written.

use super::{
    amazon,
    properties::{Log, check, cut, read},
};
use obs_llm::wire::{Content, Framing, Wire};
use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) wire: Wire,
    pub(crate) framing: Framing,
    pub(crate) bytes: Vec<u8>,
    told: String,
}

/// Each folder, and how many answers it has at least, so that a name that nobody reads is no success.
const FOLDERS: [(&str, Wire, usize); 5] = [
    ("anthropic", Wire::AnthropicMessages, 10),
    ("gemini", Wire::Gemini, 13),
    ("ollama", Wire::Ollama, 8),
    ("bedrock_converse", Wire::BedrockConverse, 6),
    ("bedrock_invoke", Wire::BedrockInvoke, 17),
];

pub(crate) static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases = Vec::new();
    for (folder, wire, least) in FOLDERS {
        let before = cases.len();
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
        for entry in fs::read_dir(corpus.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let framing = match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => Framing::Json,
                Some("sse") => Framing::EventStream,
                Some("ndjson") => Framing::Lines,
                Some("messages") => Framing::AmazonEventStream,
                _ => continue,
            };
            let mut bytes = fs::read(&path).unwrap();
            if framing == Framing::AmazonEventStream {
                bytes = amazon::stream(&bytes);
            }
            cases.push(Case {
                name: path.display().to_string(),
                wire,
                framing,
                bytes,
                told: fs::read_to_string(path.with_extension("told")).unwrap(),
            });
        }
        assert!(cases.len() >= before + least, "{folder}");
    }
    cases
});

/// As the files beside the answers have it.
pub(crate) fn page(log: &Log) -> String {
    let mut lines: Vec<(&str, usize)> = Vec::new();
    for line in &log.lines {
        match lines.last_mut() {
            Some((last, times)) if last == line => *times += 1,
            _ => lines.push((line, 1)),
        }
    }
    let mut page = String::new();
    for (line, times) in lines {
        match times {
            1 => page += &format!("{line}\n"),
            _ => page += &format!("{line} *{times}\n"),
        }
    }
    for choice in 0..4 {
        for content in [Content::Text, Content::Reasoning, Content::ToolCall] {
            let said = log.said(content, choice);
            if !said.is_empty() {
                page += &format!("text {content:?} {choice} {said}\n");
            }
        }
    }
    page
}

#[test]
fn each_answer_tells_what_is_written_beside_it() {
    let mut wrong = String::new();
    for case in &*CASES {
        let told = page(&read(case.wire, case.framing, true, [&*case.bytes]));
        if told != case.told {
            wrong += &format!("{} tells\n{told}\nnot\n{}\n", case.name, case.told);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn split_at_every_byte_it_tells_the_same() {
    for case in &*CASES {
        for at in 0..=case.bytes.len() {
            let (one, other) = case.bytes.split_at(at);
            let log = read(case.wire, case.framing, true, [one, other]);
            assert_eq!(page(&log), case.told, "{} at {at}", case.name);
        }
    }
}

/// What was told before an answer broke off stands, and nothing is told that the whole does not tell, but for the break.
#[test]
fn cut_short_at_every_byte_it_tells_a_beginning() {
    for case in &*CASES {
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
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn in_random_pieces_it_tells_the_same(lengths in prop::collection::vec(1_u8..=255, 1..40)) {
        for case in &*CASES {
            let log = read(case.wire, case.framing, true, cut(&case.bytes, &lengths));
            prop_assert_eq!(page(&log), &*case.told, "{}", case.name);
        }
    }

    #[test]
    fn damaged_it_tells_the_same_however_it_is_cut(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        lengths in prop::collection::vec(1_u8..=255, 1..20),
    ) {
        for case in &*CASES {
            let mut bytes = case.bytes.clone();
            for (at, byte) in &damage {
                *at.get_mut(&mut bytes) = *byte;
            }
            let read = |wire, framing, texts, pieces: &[&[u8]]| {
                read(wire, framing, texts, pieces.iter().copied())
            };
            check(read, case.wire, case.framing, &bytes, &lengths);
        }
    }
}
