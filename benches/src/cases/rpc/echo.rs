//! The service that is called, as tonic's code generator would write it: a unary method, and a stream of messages each way.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, uri::PathAndQuery};
use tonic::{
    Extensions, GrpcMethod, Status, Streaming,
    body::Body,
    client::GrpcService,
    codegen::{StdError, tokio_stream::Stream},
    metadata::MetadataMap,
    server::{ClientStreamingService, Grpc, NamedService, ServerStreamingService, UnaryService},
    transport::server::TcpConnectInfo,
};
use tonic_prost::ProstCodec;
use tower_service::Service;

/// What is asked and answered.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Said {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
}

pub(crate) const SERVICE: &str = "bench.v1.Models";
const GET: &str = "/bench.v1.Models/Get";
const WATCH: &str = "/bench.v1.Models/Watch";
const TELL: &str = "/bench.v1.Models/Tell";

/// `bench.v1.Models`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Models;

impl NamedService for Models {
    const NAME: &'static str = SERVICE;
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<B> Service<Request<B>> for Models
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let codec = ProstCodec::<Said, Said>::default();
        match request.uri().path() {
            GET => Box::pin(async { Ok(Grpc::new(codec).unary(Get, request).await) }),
            WATCH => {
                Box::pin(async { Ok(Grpc::new(codec).server_streaming(Watch, request).await) })
            }
            TELL => Box::pin(async { Ok(Grpc::new(codec).client_streaming(Tell, request).await) }),
            _ => Box::pin(ready(Ok(Status::unimplemented("").into_http()))),
        }
    }
}

struct Get;

impl UnaryService<Said> for Get {
    type Response = Said;
    type Future = Ready<Result<tonic::Response<Said>, Status>>;

    fn call(&mut self, request: tonic::Request<Said>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

struct Watch;

impl ServerStreamingService<Said> for Watch {
    type Response = Said;
    type ResponseStream = OneByOne;
    type Future = Ready<Result<tonic::Response<OneByOne>, Status>>;

    fn call(&mut self, request: tonic::Request<Said>) -> Self::Future {
        let messages = OneByOne::of(request.into_inner().count);
        ready(Ok(tonic::Response::new(messages)))
    }
}

struct Tell;

impl ClientStreamingService<Said> for Tell {
    type Response = Said;
    type Future = BoxFuture<Result<tonic::Response<Said>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Said>>) -> Self::Future {
        Box::pin(async move {
            let (mut messages, mut count) = (request.into_inner(), 0);
            while messages.message().await?.is_some() {
                count += 1;
            }
            Ok(tonic::Response::new(said(count)))
        })
    }
}

fn said(count: u32) -> Said {
    Said {
        text: String::from("llama-3-8b"),
        count,
    }
}

/// Messages that are not there at once, as of a model that answers by tokens: each is a frame of its own, and one more poll.
#[derive(Debug)]
pub(crate) struct OneByOne {
    left: u32,
    waits: bool,
}

impl OneByOne {
    fn of(messages: u32) -> Self {
        Self {
            left: messages,
            waits: false,
        }
    }

    fn next(&mut self, context: &Context<'_>) -> Poll<Option<Said>> {
        self.waits = !self.waits && self.left > 0;
        if self.waits {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(left) = self.left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.left = left;
        Poll::Ready(Some(said(left)))
    }
}

impl Stream for OneByOne {
    type Item = Result<Said, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.next(context).map(|said| said.map(Ok))
    }
}

/// The same as a client sends them.
struct Told(OneByOne);

impl Stream for Told {
    type Item = Said;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Said>> {
        self.0.next(context)
    }
}

/// The client, as it is generated, over any channel.
#[derive(Clone, Debug)]
pub(crate) struct Client<S>(tonic::client::Grpc<S>);

impl<S> Client<S>
where
    S: GrpcService<Body>,
    S::Error: Into<StdError>,
    S::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<StdError> + Send,
{
    pub(crate) fn new(service: S) -> Self {
        Self(tonic::client::Grpc::new(service))
    }

    /// The same with the authority in each request that a channel writes there.
    pub(crate) fn to(service: S, url: &'static str) -> Self {
        Self(tonic::client::Grpc::with_origin(
            service,
            Uri::from_static(url),
        ))
    }

    async fn ready(&mut self) {
        if self.0.ready().await.is_err() {
            panic!("the channel of a bench is there");
        }
    }

    /// One answer to one question.
    pub(crate) async fn get(&mut self) -> usize {
        self.ready().await;
        let request = asked(said(7), "Get");
        let path = PathAndQuery::from_static(GET);
        let answer = self.0.unary(request, path, ProstCodec::default()).await;
        let answer: tonic::Response<Said> = answer.expect("it answers");
        answer.get_ref().text.len()
    }

    /// A stream of answers, read to its end.
    pub(crate) async fn watch(&mut self, messages: u32) {
        self.ready().await;
        let request = asked(said(messages), "Watch");
        let path = PathAndQuery::from_static(WATCH);
        let answer = self
            .0
            .server_streaming(request, path, ProstCodec::default())
            .await;
        let mut answers: Streaming<Said> = answer.expect("it answers").into_inner();
        let mut read = 0;
        while answers.message().await.expect("no error").is_some() {
            read += 1;
        }
        assert_eq!(read, messages);
    }

    /// A stream of messages, answered at its end.
    pub(crate) async fn tell(&mut self, messages: u32) {
        self.ready().await;
        let request = asked(Told(OneByOne::of(messages)), "Tell");
        let path = PathAndQuery::from_static(TELL);
        let answer = self
            .0
            .client_streaming(request, path, ProstCodec::default())
            .await;
        let answer: tonic::Response<Said> = answer.expect("it answers");
        assert_eq!(answer.get_ref().count, messages);
    }
}

/// A request with two entries of metadata of an application's, and what a generated client says of the method.
fn asked<T>(message: T, method: &'static str) -> tonic::Request<T> {
    let mut metadata = http::HeaderMap::new();
    metadata.insert("x-tenant", HeaderValue::from_static("tenant-4711"));
    metadata.insert("x-client", HeaderValue::from_static("obs-benches/0.1"));
    let mut extensions = Extensions::default();
    extensions.insert(GrpcMethod::new(SERVICE, method));
    // What tonic's server leaves, for where there is no wire, on which it would stay behind.
    extensions.insert(TcpConnectInfo {
        local_addr: None,
        remote_addr: Some(([203, 0, 113, 7], 51_034).into()),
    });
    tonic::Request::from_parts(MetadataMap::from_headers(metadata), extensions, message)
}
