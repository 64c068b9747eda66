//! Answers as the providers' documentation has them, each beside what it must tell.

use super::{
    amazon,
    told::{Told, read, read_without_texts},
};
use obs_llm::wire::{Framing, Wire};
use proptest::prelude::*;
use std::{fs, path::Path, sync::LazyLock};

pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) wire: Wire,
    pub(crate) framing: Framing,
    pub(crate) bytes: Vec<u8>,
    expect: String,
}

pub(crate) static ANSWERS: LazyLock<Vec<Answer>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut answers = Vec::new();
    for entry in fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("UTF-8");
        let wire = match name {
            _ if name.starts_with("anthropic_") => Wire::AnthropicMessages,
            _ if name.starts_with("gemini_") => Wire::Gemini,
            _ if name.starts_with("ollama_") => Wire::Ollama,
            _ if name.starts_with("bedrock_invoke_") => Wire::BedrockInvoke,
            _ if name.starts_with("bedrock_") => Wire::BedrockConverse,
            _ => continue,
        };
        let extension = path.extension().and_then(|extension| extension.to_str());
        let framing = match extension.unwrap_or_default() {
            "json" => Framing::Json,
            "sse" => Framing::EventStream,
            "ndjson" => Framing::Lines,
            "messages" => Framing::AmazonEventStream,
            "told" => continue,
            other => panic!("{name}.{other}"),
        };
        let mut bytes = fs::read(&path).expect("a file");
        if framing == Framing::AmazonEventStream {
            bytes = amazon::stream(&String::from_utf8(bytes).expect("UTF-8"));
        }
        answers.push(Answer {
            name: name.to_owned(),
            wire,
            framing,
            bytes,
            expect: fs::read_to_string(path.with_extension("told")).expect("what it tells"),
        });
    }
    answers
});

/// Each of them, so that a folder that is not there, or a name that nobody reads, is no success.
#[test]
fn each_wire_has_its_answers() {
    let count = |wire| ANSWERS.iter().filter(|answer| answer.wire == wire).count();
    assert!(count(Wire::AnthropicMessages) >= 10);
    assert!(count(Wire::Gemini) >= 11);
    assert!(count(Wire::Ollama) >= 8);
    assert!(count(Wire::BedrockConverse) >= 6);
    assert!(count(Wire::BedrockInvoke) >= 8);
}

#[test]
fn each_tells_what_stands_beside_it() {
    let mut wrong = String::new();
    for answer in &*ANSWERS {
        let told = read(answer.wire, answer.framing, [&*answer.bytes]).page();
        if told != answer.expect {
            wrong += &format!("{}: told\n{told}and not\n{}\n", answer.name, answer.expect);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_scanner_without_texts_tells_the_rest() {
    for answer in &*ANSWERS {
        let told = read_without_texts(answer.wire, answer.framing, [&*answer.bytes]);
        let whole = read(answer.wire, answer.framing, [&*answer.bytes]);
        assert_eq!(told.page(), whole.lines, "{}", answer.name);
    }
}

#[test]
fn split_at_every_byte_it_is_the_same() {
    for answer in &*ANSWERS {
        let whole = read(answer.wire, answer.framing, [&*answer.bytes]);
        for at in 0..=answer.bytes.len() {
            let (head, tail) = answer.bytes.split_at(at);
            let told = read(answer.wire, answer.framing, [head, tail]);
            assert_eq!(told, whole, "{} split at {at}", answer.name);
        }
        let told = read(answer.wire, answer.framing, answer.bytes.chunks(1));
        assert_eq!(told, whole, "{} byte by byte", answer.name);
    }
}

/// Cut anywhere, it tells the beginning of what it tells whole, and that it was cut; or it was at the end of an event.
#[test]
fn cut_anywhere_it_tells_what_was_there() {
    for answer in &*ANSWERS {
        let whole = read(answer.wire, answer.framing, [&*answer.bytes]);
        for at in 0..answer.bytes.len() {
            let told = read(answer.wire, answer.framing, [&answer.bytes[..at]]);
            let lines: Vec<_> = told.lines.lines().collect();
            let known: Vec<_> = whole.lines.lines().collect();
            let same = lines.iter().zip(&known).take_while(|(a, b)| a == b).count();
            let rest = &lines[same..];
            // What a report holds by the end of a body that is cut in its last word is not told; what is cut is said to be.
            let is_fine = |line: &&str| matches!(*line, "malformed cut" | "complete");
            assert!(
                rest.iter().all(is_fine) && rest.len() <= 2,
                "{} cut at {at}: {lines:#?}",
                answer.name
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_pieces_it_is_the_same(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        for answer in &*ANSWERS {
            let bytes = &*answer.bytes;
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
            let whole: Told = read(answer.wire, answer.framing, [bytes]);
            prop_assert_eq!(read(answer.wire, answer.framing, pieces), whole, "{}", &answer.name);
        }
    }
}
