//! `url.full`: the absolute URL, without credentials and without secrets in the query.

use crate::descriptor::SCHEMES;
use crate::redact::{may_have_parameters, redact_path, redact_query};
use crate::target::may_be_user;
use http::Uri;
use http::uri::PathAndQuery;
use obs_core::Active;
use obs_core::semconv::http::URL_FULL;
use std::borrow::Cow;

/// What stands where user and password stood, as the conventions say.
const CREDENTIALS: &str = "REDACTED:REDACTED@";

/// In the order of [`SCHEMES`].
const BEGINNINGS: [&str; 2] = ["http://", "https://"];

/// URLs up to this length are put together on the stack.
const ROOM: usize = 256;

/// `plain`: the host is known to begin with its name, so that no credentials stand before it.
#[inline(always)]
pub(crate) fn record(
    active: &mut Active<'_>,
    uri: &Uri,
    (host, plain): (&str, bool),
    scheme: u16,
    query: bool,
) {
    let begin = match uri.scheme_str() {
        None | Some("http" | "https") => BEGINNINGS[usize::from(scheme)],
        Some(_) => return record_slow(active, uri, host, scheme, query),
    };
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let secret = match uri.query() {
        Some(query) => matches!(redact_query(query), Cow::Owned(_)),
        None => false,
    };
    let left_out = !query && uri.query().is_some();
    let length = begin.len() + host.len() + target.len();
    let odd = target == "*" || may_have_parameters(target);
    if !plain || secret || left_out || odd || length > ROOM {
        return record_slow(active, uri, host, scheme, query);
    }
    let mut room = [0; ROOM];
    let (start, rest) = room.split_at_mut(begin.len());
    start.copy_from_slice(begin.as_bytes());
    rest[..host.len()].copy_from_slice(host.as_bytes());
    rest[host.len()..host.len() + target.len()].copy_from_slice(target.as_bytes());
    active.set(URL_FULL, &room[..length]);
}

/// Whatever has to be left out or replaced, and what is long.
#[cold]
#[inline(never)]
fn record_slow(active: &mut Active<'_>, uri: &Uri, host: &str, scheme: u16, query: bool) {
    let query = uri.query().filter(|_| query);
    let redacted = redact_query(query.unwrap_or_default());
    let (credentials, host) = match host.rfind('@') {
        Some(at) if may_be_user(&host.as_bytes()[..at]) => (CREDENTIALS, &host[at + 1..]),
        Some(_) => ("", ""),
        None => ("", host),
    };
    let path = redact_path(uri.path());
    // `OPTIONS *` asks for no path.
    let path = Some(&*path).filter(|path| *path != "*");
    let parts = [
        uri.scheme_str().unwrap_or(SCHEMES[usize::from(scheme)]),
        "://",
        credentials,
        host,
        path.unwrap_or_default(),
        if query.is_some() { "?" } else { "" },
        &redacted,
    ];
    active.set(URL_FULL, parts.concat().as_str());
}
