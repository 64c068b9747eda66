//! Any bytes as an engine's page of metrics, whole and in pieces.
#![no_main]

#[path = "../../obs-llm/tests/engines/cuts.rs"]
mod cuts;

use libfuzzer_sys::fuzz_target;

#[cfg(not(feature = "seeded-bug"))]
use cuts::read;

fuzz_target!(|input: &[u8]| cuts::check(read, input));

/// The seeded bug: where a piece ends within an escape, the escape is lost.
#[cfg(feature = "seeded-bug")]
fn read(pieces: &[&[u8]]) -> cuts::Page {
    let without = |piece: &&[u8]| piece.strip_suffix(b"\\").unwrap_or(piece).to_vec();
    let pieces: Vec<Vec<u8>> = pieces.iter().map(without).collect();
    cuts::read(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>())
}
