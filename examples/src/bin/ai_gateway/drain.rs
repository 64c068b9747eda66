//! A body that is read on for a while when its reader has left: what ends it tells the tokens that are charged for.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// The body, until it is dropped before its end; the rest of it then goes to a task, which reads at most so many bytes more.
#[derive(Debug)]
pub(crate) struct Drained {
    inner: Option<Body>,
    most: u64,
}

impl Drained {
    pub(crate) fn new(inner: Body, most: u64) -> Self {
        Self {
            inner: Some(inner),
            most,
        }
    }
}

type Frame = http_body::Frame<Bytes>;

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, axum::Error>>> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(inner).poll_frame(cx);
        // Over, or broken: nothing is left to read.
        if let Poll::Ready(None | Some(Err(_))) = &polled {
            self.inner = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| http_body::SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else {
            return;
        };
        // Where the runtime is gone there is nobody to read on.
        if self.most > 0
            && !inner.is_end_stream()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(read_on(inner, self.most));
        }
    }
}

async fn read_on(mut body: Body, mut most: u64) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        match most.checked_sub(data.len() as u64) {
            Some(left) => most = left,
            None => return,
        }
    }
}

/// Whether an answer is a stream: others are short, and read on by nobody.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(axum::http::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("text/event-stream")
}
