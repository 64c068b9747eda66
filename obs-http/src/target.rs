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
#[inline(always)]
pub(crate) fn split_host(host: &[u8]) -> (&[u8], Option<u16>) {
    let (name, port) = match host.last() {
        Some(b'0'..=b'9') => split_port(host),
        _ => (host, None),
    };
    if is_bare_name(name) {
        (name, port)
    } else {
        split_marked(host)
    }
}

/// What stands before `:` and up to five digits, and their number; all of it where it does not end so.
#[inline(never)]
fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let (mut at, mut port, mut scale) = (host.len(), 0_u32, 1_u32);
    while scale <= 100_000 && at > 0 {
        at -= 1;
        match host[at] {
            digit @ b'0'..=b'9' => port += u32::from(digit - b'0') * scale,
            b':' => match u16::try_from(port) {
                Ok(port) => return (&host[..at], Some(port)),
                Err(_) => return (host, None),
            },
            _ => return (host, None),
        }
        scale *= 10;
    }
    (host, None)
}

/// Whether nothing in it has to be taken apart: eight bytes a step, the last ones twice.
#[inline(always)]
fn is_bare_name(name: &[u8]) -> bool {
    let Some(last) = name.last_chunk::<8>() else {
        return !name.iter().any(|byte| matches!(byte, b':' | b'@' | b'['));
    };
    let mut seen = marks(*last);
    let (mut at, end) = (0, name.len() - 8);
    while at < end {
        if let Some(step) = name[at..].first_chunk::<8>() {
            seen |= marks(*step);
        }
        at += 8;
    }
    seen & (ONES << 7) == 0
}

const ONES: u64 = u64::MAX / 255;

/// The top bit of a byte is set if one of eight bytes is `:`, `@` or `[`. May be set without (for what stands between the
/// first two, and letters above ASCII), is never missing.
#[inline(always)]
const fn marks(step: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(step);
    let (from_colon, past_at) = (
        word.wrapping_add(ONES * (0x80 - b':' as u64)),
        word.wrapping_add(ONES * (0x7f - b'@' as u64)),
    );
    let bracket = word ^ (ONES * b'[' as u64);
    word | (from_colon ^ past_at) | bracket.wrapping_sub(ONES)
}

/// Whether it can stand before an `@`: what ends an authority cannot, and `evil.com/@localhost` is not `localhost`'s.
pub(crate) fn may_be_user(text: &[u8]) -> bool {
    let ends = |byte: &u8| matches!(byte, b'/' | b'?' | b'#' | b'\\') || byte.is_ascii_whitespace();
    !text.iter().any(ends)
}

/// By hand: hosts are shorter than a search's set-up.
#[inline(never)]
fn split_marked(host: &[u8]) -> (&[u8], Option<u16>) {
    let host = match host.iter().rposition(|byte| *byte == b'@') {
        Some(at) if may_be_user(&host[..at]) => &host[at + 1..],
        // From a `host` made by hand: whom it names depends on who reads it.
        Some(_) => return (b"", None),
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
        for odd in [
            "evil.com/@localhost",
            "evil.com?@localhost",
            "evil.com#@localhost:80",
            "evil.com\\@localhost",
            "a b@localhost",
        ] {
            host(odd, ("", None));
        }
        host("", ("", None));
    }
}
