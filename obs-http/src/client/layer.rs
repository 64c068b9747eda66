//! The layer: settings by value.

use super::classify::ClientClassify;
use super::injection::Injection;
use super::service::HttpClient;
use super::settings::{Settings, TemplateRule};
use crate::descriptor::client::{ADDRESS, HTTP_CALL, HTTP_CLIENT};
use crate::exchange::settings::{Common, common_setters};
use crate::head::RequestHead;
use crate::methods::Methods;
use obs_core::{Descriptor, Kind, Telemetry};
use std::sync::{Arc, OnceLock};
use tower_layer::Layer;

/// Wraps a service that sends HTTP requests.
///
/// Make one per client at start-up and clone it: the settings of a layer are leaked once, at its first use, so that a
/// service cloned per request counts no references.
#[derive(Clone, Debug)]
pub struct HttpClientLayer<C = ClientClassify> {
    kind: &'static Kind,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Settings>>,
    classify: C,
}

impl HttpClientLayer {
    /// A layer that reports each request to `telemetry`: it stands inside of retries and redirects, next to what
    /// sends.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, &HTTP_CLIENT, Injection::default())
    }

    /// A layer that stands outside of retries and redirects: what it makes is the parent of all attempts, which count
    /// themselves (`http.request.resend_count`). It writes no trace context; the attempts do.
    pub fn calls(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, &HTTP_CALL, Injection::nowhere())
    }

    fn of(telemetry: &Telemetry, descriptor: &'static Descriptor, injection: Injection) -> Self {
        let kind = telemetry.kind(descriptor);
        Self {
            kind,
            settings: Settings {
                common: Common::new(kind, Methods::new(kind, telemetry.known_http_methods())),
                propagator: telemetry.propagator(),
                injection,
                template: None,
                addresses: true,
                user_agent: false,
                scheme: false,
                connections: false,
            },
            leaked: Arc::default(),
            classify: ClientClassify,
        }
    }
}

impl<C> HttpClientLayer<C> {
    /// What counts as an error, and under which name: for errors of the service and for those of response bodies.
    pub fn with_classify<D>(self, classify: D) -> HttpClientLayer<D> {
        HttpClientLayer {
            kind: self.kind,
            settings: self.settings,
            leaked: Arc::default(),
            classify,
        }
    }

    /// To which hosts the trace context and the baggage are written. Default: [`Injection::inside`].
    pub fn with_injection(self, injection: Injection) -> Self {
        self.set(|settings| settings.injection = injection)
    }

    /// Where the template of the URL comes from (`url.template`); it must be one of a small set, never the path. A
    /// [`UrlTemplate`](super::UrlTemplate) in the request's extensions is found without.
    pub fn with_template(
        self,
        template: impl for<'a> Fn(RequestHead<'a>) -> Option<&'a str> + Send + Sync + 'static,
    ) -> Self {
        let rule: Arc<TemplateRule> = Arc::new(template);
        self.set(|settings| settings.template = Some(rule))
    }

    /// Hosts known at start-up: they keep their place in `server.address` whatever a flood of others does.
    pub fn with_known_hosts<'h>(self, hosts: impl IntoIterator<Item = &'h str>) -> Self {
        for host in hosts {
            self.kind.reserve(ADDRESS, host);
        }
        self
    }

    /// Whether the addresses of peers are recorded, where the response knows them. Default: yes.
    pub fn with_addresses(self, addresses: bool) -> Self {
        self.set(|settings| settings.addresses = addresses)
    }

    /// Whether `user_agent.original` is recorded. Default: no, it is the same for all requests of most services.
    pub fn with_user_agent(self, user_agent: bool) -> Self {
        self.set(|settings| settings.user_agent = user_agent)
    }

    /// Whether `url.scheme` is recorded, on the span and on metrics. Default: no, `url.full` has it.
    pub fn with_scheme(self, scheme: bool) -> Self {
        self.set(|settings| settings.scheme = scheme)
    }

    /// The connector below is a [`Connector`](super::Connector): an exchange that did not dial says that it reused a
    /// connection (`obs.http.connection.reused`). Without this only those that dialled say so.
    pub fn with_connections(self, connections: bool) -> Self {
        self.set(|settings| settings.connections = connections)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

common_setters!(HttpClientLayer);

impl<S, C: Clone> Layer<S> for HttpClientLayer<C> {
    type Service = HttpClient<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let settings = self
            .leaked
            .get_or_init(|| Box::leak(Box::new(self.settings.clone())));
        HttpClient {
            inner,
            kind: self.kind,
            settings,
            classify: self.classify.clone(),
        }
    }
}
