//! The layer: settings by value.

use super::service::{RpcClient, SYSTEM_ONLY, labels_to};
use super::settings::Settings;
use crate::call::settings::{Common, Role, common_setters};
use crate::descriptor::{
    ADDRESS, METHOD, RPC_CALL, RPC_CALL_NEXT, RPC_CLIENT, RPC_CLIENT_NEXT, StatusKey,
};
use http::Uri;
use obs_core::Telemetry;
use std::sync::{Arc, OnceLock};
use tower_layer::Layer;

/// Wraps a service that sends gRPC requests: tonic's `Channel`, or layers around it.
///
/// Make one per channel at start-up and clone it: the settings of a layer are leaked once, at its first use, so that a
/// service cloned per call counts no references.
#[derive(Clone, Debug)]
pub struct RpcClientLayer {
    telemetry: Telemetry,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Settings>>,
}

impl RpcClientLayer {
    /// A layer that reports each call to `telemetry`; inside of layers that retry or hedge, each attempt.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, Role::Client, StatusKey::default())
    }

    /// A layer that stands outside of layers that retry or hedge: what it makes is the parent of all attempts, which count
    /// themselves (`obs.rpc.attempt`). It writes no trace context; the attempts do.
    pub fn calls(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, Role::Logical, StatusKey::default())
    }

    fn of(telemetry: &Telemetry, role: Role, key: StatusKey) -> Self {
        let kind = telemetry.kind(match (role, key) {
            (Role::Logical, StatusKey::ResponseStatusCode) => &RPC_CALL,
            (Role::Logical, StatusKey::StatusCode) => &RPC_CALL_NEXT,
            (_, StatusKey::ResponseStatusCode) => &RPC_CLIENT,
            (_, StatusKey::StatusCode) => &RPC_CLIENT_NEXT,
        });
        Self {
            telemetry: *telemetry,
            settings: Settings {
                common: Common::new(kind, role, telemetry.propagator()),
                injects: role == Role::Client,
                server: None,
                labels: SYSTEM_ONLY,
            },
            leaked: Arc::default(),
        }
    }

    /// What the status is called. Set it first: levels and known names are those of the other kind otherwise.
    pub fn with_status_key(mut self, key: StatusKey) -> Self {
        let other = Self::of(&self.telemetry, self.settings.common.role, key);
        self.settings.common.kind = other.settings.common.kind;
        self.leaked = Arc::default();
        self
    }

    /// Whom the channel asks (`server.address`, `server.port`): what its endpoint was made from. Requests of tonic's
    /// generated clients do not say it.
    pub fn with_server(self, uri: &Uri) -> Self {
        let Some(host) = uri.host() else { return self };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().or(match uri.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        self.settings.common.kind.reserve(ADDRESS, host);
        let server = (host.into(), port);
        self.set(|settings| settings.server = Some(server))
    }

    /// Methods known at start-up, as `package.Service/Method`: they keep their place whatever a flood of others does.
    pub fn with_known_methods<'m>(self, methods: impl IntoIterator<Item = &'m str>) -> Self {
        for method in methods {
            self.settings.common.kind.reserve(METHOD, method);
        }
        self
    }

    /// Whether the trace context and the baggage are written into the request's metadata. Default: yes, but for
    /// [`calls`](Self::calls). Say no for a channel that leads to strangers.
    pub fn with_injection(self, injects: bool) -> Self {
        self.set(|settings| settings.injects = injects)
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

common_setters!(RpcClientLayer);

impl<S> Layer<S> for RpcClientLayer {
    type Service = RpcClient<S>;

    fn layer(&self, inner: S) -> RpcClient<S> {
        let settings = self.leaked.get_or_init(|| {
            let mut settings = self.settings.clone();
            if let Some((host, port)) = &settings.server {
                settings.labels = labels_to(settings.common.kind, host, *port);
            }
            Box::leak(Box::new(settings))
        });
        RpcClient { inner, settings }
    }
}
