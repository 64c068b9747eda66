//! Any bytes as a `traceparent`.
#![no_main]

#[path = "../../obs-core/tests/properties/parsers.rs"]
#[allow(dead_code, reason = "each target uses its own part")]
mod properties;

use libfuzzer_sys::fuzz_target;
#[cfg(not(feature = "seeded-bug"))]
use obs_core::propagation::traceparent::parse;

fuzz_target!(|input: &[u8]| properties::traceparent::check(parse, input));

/// The seeded bug: version `ff` is taken for a version of the future.
#[cfg(feature = "seeded-bug")]
fn parse(
    value: &[u8],
) -> Result<obs_core::propagation::TraceParent, obs_core::propagation::traceparent::Reject> {
    let mut value = value.to_vec();
    if value.starts_with(b"ff-") {
        value[0] = b'0';
    }
    obs_core::propagation::traceparent::parse(&value)
}
