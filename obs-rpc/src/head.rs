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
