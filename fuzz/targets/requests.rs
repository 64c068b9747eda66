//! Any bytes as a request of each format, cut by its own last byte.
//!
//! What is JSON and names a model once, at its own level and without escapes, tells it.
#![no_main]

#[path = "../../obs-llm/tests/requests/told.rs"]
#[allow(dead_code, reason = "the tests check more")]
mod told;

use libfuzzer_sys::fuzz_target;
use obs_llm::wire::Wire;
use serde_json::Value;

const WIRES: [Wire; 7] = [
    Wire::OpenAiChat,
    Wire::OpenAiResponses,
    Wire::AnthropicMessages,
    Wire::Gemini,
    Wire::Ollama,
    Wire::BedrockConverse,
    Wire::BedrockInvoke,
];

fuzz_target!(|input: &[u8]| {
    let length = input.last().map_or(1, |last| usize::from(*last % 9) + 1);
    for wire in WIRES {
        let whole = read(wire, &[input]);
        for pieces in [input.chunks(length), input.chunks(1)] {
            assert_eq!(read(wire, &pieces.collect::<Vec<_>>()), whole, "{wire:?}");
        }
    }
    let Ok(Value::Object(request)) = serde_json::from_slice(input) else {
        return;
    };
    let named = input
        .windows(7)
        .filter(|window| window == b"\"model\"")
        .count();
    if let (Some(Value::String(model)), 1, false) =
        (request.get("model"), named, input.contains(&b'\\'))
        && model.len() <= 128
    {
        let told = read(Wire::OpenAiChat, &[input]);
        assert!(told.contains(&format!("model {model}")), "{told:?}");
    }
});

#[cfg(not(feature = "seeded-bug"))]
fn read(wire: Wire, pieces: &[&[u8]]) -> Vec<String> {
    told::read(wire, pieces.iter().copied()).0
}

/// The seeded bug: of a request in pieces, a model with a short name is lost.
#[cfg(feature = "seeded-bug")]
fn read(wire: Wire, pieces: &[&[u8]]) -> Vec<String> {
    let mut told = told::read(wire, pieces.iter().copied()).0;
    if pieces.len() > 1 {
        told.retain(|line| !line.starts_with("model ") || line.len() > 9);
    }
    told
}
