//! URLs in texts: their credentials, and the secrets in their queries.

use super::found::{Found, Scan};
use super::pairs;
use std::borrow::Cow;

const fn ends_authority(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#' | b'\\') || ends_url(byte)
}

pub(super) const fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'`')
}

/// What stands before the `@` of an authority, by the colon of `://`.
pub(super) fn credentials(scan: &mut Scan<'_>, at: usize) -> Option<Found> {
    let start = at + 3;
    if !scan.from(at).starts_with(b"://") || start < scan.no_authority_until {
        return None;
    }
    let authority = scan.run(start, |byte| !ends_authority(byte));
    let all = scan.from(start).get(..authority).unwrap_or_default();
    let mut found = all.iter().rposition(|byte| *byte == b'@');
    if found.is_none() && may_be_password(all) {
        // A password with a slash in it: no port is written so.
        let url = scan.run(start, |byte| !ends_url(byte));
        let url = scan.from(start).get(..url).unwrap_or_default();
        found = url.iter().rposition(|byte| *byte == b'@');
        scan.no_authority_until = start + url.len();
    }
    let end = found?;
    let before = scan.from(start).get(..end)?;
    // The same as `url.full` has.
    let by = match before.contains(&b':') {
        true => "REDACTED:REDACTED",
        false => "REDACTED",
    };
    (before != by.as_bytes() && !before.is_empty()).then(|| Found {
        range: start..start + end,
        by,
    })
}

/// `user:password@host` without a scheme, as clients name what they connect to.
pub(super) fn bare_credentials(scan: &Scan<'_>, at: usize) -> Option<Found> {
    const LONGEST: usize = 128;
    /// What stands before a colon and an address, and is no user.
    const SCHEMES: [&[u8]; 6] = [b"mailto", b"sip", b"sips", b"acct", b"xmpp", b"npm"];
    let is_of_credentials = |byte: u8| {
        !ends_authority(byte) && !matches!(byte, b'(' | b')' | b'\'' | b',' | b';' | b'[' | b'@')
    };
    let mut start = at;
    while at - start < LONGEST
        && let Some(before) = scan.before(start)
        && is_of_credentials(before)
    {
        start -= 1;
    }
    // Not from within a character.
    while start < at
        && scan
            .bytes()
            .get(start)
            .is_some_and(|byte| byte & 0xc0 == 0x80)
    {
        start += 1;
    }
    let text = scan.bytes().get(start..at)?;
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (user, password) = (text.get(..colon)?, text.get(colon + 1..)?);
    let by = "REDACTED:REDACTED";
    let is_one = !user.is_empty()
        && !password.is_empty()
        && text != by.as_bytes()
        && !SCHEMES.contains(&user)
        && is_host(scan.from(at + 1));
    is_one.then_some(Found {
        range: start..at,
        by,
    })
}

/// Whether a host begins there: an address, a name with a dot that does not end in a number, or one that is of this machine.
fn is_host(rest: &[u8]) -> bool {
    if [&b"localhost"[..], b"tcp(", b"unix(", b"["]
        .iter()
        .any(|begin| rest.starts_with(begin))
    {
        return true;
    }
    let is_of_name =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let length = rest.iter().take(253).take_while(is_of_name).count();
    let name = rest.get(..length).unwrap_or_default();
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut labels = name.rsplit(|byte| *byte == b'.');
    let last = labels.next().unwrap_or_default();
    let is_name =
        last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic) && labels.next().is_some();
    is_name
        || std::str::from_utf8(name).is_ok_and(|name| name.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Whether a colon is followed by what is no port.
fn may_be_password(authority: &[u8]) -> bool {
    let Some(colon) = authority.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let after = authority.get(colon + 1..).unwrap_or_default();
    !authority.starts_with(b"[") && !after.is_empty() && !after.iter().all(u8::is_ascii_digit)
}

/// A text that may hold URLs, without their credentials and without the values of secret names: a header that was asked for.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut scan = Scan::new(text);
    while let Some((at, byte)) = scan.next() {
        let found = match byte {
            b':' => credentials(&mut scan, at),
            b'=' => pairs::equals(&mut scan, at),
            _ => None,
        };
        if let Some(found) = found {
            scan.replace(found);
        }
    }
    scan.finish().map_or(Cow::Borrowed(text), Cow::Owned)
}
