//! The side that answers: a tower layer outside of everything that Volo does with a request but its connection.

use super::{binary, peer};
use crate::RpcServerLayer;
use crate::call::body::ResponseBody;
use crate::call::ending::Call;
use crate::call::flow::Flow;
use crate::call::future::ResponseFuture;
use crate::call::request::RequestBody;
use crate::head::CallHead;
use crate::server::PeerAddress;
use crate::server::service::begin;
use crate::server::settings::Settings;
use ::http::{Request, Response};
use ::volo_grpc::body::{BoxBody, boxed};
use ::volo_grpc::metadata::HEADER_TRANS_REMOTE_ADDR;
use obs_core::semconv::obs;
use obs_core::{Telemetry, Trust};
use pin_project_lite::pin_project;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Wraps what a volo-grpc server answers with: for `Server::layer_tower`, added first, so that it stands outside of all others.
///
/// It sees all of a call from the head of its request to the last frame of its response, as
/// [`RpcServerLayer`] does of tonic's, whose settings it takes. And it keeps binary metadata away from Volo, which dies of it:
/// see [`BinaryMetadata`](super::BinaryMetadata).
#[derive(Clone, Debug)]
pub struct VoloGrpcServerLayer(RpcServerLayer);

impl VoloGrpcServerLayer {
    /// A layer that reports to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self(RpcServerLayer::new(telemetry))
    }
}

/// With these settings.
impl From<RpcServerLayer> for VoloGrpcServerLayer {
    fn from(settings: RpcServerLayer) -> Self {
        Self(settings)
    }
}

impl<S> Layer<S> for VoloGrpcServerLayer {
    type Service = VoloGrpcServer<S>;

    fn layer(&self, inner: S) -> VoloGrpcServer<S> {
        let settings = self.0.leak();
        VoloGrpcServer { inner, settings }
    }
}

/// An observed volo-grpc server.
#[derive(Clone, Debug)]
pub struct VoloGrpcServer<S> {
    inner: S,
    settings: &'static Settings,
}

impl<S> VoloGrpcServer<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// The flow of a call, for the layer around its handler; there at Detailed.
#[derive(Clone)]
pub(crate) struct Handled(pub(crate) Arc<Flow>);

impl<S> Service<Request<BoxBody>> for VoloGrpcServer<S>
where
    S: Service<Request<BoxBody>, Response = Response<BoxBody>>,
    S::Error: 'static,
{
    type Response = Response<BoxBody>;
    type Error = S::Error;
    type Future = VoloGrpcResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<BoxBody>) -> Self::Future {
        binary::hide(&mut request);
        let inner = match begin_observed(self.settings, &mut request) {
            Some(call) => {
                let request = request.map(|body| match call.flow.clone() {
                    Some(flow) => boxed(RequestBody::new(body, flow)),
                    None => body,
                });
                ResponseFuture::start(call, || self.inner.call(request))
            }
            None => ResponseFuture::unobserved(self.inner.call(request)),
        };
        VoloGrpcResponseFuture { inner }
    }
}

fn begin_observed(settings: &'static Settings, request: &mut Request<BoxBody>) -> Option<Call> {
    if settings.common.kind.is_disabled() {
        return None;
    }
    peer::adopt(request.headers_mut());
    let trusted = settings.trust(CallHead::of(request)) == Trust::Trusted;
    // Volo writes it there unless it stands there: whoever calls can say what it likes.
    if trusted
        && settings.addresses
        && let Some(address) = request.headers().get(HEADER_TRANS_REMOTE_ADDR)
        && let Some(address) = address.to_str().ok()
        && let Ok(address) = address.parse::<SocketAddr>()
    {
        request.extensions_mut().insert(PeerAddress(address));
    }
    let mut call = begin(settings, CallHead::of(request))?;
    if let Some(mut active) = call.operation.active()
        && trusted
        && let Some(caller) = peer::caller(request.headers())
    {
        active.set(obs::RPC_PEER_SERVICE, caller.as_bytes());
    }
    if let Some(flow) = call.flow.as_ref().filter(|flow| flow.is_detailed()) {
        request.extensions_mut().insert(Handled(flow.clone()));
    }
    Some(call)
}

pin_project! {
    /// The future of an observed call's response. Dropped before it is ready, the call is cancelled.
    #[derive(Debug)]
    pub struct VoloGrpcResponseFuture<F> {
        #[pin]
        inner: ResponseFuture<F>,
    }
}

impl<F, E> Future for VoloGrpcResponseFuture<F>
where
    F: Future<Output = Result<Response<BoxBody>, E>>,
    E: 'static,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(into_volo)))
    }
}

/// As Volo has its bodies. One whose call is over needs no more watching.
fn into_volo(mut body: ResponseBody<BoxBody>) -> BoxBody {
    if !body.call.is_recording()
        && let Some(inner) = body.inner.take()
    {
        return inner;
    }
    boxed(body)
}
