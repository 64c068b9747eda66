//! The layer: settings by value.

use super::methods::of_descriptor_set;
use super::service::RpcServer;
use super::settings::{Settings, TrustRule};
use crate::CallHead;
use crate::call::settings::{Common, Role, common_setters};
use crate::descriptor::{METHOD, StatusKey};
use crate::kinds::{Told, none_yet};
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use obs_core::{Kind, Telemetry, Trust};
use std::sync::{Arc, OnceLock};
use tower_layer::Layer;

/// Wraps the services of a gRPC server: for `Server::builder().layer(…)` of tonic.
///
/// Make one per server at start-up: the settings of a layer are leaked once, at its first use, so that a service cloned per
/// call counts no references.
#[derive(Clone, Debug)]
pub struct RpcServerLayer {
    pub(crate) telemetry: Telemetry,
    told: Told,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Settings>>,
}

impl RpcServerLayer {
    /// A layer that reports to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        let kind = none_yet(Role::Server);
        Self {
            telemetry: *telemetry,
            told: Told::default(),
            settings: Settings {
                common: Common::new(kind, Role::Server, telemetry.propagator()),
                trust: TrustRule::Always(Trust::Trusted),
                propagator: match telemetry.propagator() {
                    Propagator::W3c => None,
                    other => Some(other),
                },
                baggage: None,
                addresses: true,
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
    /// `package.Service/*`, of a service) and thresholds: one for all server layers of a telemetry.
    pub fn kind(&self) -> &'static Kind {
        self.told.kind(&self.telemetry, Role::Server)
    }

    /// How far callers are believed: [`Trust::LinkOnly`] on public listeners. By default they are [`Trust::Trusted`]: a
    /// `traceparent` and its `tracestate` are taken over, and baggage as far as [`with_baggage`](Self::with_baggage) says.
    pub fn with_trust(self, trust: Trust) -> Self {
        self.set(|settings| settings.trust = TrustRule::Always(trust))
    }

    /// The same, decided per call.
    pub fn with_trust_by(
        self,
        rule: impl Fn(CallHead<'_>) -> Trust + Send + Sync + 'static,
    ) -> Self {
        self.set(|settings| settings.trust = TrustRule::By(Arc::new(rule)))
    }

    /// Which entries of a trusted caller's `baggage` are taken over: as attributes, as session and user
    /// (`session.id`, `user.id`), and onto outgoing calls. By default none are, and from a stranger none ever.
    pub fn with_baggage(self, allow: Allow) -> Self {
        self.set(|settings| settings.baggage = Some(allow))
    }

    /// Whether addresses of peers are recorded. Default: yes.
    pub fn with_addresses(self, addresses: bool) -> Self {
        self.set(|settings| settings.addresses = addresses)
    }

    /// The methods that there are, as `package.Service/Method`; all others are `_OTHER`. Without this and
    /// [`with_descriptor_set`](Self::with_descriptor_set) a method has a name from its first answer on that does not say
    /// UNIMPLEMENTED, UNAUTHENTICATED or PERMISSION_DENIED, nor is none of gRPC's, up to 1,024 of them and those of up to
    /// 512 bytes. What was asked for is `rpc.method_original` then, its first 512 bytes.
    pub fn with_methods<'m>(mut self, methods: impl IntoIterator<Item = &'m str>) -> Self {
        let methods = methods.into_iter().map(|method| (METHOD, method.into()));
        self.told.known.extend(methods);
        self.set(|settings| settings.common.learns = false)
    }

    /// The same, read off an encoded `FileDescriptorSet`: what `tonic-reflection` is given. Of a set that cannot be read to
    /// its end the methods are taken that can be; one without any changes nothing.
    pub fn with_descriptor_set(self, set: &[u8]) -> Self {
        let methods = of_descriptor_set(set);
        if methods.is_empty() {
            return self;
        }
        self.with_methods(methods.iter().map(String::as_str))
    }

    /// The settings, for as long as the program runs.
    pub(crate) fn leak(&self) -> &'static Settings {
        self.leaked.get_or_init(|| {
            let mut settings = self.settings.clone();
            settings.common.kind = self.kind();
            Box::leak(Box::new(settings))
        })
    }

    pub(crate) fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

common_setters!(RpcServerLayer);

impl<S> Layer<S> for RpcServerLayer {
    type Service = RpcServer<S>;

    fn layer(&self, inner: S) -> RpcServer<S> {
        let settings = self.leak();
        RpcServer { inner, settings }
    }
}
