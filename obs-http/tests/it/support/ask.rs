//! One request by hand, through any stack that answers at once: for tests about what is recorded, not how it ends.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Empty, Full};
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tower::Service;

pub(crate) type Ask = Request<Empty<Bytes>>;

/// `GET /` with a host, as a browser sends it.
pub(crate) fn get(uri: &str) -> http::request::Builder {
    Request::builder().uri(uri).header("host", "example.com")
}

pub(crate) fn build(request: http::request::Builder) -> Ask {
    request.body(Empty::new()).expect("a request")
}

/// A service that says yes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yes;

impl<B> Service<Request<B>> for Yes {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::new(Bytes::from_static(b"yes")))))
    }
}

/// Sends `request`, reads the answer to its end, and gives its head.
pub(crate) fn ask<S, B, R>(mut service: S, request: Request<B>) -> http::response::Parts
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Body,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready(), "not ready");
    let mut future = pin!(service.call(request));
    let response = loop {
        if let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) {
            break response;
        }
    };
    let (head, body) = response.into_parts();
    let mut body = pin!(body);
    while !body.is_end_stream() {
        if let Poll::Ready(None | Some(Err(_))) = body.as_mut().poll_frame(&mut context) {
            break;
        }
    }
    head
}
