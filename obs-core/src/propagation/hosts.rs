//! Which hosts cannot be foreign: to those a trace is told without asking. Held by the tests of `obs-http`'s injection.

use std::net::IpAddr;

/// Reserved, or of one machine or network only: RFC 6761, 6762, 8375, ICANN's `.internal`, and Kubernetes' own.
pub fn is_inside(host: &str) -> bool {
    let (host, is_absolute) = match host.strip_suffix('.') {
        Some(host) => (host, true),
        None => (host, false),
    };
    let bytes = host.as_bytes();
    // By hand: the last label is short, and there mostly is one.
    let mut at = bytes.len();
    while at > 0 && bytes[at - 1] != b'.' {
        at -= 1;
    }
    let last = &bytes[at..];
    let is = |name: &str| last.eq_ignore_ascii_case(name.as_bytes());
    match last {
        // `127.0.0.1`, `::ffff:127.0.0.1`; a name that is a number, for a resolver takes `134744072` for an address.
        [b'0'..=b'9', ..] => host.parse().is_ok_and(is_inner_address),
        // No dot: one word, or an address of six. With a dot at its end the word is a top-level domain: `ai.` is somebody's.
        _ if at == 0 && last.contains(&b':') => host.parse().is_ok_and(is_inner_address),
        _ if at == 0 => (!is_absolute || is("localhost")) && is_name(bytes),
        _ => {
            let is_reserved = match last.len() {
                3 => is("svc"),
                4 => is("arpa") && ends_with(host, ".home.arpa"),
                5 => is("local"),
                8 => is("internal"),
                9 => is("localhost"),
                _ => false,
            };
            is_reserved && is_name(bytes)
        }
    }
}

/// Whether it is of the characters of a name: `evil.com/.local`, from a `host` made by hand, is read elsewhere as another's.
pub fn is_name(host: &[u8]) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !host.is_empty() && host.iter().all(is_of_name)
}

fn is_inner_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Without regard to case; the host is longer, or the same.
pub fn ends_with(host: &str, suffix: &str) -> bool {
    let (host, suffix) = (host.as_bytes(), suffix.as_bytes());
    host.len() >= suffix.len() && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}
