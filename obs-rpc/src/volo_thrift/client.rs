//! The side that asks: a layer around a client's service, and a codec around its codec.

use super::codec::ClientCodec;
use super::outgoing::ClientCall;
use super::polled::Polled;
use super::settings::ClientSettings;
use crate::descriptor::{
    METHOD, RPC_CALL, RPC_CALL_NEXT, RPC_CLIENT, RPC_CLIENT_NEXT, without_status,
};
use crate::kitex::Identity;
use ::volo_thrift::ClientError;
use ::volo_thrift::context::ClientContext;
use obs_core::{Telemetry, current};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use volo::FastStr;
use volo::layer::Layer;
use volo::service::Service;

/// Observes a volo-thrift client: for `ClientBuilder::layer_inner`, with [`codec`](Self::codec) for
/// `ClientBuilder::make_codec`; and [`calls`](Self::calls) for `layer_outer_front`.
///
/// Make one per client at start-up: its settings are leaked once, at its first use.
#[derive(Clone, Debug)]
pub struct ThriftClientLayer {
    settings: ClientSettings,
    leaked: Arc<OnceLock<&'static ClientSettings>>,
}

impl ThriftClientLayer {
    /// A layer that reports each attempt of a call to `telemetry`: below Volo's load balancing, which retries, and which
    /// chooses the address.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, false)
    }

    /// A layer that stands outside of Volo's timeout and load balancing: what it makes is the parent of all attempts, which
    /// count themselves (`obs.rpc.attempt`). It writes no trace context; the attempts do.
    pub fn calls(telemetry: &Telemetry) -> Self {
        Self::of(telemetry, true)
    }

    fn of(telemetry: &Telemetry, logical: bool) -> Self {
        let descriptors = match logical {
            true => [&RPC_CALL, &RPC_CALL_NEXT],
            false => [&RPC_CLIENT, &RPC_CLIENT_NEXT],
        };
        Self {
            settings: ClientSettings {
                kind: without_status(telemetry, descriptors),
                propagator: telemetry.propagator(),
                identity: Identity::of(telemetry),
                injects: !logical,
                service: None,
                logical,
                wired: AtomicBool::new(false),
            },
            leaked: Arc::default(),
        }
    }

    /// What the service is called in `rpc.method`, `Service/Method`. Default: what the generated client calls it in the
    /// header `isn`, or else the name by which it is found.
    pub fn with_service(self, name: &'static str) -> Self {
        self.set(|settings| settings.service = Some(FastStr::from_static_str(name)))
    }

    /// Methods known at start-up, as `Service/Method`: they keep their place whatever a flood of others does.
    pub fn with_known_methods<'m>(self, methods: impl IntoIterator<Item = &'m str>) -> Self {
        for method in methods {
            self.settings.kind.reserve(METHOD, method);
        }
        self
    }

    /// Whether the trace context, the baggage and the name of this service travel with calls. Default: yes, but for
    /// [`calls`](Self::calls). Say no for a client that leads to strangers.
    pub fn with_injection(self, injects: bool) -> Self {
        self.set(|settings| settings.injects = injects)
    }

    /// Wraps the client's codec: what comes before the answer is told apart. It shows Volo's codec the connection through
    /// its own types, which hide shared memory (`shmipc`): not to be used with that.
    pub fn codec<M>(&self, inner: M) -> ClientCodec<M> {
        let settings = self.leaked();
        settings.wired.store(true, Ordering::Relaxed);
        ClientCodec::new(inner, settings)
    }

    fn leaked(&self) -> &'static ClientSettings {
        self.leaked
            .get_or_init(|| Box::leak(Box::new(self.settings.clone())))
    }

    fn set(mut self, change: impl FnOnce(&mut ClientSettings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

impl<S> Layer<S> for ThriftClientLayer {
    type Service = ThriftClient<S>;

    fn layer(self, inner: S) -> ThriftClient<S> {
        let settings = self.leaked();
        ThriftClient { inner, settings }
    }
}

/// An observed client.
#[derive(Clone, Debug)]
pub struct ThriftClient<S> {
    inner: S,
    settings: &'static ClientSettings,
}

impl<S> ThriftClient<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Req> Service<ClientContext, Req> for ThriftClient<S>
where
    S: Service<ClientContext, Req, Error = ClientError> + Send + Sync,
    Req: Send,
{
    type Response = S::Response;
    type Error = ClientError;

    async fn call(&self, cx: &mut ClientContext, req: Req) -> Result<S::Response, ClientError> {
        let settings = self.settings;
        if settings.kind.is_disabled() || current::is_suppressed() {
            return self.inner.call(cx, req).await;
        }
        let mut call = ClientCall::start(settings, cx);
        if !call.operation.is_recording() {
            return self.inner.call(cx, req).await;
        }
        let asking = self.inner.call(cx, req);
        let outgoing = call.outgoing.as_mut();
        let result = Polled::new(asking, &mut call.operation, outgoing).await;
        call.end(cx, &result);
        result
    }
}
