//! tonic's channel, which its calls tell whose connections they wait for.

use super::line::Line;
use super::waited;
use http::{Request, Response};
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::transport::channel::ResponseFuture;
use tower_service::Service;

/// A channel of [`Connections`](super::Connections): as cheap to clone as the one inside.
#[derive(Clone, Debug)]
pub struct TimedChannel {
    inner: Channel,
    /// `None` where what dials is not ours.
    line: Option<Arc<Line>>,
}

impl TimedChannel {
    pub(super) fn new(inner: Channel, line: Option<Arc<Line>>) -> Self {
        Self { inner, line }
    }

    /// The channel inside. Calls over it do not know of their connections.
    pub fn get_ref(&self) -> &Channel {
        &self.inner
    }

    /// The channel inside. Calls over it do not know of their connections.
    pub fn get_mut(&mut self) -> &mut Channel {
        &mut self.inner
    }

    /// The channel inside. Calls over it do not know of their connections.
    pub fn into_inner(self) -> Channel {
        self.inner
    }
}

impl Service<Request<Body>> for TimedChannel {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = ResponseFuture;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
        if let Some(line) = &self.line {
            waited::meet(request.extensions_mut(), line);
        }
        self.inner.call(request)
    }
}
