//! The side that asks: what is around each attempt, and what is around all of a call.

use super::failure;
use super::peer::{self, Identity};
use super::polled::Polled;
use super::request::ObservedRequest;
use super::whole::{Handover, MakeTransport, OwnTransport, PlainTransport};
use crate::RpcClientLayer;
use crate::call::ending::Call;
use crate::call::future::{at_head, failed};
use crate::call::settings::Role;
use crate::client::service::{begin, inject};
use crate::client::settings::Settings;
use crate::head::CallHead;
use crate::metadata;
use crate::status::Code;
use ::http::{StatusCode, Uri};
use ::volo_grpc::client::MetaService;
use ::volo_grpc::context::ClientContext;
use ::volo_grpc::transport::ClientTransport;
use ::volo_grpc::{Request, Response, Status};
use motore::layer::Layer;
use motore::service::Service;
use obs_core::semconv::obs;
use obs_core::{Event, Moment, Outcome, Telemetry};
use std::any::Any;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use volo::net::Address;

/// Wraps the transport of a volo-grpc client: for `ClientBuilder::layer_inner`, added last, so that nothing stands between.
/// Each attempt of a call that comes through the layers outside is reported, with its context on the wire.
///
/// Volo reads responses where no layer can see it: with this layer alone a call ends with the head of its response, and says
/// no status unless that is an error. [`with_own_transport`](Self::with_own_transport) sees all of it.
#[derive(Clone, Debug)]
pub struct VoloGrpcClientLayer {
    settings: RpcClientLayer,
    identity: Arc<Identity>,
}

impl VoloGrpcClientLayer {
    /// A layer that reports to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        RpcClientLayer::new(telemetry).into()
    }

    /// A layer that stands outside of everything that a client does for a call: see [`VoloGrpcCallLayer`].
    pub fn calls(telemetry: &Telemetry) -> VoloGrpcCallLayer {
        VoloGrpcCallLayer::new(telemetry)
    }

    /// Puts a transport that this layer makes in the place of the client's, so that responses are watched to their last frame:
    /// a call ends with its trailers, with its status, messages and sizes.
    ///
    /// It is Volo's transport with the client's timeouts, but **without TLS** and with the defaults for what `http2_*` of the
    /// builder sets, which it keeps to itself. For a client with TLS there is [`with_transport`](Self::with_transport); one that
    /// needs other windows or pings stays with what the layer does without.
    pub fn with_own_transport(self) -> VoloGrpcTransportLayer<PlainTransport> {
        self.with_transport(PlainTransport)
    }

    /// The same with a transport that the user makes: `ClientTransport::new_with_tls`, say. What the client's builder was told
    /// of TLS and HTTP/2 counts for nothing.
    pub fn with_transport<M: MakeTransport>(self, make: M) -> VoloGrpcTransportLayer<M> {
        let Self { settings, identity } = self;
        let settings = settings.set(|settings| settings.common.sees_response = true);
        VoloGrpcTransportLayer {
            layer: Self { settings, identity },
            make: Arc::new(make),
        }
    }
}

/// With these settings, of a layer that [`RpcClientLayer::new`] made.
impl From<RpcClientLayer> for VoloGrpcClientLayer {
    fn from(settings: RpcClientLayer) -> Self {
        Self {
            identity: Arc::new(Identity::of(&settings.telemetry)),
            settings: settings.set(|settings| settings.common.sees_response = false),
        }
    }
}

impl<S> Layer<S> for VoloGrpcClientLayer {
    type Service = VoloGrpcClient<S>;

    fn layer(self, inner: S) -> VoloGrpcClient<S> {
        VoloGrpcClient {
            inner,
            settings: self.settings.leak(),
            identity: self.identity,
        }
    }
}

/// See [`VoloGrpcClientLayer::with_own_transport`].
#[derive(Clone, Debug)]
pub struct VoloGrpcTransportLayer<M> {
    layer: VoloGrpcClientLayer,
    make: Arc<M>,
}

impl<U, M> Layer<MetaService<ClientTransport<U>>> for VoloGrpcTransportLayer<M> {
    type Service = VoloGrpcClient<OwnTransport<U, M>>;

    /// The transport that was to be is dropped. It has no connection yet.
    fn layer(self, _: MetaService<ClientTransport<U>>) -> Self::Service {
        self.layer.layer(OwnTransport::new(self.make))
    }
}

/// The attempts of a volo-grpc client, observed.
#[derive(Clone, Debug)]
pub struct VoloGrpcClient<S> {
    inner: S,
    settings: &'static Settings,
    identity: Arc<Identity>,
}

impl<S> VoloGrpcClient<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, T, U> Service<ClientContext, Request<T>> for VoloGrpcClient<S>
where
    S: Service<ClientContext, Request<ObservedRequest<T>>, Response = Response<U>> + Send + Sync,
    S::Error: Send + 'static,
    T: Send + 'static,
    U: Send,
{
    type Response = Response<U>;
    type Error = S::Error;

    async fn call(
        &self,
        cx: &mut ClientContext,
        mut request: Request<T>,
    ) -> Result<Response<U>, S::Error> {
        let Some(mut call) = start(self.settings, cx, &request) else {
            let request = request.map(|message| ObservedRequest::new(message, None));
            return self.inner.call(cx, request).await;
        };
        // Whom a service is led to by its discovery is no stranger.
        if self.settings.injects != Some(false) {
            let metadata = request.metadata_mut().headers_mut();
            inject(self.settings, &mut call, metadata);
            peer::repeat(metadata);
            self.identity.write(metadata);
        }
        let flow = call.flow.clone();
        let request = request.map(|message| ObservedRequest::new(message, flow));
        let asked = Polled::start(call, || self.inner.call(cx, request));
        let (result, mut call) = asked.await;
        settle(&mut call, &result);
        if let Ok(response) = &result {
            let handover = response.extensions().get::<Handover>();
            hand_over(call, handover, Handover::attempt);
        }
        result
    }
}

/// Stands around everything that a volo-grpc client does for one call but its timeout: for `ClientBuilder::layer_outer_front`.
/// What it makes is the parent of the attempts, which a [`VoloGrpcClientLayer`] reports and which count themselves.
///
/// Volo's timeout drops a call that is late: that is how it is told.
#[derive(Clone, Debug)]
pub struct VoloGrpcCallLayer(RpcClientLayer);

impl VoloGrpcCallLayer {
    /// A layer that reports to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self(RpcClientLayer::calls(telemetry))
    }
}

/// With these settings, of a layer that [`RpcClientLayer::calls`] made.
impl From<RpcClientLayer> for VoloGrpcCallLayer {
    fn from(settings: RpcClientLayer) -> Self {
        Self(settings)
    }
}

impl<S> Layer<S> for VoloGrpcCallLayer {
    type Service = VoloGrpcCall<S>;

    fn layer(self, inner: S) -> VoloGrpcCall<S> {
        let settings = self.0.leak();
        VoloGrpcCall { inner, settings }
    }
}

/// The calls of a volo-grpc client, observed.
#[derive(Clone, Debug)]
pub struct VoloGrpcCall<S> {
    inner: S,
    settings: &'static Settings,
}

impl<S> VoloGrpcCall<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, T, U> Service<ClientContext, Request<T>> for VoloGrpcCall<S>
where
    S: Service<ClientContext, Request<T>, Response = Response<U>> + Send + Sync,
    S::Error: Send + 'static,
    T: Send + 'static,
    U: Send,
{
    type Response = Response<U>;
    type Error = S::Error;

    async fn call(
        &self,
        cx: &mut ClientContext,
        request: Request<T>,
    ) -> Result<Response<U>, S::Error> {
        let Some(call) = start(self.settings, cx, &request) else {
            return self.inner.call(cx, request).await;
        };
        let begun = Begun(self.settings.common.kind.now());
        cx.extensions.insert(begun);
        let asked = Polled::start(call, || self.inner.call(cx, request));
        let (mut result, mut call) = asked.await;
        settle(&mut call, &result);
        if let Ok(response) = &mut result {
            let handover = response.extensions_mut().remove::<Handover>();
            hand_over(call, handover.as_ref(), Handover::around);
        }
        result
    }
}

/// When the call around its attempts began: their time is its. In the call's context.
struct Begun(Moment);

/// Starts a call by what Volo knows of it; `None` where it is not observed.
fn start<T>(settings: &'static Settings, cx: &ClientContext, request: &Request<T>) -> Option<Call> {
    static NOWHERE: LazyLock<Uri> = LazyLock::new(Uri::default);
    if settings.common.kind.is_disabled() {
        return None;
    }
    let path = cx.rpc_info.method().as_str();
    let head = CallHead {
        method: path.strip_prefix('/').unwrap_or(path),
        uri: &NOWHERE,
        metadata: request.metadata().headers(),
        extensions: request.extensions(),
    };
    let callee = cx.rpc_info.callee();
    let mut host = String::new();
    let mut to = None;
    if let Some(Address::Ip(address)) = &callee.address {
        host = address.ip().to_string();
        to = Some(address.port());
    }
    let to = to.map(|port| (&*host, Some(port)));
    let mut call = begin(settings, head, to)?;
    if let Some(mut active) = call.operation.active() {
        let service = callee.service_name_ref();
        if settings.common.role == Role::Client && !service.is_empty() {
            active.set(obs::RPC_PEER_SERVICE, service);
        }
        if let Some(deadline) = deadline(settings, cx, head) {
            // It began before we were asked, and what it gives up must not look like a cancellation, on a busy machine either.
            let early = (deadline / 16).min(Duration::from_millis(10));
            let kind = settings.common.kind;
            let begun = cx.extensions.get::<Begun>();
            let passed = begun.map_or(Duration::ZERO, |begun| kind.between(begun.0, kind.now()));
            active.set_deadline(deadline.saturating_sub(early + passed));
        }
    }
    Some(call)
}

/// The earliest of what is set here, what Volo was told, and what it will tell the server.
fn deadline(settings: &Settings, cx: &ClientContext, head: CallHead<'_>) -> Option<Duration> {
    let said = head.metadata.get("grpc-timeout");
    let said = said.and_then(|value| metadata::timeout(value.as_bytes()));
    let told = cx.rpc_info.config().rpc_timeout();
    [settings.common.deadline, told, said]
        .into_iter()
        .flatten()
        .min()
}

/// What the head of a response, or what came in its place, makes of a call: ended, or going on.
fn settle<U, E: 'static>(call: &mut Call, result: &Result<Response<U>, E>) {
    match result {
        Ok(response) => at_head(call, response.metadata().headers(), None, StatusCode::OK),
        Err(error) => {
            let status = (error as &dyn Any).downcast_ref::<Status>();
            match status.filter(|status| failure::is_answer(status)) {
                Some(status) => answered(call, status),
                None => failed(call, error),
            }
        }
    }
}

/// The whole answer is a status.
#[cold]
fn answered(call: &mut Call, status: &Status) {
    at_head(call, status.metadata().headers(), None, StatusCode::OK);
    call.operation.stamp(Event::STREAM_FINISH);
    call.end_with(failure::code(status));
}

/// A call that goes on does so in the body. Where none is watched, nothing more will be seen of it.
fn hand_over(call: Call, handover: Option<&Handover>, put: fn(&Handover, Call) -> Option<Call>) {
    if !call.is_recording() {
        return;
    }
    let left = match handover {
        Some(handover) => put(handover, call),
        None => Some(call),
    };
    if let Some(mut call) = left {
        let code = call.said_ok.then_some(Code::OK);
        call.end(code, Outcome::ANSWERED, None);
    }
}
