//! Any bytes as `baggage` headers, one a line.
#![no_main]

#[path = "../../obs-core/tests/properties/parsers.rs"]
#[allow(dead_code, reason = "each target uses its own part")]
mod properties;

use libfuzzer_sys::fuzz_target;
#[cfg(not(feature = "seeded-bug"))]
use properties::baggage::parse;

fuzz_target!(|input: &[u8]| properties::baggage::check(parse, input));

/// The seeded bug: escapes with lower-case digits are not decoded.
#[cfg(feature = "seeded-bug")]
fn parse(headers: &[&[u8]]) -> (Vec<properties::baggage::Entry>, usize) {
    let hide = |header: &&[u8]| {
        let mut hidden = Vec::new();
        for (at, byte) in header.iter().enumerate() {
            hidden.push(*byte);
            let digits = header.get(at + 1..at + 3).unwrap_or_default();
            if *byte == b'%' && digits.iter().any(|digit| matches!(digit, b'a'..=b'f')) {
                hidden.extend(b"25");
            }
        }
        hidden
    };
    let hidden: Vec<_> = headers.iter().map(hide).collect();
    properties::baggage::parse(&hidden.iter().map(Vec::as_slice).collect::<Vec<_>>())
}
