//! A transport of our own, of Volo's making, whose responses are watched to their last frame.
//!
//! Volo's client reads a response where no layer is: the type of what its transport gives is that of the generated code, and
//! the body is inside. But a transport is generic over that type, and anybody may make one.

use crate::call::body::ResponseBody;
use crate::call::ending::Call;
use crate::frames::Frames;
use ::http::StatusCode;
use ::volo_grpc::body::{BoxBody, boxed};
use ::volo_grpc::client::{Http2Config, MetaService};
use ::volo_grpc::codec::compression::CompressionEncoding;
use ::volo_grpc::codec::decode::Kind;
use ::volo_grpc::context::{ClientContext, Config};
use ::volo_grpc::transport::ClientTransport;
use ::volo_grpc::{RecvEntryMessage, Request, Response, SendEntryMessage, Status};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use motore::service::Service;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll};

/// Makes a client's transport, where it is not to be the plain one: with TLS, say. Implemented by whoever sets the client up.
pub trait MakeTransport: Send + Sync + 'static {
    /// A transport of Volo's, for responses of whatever type. `config` is that of the first call, with the client's timeouts.
    fn make<U>(&self, config: &Config) -> ClientTransport<U>;
}

/// Volo's transport as it is by default: without TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTransport;

impl MakeTransport for PlainTransport {
    fn make<U>(&self, config: &Config) -> ClientTransport<U> {
        ClientTransport::new(&Http2Config::default(), config)
    }
}

/// Made at the first call, whose context says how long to wait for a connection.
pub struct OwnTransport<U, M> {
    made: Arc<OnceLock<Made<U>>>,
    make: Arc<M>,
}

type Made<U> = MetaService<ClientTransport<WholeResponse<U>>>;

impl<U, M> OwnTransport<U, M> {
    pub(crate) fn new(make: Arc<M>) -> Self {
        let made = Arc::default();
        Self { made, make }
    }
}

impl<U, M> Clone for OwnTransport<U, M> {
    fn clone(&self) -> Self {
        Self {
            made: self.made.clone(),
            make: self.make.clone(),
        }
    }
}

impl<U, M> fmt::Debug for OwnTransport<U, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnTransport").finish_non_exhaustive()
    }
}

impl<T, U, M> Service<ClientContext, Request<T>> for OwnTransport<U, M>
where
    M: MakeTransport,
    T: SendEntryMessage + Send + 'static,
    U: RecvEntryMessage + Send + 'static,
{
    type Response = Response<U>;
    type Error = Status;

    async fn call(
        &self,
        cx: &mut ClientContext,
        request: Request<T>,
    ) -> Result<Response<U>, Status> {
        let make = || MetaService::new(self.make.make(cx.rpc_info.config()));
        let transport = self.made.get_or_init(make);
        let response = transport.call(cx, request).await?;
        let (metadata, mut extensions, whole) = response.into_parts();
        extensions.insert(whole.handover);
        Ok(Response::from_parts(metadata, extensions, whole.inner))
    }
}

/// Where the calls that a response's body ends are handed over to it.
#[derive(Debug, Default)]
struct Calls {
    attempt: Option<Call>,
    around: Option<Call>,
}

/// To a body that is still there. In a response's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Handover(Weak<Mutex<Calls>>);

impl Handover {
    /// Hands a call over: the body ends it, or whoever drops that. Given back where there is no body any more.
    pub(crate) fn attempt(&self, call: Call) -> Option<Call> {
        self.put(call, |calls| &mut calls.attempt)
    }

    /// The same of the call around it.
    pub(crate) fn around(&self, call: Call) -> Option<Call> {
        self.put(call, |calls| &mut calls.around)
    }

    fn put(&self, call: Call, place: fn(&mut Calls) -> &mut Option<Call>) -> Option<Call> {
        let Some(calls) = self.0.upgrade() else {
            return Some(call);
        };
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        *place(&mut calls) = Some(call);
        None
    }
}

/// A response of the generated code's, with a watched body inside.
struct WholeResponse<U> {
    inner: U,
    handover: Handover,
}

impl<U: RecvEntryMessage> RecvEntryMessage for WholeResponse<U> {
    fn from_body(
        method: Option<&str>,
        body: BoxBody,
        kind: Kind,
        compression: Option<CompressionEncoding>,
    ) -> Result<Self, Status> {
        let status = match kind {
            Kind::Response(status) => status,
            Kind::Request => StatusCode::OK,
        };
        let calls = Arc::default();
        let handover = Handover(Arc::downgrade(&calls));
        let body = boxed(WholeBody(Whole::Unread {
            inner: Some(body),
            status,
            calls,
        }));
        let inner = U::from_body(method, body, kind, compression)?;
        Ok(Self { inner, handover })
    }
}

struct WholeBody(Whole);

/// What was not read ends as what was.
impl Drop for WholeBody {
    fn drop(&mut self) {
        self.0.read();
    }
}

/// The calls are there by the time that anybody reads.
enum Whole {
    Unread {
        inner: Option<BoxBody>,
        status: StatusCode,
        calls: Arc<Mutex<Calls>>,
    },
    Read(ResponseBody<ResponseBody<BoxBody>>),
}

impl Whole {
    fn read(&mut self) -> &mut Self {
        if let Self::Unread {
            inner,
            status,
            calls,
        } = self
        {
            let calls = std::mem::take(&mut *calls.lock().unwrap_or_else(PoisonError::into_inner));
            let attempt = watched(inner.take(), calls.attempt, *status);
            *self = Self::Read(watched(Some(attempt), calls.around, *status));
        }
        self
    }
}

fn watched<B>(inner: Option<B>, call: Option<Call>, status: StatusCode) -> ResponseBody<B> {
    ResponseBody {
        inner,
        call: call.unwrap_or_else(Call::unobserved),
        frames: Frames::default(),
        status,
        current: false,
        seen_over: AtomicBool::new(false),
    }
}

impl Body for WholeBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.read() {
            Whole::Read(body) => Pin::new(body).poll_frame(cx),
            Whole::Unread { .. } => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Whole::Read(body) => body.is_end_stream(),
            Whole::Unread { inner, .. } => inner.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Whole::Read(body) => body.size_hint(),
            Whole::Unread { inner, .. } => inner.as_ref().map(Body::size_hint).unwrap_or_default(),
        }
    }
}
