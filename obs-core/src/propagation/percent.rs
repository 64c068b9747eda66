//! Percent-encoding as baggage values use it, and whoever writes values in the same way.

use std::borrow::Cow;
use std::fmt::Write;

/// A character that stands for itself in a baggage value: printable ASCII without quote, comma, semicolon and backslash.
pub(super) fn is_octet(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// Appends `value`, encoded. The percent sign is encoded too, or it could not be told from an escape, and `=`, which
/// some readers (opentelemetry_sdk 0.33) take for a separator wherever it stands.
pub(super) fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if is_octet(byte) && !matches!(byte, b'%' | b'=') {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02X}"); // writing to a string cannot fail
        }
    }
}

/// Decodes; borrowed if there is nothing to decode. A percent sign without two hex digits stands for itself, and bytes
/// that are not UTF-8 become U+FFFD.
pub fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    match String::from_utf8(decode_bytes(value.as_bytes())) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// The same of bytes, whatever they are.
pub(crate) fn decode_bytes(mut rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        let (byte, taken) = escaped.map_or((*first, 1), |(high, low)| ((high << 4) | low, 3));
        bytes.push(byte);
        rest = &rest[taken..];
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
