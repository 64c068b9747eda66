//! What proxies say of the request that they were sent: `Forwarded` ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239)),
//! or the `X-Forwarded-` headers from before it.
//!
//! Everybody can send these headers, and each proxy adds to what it was sent. So they are read from the end, by as many
//! steps as there are proxies of one's own, and what stands before is a stranger's and not looked at.

use http::HeaderMap;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Which headers the proxies in front of a listener write, how many proxies there are, and who they are.
///
/// ```
/// use obs_http::Forwarded;
///
/// // A load balancer in front of an ingress, in a network of their own; both add to `X-Forwarded-For`.
/// let rule = Forwarded::x_headers(2).with_senders(|sender| match sender {
///     std::net::IpAddr::V4(sender) => sender.is_private(),
///     std::net::IpAddr::V6(_) => false,
/// });
/// ```
#[derive(Clone)]
pub struct Forwarded {
    form: Form,
    proxies: usize,
    senders: Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Standard,
    XHeaders,
}

impl Forwarded {
    /// Behind as many proxies that write `Forwarded`. The `X-Forwarded-` headers are not looked at: whoever could set the
    /// ones would be believed for the others.
    #[must_use]
    pub const fn standard(proxies: usize) -> Self {
        Self {
            form: Form::Standard,
            proxies,
            senders: None,
        }
    }

    /// Behind as many proxies that write `X-Forwarded-For`, and `X-Forwarded-Proto`, `-Host` and `-Port` where they do.
    /// `Forwarded` is not looked at.
    #[must_use]
    pub const fn x_headers(proxies: usize) -> Self {
        Self {
            form: Form::XHeaders,
            proxies,
            senders: None,
        }
    }

    /// Believed from these peers only; where the peer is not known, from nobody. Without it every peer is: for listeners
    /// that nobody but the proxies can reach.
    #[must_use]
    pub fn with_senders(mut self, rule: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.senders = Some(Arc::new(rule));
        self
    }

    pub(crate) fn is_believed(&self, peer: Option<IpAddr>) -> bool {
        match &self.senders {
            None => true,
            Some(rule) => peer.is_some_and(|peer| rule(peer)),
        }
    }

    /// What the outermost of the proxies said. Where fewer have spoken than there are, the first that did; what is malformed
    /// says nothing.
    #[must_use]
    pub fn read<'a>(&self, headers: &'a HeaderMap) -> Original<'a> {
        if self.proxies == 0 {
            return Original::default();
        }
        match self.form {
            Form::Standard => self.read_standard(headers),
            Form::XHeaders => self.read_x_headers(headers),
        }
    }

    fn read_standard<'a>(&self, headers: &'a HeaderMap) -> Original<'a> {
        let element = pick(headers, "forwarded", self.proxies, split_last);
        element.and_then(original).unwrap_or_default()
    }

    fn read_x_headers<'a>(&self, headers: &'a HeaderMap) -> Original<'a> {
        let of = |name| pick(headers, name, self.proxies, split_last_plain);
        Original {
            client: of("x-forwarded-for").and_then(node).unwrap_or_default(),
            https: of("x-forwarded-proto").and_then(https),
            host: of("x-forwarded-host").and_then(host).map(Cow::Borrowed),
            port: of("x-forwarded-port").and_then(port),
        }
    }
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarded")
            .field("form", &self.form)
            .field("proxies", &self.proxies)
            .field("of_some_senders", &self.senders.is_some())
            .finish()
    }
}

/// The request as its client sent it, as far as the proxies say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Original<'a> {
    /// Who sent it.
    pub client: Client,
    /// Whether it was sent over `https`, or `http`.
    pub https: Option<bool>,
    /// The host it was sent to, with its port if one was given.
    pub host: Option<Cow<'a, str>>,
    /// The port it was sent to, where that is said apart from the host.
    pub port: Option<u16>,
}

/// Who sent a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Client {
    /// Nothing is said, or nothing that makes sense.
    #[default]
    Unsaid,
    /// A proxy knows and does not say, or does not know: `_hidden`, `unknown`.
    Hidden,
    /// An address, and the port if it is said.
    Known(IpAddr, Option<u16>),
}

/// What stands before the last separator, if there is one, and what behind it.
type Split<'a> = (Option<&'a [u8]>, &'a [u8]);

/// The element that the outermost proxy wrote: as many from the end as there are proxies, else the first there is.
fn pick<'a>(
    headers: &'a HeaderMap,
    name: &str,
    proxies: usize,
    split: fn(&[u8], u8) -> Option<Split<'_>>,
) -> Option<&'a [u8]> {
    let (mut picked, mut seen) = (None, 0);
    // Lines of one name are one list.
    let mut lines = headers.get_all(name).iter();
    while let Some(line) = lines.next_back() {
        let mut rest = Some(line.as_bytes());
        while let Some(list) = rest {
            let (before, element) = split(list, b',')?;
            rest = before;
            let element = element.trim_ascii();
            if element.is_empty() {
                continue;
            }
            picked = Some(element);
            seen += 1;
            if seen == proxies {
                return picked;
            }
        }
    }
    picked
}

/// At the last separator outside of quotes. `None` if quotes do not match.
fn split_last(list: &[u8], separator: u8) -> Option<Split<'_>> {
    let (mut at, mut quoted) = (list.len(), false);
    while at > 0 {
        at -= 1;
        match list[at] {
            b'"' if quoted => {
                let escapes = list[..at].iter().rev().take_while(|byte| **byte == b'\\');
                let escapes = escapes.count();
                quoted = escapes % 2 == 1;
                at -= escapes;
            }
            b'"' => quoted = true,
            byte if byte == separator && !quoted => {
                return Some((Some(&list[..at]), &list[at + 1..]));
            }
            _ => {}
        }
    }
    (!quoted).then_some((None, list))
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "stands where one that can fail does"
)]
fn split_last_plain(list: &[u8], separator: u8) -> Option<Split<'_>> {
    Some(match list.iter().rposition(|byte| *byte == separator) {
        Some(at) => (Some(&list[..at]), &list[at + 1..]),
        None => (None, list),
    })
}

/// An element of `Forwarded`: `for=…;proto=…;host=…`, in any order, each once. Anything else in it must look like a pair.
fn original(element: &[u8]) -> Option<Original<'_>> {
    let mut found = Original::default();
    let (mut has_for, mut has_proto, mut has_host) = (false, false, false);
    let mut rest = Some(element);
    while let Some(pairs) = rest {
        let (before, pair) = split_last(pairs, b';')?;
        rest = before;
        let pair = pair.trim_ascii();
        if pair.is_empty() {
            continue;
        }
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..equals], value(&pair[equals + 1..])?);
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("for") {
            if std::mem::replace(&mut has_for, true) {
                return None;
            }
            found.client = node(&value)?;
        } else if is("proto") {
            if std::mem::replace(&mut has_proto, true) {
                return None;
            }
            // Another scheme is none of ours, and no mistake.
            found.https = https(&value);
        } else if is("host") {
            if std::mem::replace(&mut has_host, true) {
                return None;
            }
            found.host = Some(match value {
                Cow::Borrowed(text) => Cow::Borrowed(host(text)?),
                Cow::Owned(text) => Cow::Owned(host(&text)?.to_owned()),
            });
        } else if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return None;
        }
    }
    Some(found)
}

/// A token, or what stands between quotes. Proxies write addresses with colons and brackets without quotes too.
fn value(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        return (!text.is_empty() && text.iter().all(is_plain)).then_some(Cow::Borrowed(text));
    };
    let quoted = quoted.strip_suffix(b"\"")?;
    if !quoted.iter().any(|byte| matches!(byte, b'\\' | b'"')) {
        return Some(Cow::Borrowed(quoted));
    }
    let (mut plain, mut bytes) = (Vec::with_capacity(quoted.len()), quoted.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.push(*bytes.next()?),
            b'"' => return None,
            _ => plain.push(*byte),
        }
    }
    Some(Cow::Owned(plain))
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `[::1]`, `[::1]:80`, `::1`, `unknown`, `_hidden`.
fn node(text: &[u8]) -> Option<Client> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = match rest.strip_prefix(':') {
            Some(port) => node_port(port)?,
            None if rest.is_empty() => None,
            None => return None,
        };
        return Some(Client::Known(address.into(), port));
    }
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Some(Client::Known(address.into(), None));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, node_port(port)?),
        None => (text, None),
    };
    if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
        return Some(Client::Hidden);
    }
    let address: Ipv4Addr = name.parse().ok()?;
    Some(Client::Known(address.into(), port))
}

/// A port may be hidden too.
fn node_port(text: &str) -> Option<Option<u16>> {
    if is_obfuscated(text) {
        return Some(None);
    }
    port(text.as_bytes()).map(Some)
}

fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|rest| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !rest.is_empty() && rest.bytes().all(is_part)
    })
}

fn port(text: &[u8]) -> Option<u16> {
    let is_number = (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(text).ok().filter(|_| is_number)?;
    number.parse().ok()
}

fn https(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case(b"http").then_some(false)
    }
}

/// A host with or without a port; nothing else of a target, no user.
fn host(text: &[u8]) -> Option<&str> {
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_~%:[]".contains(byte);
    let is_one = (1..=255).contains(&text.len()) && text.iter().all(is_host);
    std::str::from_utf8(text).ok().filter(|_| is_one)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
