//! To whom a request carries the trace it belongs to.

use crate::head::RequestHead;
use crate::target::split_host;
use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::propagation::hosts::{ends_with, is_inside, is_name};
use obs_core::propagation::{Propagator, traceparent};
use obs_core::{Active, Kind};
use std::net::IpAddr;
use std::sync::Arc;

/// To which hosts a client's requests carry the trace context and the baggage of their operation.
///
/// By default only [inside](Self::inside): trace ids, other vendors' entries, session and user are nobody else's
/// business. A service that calls others under public names lists them:
///
/// ```
/// # use obs_http::client::Injection;
/// let injection = Injection::inside().and_to(["api.example.com", "*.shop.example"]);
/// ```
///
/// A `traceparent` that stands in the request already is **replaced**, because the receiver's parent is this span. If it
/// was of another trace, the span gets a link to it, so that nothing is lost silently, and its `tracestate` goes with
/// it; [`keeping_existing`](Self::keeping_existing) leaves such requests as they are. A `baggage` header is the
/// application's word and always stays. Requests to hosts outside are not touched at all.
///
/// It decides by the host of the request that the layer is given. Where a client inside of the layer follows redirects by
/// itself, as reqwest does by default, the headers go along to hosts that nobody was asked about: switch that off
/// (`reqwest::redirect::Policy::none()`) and follow outside of the layer.
#[derive(Clone)]
pub struct Injection {
    to: To,
    hosts: Arc<[Box<str>]>,
    keeps: bool,
}

#[derive(Clone)]
enum To {
    Inside,
    Listed,
    Everywhere,
    By(Arc<dyn Fn(RequestHead<'_>) -> bool + Send + Sync>),
}

impl Default for Injection {
    fn default() -> Self {
        Self::inside()
    }
}

impl Injection {
    /// To hosts that cannot be foreign: loopback, private and link-local addresses, names without a dot (Kubernetes
    /// services, compose files), and names under `.local`, `.localhost`, `.internal`, `.svc` and `.home.arpa`.
    /// `service.namespace` of Kubernetes is not among them: it looks like a public name.
    #[must_use]
    pub fn inside() -> Self {
        Self::of(To::Inside)
    }

    /// To every host, whoever runs it.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::of(To::Everywhere)
    }

    /// To nobody.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::of(To::Listed)
    }

    /// To these hosts and no others: `api.example.com`, or `*.example.com` for all names below it, which is what
    /// `*example.com` and `.example.com` mean too; `*` alone is every host. Case, a dot at the end, a scheme, a port, a path
    /// and the brackets of an address make no difference: what counts is the host, on whatever port. Names are compared as
    /// they are sent (`xn--`), and a star that stands elsewhere matches nothing.
    #[must_use]
    pub fn only_to(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::nowhere().and_to(hosts)
    }

    /// By a rule of the service's own.
    #[must_use]
    pub fn by(rule: impl Fn(RequestHead<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self::of(To::By(Arc::new(rule)))
    }

    /// To these hosts too, written as for [`only_to`](Self::only_to).
    #[must_use]
    pub fn and_to(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let known = self.hosts.iter().cloned();
        let more = hosts.into_iter().filter_map(|host| entry(&host.into()));
        self.hosts = known.chain(more).collect();
        self
    }

    /// A request that carries a `traceparent` already goes as it is: whoever wrote it is believed.
    #[must_use]
    pub fn keeping_existing(mut self) -> Self {
        self.keeps = true;
        self
    }

    fn of(to: To) -> Self {
        Self {
            to,
            hosts: Arc::default(),
            keeps: false,
        }
    }

    #[inline]
    pub(crate) fn permits(&self, kind: &Kind, head: RequestHead<'_>, host: &str) -> bool {
        let permitted = match &self.to {
            To::Everywhere => true,
            To::Inside => is_inside(host),
            To::Listed => false,
            To::By(rule) => kind.contain(false, || rule(head)),
        };
        permitted || (!self.hosts.is_empty() && self.lists(host))
    }

    fn lists(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        // As text, and where it is none that was listed so, as an address.
        let is = |listed: &str| {
            host.eq_ignore_ascii_case(listed)
                || host.contains(':')
                    && host
                        .parse::<IpAddr>()
                        .is_ok_and(|it| listed.parse() == Ok(it))
        };
        self.hosts
            .iter()
            .any(|listed| match listed.strip_prefix('*') {
                Some("") => !host.is_empty(),
                Some(below) => {
                    host.len() > below.len() && ends_with(host, below) && is_name(host.as_bytes())
                }
                None => is(listed),
            })
    }

    /// Writes what the receiver continues.
    #[inline]
    pub(crate) fn write(
        &self,
        active: &mut Active<'_>,
        propagator: &Propagator,
        headers: &mut HeaderMap,
    ) {
        if self.keeps && headers.contains_key(TRACEPARENT) {
            return;
        }
        let (mut replaced, mut has_tracestate) = (None, false);
        propagator.inject_operation(active, |name, value| {
            let Ok(value) = HeaderValue::from_str(value) else {
                return;
            };
            match name {
                "traceparent" => replaced = headers.insert(TRACEPARENT, value),
                "tracestate" => {
                    has_tracestate = true;
                    headers.insert(TRACESTATE, value);
                }
                "baggage" => {
                    headers.entry(BAGGAGE).or_insert(value);
                }
                // Another propagator's.
                name => {
                    if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                        headers.insert(name, value);
                    }
                }
            }
        });
        if let Some(replaced) = replaced {
            if !has_tracestate {
                headers.remove(TRACESTATE);
            }
            link(active, &replaced);
        }
    }
}

/// What was replaced is not lost: within one trace the ancestors have it, and else a link does.
#[cold]
fn link(active: &mut Active<'_>, replaced: &HeaderValue) {
    if let Ok(replaced) = traceparent::parse(replaced.as_bytes())
        && replaced.trace_id != active.trace_parent().trace_id
    {
        active.add_link(replaced.to_span_context(Default::default()), Vec::new());
    }
}

impl std::fmt::Debug for Injection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = match self.to {
            To::Inside => "inside",
            To::Listed => "listed",
            To::Everywhere => "everywhere",
            To::By(_) => "by a rule",
        };
        f.debug_struct("Injection")
            .field("to", &to)
            .field("hosts", &self.hosts)
            .field("keeps", &self.keeps)
            .finish()
    }
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// A host as requests have it, or a star and what follows it from a dot on. `None` where there is none.
fn entry(written: &str) -> Option<Box<str>> {
    let host = written.trim().to_ascii_lowercase();
    let host = host.split_once("://").map_or(&*host, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next()?;
    let (host, is_below) = match host.strip_prefix(['*', '.']) {
        Some(below) => (below.strip_prefix('.').unwrap_or(below), true),
        None => (host, false),
    };
    let host = std::str::from_utf8(split_host(host.as_bytes()).0).ok()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    match (is_below, host) {
        (true, "") if written.contains('*') => Some("*".into()),
        (_, "") => None,
        (true, host) => Some(format!("*.{host}").into()),
        (false, host) => Some(host.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn inside(host: &str, expect: bool) {
        assert_eq!(is_inside(host), expect, "{host}");
    }

    #[test]
    fn what_cannot_be_foreign_is_inside() {
        for host in [
            "localhost",
            "knowledge",
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.5.5",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "a.b.svc",
            "a.b.svc.cluster.local",
            "A.B.SVC.CLUSTER.LOCAL.",
            "ip-10-0-0-1.ec2.internal",
            "app.localhost",
            "printer.home.arpa",
            "3d-printer.local",
            "localhost.",
            "my_service",
        ] {
            inside(host, true);
        }
    }

    #[test]
    fn what_may_be_foreign_is_not() {
        for host in [
            "",
            "example.com",
            "service.namespace",
            "8.8.8.8",
            "172.32.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "134744072",
            "0x8080808",
            "10.0.0.1.example.com",
            "notlocal.example",
            "mylocal.dev",
            "internal.example.com",
            "1.0.0.10.in-addr.arpa",
            "home.arpa.example",
            "example.com:80",
        ] {
            inside(host, false);
        }
    }

    #[test]
    fn a_top_level_domain_is_not_inside() {
        for host in ["ai.", "com.", "."] {
            inside(host, false);
        }
    }

    #[test]
    fn a_host_made_by_hand_is_not_inside_by_how_it_ends() {
        for host in [
            "evil.com/.local",
            "evil.com#.local",
            "evil.com?a.local",
            "evil.com\\.local",
            "evil.com;.svc",
            "evil com",
            "evil.com, .localhost",
            "evil\u{3002}com",
            "evil%2ecom",
        ] {
            inside(host, false);
            listed("*.local", host, false);
            listed("*.svc", host, false);
        }
    }

    #[track_caller]
    fn listed(pattern: &str, host: &str, expect: bool) {
        assert_eq!(
            Injection::only_to([pattern]).lists(host),
            expect,
            "{pattern} {host}"
        );
    }

    #[test]
    fn a_star_is_for_names_below_and_a_name_for_itself() {
        listed("api.example.com", "api.example.com", true);
        listed("api.example.com", "API.Example.com.", true);
        listed("API.example.com", "api.example.com", true);
        listed("api.example.com", "v2.api.example.com", false);
        listed("*.example.com", "api.example.com", true);
        listed("*.example.com", "example.com", false);
        listed("*.example.com", ".example.com", false);
        listed("*.example.com", "evilexample.com", false);
    }

    #[test]
    fn an_entry_is_a_host_however_it_is_written() {
        for written in [
            "api.example.com.",
            " API.example.com ",
            "api.example.com:8443",
            "https://api.example.com:8443/v1?a#b",
            "user@api.example.com",
        ] {
            listed(written, "api.example.com", true);
            listed(written, "example.com", false);
        }
        for written in ["[2001:db8::1]", "[2001:DB8:0::1]:443", "2001:db8::1"] {
            listed(written, "2001:db8::1", true);
            listed(written, "2001:db8:0:0::1", true);
            listed(written, "2001:db8::2", false);
        }
        listed("10.0.0.1:80", "10.0.0.1", true);
    }

    #[test]
    fn a_star_without_a_dot_does_not_permit_names_that_only_end_alike() {
        for written in ["*example.com", ".example.com", "*.example.com.:443"] {
            listed(written, "evilexample.com", false);
            listed(written, "example.com", false);
            listed(written, "api.example.com", true);
        }
        listed("*.com.", "evil.com.", true);
        listed("*com", "telecom", false);
    }

    #[test]
    fn a_star_alone_is_every_host_and_nothing_is_none() {
        for host in ["evil.com", "8.8.8.8", "::1"] {
            listed("*", host, true);
            for none in ["", " ", ".", "https://", "/"] {
                listed(none, host, false);
                listed(none, "", false);
            }
        }
        listed("*", "", false);
    }
}
