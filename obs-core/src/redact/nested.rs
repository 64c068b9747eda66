//! Addresses that stand in a query as values, and what percent-encoding hides.

use super::names::is_secret;
use std::borrow::Cow;

/// Where a secret begins in the query or fragment of an address that is a value, encoded (once or more) or not:
/// `next=/reset%3Ftoken%3D…`. What belongs to it ends with the value.
pub fn nested_at(value: &[u8]) -> Option<usize> {
    let (mut name, mut at) = (None, 0);
    while at < value.len() {
        let (byte, length) = decoded_at(value, at);
        match byte {
            b'?' | b'#' | b'&' | b';' => name = Some(at + length),
            b'=' => {
                let name = name.take().and_then(|from| value.get(from..at));
                if name.is_some_and(|name| is_secret(&decode(name))) && at + length < value.len() {
                    return Some(at + length);
                }
            }
            _ => {}
        }
        at += length;
    }
    None
}

/// The byte that stands there, encoded however often, and how long that is.
fn decoded_at(text: &[u8], at: usize) -> (u8, usize) {
    let rest = text.get(at..).unwrap_or_default();
    let again = match rest {
        [b'%', more @ ..] => {
            more.chunks_exact(2)
                .take_while(|pair| pair == b"25")
                .count()
                * 2
        }
        _ => return (rest.first().copied().unwrap_or_default(), 1),
    };
    let hex = |at: usize| rest.get(at).and_then(|digit| (*digit as char).to_digit(16));
    match (hex(again + 1), hex(again + 2)) {
        (Some(high), Some(low)) => ((high * 16 + low) as u8, again + 3),
        _ => (b'%', 1),
    }
}

/// Keys may be percent-encoded, by clients or to slip through: `%74oken` is `token`.
pub fn decode(key: &[u8]) -> Cow<'_, [u8]> {
    if !key.contains(&b'%') {
        return Cow::Borrowed(key);
    }
    let mut plain = Vec::with_capacity(key.len());
    let mut at = 0;
    while at < key.len() {
        let hex = |at: usize| key.get(at).and_then(|digit| (*digit as char).to_digit(16));
        match (key[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(plain)
}
