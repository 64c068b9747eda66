//! The body of a request, passed through untouched: counted, and stamped at Detailed.

use super::flow::Flow;
use super::{StdError, scope};
use crate::failure;
use crate::frames::{Frames, Tally};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pin_project! {
    /// The body of an observed request.
    #[derive(Debug)]
    pub(crate) struct RequestBody<B> {
        #[pin]
        inner: B,
        flow: Arc<Flow>,
        frames: Frames,
        tally: Tally,
        begun: bool,
        // Whether it is over is not asked yet by whoever boxes it.
        unasked: Cell<bool>,
    }

    impl<B> PinnedDrop for RequestBody<B> {
        /// Where a channel cannot send it, it drops it.
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !*this.begun {
                this.flow.waited.never_sent();
            }
        }
    }
}

impl<B: Body> RequestBody<B> {
    #[inline(always)]
    pub(crate) fn new(inner: B, flow: Arc<Flow>) -> Self {
        // It asks through all layers of the body, and takes a lock of HTTP/2's: only where somebody wants to know.
        if flow.is_detailed() && inner.is_end_stream() {
            // Nobody will ever poll it.
            flow.begin();
            flow.end();
        }
        Self {
            inner,
            flow,
            frames: Frames::default(),
            tally: Tally::default(),
            begun: false,
            unasked: Cell::new(false),
        }
    }

    /// The same, boxed as one of tonic's. tonic asks for its own sake whether a body that it boxes is over, to box none: of one
    /// that came over HTTP/2 that takes a lock, and what asks next is told so in time.
    #[inline(always)]
    pub(crate) fn boxed(inner: B, flow: Arc<Flow>) -> tonic::body::Body
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        let body = Self::new(inner, flow);
        body.unasked.set(!body.flow.is_detailed());
        tonic::body::Body::new(body)
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        if !*this.begun {
            *this.begun = true;
            this.flow.begin();
        }
        let polled = scope::request(this.flow, || this.inner.as_mut().poll_frame(cx));
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    let before = this.tally.messages;
                    this.frames.feed(data, this.tally);
                    this.flow.store(this.tally);
                    if before == 0 && this.tally.messages > 0 {
                        this.flow.first_message();
                    }
                    if !this.flow.is_detailed() || !this.inner.is_end_stream() {
                        return polled;
                    }
                }
                // Trailers, or the last data there is: nobody asks further.
                this.flow.end();
            }
            Poll::Ready(None) => this.flow.end(),
            Poll::Ready(Some(Err(error))) => {
                this.flow.end();
                let by_peer = failure::chain(error).is_some_and(failure::is_of_peer);
                this.flow.fail(by_peer);
            }
        }
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        !self.unasked.replace(false) && self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RpcClientLayer, RpcServerLayer};
    use http::{Request, Response};
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use tower_layer::Layer;
    use tower_service::Service;

    /// Notes whether the body that it is given says that it is over.
    struct Asks(Option<bool>);

    impl Service<Request<tonic::body::Body>> for Asks {
        type Response = Response<tonic::body::Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
            self.0 = Some(request.body().is_end_stream());
            ready(Ok(Response::default()))
        }
    }

    #[test]
    fn whoever_is_handed_a_body_is_told_whether_it_is_over() {
        let capture = obs_testing::Capture::new();
        let telemetry = capture.telemetry();
        for is_over in [true, false] {
            let body = || match is_over {
                true => tonic::body::Body::empty(),
                false => tonic::body::Body::new(http_body_util::Full::new(Bytes::from("m"))),
            };
            let mut client = RpcClientLayer::new(telemetry).layer(Asks(None));
            drop(client.call(Request::new(body())));
            assert_eq!(client.get_ref().0, Some(is_over));
            let mut server = RpcServerLayer::new(telemetry).layer(Asks(None));
            drop(server.call(Request::new(body())));
            assert_eq!(server.get_ref().0, Some(is_over));
        }
    }
}
