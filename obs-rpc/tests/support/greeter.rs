// What `tonic_prost_build` makes of this, by hand, so that no `protoc` is needed:
//
//     package hello;
//     service Greeter { rpc SayHello(HelloRequest) returns (HelloReply); }
//     message HelloRequest { string name = 1; }
//     message HelloReply { string message = 1; }

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloReply {
    #[prost(string, tag = "1")]
    pub(crate) message: String,
}

pub(crate) mod greeter_client {
    use super::{HelloReply, HelloRequest};
    use tonic::codegen::{Body, Bytes, StdError, http};

    #[derive(Clone, Debug)]
    pub(crate) struct GreeterClient<T>(tonic::client::Grpc<T>);

    impl<T> GreeterClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + Send,
    {
        pub(crate) fn new(inner: T) -> Self {
            Self(tonic::client::Grpc::new(inner))
        }

        pub(crate) async fn say_hello(
            &mut self,
            request: impl tonic::IntoRequest<HelloRequest>,
        ) -> Result<tonic::Response<HelloReply>, tonic::Status> {
            let ready = self.0.ready().await;
            ready.map_err(|error| tonic::Status::unknown(error.into().to_string()))?;
            let path = http::uri::PathAndQuery::from_static("/hello.Greeter/SayHello");
            let codec = tonic_prost::ProstCodec::default();
            self.0.unary(request.into_request(), path, codec).await
        }
    }
}

pub(crate) mod greeter_server {
    use super::{HelloReply, HelloRequest};
    use tonic::codegen::{Arc, Body, BoxFuture, Context, Poll, Service, StdError, http};

    #[tonic::async_trait]
    pub(crate) trait Greeter: Send + Sync + 'static {
        async fn say_hello(
            &self,
            request: tonic::Request<HelloRequest>,
        ) -> Result<tonic::Response<HelloReply>, tonic::Status>;
    }

    #[derive(Debug)]
    pub(crate) struct GreeterServer<T>(Arc<T>);

    impl<T> GreeterServer<T> {
        pub(crate) fn new(inner: T) -> Self {
            Self(Arc::new(inner))
        }
    }

    impl<T> Clone for GreeterServer<T> {
        fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    impl<T> tonic::server::NamedService for GreeterServer<T> {
        const NAME: &'static str = "hello.Greeter";
    }

    impl<T: Greeter, B> Service<http::Request<B>> for GreeterServer<T>
    where
        B: Body + Send + 'static,
        B::Error: Into<StdError> + Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: http::Request<B>) -> Self::Future {
            struct SayHello<T>(Arc<T>);
            impl<T: Greeter> tonic::server::UnaryService<HelloRequest> for SayHello<T> {
                type Response = HelloReply;
                type Future = BoxFuture<tonic::Response<HelloReply>, tonic::Status>;
                fn call(&mut self, request: tonic::Request<HelloRequest>) -> Self::Future {
                    let inner = self.0.clone();
                    Box::pin(async move { inner.say_hello(request).await })
                }
            }
            let method = SayHello(self.0.clone());
            Box::pin(async move {
                let codec = tonic_prost::ProstCodec::default();
                let mut grpc = tonic::server::Grpc::new(codec);
                Ok(match request.uri().path() {
                    "/hello.Greeter/SayHello" => grpc.unary(method, request).await,
                    _ => tonic::Status::unimplemented("").into_http(),
                })
            })
        }
    }
}
