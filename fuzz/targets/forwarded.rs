//! Any bytes as `Forwarded` or `X-Forwarded-` headers, one a line, after a line that says which and how many proxies.
#![no_main]

#[path = "../../obs-http/tests/properties/forwarded.rs"]
mod properties;

use libfuzzer_sys::fuzz_target;
#[cfg(not(feature = "seeded-bug"))]
use properties::read;

fuzz_target!(|input: &[u8]| properties::check(read, input));

/// The seeded bug: where a port is hidden, so is the client.
#[cfg(feature = "seeded-bug")]
fn read<'a>(rule: &obs_http::Forwarded, headers: &'a http::HeaderMap) -> obs_http::Original<'a> {
    let mut original = properties::read(rule, headers);
    let is_hidden = |value: &http::HeaderValue| value.as_bytes().windows(2).any(|two| two == b":_");
    if headers.values().any(is_hidden)
        && matches!(original.client, obs_http::Client::Known(_, None))
    {
        original.client = obs_http::Client::Hidden;
    }
    original
}
