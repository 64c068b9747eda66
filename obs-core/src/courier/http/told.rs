//! What is told of an answer: nothing of what was sent.

use crate::redact::REDACTED;
use ureq::http::HeaderMap;

/// An answer's text without the headers that were sent: who explains himself may repeat them, or what stands in one behind the
/// name of its scheme.
pub(in crate::courier) fn without_headers(mut said: String, sent: &HeaderMap) -> String {
    const SHORT: usize = 4;
    let values = sent.values().filter(|value| value.is_sensitive());
    for value in values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()) {
        let credentials = value
            .split_once(' ')
            .map_or("", |(_, behind)| behind.trim());
        for secret in [value, credentials] {
            if secret.len() >= SHORT && said.contains(secret) {
                said = said.replace(secret, REDACTED);
            }
        }
    }
    said
}
