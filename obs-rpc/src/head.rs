//! What a call's request says before its first message.

use http::{Extensions, HeaderMap, Request, Uri};

/// The head of a call, for functions that settings hold.
#[derive(Clone, Copy, Debug)]
pub struct CallHead<'a> {
    /// The fully qualified method: `package.Service/Method`.
    pub method: &'a str,
    /// Where to.
    pub uri: &'a Uri,
    /// The request's metadata.
    pub metadata: &'a HeaderMap,
    /// What layers outside left with the request.
    pub extensions: &'a Extensions,
}

impl<'a> CallHead<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        let path = request.uri().path();
        Self {
            method: path.strip_prefix('/').unwrap_or(path),
            uri: request.uri(),
            metadata: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The fully qualified service: `package.Service`.
    pub fn service(&self) -> &'a str {
        self.method
            .rsplit_once('/')
            .map_or("", |(service, _)| service)
    }
}

/// Host and port of whom a URI names, by hand: the URI takes itself apart anew each time it is asked, in some 300 instructions
/// for each of the two. The host is as it is recorded, without brackets.
#[inline(always)]
pub(crate) fn host_and_port(uri: &Uri) -> Option<(&str, Option<u16>)> {
    let authority = uri.authority()?.as_str();
    let (host, port) = match authority.as_bytes() {
        [.., b'0'..=b'9'] => split_port(authority),
        _ => (authority, None),
    };
    if is_plain(host.as_bytes()) {
        return Some((host, port));
    }
    Some((without_brackets(uri.host()?), uri.port_u16()))
}

/// What stands before `:` and up to five digits, and their number; all of it where it does not end so.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    let bytes = authority.as_bytes();
    let (mut at, mut port, mut scale) = (bytes.len(), 0_u32, 1_u32);
    while scale <= 100_000 && at > 0 {
        at -= 1;
        match bytes[at] {
            digit @ b'0'..=b'9' => port += u32::from(digit - b'0') * scale,
            b':' => match u16::try_from(port) {
                Ok(port) => return (&authority[..at], Some(port)),
                Err(_) => return (authority, None),
            },
            _ => return (authority, None),
        }
        scale *= 10;
    }
    (authority, None)
}

/// Whether nothing in it has to be taken apart (`:`, `@`, `[`): eight bytes a step, the last ones twice. May say no without.
#[inline(always)]
fn is_plain(host: &[u8]) -> bool {
    let Some(last) = host.last_chunk::<8>() else {
        return !host.iter().any(|byte| matches!(byte, b':' | b'@' | b'['));
    };
    let (steps, _) = host.as_chunks::<8>();
    let seen = steps
        .iter()
        .fold(marks(*last), |seen, step| seen | marks(*step));
    seen & (EACH << 7) == 0
}

/// One in each byte.
const EACH: u64 = u64::MAX / 255;

/// The top bit of a byte is set if one of eight bytes is `:`, `@` or `[`; may be set without (for what stands between the first
/// two, and letters above ASCII), is never missing.
#[inline(always)]
const fn marks(step: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(step);
    let from_colon = word.wrapping_add(EACH * (0x80 - b':' as u64));
    let past_at = word.wrapping_add(EACH * (0x7f - b'@' as u64));
    let bracket = word ^ (EACH * b'[' as u64);
    word | (from_colon ^ past_at) | bracket.wrapping_sub(EACH)
}

/// A host as it is recorded and compared: without the brackets that an IPv6 address has in a URI.
pub(crate) fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether it is a service of gRPC's own, which load balancers and tools call.
pub(crate) fn is_infrastructure(service: &str) -> bool {
    ["grpc.health.", "grpc.reflection.", "grpc.channelz."]
        .iter()
        .any(|package| service.starts_with(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_those_that_the_uri_finds_itself() {
        for authority in [
            "models.example.com:8080",
            "models.example.com",
            "models",
            "10.0.0.1",
            "10.0.0.1:443",
            "42",
            "42:1",
            "a:",
            "a:65535",
            "a:65536",
            "a:00080",
            "a:x1",
            "[::1]",
            "[::1]:443",
            "user@a:1",
            "user:secret@a",
            "user:1@a",
            "user:1@[::1]:2",
        ] {
            let uri: Uri = format!("http://{authority}/s/M").parse().expect("a URI");
            let by_itself = uri
                .host()
                .map(|host| (without_brackets(host), uri.port_u16()));
            assert_eq!(host_and_port(&uri), by_itself, "{authority}");
        }
        let uri = Uri::from_static("http://user@[::1]:443/s/M");
        assert_eq!(host_and_port(&uri), Some(("::1", Some(443))));
        assert_eq!(host_and_port(&Uri::from_static("/s/M")), None);
    }

    #[test]
    fn health_and_reflection_of_any_version_are_infrastructure() {
        for service in [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "grpc.channelz.v1.Channelz",
        ] {
            assert!(is_infrastructure(service), "{service}");
        }
        for service in ["", "grpc.healthy.v1.Food", "shop.Health", "grpc"] {
            assert!(!is_infrastructure(service), "{service}");
        }
    }
}
