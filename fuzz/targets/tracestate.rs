//! Any bytes as `tracestate` headers, one a line.
#![no_main]

#[path = "../../obs-core/tests/properties/parsers.rs"]
#[allow(dead_code, reason = "each target uses its own part")]
mod properties;

use libfuzzer_sys::fuzz_target;
use obs_core::propagation::tracestate::{self, Invalid};

fuzz_target!(|input: &[u8]| properties::tracestate::check(combine, input));

#[cfg(not(feature = "seeded-bug"))]
fn combine(headers: &[&[u8]], out: &mut String) -> Result<usize, Invalid> {
    tracestate::combine(headers.iter().copied(), out)
}

/// The seeded bug: a repeated key is ignored where it should make the whole invalid.
#[cfg(feature = "seeded-bug")]
fn combine(headers: &[&[u8]], out: &mut String) -> Result<usize, Invalid> {
    let text = headers.join(&b',');
    let mut keys = std::collections::HashSet::new();
    let key = |member: &[u8]| {
        member
            .split(|byte| *byte == b'=')
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let first = text
        .split(|byte| *byte == b',')
        .filter(|member| keys.insert(key(member)));
    tracestate::combine(first, out)
}
