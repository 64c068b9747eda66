//! What the front and the tool service agree on, as tonic's generator writes it: by hand, so that no `protoc` is needed. From
//!
//! ```proto
//! package assistant;
//! service Tools {
//!   rpc Call(Wanted) returns (Found);
//!   rpc Watch(Wanted) returns (stream Found);
//! }
//! message Wanted { string tool = 1; }
//! message Found { string text = 1; }
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{BoxFuture, Bytes, Service, StdError, http};
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// Which tool is wanted.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Wanted {
    #[prost(string, tag = "1")]
    pub(crate) tool: String,
}

/// What it found.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Found {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

const CALL: &str = "/assistant.Tools/Call";
const WATCH: &str = "/assistant.Tools/Watch";

/// The side that answers.
pub(crate) trait Tools: Send + Sync + 'static {
    type Watch: tokio_stream::Stream<Item = Result<Found, Status>> + Send + 'static;

    fn call(
        &self,
        request: Request<Wanted>,
    ) -> impl Future<Output = Result<Response<Found>, Status>> + Send;

    fn watch(
        &self,
        request: Request<Wanted>,
    ) -> impl Future<Output = Result<Response<Self::Watch>, Status>> + Send;
}

/// It as a service for tonic's server.
#[derive(Debug)]
pub(crate) struct ToolsServer<T>(Arc<T>);

impl<T> ToolsServer<T> {
    pub(crate) fn new(tools: T) -> Self {
        Self(Arc::new(tools))
    }
}

impl<T> Clone for ToolsServer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> NamedService for ToolsServer<T> {
    const NAME: &'static str = "assistant.Tools";
}

impl<T, B> Service<http::Request<B>> for ToolsServer<T>
where
    T: Tools,
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let tools = self.0.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
            Ok(match request.uri().path() {
                CALL => grpc.unary(Call(tools), request).await,
                WATCH => grpc.server_streaming(Watch(tools), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

struct Call<T>(Arc<T>);

impl<T: Tools> UnaryService<Wanted> for Call<T> {
    type Response = Found;
    type Future = BoxFuture<Response<Found>, Status>;

    fn call(&mut self, request: Request<Wanted>) -> Self::Future {
        let tools = self.0.clone();
        Box::pin(async move { tools.call(request).await })
    }
}

struct Watch<T>(Arc<T>);

impl<T: Tools> ServerStreamingService<Wanted> for Watch<T> {
    type Response = Found;
    type ResponseStream = T::Watch;
    type Future = BoxFuture<Response<T::Watch>, Status>;

    fn call(&mut self, request: Request<Wanted>) -> Self::Future {
        let tools = self.0.clone();
        Box::pin(async move { tools.watch(request).await })
    }
}

/// The side that asks, over a channel or layers around one.
#[derive(Clone, Debug)]
pub(crate) struct ToolsClient<S>(tonic::client::Grpc<S>);

impl<S> ToolsClient<S>
where
    S: GrpcService<Body>,
    S::Error: Into<StdError>,
    S::ResponseBody: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<StdError> + Send,
{
    pub(crate) fn new(service: S) -> Self {
        Self(tonic::client::Grpc::new(service))
    }

    pub(crate) async fn call(
        &mut self,
        request: Request<Wanted>,
    ) -> Result<Response<Found>, Status> {
        self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(CALL);
        self.0.unary(request, path, ProstCodec::default()).await
    }

    pub(crate) async fn watch(
        &mut self,
        request: Request<Wanted>,
    ) -> Result<Response<Streaming<Found>>, Status> {
        self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(WATCH);
        let codec = ProstCodec::default();
        self.0.server_streaming(request, path, codec).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.0.ready().await;
        ready.map_err(|error| Status::unknown(format!("not ready: {}", error.into())))
    }
}
