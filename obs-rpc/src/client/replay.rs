//! Requests that can be sent again: bodies of tonic cannot be cloned, and a layer that retries or hedges has to.

use crate::call::StdError;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body, Frame};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tower_layer::Layer;
use tower_service::Service;

/// Makes requests that can be sent again, for a layer inside of it that retries or hedges.
///
/// ```
/// use http::{Request, Response};
/// use obs_core::Telemetry;
/// use obs_rpc::RpcClientLayer;
/// use obs_rpc::client::{ReplayBody, ReplayLayer, RpcClient};
/// use std::future::{Ready, ready};
/// use tonic::{Code, Status};
/// use tower::retry::{Policy, RetryLayer};
///
/// /// Up to three attempts, as long as the server says that it is unavailable.
/// #[derive(Clone)]
/// struct Unavailable(u32);
///
/// impl<B, E> Policy<Request<ReplayBody>, Response<B>, E> for Unavailable {
///     type Future = Ready<()>;
///
///     fn retry(
///         &mut self,
///         _: &mut Request<ReplayBody>,
///         result: &mut Result<Response<B>, E>,
///     ) -> Option<Ready<()>> {
///         // All that is here is the head: a status that comes after messages is not seen.
///         let status = Status::from_header_map(result.as_ref().ok()?.headers())?;
///         if status.code() != Code::Unavailable {
///             return None;
///         }
///         self.0 = self.0.checked_sub(1)?;
///         Some(ready(()))
///     }
///
///     fn clone_request(&mut self, request: &Request<ReplayBody>) -> Option<Request<ReplayBody>> {
///         ReplayBody::clone_request(request)
///     }
/// }
///
/// fn client(telemetry: &Telemetry, channel: tonic::transport::Channel) {
///     let channel = tower::ServiceBuilder::new()
///         .layer(RpcClientLayer::calls(telemetry))
///         .layer(ReplayLayer::new(64 << 10))
///         .layer(RetryLayer::new(Unavailable(2)))
///         .layer(RpcClientLayer::new(telemetry))
///         .service(channel);
///     // `GreeterClient::new(channel)`
/// #   let _ = channel;
/// }
/// ```
///
/// What is there at once is read at once: the one message of a unary or server-streaming call, which is encoded here and not
/// once per attempt. A body that is not over by then, or longer than the bound, is a stream: what was read of it goes first,
/// the rest follows as it comes, and [`ReplayBody::clone_request`] has nothing to give, so that it is sent once.
#[derive(Clone, Copy, Debug)]
pub struct ReplayLayer {
    max_bytes: usize,
}

impl ReplayLayer {
    /// Bodies of up to `max_bytes` can be sent again; each call holds as much for as long as its layer that retries does.
    pub const fn new(max_bytes: usize) -> Self {
        Self { max_bytes }
    }
}

impl<S> Layer<S> for ReplayLayer {
    type Service = Replay<S>;

    fn layer(&self, inner: S) -> Replay<S> {
        Replay {
            inner,
            max_bytes: self.max_bytes,
        }
    }
}

/// The service of [`ReplayLayer`].
#[derive(Clone, Debug)]
pub struct Replay<S> {
    inner: S,
    max_bytes: usize,
}

impl<S> Replay<S> {
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

impl<S, B> Service<Request<B>> for Replay<S>
where
    S: Service<Request<ReplayBody>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let request = request.map(|body| ReplayBody::read(body, self.max_bytes));
        self.inner.call(request)
    }
}

/// The body of a request that can be sent again, or the rest of one that cannot.
#[derive(Debug)]
pub struct ReplayBody {
    read: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    /// What was not there at once.
    rest: Option<tonic::body::Body>,
    error: Option<tonic::Status>,
}

impl ReplayBody {
    fn read<B>(body: B, max_bytes: usize) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let mut rest = tonic::body::Body::new(body);
        let mut this = Self {
            read: VecDeque::new(),
            trailers: None,
            rest: None,
            error: None,
        };
        let mut bytes = 0_usize;
        // Whoever polls the rest is woken by it: the last waker counts.
        let mut cx = Context::from_waker(Waker::noop());
        while !rest.is_end_stream() {
            match Pin::new(&mut rest).poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        // An empty frame takes memory, too.
                        bytes = bytes.saturating_add(data.len().max(1));
                        this.read.push_back(data);
                        if bytes > max_bytes {
                            this.rest = Some(rest);
                            return this;
                        }
                    }
                    Err(frame) => {
                        this.trailers = frame.into_trailers().ok();
                        return this;
                    }
                },
                Poll::Ready(None) => return this,
                Poll::Ready(Some(Err(error))) => {
                    this.error = Some(error);
                    return this;
                }
                Poll::Pending => {
                    this.rest = Some(rest);
                    return this;
                }
            }
        }
        this
    }

    /// Whether all of it is here, so that it can be sent again.
    pub fn is_whole(&self) -> bool {
        self.rest.is_none() && self.error.is_none()
    }

    /// What `clone_request` of a policy returns: the same request once more, or nothing where its body is not here as a whole.
    pub fn clone_request(request: &Request<Self>) -> Option<Request<Self>> {
        let body = request.body();
        if !body.is_whole() {
            return None;
        }
        let mut clone = Request::new(Self {
            read: body.read.clone(),
            trailers: body.trailers.clone(),
            rest: None,
            error: None,
        });
        clone.method_mut().clone_from(request.method());
        clone.uri_mut().clone_from(request.uri());
        *clone.version_mut() = request.version();
        clone.headers_mut().clone_from(request.headers());
        clone.extensions_mut().clone_from(request.extensions());
        Some(clone)
    }
}

impl Body for ReplayBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let this = self.get_mut();
        if let Some(data) = this.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(rest) = &mut this.rest {
            return Pin::new(rest).poll_frame(cx);
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(
            this.trailers
                .take()
                .map(|trailers| Ok(Frame::trailers(trailers))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.trailers.is_none()
            && self.error.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }
}
