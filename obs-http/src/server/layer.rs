//! The layer: settings by value.

use super::outside::Outside;
use super::service::HttpServer;
use super::settings::{Flag, RouteRule, Settings, TrustRule};
use crate::classify::ServerClassify;
use crate::descriptor::HTTP_SERVER;
use crate::exchange::settings::{Common, common_setters};
use crate::forwarded::Forwarded;
use crate::head::RequestHead;
use crate::methods::Methods;
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use obs_core::{Kind, Telemetry, Trust};
use std::sync::{Arc, OnceLock};
use tower_layer::Layer;

/// Wraps a service that answers HTTP requests.
///
/// Make one per service at start-up and clone it: the settings of a layer are leaked once, at its first use, so that a
/// service cloned per request counts no references.
#[derive(Clone, Debug)]
pub struct HttpServerLayer<C = ServerClassify> {
    kind: &'static Kind,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Settings>>,
    classify: C,
}

impl HttpServerLayer {
    /// A layer that reports to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        let kind = telemetry.kind(&HTTP_SERVER);
        Self {
            kind,
            settings: Settings {
                common: Common {
                    current_in_body: true,
                    ..Common::new(kind, Methods::new(kind, telemetry.known_http_methods()))
                },
                trust: TrustRule::Always(Trust::Trusted),
                propagator: match telemetry.propagator() {
                    Propagator::W3c => None,
                    other => Some(other),
                },
                baggage: None,
                looks_ahead: Flag::default(),
                outside: Outside::watched(true),
                forwarded: None,
                route: None,
                addresses: true,
            },
            leaked: Arc::default(),
            classify: ServerClassify,
        }
    }
}

impl<C> HttpServerLayer<C> {
    /// What counts as an error, and under which name.
    pub fn with_classify<D>(self, classify: D) -> HttpServerLayer<D> {
        HttpServerLayer {
            kind: self.kind,
            settings: self.settings,
            leaked: Arc::default(),
            classify,
        }
    }

    /// How far callers are believed: [`Trust::LinkOnly`] on public listeners. By default they are [`Trust::Trusted`]: a
    /// `traceparent` and its `tracestate` are taken over, and baggage as far as [`with_baggage`](Self::with_baggage) says.
    pub fn with_trust(self, trust: Trust) -> Self {
        self.set(|settings| settings.trust = TrustRule::Always(trust))
    }

    /// The same, decided per request.
    pub fn with_trust_by(
        self,
        rule: impl Fn(RequestHead<'_>) -> Trust + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| settings.trust = TrustRule::By(Arc::new(rule)))
    }

    /// Which entries of a trusted caller's `baggage` are taken over: as attributes, as session and user
    /// (`session.id`, `user.id`), and onto outgoing calls. By default none are, and from a stranger none ever. Those whose names
    /// speak of secrets go on and are no attributes, nor are any that only [`Allow::all`] allows.
    pub fn with_baggage(self, allow: Allow) -> Self {
        self.set(|settings| settings.baggage = Some(allow))
    }

    /// What proxies in front of the listener say of the original request is believed: `client.address` and `client.port`,
    /// `url.scheme`, `server.address` and `server.port` are the client's, by the conventions. By default nothing of it is
    /// read, for anybody can send these headers. It says nothing of traces: [`with_trust`](Self::with_trust) does, and
    /// behind a proxy that lets `traceparent` pass, callers are as foreign as without.
    pub fn with_forwarded(self, rule: Forwarded) -> Self {
        self.set(|settings| settings.forwarded = Some(rule))
    }

    /// Where the route's template comes from, for routers other than axum's. It must be a template from a small set,
    /// never the path.
    pub fn with_route(
        self,
        route: impl for<'a> Fn(RequestHead<'a>) -> Option<&'a str> + Send + Sync + 'static,
    ) -> Self {
        let rule: Arc<RouteRule> = Arc::new(route);
        self.set(|settings| settings.route = Some(rule))
    }

    /// Routes known at start-up: they keep their place whatever a flood of others does.
    pub fn with_known_routes<'r>(self, routes: impl IntoIterator<Item = &'r str>) -> Self {
        for route in routes {
            self.kind.reserve(crate::descriptor::ROUTE, route);
        }
        self
    }

    /// Whether addresses of peers and clients are recorded. Default: yes.
    pub fn with_addresses(self, addresses: bool) -> Self {
        self.set(|settings| settings.addresses = addresses)
    }

    /// Whether the operation is current while its response's body is polled, so that what a streaming handler starts
    /// or logs belongs to it. Default: yes.
    pub fn with_current_in_body(self, current: bool) -> Self {
        self.set(|settings| settings.current_in_body = current)
    }

    /// Whether it is said, once, that a span of another library is current where requests come in
    /// ([`Telemetry::warnings`](obs_core::Telemetry::warnings)): mostly of a layer that observes the same requests, so that each is recorded twice. A span
    /// that is meant to be there (around the whole server, by hand) is silenced by `false`. What is seen and what not:
    /// [the front page](crate#beside-other-layers). Default: yes.
    pub fn with_duplicate_warning(self, warning: bool) -> Self {
        self.set(|settings| settings.outside = Outside::watched(warning))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

common_setters!(HttpServerLayer);

impl<S, C: Clone> Layer<S> for HttpServerLayer<C> {
    type Service = HttpServer<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let settings = self
            .leaked
            .get_or_init(|| Box::leak(Box::new(self.settings.clone().looking_ahead())));
        HttpServer {
            inner,
            kind: self.kind,
            settings,
            classify: self.classify.clone(),
        }
    }
}
