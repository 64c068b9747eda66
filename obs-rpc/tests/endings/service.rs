//! A service that does what an ending asks for, and a client whose codec does.

use crate::echo::{Answers, Said, say};
use crate::{Ending, Kind};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Bytes, http};
use tonic::server::{
    ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService,
    UnaryService,
};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// Where client and server meet.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    /// The handler has come to where it does nothing more.
    pub(crate) arrived: Notify,
    /// The client has the first message: what is to happen next may.
    pub(crate) go_on: Notify,
}

/// `test.Ending`, whose methods are called as their kinds.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) ending: Ending,
    pub(crate) meeting: Arc<Meeting>,
}

impl NamedService for Ends {
    const NAME: &'static str = "test.Ending";
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Without the hook's message.
fn unwind() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

impl Ends {
    /// Before there is a response.
    async fn before(&self, kind: Kind) -> Result<(), Status> {
        match self.ending {
            Ending::TrailersOnly => Err(Status::not_found("on purpose")),
            Ending::HandlerError if !kind.answers_many() => Err(Status::not_found("on purpose")),
            Ending::Panic => unwind(),
            ending if ending.hangs() => {
                self.meeting.arrived.notify_one();
                pending().await
            }
            _ => Ok(()),
        }
    }

    /// After the first message of a response of several.
    async fn between(&self, kind: Kind) -> Result<(), Status> {
        match self.ending {
            Ending::HandlerError => {
                self.meeting.go_on.notified().await;
                Err(Status::not_found("on purpose"))
            }
            Ending::PanicMidStream => {
                self.meeting.go_on.notified().await;
                unwind()
            }
            Ending::DropMidStream | Ending::KilledMidStream => pending().await,
            // Its client goes away, which may not look like the end of its messages.
            Ending::ResponseUndecodable if kind == Kind::Bidi => pending().await,
            _ => Ok(()),
        }
    }

    /// Two messages: of a bidirectional stream one for each of the request's, of which one is there.
    fn answers(self, kind: Kind, rest: Option<Streaming<Said>>) -> Answers {
        let first = tokio_stream::once(Ok(say("a", 0)));
        let second = async move {
            self.between(kind).await?;
            if let Some(mut rest) = rest {
                let next = rest.message().await?;
                assert!(next.is_some(), "the client sends two");
                assert!(rest.message().await?.is_none(), "and no more");
            }
            Ok(say("a", 0))
        };
        Box::pin(first.chain(Once(Some(Box::pin(second)))))
    }
}

/// A stream of what one future gives.
struct Once(Option<BoxFuture<Result<Said, Status>>>);

impl Stream for Once {
    type Item = Result<Said, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(future) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled.map(Some)
    }
}

impl UnaryService<Said> for Ends {
    type Response = Said;
    type Future = BoxFuture<Result<Response<Said>, Status>>;

    fn call(&mut self, request: Request<Said>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            this.before(Kind::Unary).await?;
            Ok(Response::new(request.into_inner()))
        })
    }
}

impl ServerStreamingService<Said> for Ends {
    type Response = Said;
    type ResponseStream = Answers;
    type Future = BoxFuture<Result<Response<Answers>, Status>>;

    fn call(&mut self, _: Request<Said>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            this.before(Kind::ServerStream).await?;
            Ok(Response::new(this.answers(Kind::ServerStream, None)))
        })
    }
}

/// As the client's stream: the trait is another.
struct Gathers(Ends);

impl ClientStreamingService<Said> for Gathers {
    type Response = Said;
    type Future = BoxFuture<Result<Response<Said>, Status>>;

    fn call(&mut self, request: Request<Streaming<Said>>) -> Self::Future {
        let this = self.0.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            messages.message().await?;
            if !this.ending.leaves_request_open() {
                while messages.message().await?.is_some() {}
            }
            this.before(Kind::ClientStream).await?;
            Ok(Response::new(say("a", 0)))
        })
    }
}

impl StreamingService<Said> for Ends {
    type Response = Said;
    type ResponseStream = Answers;
    type Future = BoxFuture<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Said>>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            messages.message().await?;
            this.before(Kind::Bidi).await?;
            Ok(Response::new(this.answers(Kind::Bidi, Some(messages))))
        })
    }
}

impl<B> tower::Service<http::Request<B>> for Ends
where
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<tonic::codegen::StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut grpc = Grpc::new(ProstCodec::<Said, Said>::default());
        let this = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/test.Ending/Unary" => grpc.unary(this, request).await,
                "/test.Ending/ServerStream" => grpc.server_streaming(this, request).await,
                "/test.Ending/ClientStream" => grpc.client_streaming(Gathers(this), request).await,
                "/test.Ending/Bidi" => grpc.streaming(this, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// The client's codec: its messages, or what is none; and it reads answers, or fails over them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Picky {
    pub(crate) garbles: bool,
    pub(crate) refuses: bool,
}

impl Codec for Picky {
    type Encode = Said;
    type Decode = Said;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Picky {
    type Item = Said;
    type Error = Status;

    fn encode(&mut self, item: Said, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        use prost::Message;
        use prost::bytes::BufMut;
        let mut bytes = item.encode_to_vec();
        if self.garbles {
            bytes.fill(0xff);
        }
        buffer.put(Bytes::from(bytes));
        Ok(())
    }
}

impl Decoder for Picky {
    type Item = Said;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Said>, Status> {
        if self.refuses {
            return Err(Status::internal("refused"));
        }
        let said = prost::Message::decode(buffer);
        said.map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
