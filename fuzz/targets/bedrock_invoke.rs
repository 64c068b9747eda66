//! Any bytes as an answer of Bedrock's `invoke`: as a document; as a stream as it is; and each line as a message of one, whose
//! sums are right.
#![no_main]

#[path = "../../obs-llm/tests/wire_others/amazon.rs"]
mod amazon;
#[path = "../../obs-llm/tests/wire/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;
use obs_llm::wire::{Framing, Wire};
use properties::Log;

fuzz_target!(|input: &[u8]| {
    let lengths = &input[input.len().saturating_sub(4)..];
    let stream = amazon::stream(input);
    let check = |framing, bytes| {
        properties::check(read, Wire::BedrockInvoke, framing, bytes, lengths);
    };
    check(Framing::Json, input);
    check(Framing::AmazonEventStream, input);
    check(Framing::AmazonEventStream, &stream);
    let log = read(
        Wire::BedrockInvoke,
        Framing::AmazonEventStream,
        false,
        &[&stream],
    );
    let is_whole = |line: &String| line != "malformed Frame" && line != "malformed Cut";
    assert!(log.lines.iter().all(is_whole), "{:?}", log.lines);
});

#[cfg(not(feature = "seeded-bug"))]
fn read(wire: Wire, framing: Framing, texts: bool, pieces: &[&[u8]]) -> Log {
    properties::read(wire, framing, texts, pieces.iter().copied())
}

/// The seeded bug: of a stream in pieces nobody is told that it was cut.
#[cfg(feature = "seeded-bug")]
fn read(wire: Wire, framing: Framing, texts: bool, pieces: &[&[u8]]) -> Log {
    let mut log = properties::read(wire, framing, texts, pieces.iter().copied());
    if pieces.len() > 1 {
        log.lines.retain(|line| line != "malformed Cut");
    }
    log
}
