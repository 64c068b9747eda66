//! The side that answers: a layer around a server's service, and a codec around its codec.

use super::codec::ServerCodec;
use super::incoming::{Held, ServerCall};
use super::polled::Polled;
use super::settings::ServerSettings;
use crate::descriptor::{METHOD, RPC_SERVER, RPC_SERVER_NEXT, without_status};
use ::volo_thrift::ServerError;
use ::volo_thrift::context::ServerContext;
use obs_core::propagation::baggage::Allow;
use obs_core::{Telemetry, Trust};
use pilota::thrift::TMessageType;
use std::sync::{Arc, OnceLock};
use volo::FastStr;
use volo::layer::Layer;
use volo::service::Service;

/// Observes a volo-thrift server: for `Server::layer_front`, with [`codec`](Self::codec) for `Server::make_codec`.
///
/// The layer sees the handler, and the codec what comes before and after it: with the layer alone a call begins when it is
/// decoded and ends when it is handled, and what could not be decoded is not seen at all. Make one per server at start-up:
/// its settings are leaked once, at its first use.
#[derive(Clone, Debug)]
pub struct ThriftServerLayer {
    settings: ServerSettings,
    leaked: Arc<OnceLock<&'static ServerSettings>>,
}

impl ThriftServerLayer {
    /// A layer that reports to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            settings: ServerSettings {
                kind: without_status(telemetry, [&RPC_SERVER, &RPC_SERVER_NEXT]),
                propagator: telemetry.propagator(),
                trust: Trust::Trusted,
                baggage: None,
                services: Vec::new(),
                learns: true,
                addresses: true,
                biz_errors: false,
            },
            leaked: Arc::default(),
        }
    }

    /// What the service is called in `rpc.method`, `Service/Method`: `NAME` of the generated `…Server`. Of a router's services
    /// name the default one first, and then each other; callers choose one by the header `isn`. Without this there are
    /// methods only.
    pub fn with_service(self, name: &'static str) -> Self {
        self.set(|settings| settings.services.push(FastStr::from_static_str(name)))
    }

    /// The methods that there are, as `Service/Method`, or as `Method` where no service is named; all others are `_OTHER`.
    /// Without this a method has a name from its first answer on that does not say UNKNOWN_METHOD.
    pub fn with_methods<'m>(self, methods: impl IntoIterator<Item = &'m str>) -> Self {
        for method in methods {
            self.settings.kind.reserve(METHOD, method);
        }
        self.set(|settings| settings.learns = false)
    }

    /// How far callers are believed: [`Trust::LinkOnly`] on public listeners. By default they are [`Trust::Trusted`]: the
    /// trace context that came with a request is taken over, and baggage as far as [`with_baggage`](Self::with_baggage) says, and who
    /// called, and from where, as far as its header says.
    pub fn with_trust(self, trust: Trust) -> Self {
        self.set(|settings| settings.trust = trust)
    }

    /// Which entries of a trusted caller's `baggage` are taken over: as attributes, as session and user
    /// (`session.id`, `user.id`), and onto outgoing calls. By default none are, and from a stranger none ever.
    pub fn with_baggage(self, allow: Allow) -> Self {
        self.set(|settings| settings.baggage = Some(allow))
    }

    /// Whether addresses of peers are recorded, of trusted callers. Default: yes.
    pub fn with_addresses(self, addresses: bool) -> Self {
        self.set(|settings| settings.addresses = addresses)
    }

    /// Whether a business error is the service's own error, too. Default: no; the service did what it was asked, and to its
    /// caller it is one.
    pub fn with_biz_errors(self, biz_errors: bool) -> Self {
        self.set(|settings| settings.biz_errors = biz_errors)
    }

    /// Wraps the server's codec: a call begins with its first byte and ends with the last of its answer. It shows Volo's
    /// codec the connection through its own types, which hide shared memory (`shmipc`): not to be used with that.
    pub fn codec<M>(&self, inner: M) -> ServerCodec<M> {
        ServerCodec::new(inner, self.leaked())
    }

    fn leaked(&self) -> &'static ServerSettings {
        self.leaked
            .get_or_init(|| Box::leak(Box::new(self.settings.clone())))
    }

    fn set(mut self, change: impl FnOnce(&mut ServerSettings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }
}

impl<S> Layer<S> for ThriftServerLayer {
    type Service = ThriftServer<S>;

    fn layer(self, inner: S) -> ThriftServer<S> {
        let settings = self.leaked();
        ThriftServer { inner, settings }
    }
}

/// An observed server.
#[derive(Clone, Debug)]
pub struct ThriftServer<S> {
    inner: S,
    settings: &'static ServerSettings,
}

impl<S> ThriftServer<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Req> Service<ServerContext, Req> for ThriftServer<S>
where
    S: Service<ServerContext, Req, Error = ServerError> + Send + Sync,
    Req: Send,
{
    type Response = S::Response;
    type Error = ServerError;

    async fn call(&self, cx: &mut ServerContext, req: Req) -> Result<S::Response, ServerError> {
        let kind = self.settings.kind;
        let mut call = match Held::take(cx) {
            Some(call) => call,
            // Another of these layers stands around it.
            None if kind.is_disabled() || kind.is_current() => {
                return self.inner.call(cx, req).await;
            }
            None => {
                let mut call = ServerCall::start(self.settings, cx, None);
                if cx.req_msg_type == Some(TMessageType::OneWay) {
                    call.expects_nothing();
                }
                call
            }
        };
        call.handling();
        let handling = self.inner.call(cx, req);
        let result = Polled::new(handling, &mut call.operation, None).await;
        call.handled(&result);
        if call.is_to_be_written() {
            Held::put(call, cx);
        } else {
            call.end();
        }
        result
    }
}
