//! The messages of a request on their way out.

use crate::call::flow::Flow;
use crate::call::request::RequestBody;
use ::volo_grpc::codec::compression::CompressionEncoding;
use ::volo_grpc::{BoxStream, SendEntryMessage, Status};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What Volo's transport writes, watched.
#[derive(Debug)]
pub struct ObservedRequest<T> {
    inner: T,
    flow: Option<Arc<Flow>>,
}

impl<T> ObservedRequest<T> {
    pub(crate) fn new(inner: T, flow: Option<Arc<Flow>>) -> Self {
        Self { inner, flow }
    }
}

type Frames = BoxStream<'static, Result<Frame<Bytes>, Status>>;

impl<T: SendEntryMessage> SendEntryMessage for ObservedRequest<T> {
    fn into_body(self, compression: Option<CompressionEncoding>) -> Frames {
        let frames = self.inner.into_body(compression);
        match self.flow {
            Some(flow) => Box::pin(Watched(RequestBody::new(Framed(frames), flow))),
            None => frames,
        }
    }
}

/// As a body.
struct Framed(Frames);

impl Body for Framed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// And as a stream again.
struct Watched(RequestBody<Framed>);

impl Stream for Watched {
    type Item = Result<Frame<Bytes>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}
