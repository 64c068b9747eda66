//! Where a host is: asked for on a thread of the client's, which may hang, but only where somebody has to be asked at all. In a
//! forked child a thread may never get going.

use std::net::{Ipv4Addr, Ipv6Addr};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration;
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

#[derive(Debug, Default)]
pub(super) struct Names {
    resolver: DefaultResolver,
}

impl Names {
    /// A client that asks here.
    pub(super) fn asked_by(config: Config) -> Agent {
        Agent::with_parts(config, DefaultConnector::default(), Self::default())
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        mut timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if uri.host().is_some_and(is_numeric) {
            // By this it knows that it needs no thread.
            timeout.after = Duration::NotHappening;
        }
        self.resolver.resolve(uri, config, timeout)
    }
}

/// Whether nobody has to be asked: what looks like it and is not, the resolver would ask for, and wait for as long as it takes.
fn is_numeric(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_an_address_as_it_stands_is_not_asked_for() {
        for host in ["127.0.0.1", "10.0.0.255", "[::1]", "[::ffff:10.0.0.1]"] {
            assert!(is_numeric(host), "{host}");
            let place: Result<std::net::SocketAddr, _> = format!("{host}:4318").parse();
            assert!(place.is_ok(), "{host}: nobody is asked");
        }
        for host in [
            "localhost",
            "[127.0.0.1]",
            "127.1",
            "0x7f000001",
            "[fe80::1%1]",
            "[]",
        ] {
            assert!(!is_numeric(host), "{host}");
        }
    }
}
