//! Where a host is: asked for on a thread of the client's, which may hang, but only where somebody has to be asked at all. In a
//! forked child a thread may never get going.

use std::net::IpAddr;

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

/// Whether nobody has to be asked.
fn is_numeric(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    v6.unwrap_or(host).parse::<IpAddr>().is_ok()
}
