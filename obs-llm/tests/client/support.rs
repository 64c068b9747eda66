//! A service that answers what it is told to, frame by frame.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use obs_llm::LlmClientLayer;
use obs_llm::client::{RequestBody, ResponseBody};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

/// Frames that are there at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames(VecDeque<Bytes>);

impl Frames {
    pub(crate) fn of(pieces: &[impl AsRef<[u8]>]) -> Self {
        let copied = pieces.iter().map(|piece| piece.as_ref().to_vec().into());
        Self(copied.collect())
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A request in two pieces.
pub(crate) fn request(url: &str, body: &str) -> Request<Frames> {
    let (one, other) = body.split_at(body.len() / 2);
    let request = Request::post(url).body(Frames::of(&[one, other]));
    request.expect("a request")
}

/// The answer of a service that reads all of `body`, sent to `url`, and then answers `pieces` of this type.
pub(crate) async fn ask(
    layer: &LlmClientLayer,
    (url, body): (&str, &str),
    (status, kind, pieces): (u16, &str, &[&str]),
) -> Response<ResponseBody<Frames>> {
    let answers = service_fn(|request: Request<RequestBody<Frames>>| async move {
        request.into_body().collect().await?;
        let head = Response::builder().status(status);
        let head = head.header(header::CONTENT_TYPE, kind);
        Ok::<_, Infallible>(head.body(Frames::of(pieces)).expect("a head"))
    });
    let answered = layer.layer(answers).oneshot(request(url, body));
    answered.await.expect("infallible")
}
