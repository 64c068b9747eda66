//! No byte of the heap is asked for while an answer or a request is read, whole or in pieces. What reads Amazon's frames stands there, as it
//! is large and few are: that is asked for once, when it is made.
//!
//! A binary of its own with one test: it counts the allocations of the whole process.

#[path = "wire_others/amazon.rs"]
mod amazon;

use obs_llm::wire::{
    Content, Framing, RequestScanner, RequestSink, ResponseScanner, ResponseSink, Wire,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::{alloc::System, fs, hint::black_box, path::Path};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Takes all that is told, so that nothing of it is left away, and keeps its lengths.
#[derive(Default)]
struct Lengths(usize);

impl ResponseSink for Lengths {
    fn response_id(&mut self, id: &str) {
        self.0 += id.len();
    }
    fn finish_reason(&mut self, _: u32, reason: &str) {
        self.0 += reason.len();
    }
    fn error(&mut self, code: &str) {
        self.0 += code.len();
    }
    fn text(&mut self, _: Content, _: u32, piece: &str) {
        self.0 += piece.len();
    }
}

impl RequestSink for Lengths {
    fn model(&mut self, model: &str) {
        self.0 += model.len();
    }
    fn stop_sequence(&mut self, text: &str) {
        self.0 += text.len();
    }
}

const FOLDERS: [(&str, Wire); 7] = [
    ("openai_chat", Wire::OpenAiChat),
    ("openai_responses", Wire::OpenAiResponses),
    ("anthropic", Wire::AnthropicMessages),
    ("gemini", Wire::Gemini),
    ("ollama", Wire::Ollama),
    ("bedrock_converse", Wire::BedrockConverse),
    ("bedrock_invoke", Wire::BedrockInvoke),
];

/// In so many ways each answer is cut.
const CUTS: usize = 4;

#[test]
fn reading_asks_for_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut answers = Vec::new();
    for (folder, wire) in FOLDERS {
        for entry in fs::read_dir(corpus.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let extension = path.extension().and_then(|extension| extension.to_str());
            answers.push(match extension {
                Some("sse") => (wire, Framing::EventStream, bytes),
                Some("ndjson") => (wire, Framing::Lines, bytes),
                Some("messages") => (wire, Framing::AmazonEventStream, amazon::stream(&bytes)),
                // What is beside them is another one that is no JSON.
                _ => (wire, Framing::Json, bytes),
            });
        }
    }
    assert!(answers.len() > 100, "a corpus of {}", answers.len());
    let requests: Vec<_> = fs::read_dir(corpus.join("requests"))
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(requests.len() > 3, "requests of {}", requests.len());

    // The harness has a thread of its own, which asks for something now and then. What reading asks for, it asks for each time.
    let rounds = (0..5).map(|_| read(&answers, &requests));
    let frames =
        { answers.iter() }.filter(|(_, framing, _)| *framing == Framing::AmazonEventStream);
    assert_eq!(rounds.min(), Some(frames.count() * CUTS));
}

/// Reads all of them, whole and in pieces: how often the heap was asked for something.
fn read(answers: &[(Wire, Framing, Vec<u8>)], requests: &[Vec<u8>]) -> usize {
    let mut told = Lengths::default();
    let before = HEAP.stats();
    for (wire, framing, bytes) in answers {
        let cuts: [usize; CUTS] = [1, 7, 64, bytes.len().max(1)];
        for length in cuts {
            let mut scanner = ResponseScanner::new(*wire, *framing).with_texts();
            for piece in bytes.chunks(length) {
                scanner.feed(piece, &mut told);
            }
            scanner.end(&mut told);
        }
    }
    for (_, wire) in FOLDERS {
        for request in requests {
            for length in [1, 7, request.len().max(1)] {
                let mut scanner = RequestScanner::new(wire);
                for piece in request.chunks(length) {
                    scanner.feed(piece, &mut told);
                }
            }
        }
    }
    let after = HEAP.stats();
    assert!(black_box(told.0) > 5_000, "{}", told.0);
    after.allocations - before.allocations + after.reallocations - before.reallocations
}
