//! `url.full`: the absolute URL, without credentials and without secrets in the query.

use crate::descriptor::SCHEMES;
use crate::redact::redact_query;
use http::Uri;
use obs_core::Active;
use obs_core::semconv::http::URL_FULL;

/// What stands where user and password stood, as the conventions say.
const CREDENTIALS: &str = "REDACTED:REDACTED@";

/// URLs up to this length are put together on the stack.
const ROOM: usize = 256;

#[inline(always)]
pub(crate) fn record(active: &mut Active<'_>, uri: &Uri, host: &str, scheme: u16, query: bool) {
    let scheme = match uri.scheme_str() {
        Some(scheme) => scheme,
        None => SCHEMES[usize::from(scheme)],
    };
    let query = uri.query().filter(|_| query);
    let redacted = redact_query(query.unwrap_or_default());
    let (credentials, host) = match host.rfind('@') {
        Some(at) => (CREDENTIALS, &host[at + 1..]),
        None => ("", host),
    };
    // `OPTIONS *` asks for no path.
    let path = Some(uri.path()).filter(|path| *path != "*");
    let mark = if query.is_some() { "?" } else { "" };
    let parts = [
        scheme,
        "://",
        credentials,
        host,
        path.unwrap_or_default(),
        mark,
        &redacted,
    ];
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    if length > ROOM {
        return record_long(active, &parts);
    }
    let mut room = [0; ROOM];
    let mut at = 0;
    for part in parts {
        room[at..at + part.len()].copy_from_slice(part.as_bytes());
        at += part.len();
    }
    active.set(URL_FULL, &room[..at]);
}

#[cold]
#[inline(never)]
fn record_long(active: &mut Active<'_>, parts: &[&str]) {
    active.set(URL_FULL, parts.concat().as_str());
}
