//! What a message is addressed to, and in which version of the protocol.

use crate::descriptor::SCHEMES;
use http::{Uri, Version};
use obs_core::LabelId;

#[inline(always)]
pub(crate) fn scheme(uri: &Uri, https: bool) -> u16 {
    match uri.scheme_str() {
        Some(scheme) => u16::from(scheme == SCHEMES[1]),
        None => u16::from(https),
    }
}

#[inline(always)]
pub(crate) fn version(version: Version) -> LabelId {
    match version {
        Version::HTTP_11 => LabelId::closed(1),
        Version::HTTP_2 => LabelId::closed(2),
        Version::HTTP_10 => LabelId::closed(0),
        Version::HTTP_3 => LabelId::closed(3),
        _ => LabelId::ABSENT,
    }
}

/// Name and port of `host:port`, `[v6]:port`, `user@host`.
#[inline]
pub(crate) fn split_host(host: &[u8]) -> (&[u8], Option<u16>) {
    if is_bare_name(host) {
        return (host, None);
    }
    match split_port(host) {
        Some((name, port)) if is_bare_name(name) => (name, Some(port)),
        _ => split_marked(host),
    }
}

/// What stands before `:` and up to five digits, and their number.
#[inline]
fn split_port(host: &[u8]) -> Option<(&[u8], u16)> {
    let (mut at, mut port, mut scale) = (host.len(), 0_u32, 1_u32);
    while scale <= 100_000 {
        at = at.checked_sub(1)?;
        match host[at] {
            digit @ b'0'..=b'9' => port += u32::from(digit - b'0') * scale,
            b':' if scale > 1 => return Some((&host[..at], u16::try_from(port).ok()?)),
            _ => return None,
        }
        scale *= 10;
    }
    None
}

/// Whether nothing in it has to be taken apart: eight bytes a step, because most hosts of a service are such names.
#[inline(always)]
fn is_bare_name(host: &[u8]) -> bool {
    let (words, rest) = host.as_chunks::<8>();
    let marked = words
        .iter()
        .fold(0, |seen, word| seen | marks(u64::from_le_bytes(*word)));
    let last = match host.last_chunk::<8>() {
        Some(word) => marks(u64::from_le_bytes(*word)),
        None => rest
            .iter()
            .fold(0, |seen, byte| seen | marks(u64::from(*byte))),
    };
    marked | last == 0
}

/// Not 0 if one of eight bytes is `:`, `@` or `[`. May see one that is not there (a letter above ASCII), never miss one.
#[inline(always)]
const fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const fn is(word: u64, byte: u8) -> u64 {
        let zero = word ^ (ONES * byte as u64);
        zero.wrapping_sub(ONES) & !zero
    }
    (is(word, b':') | is(word, b'@') | is(word, b'[')) & (ONES << 7)
}

/// By hand: hosts are shorter than a search's set-up.
#[inline(never)]
fn split_marked(host: &[u8]) -> (&[u8], Option<u16>) {
    let host = match host.iter().rposition(|byte| *byte == b'@') {
        Some(at) => &host[at + 1..],
        None => host,
    };
    let mut at = host.len();
    let (mut port, mut scale) = (0_u32, 1_u32);
    while at > 0 && host[at - 1].is_ascii_digit() && scale <= 10_000 {
        at -= 1;
        port += u32::from(host[at] - b'0') * scale;
        scale *= 10;
    }
    let (name, port) = match at.checked_sub(1).map(|colon| (colon, host[colon])) {
        Some((colon, b':')) if !host[..colon].contains(&b':') || host[..colon].ends_with(b"]") => (
            &host[..colon],
            u16::try_from(port).ok().filter(|_| scale > 1),
        ),
        _ => (host, None),
    };
    (
        name.strip_prefix(b"[")
            .and_then(|name| name.strip_suffix(b"]"))
            .unwrap_or(name),
        port,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn host(text: &str, (name, port): (&str, Option<u16>)) {
        assert_eq!(split_host(text.as_bytes()), (name.as_bytes(), port));
    }

    #[test]
    fn hosts_split_into_name_and_port() {
        host("example.com", ("example.com", None));
        host("example.com:8080", ("example.com", Some(8080)));
        host("[::1]:443", ("::1", Some(443)));
        host("[::1]", ("::1", None));
        host("user:secret@example.com:1", ("example.com", Some(1)));
        host("example.com:x", ("example.com:x", None));
        host("example.com:99999", ("example.com", None));
        host("example.com:123456", ("example.com:123456", None));
        host("example.com:", ("example.com", None));
        host("::1", ("::1", None));
        host(
            "a.long.name.example.com:8080",
            ("a.long.name.example.com", Some(8080)),
        );
        host("a.long.name.example.com", ("a.long.name.example.com", None));
        host(
            "me@a.long.name.example.com",
            ("a.long.name.example.com", None),
        );
        host("h\u{fc}tte.example.com", ("h\u{fc}tte.example.com", None));
        host("42", ("42", None));
        host("", ("", None));
    }
}
