//! The server: methods of each kind, `interop.Echo/{Unary,ClientStream,ServerStream,Bidi}_…`, that do what the request's
//! metadata say. The rest of a method's name is the case's, so that each has numbers of its own.
//!
//! - `x-act`: what happens before the answer, `x-then`: after its messages: `sleep MS`, `fail CODE`, `panic`, `trailers`.
//! - `x-count`, `x-size`: how many messages a stream answers, and bytes in each; else they are the request's.
//! - `x-gzip`: the answer is compressed.
//! - `x-echo-bin` comes back as it is, in the answer's metadata and with a failure; `traceparent` as `x-traceparent`.

use crate::Result;
use crate::codec::BytesCodec;
use bytes::Bytes;
use obs_core::Telemetry;
use obs_rpc::RpcServerLayer;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::{Service, StdError, http};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::{
    ClientStreamingService, Grpc, NamedService, ServerStreamingService, StreamingService,
    UnaryService,
};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

/// Serves until SIGTERM, and then for as long as calls take, but not for ever.
pub(crate) async fn serve(telemetry: &Telemetry) -> Result<()> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    // Before anybody is told where it is: a signal that comes earlier ends the process.
    let mut terminate = signal(SignalKind::terminate())?;
    println!("{}", incoming.local_addr()?);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<Echo>().await;
    let server = tonic::transport::Server::builder()
        .layer(RpcServerLayer::new(telemetry).without_infrastructure())
        .add_service(health)
        .add_service(Echo);
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        terminate.recv().await;
        drop(stopping);
    };
    let late = async {
        let _ = stopped.await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    tokio::select! {
        served = server.serve_with_incoming_shutdown(incoming, stop) => served?,
        () = late => return Err("a call did not end".into()),
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "interop.Echo";
}

type Answer<T> = Pin<Box<dyn Future<Output = std::result::Result<T, Status>> + Send>>;
type Answers = ReceiverStream<std::result::Result<Bytes, Status>>;

fn text<'m>(metadata: &'m MetadataMap, key: &str) -> &'m str {
    metadata.get(key).map_or("", |it| it.to_str().unwrap_or(""))
}

async fn act(metadata: &MetadataMap, when: &str) -> std::result::Result<(), Status> {
    let (what, how) = text(metadata, when).split_once(' ').unwrap_or_default();
    let number: u64 = how.parse().unwrap_or(0);
    match what {
        "sleep" => tokio::time::sleep(Duration::from_millis(number)).await,
        "fail" => {
            return Err(Status::with_details_and_metadata(
                Code::from_i32(number as i32),
                "asked for: \u{e9}",
                Bytes::from_static(b"\x08\x05\x12\x07details"),
                echo(metadata),
            ));
        }
        // Nothing else lets a stream that succeeds have trailers of its own.
        "trailers" => {
            return Err(Status::with_metadata(Code::Ok, "", echo(metadata)));
        }
        "panic" => panic!("asked for"),
        _ => {}
    }
    Ok(())
}

fn echo(metadata: &MetadataMap) -> MetadataMap {
    let mut answer = MetadataMap::new();
    if let Some(value) = metadata.get_bin("x-echo-bin") {
        answer.insert_bin("x-echo-bin", value.clone());
    }
    if let Ok(value) = MetadataValue::try_from(text(metadata, "traceparent")) {
        answer.insert("x-traceparent", value);
    }
    answer
}

fn answer<T>(metadata: &MetadataMap, message: T) -> Response<T> {
    let mut response = Response::new(message);
    *response.metadata_mut() = echo(metadata);
    response
}

/// A message of the size that is asked for.
fn sized(metadata: &MetadataMap, message: &Bytes) -> Bytes {
    match text(metadata, "x-size").parse() {
        Ok(size) => vec![b'a'; size].into(),
        Err(_) => message.clone(),
    }
}

struct Unary;

impl UnaryService<Bytes> for Unary {
    type Response = Bytes;
    type Future = Answer<Response<Bytes>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(async move {
            act(request.metadata(), "x-act").await?;
            let message = sized(request.metadata(), request.get_ref());
            Ok(answer(request.metadata(), message))
        })
    }
}

struct ClientStream;

impl ClientStreamingService<Bytes> for ClientStream {
    type Response = Bytes;
    type Future = Answer<Response<Bytes>>;

    /// It answers how many messages there were, and how many bytes.
    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        Box::pin(async move {
            let (metadata, _, mut messages) = request.into_parts();
            let (mut count, mut bytes) = (0, 0);
            while let Some(message) = messages.message().await? {
                count += 1;
                bytes += message.len();
            }
            act(&metadata, "x-act").await?;
            Ok(answer(&metadata, format!("{count} {bytes}").into()))
        })
    }
}

struct ServerStream;

impl ServerStreamingService<Bytes> for ServerStream {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = Answer<Response<Answers>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(async move {
            let (metadata, _, message) = request.into_parts();
            act(&metadata, "x-act").await?;
            let (answers, stream) = mpsc::channel(1);
            let response = answer(&metadata, ReceiverStream::new(stream));
            tokio::spawn(async move {
                let count = text(&metadata, "x-count").parse().unwrap_or(1);
                for _ in 0..count {
                    if answers.send(Ok(sized(&metadata, &message))).await.is_err() {
                        return;
                    }
                }
                finish(&metadata, &answers).await;
            });
            Ok(response)
        })
    }
}

/// What comes after the messages; given up when nobody waits for it.
async fn finish(
    metadata: &MetadataMap,
    answers: &mpsc::Sender<std::result::Result<Bytes, Status>>,
) {
    let last = tokio::select! {
        last = act(metadata, "x-then") => last,
        () = answers.closed() => return,
    };
    if let Err(status) = last {
        let _ = answers.send(Err(status)).await;
    }
}

struct Bidi;

impl StreamingService<Bytes> for Bidi {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = Answer<Response<Answers>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        Box::pin(async move {
            let (metadata, _, mut messages) = request.into_parts();
            act(&metadata, "x-act").await?;
            let (answers, stream) = mpsc::channel(1);
            let response = answer(&metadata, ReceiverStream::new(stream));
            tokio::spawn(async move {
                while let Some(message) = messages.message().await.transpose() {
                    let over = message.is_err();
                    let message = message.map(|message| sized(&metadata, &message));
                    if answers.send(message).await.is_err() || over {
                        return;
                    }
                }
                finish(&metadata, &answers).await;
            });
            Ok(response)
        })
    }
}

impl<B> Service<http::Request<B>> for Echo
where
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(BytesCodec).accept_compressed(Gzip);
            if request.headers().contains_key("x-gzip") {
                grpc = grpc.send_compressed(Gzip);
            }
            let (_, method) = request.uri().path().rsplit_once('/').unwrap_or_default();
            let kind = method.split('_').next().unwrap_or("").to_owned();
            Ok(match &*kind {
                "Unary" => grpc.unary(Unary, request).await,
                "ClientStream" => grpc.client_streaming(ClientStream, request).await,
                "ServerStream" => grpc.server_streaming(ServerStream, request).await,
                "Bidi" => grpc.streaming(Bidi, request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}
