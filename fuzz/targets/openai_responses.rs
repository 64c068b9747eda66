//! Any bytes as an answer of OpenAI's Responses, as one document and as events, cut by its own last bytes.
#![no_main]

#[path = "../../obs-llm/tests/wire/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;
use obs_llm::wire::{Framing, Wire};
use properties::Log;

fuzz_target!(|input: &[u8]| {
    let lengths = &input[input.len().saturating_sub(4)..];
    for framing in [Framing::EventStream, Framing::Json] {
        properties::check(read, Wire::OpenAiResponses, framing, input, lengths);
    }
});

#[cfg(not(feature = "seeded-bug"))]
fn read(wire: Wire, framing: Framing, texts: bool, pieces: &[&[u8]]) -> Log {
    properties::read(wire, framing, texts, pieces.iter().copied())
}

/// The seeded bug: of an event whose name is cut at a dot, nothing is told.
#[cfg(feature = "seeded-bug")]
fn read(wire: Wire, framing: Framing, texts: bool, pieces: &[&[u8]]) -> Log {
    let mut log = properties::read(wire, framing, texts, pieces.iter().copied());
    if log.lines.len() > 1 && pieces.len() > 1 && pieces[0].ends_with(b".") {
        log.lines.pop();
    }
    log
}
