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
/// for each of the two.
pub(crate) fn host_and_port(uri: &Uri) -> Option<(&str, Option<u16>)> {
    let authority = uri.authority()?.as_str();
    let bytes = authority.as_bytes();
    // Looked for without a branch: users, addresses in brackets, ports.
    let marks = |marks: u32, byte: &u8| {
        marks + u32::from(*byte == b':') + 2 * u32::from(matches!(*byte, b'@' | b'['))
    };
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let port = authority.len() - digits.count();
    match bytes.iter().fold(0, marks) {
        0 => Some((authority, None)),
        1 if authority[..port].ends_with(':') => {
            Some((&authority[..port - 1], authority[port..].parse().ok()))
        }
        _ => Some((uri.host()?, uri.port_u16())),
    }
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
            let by_itself = uri.host().map(|host| (host, uri.port_u16()));
            assert_eq!(host_and_port(&uri), by_itself, "{authority}");
        }
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
