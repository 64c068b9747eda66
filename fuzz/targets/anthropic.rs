//! Any bytes as an answer of Anthropic's messages, as one document and as events, cut by its own last bytes.
#![no_main]

#[path = "../../obs-llm/tests/wire/properties.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;
use obs_llm::wire::{Framing, Wire};
use properties::Log;

fuzz_target!(|input: &[u8]| {
    let lengths = &input[input.len().saturating_sub(4)..];
    for framing in [Framing::EventStream, Framing::Json] {
        properties::check(read, Wire::AnthropicMessages, framing, input, lengths);
    }
    // What is JSON is never called malformed.
    if serde_json::from_slice::<serde_json::Value>(input).is_ok() {
        let log = read(Wire::AnthropicMessages, Framing::Json, false, &[input]);
        assert_eq!(log.lines.last().map(String::as_str), Some("complete"));
    }
});

#[cfg(not(feature = "seeded-bug"))]
fn read(wire: Wire, framing: Framing, texts: bool, pieces: &[&[u8]]) -> Log {
    properties::read(wire, framing, texts, pieces.iter().copied())
}

/// The seeded bug: of an answer in pieces, a reason why it ended is lost if it is a long one.
#[cfg(feature = "seeded-bug")]
fn read(wire: Wire, framing: Framing, texts: bool, pieces: &[&[u8]]) -> Log {
    let mut log = properties::read(wire, framing, texts, pieces.iter().copied());
    if pieces.len() > 1 {
        log.lines
            .retain(|line| !line.starts_with("finish") || line.len() < 24);
    }
    log
}
