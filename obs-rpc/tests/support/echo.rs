//! A service with a method of each kind, written as tonic's code generator would. What a request says is what happens.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::{
    ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService,
    UnaryService,
};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// What is asked and answered.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Said {
    /// What is to happen, or what happened: `fail 5`, `panic`, `unwind`, `sleep 3`.
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    /// How many messages are to come.
    #[prost(uint32, tag = "2")]
    pub(crate) count: u32,
}

pub(crate) fn say(text: &str, count: u32) -> Said {
    Said {
        text: text.to_owned(),
        count,
    }
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<Said, Status>> + Send>>;

/// `test.Echo`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

/// What a text makes of a call.
async fn act(text: &str) -> Result<(), Status> {
    match text.split_once(' ') {
        Some(("fail", code)) => {
            let code: i32 = code.parse().expect("a number");
            Err(Status::new(code.into(), "asked for"))
        }
        Some(("sleep", ms)) => {
            tokio::time::sleep(Duration::from_millis(ms.parse().expect("a number"))).await;
            Ok(())
        }
        _ if text == "panic" => panic!("asked for"),
        // Without the hook's message.
        _ if text == "unwind" => std::panic::resume_unwind(Box::new("asked for")),
        _ => Ok(()),
    }
}

/// `count` answers, and then what the text says.
fn answers(said: Said) -> Answers {
    let (answers, receiver) = tokio::sync::mpsc::channel(1);
    let work = async move {
        for at in 0..said.count {
            if answers.send(Ok(say("answer", at))).await.is_err() {
                return;
            }
        }
        if let Some(text) = said.text.strip_prefix("then ")
            && let Err(status) = act(text).await
        {
            let _ = answers.send(Err(status)).await;
        }
    };
    tokio::spawn(work);
    Box::pin(Receiving(receiver))
}

struct Receiving(tokio::sync::mpsc::Receiver<Result<Said, Status>>);

impl Stream for Receiving {
    type Item = Result<Said, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

struct Unary;

impl UnaryService<Said> for Unary {
    type Response = Said;
    type Future = BoxFuture<Result<Response<Said>, Status>>;

    fn call(&mut self, request: Request<Said>) -> Self::Future {
        Box::pin(async move {
            let said = request.into_inner();
            act(&said.text).await?;
            Ok(Response::new(said))
        })
    }
}

struct ServerStream;

impl ServerStreamingService<Said> for ServerStream {
    type Response = Said;
    type ResponseStream = Answers;
    type Future = BoxFuture<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Said>) -> Self::Future {
        Box::pin(async move {
            let said = request.into_inner();
            act(&said.text).await?;
            Ok(Response::new(answers(said)))
        })
    }
}

struct ClientStream;

impl ClientStreamingService<Said> for ClientStream {
    type Response = Said;
    type Future = BoxFuture<Result<Response<Said>, Status>>;

    fn call(&mut self, request: Request<Streaming<Said>>) -> Self::Future {
        Box::pin(async move {
            let mut messages = request.into_inner();
            let mut count = 0;
            while let Some(said) = messages.message().await? {
                act(&said.text).await?;
                count += 1;
            }
            Ok(Response::new(say("counted", count)))
        })
    }
}

struct Bidi;

impl StreamingService<Said> for Bidi {
    type Response = Said;
    type ResponseStream = Answers;
    type Future = BoxFuture<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<Said>>) -> Self::Future {
        Box::pin(async move {
            let messages = request.into_inner();
            let answers = messages.then(|said| async move {
                let said = said?;
                act(&said.text).await?;
                Ok(said)
            });
            Ok(Response::new(Box::pin(answers) as Answers))
        })
    }
}

impl<B> tower::Service<http::Request<B>> for Echo
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
        let codec = ProstCodec::<Said, Said>::default();
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            let mut grpc = Grpc::new(codec)
                .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
                .send_compressed(tonic::codec::CompressionEncoding::Gzip);
            Ok(match &*path {
                "/test.Echo/Unary" => grpc.unary(Unary, request).await,
                "/test.Echo/ServerStream" => grpc.server_streaming(ServerStream, request).await,
                "/test.Echo/ClientStream" => grpc.client_streaming(ClientStream, request).await,
                "/test.Echo/Bidi" => grpc.streaming(Bidi, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// A client as tonic's code generator would write it, over any service.
#[derive(Clone, Debug)]
pub(crate) struct EchoClient<S>(pub(crate) tonic::client::Grpc<S>);

impl<S> EchoClient<S>
where
    S: tonic::client::GrpcService<Body>,
    S::Error: Into<tonic::codegen::StdError>,
    S::ResponseBody: tonic::codegen::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    pub(crate) fn new(service: S) -> Self {
        Self(tonic::client::Grpc::new(service))
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unknown(format!("not ready: {}", error.into())))
    }

    fn path(method: &str) -> http::uri::PathAndQuery {
        format!("/test.Echo/{method}").parse().expect("a path")
    }

    pub(crate) async fn unary_to(
        &mut self,
        method: &str,
        request: Request<Said>,
    ) -> Result<Response<Said>, Status> {
        self.ready().await?;
        let codec = ProstCodec::default();
        self.0.unary(request, Self::path(method), codec).await
    }

    pub(crate) async fn unary(&mut self, said: Said) -> Result<Response<Said>, Status> {
        self.unary_to("Unary", Request::new(said)).await
    }

    pub(crate) async fn server_stream(
        &mut self,
        request: Request<Said>,
    ) -> Result<Response<Streaming<Said>>, Status> {
        self.ready().await?;
        let codec = ProstCodec::default();
        let path = Self::path("ServerStream");
        self.0.server_streaming(request, path, codec).await
    }

    pub(crate) async fn client_stream(
        &mut self,
        request: Request<impl Stream<Item = Said> + Send + 'static>,
    ) -> Result<Response<Said>, Status> {
        self.ready().await?;
        let codec = ProstCodec::default();
        let path = Self::path("ClientStream");
        self.0.client_streaming(request, path, codec).await
    }

    pub(crate) async fn bidi(
        &mut self,
        request: Request<impl Stream<Item = Said> + Send + 'static>,
    ) -> Result<Response<Streaming<Said>>, Status> {
        self.ready().await?;
        let codec = ProstCodec::default();
        let path = Self::path("Bidi");
        self.0.streaming(request, path, codec).await
    }
}
