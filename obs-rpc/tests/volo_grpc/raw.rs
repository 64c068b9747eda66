//! Messages that are none: a server of Volo's that answers with nonsense, and a client of tonic's that sends it.

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use volo_grpc::body::{Body, BoxBody, boxed};
use volo_grpc::codegen::Frame;
use volo_grpc::codegen::futures::stream;
use volo_grpc::context::ServerContext;
use volo_grpc::server::NamedService;
use volo_grpc::{Request, Response, Status};

/// A field of a type that there is not.
pub(crate) const NONSENSE: &[u8] = &[0x0f, 0xff];

/// Answers all calls with one message that cannot be read, and OK.
#[derive(Clone, Debug)]
pub(crate) struct Nonsense;

impl NamedService for Nonsense {
    const NAME: &'static str = "test.Echo";
}

impl motore::Service<ServerContext, Request<BoxBody>> for Nonsense {
    type Response = Response<BoxBody>;
    type Error = Status;

    async fn call(
        &self,
        _: &mut ServerContext,
        _: Request<BoxBody>,
    ) -> Result<Response<BoxBody>, Status> {
        let mut message = vec![0, 0, 0, 0, NONSENSE.len() as u8];
        message.extend(NONSENSE);
        let frame = Frame::data(Bytes::from(message));
        let frames = stream::once(async { Ok(frame) });
        Ok(Response::new(boxed(Body::new(Box::pin(frames)))))
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
