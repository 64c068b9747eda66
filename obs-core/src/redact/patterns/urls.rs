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
            b'=' => pairs::equals(&scan, at),
            _ => None,
        };
        if let Some(found) = found {
            scan.replace(found);
        }
    }
    scan.finish().map_or(Cow::Borrowed(text), Cow::Owned)
}
