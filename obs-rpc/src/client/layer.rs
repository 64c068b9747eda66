//! The layer: settings by value.

use super::service::{RpcClient, labels_to};
use super::settings::Settings;
use crate::call::settings::{Common, Role, common_setters};
use crate::descriptor::{ADDRESS, METHOD, OF_GRPC, StatusKey};
use crate::head::without_brackets;
use crate::kinds::{Told, none_yet};
use http::Uri;
use obs_core::propagation::hosts::is_inside;
use obs_core::{Kind, Telemetry};
use std::sync::{Arc, OnceLock};
use tower_layer::Layer;

/// Wraps a service that sends gRPC requests: tonic's `Channel`, or layers around it.
///
/// Make one per channel at start-up and clone it: the settings of a layer are leaked once, at its first use, so that a
/// service cloned per call counts no references.
#[derive(Clone, Debug)]
pub struct RpcClientLayer {
    pub(crate) telemetry: Telemetry,
    told: Told,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Settings>>,
}

impl RpcClientLayer {
    /// A layer that reports each call to `telemetry`; inside of layers that retry or hedge, each attempt.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, Role::Client)
    }

    /// A layer that stands outside of layers that retry or hedge: what it makes is the parent of all attempts, which count
    /// themselves (`obs.rpc.attempt`, from the second on; `obs.rpc.call.attempts` on the call). It writes no trace context;
    /// the attempts do. [`ReplayLayer`](super::ReplayLayer) shows how the layers stand.
    ///
    /// The call ends as the application saw it. A layer that retries decides at the head of a response: a status that comes
    /// after messages is the call's, however many attempts were left. What a hedge drops when another attempt has decided is
    /// `CANCELLED` and no error, with `obs.rpc.cancel.origin` `superseded`.
    ///
    /// Attempts are found where the call is current: in the task that polls it. A `tower::buffer` between the two has a task
    /// of its own, and what is behind it are calls of their own, without a number.
    pub fn calls(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, Role::Logical)
    }

    fn of(telemetry: &Telemetry, role: Role) -> Self {
        Self {
            telemetry: *telemetry,
            told: Told::default(),
            settings: Settings {
                common: Common::new(none_yet(role), role, telemetry.propagator()),
                injects: (role != Role::Client).then_some(false),
                server: None,
                labels: OF_GRPC,
                is_foreign: false,
            },
            leaked: Arc::default(),
        }
    }

    /// What the status is called: the same for all layers of a telemetry. One that comes with another key than those that
    /// wrapped services before it takes theirs, which is said in [`Telemetry::warnings`].
    pub fn with_status_key(mut self, key: StatusKey) -> Self {
        self.told.key = key;
        self.set(|_| {})
    }

    /// The kind of what it makes, for levels ([`Kind::set_level`], [`Kind::set_method_level`] of a method or, as
    /// `package.Service/*`, of a service) and thresholds: one for all layers of a side in a telemetry.
    pub fn kind(&self) -> &'static Kind {
        self.told.kind(&self.telemetry, self.settings.common.role)
    }

    /// Whom the channel asks (`server.address`, `server.port`): what its endpoint was made from. Requests of tonic's
    /// generated clients do not say it.
    pub fn with_server(mut self, uri: &Uri) -> Self {
        let Some(host) = uri.host() else { return self };
        let host = without_brackets(host);
        let port = uri.port_u16().or(match uri.scheme_str() {
            Some("http") => Some(80),
            Some("https") => Some(443),
            _ => None,
        });
        self.told.known.push((ADDRESS, host.into()));
        let server = (host.into(), port);
        self.set(|settings| settings.server = Some(server))
    }

    /// Methods known at start-up, as `package.Service/Method`: they keep their place whatever a flood of others does.
    pub fn with_known_methods<'m>(mut self, methods: impl IntoIterator<Item = &'m str>) -> Self {
        let methods = methods.into_iter().map(|method| (METHOD, method.into()));
        self.told.known.extend(methods);
        self.set(|_| {})
    }

    /// Whether the trace context and the baggage are written into the request's metadata. By default they are, but not to a
    /// host that is known and may be foreign: [`with_server`](Self::with_server) or the request says it, and it is neither
    /// a private address nor a name of one network or machine (`orders`, `orders.shop.svc`, `localhost`). A service under a
    /// public name that is to continue traces takes `true`; a channel to strangers of whom nothing is said, `false`. Nothing is
    /// written by [`calls`](Self::calls), whatever is said here; its attempts do.
    pub fn with_injection(self, injects: bool) -> Self {
        self.set(|settings| {
            if settings.common.role == Role::Client {
                settings.injects = Some(injects);
            }
        })
    }

    /// The settings, for as long as the program runs.
    pub(crate) fn leak(&self) -> &'static Settings {
        self.leaked.get_or_init(|| {
            let mut settings = self.settings.clone();
            settings.common.kind = self.kind();
            if let Some((host, port)) = &settings.server {
                settings.labels = labels_to(settings.common.kind, host, *port);
                settings.is_foreign = !is_inside(host);
            }
            Box::leak(Box::new(settings))
        })
    }

    pub(crate) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

common_setters!(RpcClientLayer);

impl<S> Layer<S> for RpcClientLayer {
    type Service = RpcClient<S>;

    fn layer(&self, inner: S) -> RpcClient<S> {
        let settings = self.leak();
        RpcClient { inner, settings }
    }
}
