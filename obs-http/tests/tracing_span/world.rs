//! Services that are driven by hand.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::task::{Context, Poll};
use tower::Service;

/// Answers `ok` after one pause, and does something in each of its polls.
#[derive(Clone)]
pub(crate) struct Handler<F>(pub(crate) F);

impl<F: Fn() + Clone + Send + 'static> Service<Request<Full<Bytes>>> for Handler<F> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let work = self.0.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            work();
            Ok(Response::new(Full::new(Bytes::from_static(b"ok"))))
        })
    }
}

pub(crate) fn request(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).body(Full::default()).expect("a request")
}

/// Sends it and reads the answer to its end, all on this thread.
pub(crate) fn ask<S, B>(mut service: S, request: Request<Full<Bytes>>) -> http::StatusCode
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>>,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let response = service.call(request).await.expect("an answer");
        let status = response.status();
        response.into_body().collect().await.expect("a body");
        status
    })
}
