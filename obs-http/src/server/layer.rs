//! The layer: settings by value.

use super::service::HttpServer;
use super::settings::{RouteRule, Settings, TrustRule};
use crate::classify::ServerClassify;
use crate::descriptor::HTTP_SERVER;
use crate::forwarded::Forwarded;
use crate::head::RequestHead;
use crate::methods::Methods;
use crate::secret::is_secret;
use http::HeaderName;
use obs_core::propagation::baggage::Allow;
use obs_core::semconv::http::{REQUEST_HEADER, RESPONSE_HEADER};
use obs_core::{Key, Kind, Telemetry, Trust};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
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
                kind,
                methods: Methods::new(kind, telemetry.known_http_methods()),
                trust: TrustRule::Always(Trust::Trusted),
                baggage: None,
                looks_ahead: false,
                filter: None,
                forwarded: None,
                route: None,
                https: false,
                query: true,
                addresses: true,
                request_headers: Vec::new(),
                response_headers: Vec::new(),
                deadline: None,
                current_in_body: true,
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
    /// (`session.id`, `user.id`), and onto outgoing calls. By default none are, and from a stranger none ever.
    pub fn with_baggage(self, allow: Allow) -> Self {
        self.set(|settings| settings.baggage = Some(allow))
    }

    /// Which requests are observed at all; the others pass as if the layer were not there.
    pub fn with_filter(
        self,
        filter: impl Fn(RequestHead<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| {
            settings.filter = Some(Arc::new(filter));
            settings.looks_ahead = true;
        })
    }

    /// What proxies in front of the listener say of the original request is believed: `client.address` and `client.port`,
    /// `url.scheme`, `server.address` and `server.port` are the client's, by the conventions. By default nothing of it is
    /// read, for anybody can send these headers. It says nothing of traces: [`with_trust`](Self::with_trust) does, and
    /// behind a proxy that lets `traceparent` pass, callers are as foreign as without.
    pub fn with_forwarded(self, rule: Forwarded) -> Self {
        self.set(|settings| {
            settings.forwarded = Some(rule);
            settings.looks_ahead = true;
        })
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

    /// The listener speaks TLS: `url.scheme` is `https` where the request does not say.
    pub fn with_https(self, https: bool) -> Self {
        self.set(|settings| settings.https = https)
    }

    /// Whether `url.query` is recorded, with secrets redacted. Default: yes.
    pub fn with_query(self, query: bool) -> Self {
        self.set(|settings| settings.query = query)
    }

    /// Whether addresses of peers and clients are recorded. Default: yes.
    pub fn with_addresses(self, addresses: bool) -> Self {
        self.set(|settings| settings.addresses = addresses)
    }

    /// Request headers to record, by their lower-case names. Those whose names speak of secrets (`auth`, `cookie`,
    /// `token`, `api-key`, `session`, `signature` and the like, wherever they stand in it) are left out whatever is asked.
    pub fn with_request_headers<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let headers = allowed(names, REQUEST_HEADER);
        self.set(|settings| settings.request_headers = headers)
    }

    /// The same for response headers.
    pub fn with_response_headers<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let headers = allowed(names, RESPONSE_HEADER);
        self.set(|settings| settings.response_headers = headers)
    }

    /// When a request that is dropped without an answer counts as timed out and not as cancelled: the timeout of a
    /// layer outside this one. Nothing is enforced here.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.set(|settings| settings.deadline = Some(deadline))
    }

    /// Whether the operation is current while its response's body is polled, so that what a streaming handler starts
    /// or logs belongs to it. Default: yes.
    pub fn with_current_in_body(self, current: bool) -> Self {
        self.set(|settings| settings.current_in_body = current)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

fn allowed<'n>(names: impl IntoIterator<Item = &'n str>, prefix: &str) -> Vec<(HeaderName, Key)> {
    let names = names
        .into_iter()
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    names
        .filter(|name| !is_secret(name.as_str().as_bytes()))
        .map(|name| (name.clone(), Key::leak(format!("{prefix}{name}"))))
        .collect()
}

impl<S, C: Clone> Layer<S> for HttpServerLayer<C> {
    type Service = HttpServer<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let settings = self
            .leaked
            .get_or_init(|| Box::leak(Box::new(self.settings.clone())));
        HttpServer {
            inner,
            kind: self.kind,
            settings,
            classify: self.classify.clone(),
        }
    }
}
