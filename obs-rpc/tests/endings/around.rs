//! What stands around a layer: limits and timeouts outside of it, and calls inside of calls.

use crate::echo::{Answers, Said, say};
use crate::peer::ended;
use crate::service::{Ends, Meeting};
use crate::world::{all, capture, endpoint, listener};
use crate::{Ending, TIMEOUT};
use obs_rpc::client::RpcClient;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http;
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Layer;
use tower::timeout::TimeoutLayer;

async fn serve<S>(server: Server, layer: RpcServerLayer, service: S) -> SocketAddr
where
    S: tower::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S: NamedService + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let (listener, address) = listener().await;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = server.layer(layer).add_service(service);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    address
}

fn server_layer(capture: &Capture) -> RpcServerLayer {
    // A method that is not configured has its name from its first answer on, and these have none.
    let methods = [
        "Ending/Unary",
        "Ending/ServerStream",
        "Front/Unary",
        "Front/ServerStream",
    ];
    let methods = methods.map(|method| format!("test.{method}"));
    RpcServerLayer::new(capture.telemetry())
        .with_addresses(false)
        .with_methods(methods.iter().map(String::as_str))
}

/// Hangs until its client goes away.
fn hangs(meeting: &Arc<Meeting>) -> Ends {
    Ends {
        ending: Ending::DropBeforeHeaders,
        meeting: Arc::clone(meeting),
    }
}

async fn client(capture: &Capture, of: SocketAddr) -> Grpc<RpcClient<Channel>> {
    let channel = endpoint(of).connect().await.expect("connected");
    Grpc::new(RpcClientLayer::new(capture.telemetry()).layer(channel))
}

async fn ask<S>(mut client: Grpc<S>, path: &'static str) -> Result<(), Status>
where
    S: tonic::client::GrpcService<Body>,
    S::Error: Into<tonic::codegen::StdError>,
    S::ResponseBody: tonic::codegen::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let ready = client.ready().await;
    ready.map_err(|_| Status::unknown("not ready"))?;
    let codec = ProstCodec::<Said, Said>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let answer = client.unary(Request::new(say("m", 0)), path, codec).await;
    answer.map(drop)
}

fn find<'a>(records: &'a [CapturedRecord], kind: &str, method: &str) -> &'a CapturedRecord {
    let mut found = records
        .iter()
        .filter(|record| record.descriptor == kind && record.name == method);
    found.next().unwrap_or_else(|| panic!("{kind} of {method}"))
}

/// Refused outside of the layers: the server records nothing.
#[tokio::test]
async fn a_call_that_is_shed_never_comes_to_the_server() {
    let capture = capture();
    let meeting = Arc::default();
    let server = Server::builder()
        .concurrency_limit_per_connection(1)
        .load_shed(true);
    let address = serve(server, server_layer(&capture), hangs(&meeting)).await;
    let client = client(&capture, address).await;
    let first = tokio::spawn(ask(client.clone(), "/test.Ending/Unary"));
    meeting.arrived.notified().await;
    let told = ask(client, "/test.Ending/Unary").await;
    assert_eq!(told.expect_err("shed").code(), Code::ResourceExhausted);
    let shed = all(&capture, 1).await.remove(0);
    let expect = Some("RESOURCE_EXHAUSTED");
    assert_eq!(
        (shed.descriptor, ended(&shed)),
        ("rpc.client", (expect, expect, None))
    );
    assert_eq!(capture.in_flight("obs.rpc.server.active_calls"), 1);
    first.abort();
    all(&capture, 3).await;
    assert_eq!(capture.count("rpc.client.call.duration"), 2);
    assert_eq!(capture.count("rpc.server.call.duration"), 1);
}

/// A call that waits for its turn is the client's, and not yet the server's.
#[tokio::test]
async fn a_call_that_waits_for_a_limit_has_not_come_to_the_server() {
    let capture = capture();
    let meeting = Arc::default();
    let server = Server::builder().concurrency_limit_per_connection(1);
    let address = serve(server, server_layer(&capture), hangs(&meeting)).await;
    let client = client(&capture, address).await;
    let first = tokio::spawn(ask(client.clone(), "/test.Ending/Unary"));
    meeting.arrived.notified().await;
    let second = tokio::spawn(ask(client, "/test.Ending/Unary"));
    let came = tokio::time::timeout(Duration::from_millis(50), meeting.arrived.notified());
    assert!(came.await.is_err(), "there is room for one");
    assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 2);
    assert_eq!(capture.in_flight("obs.rpc.server.active_calls"), 1);
    first.abort();
    meeting.arrived.notified().await;
    second.abort();
    let records = all(&capture, 4).await;
    let waited = |kind| {
        let durations = records.iter().filter(|record| record.descriptor == kind);
        durations.map(|record| record.duration).sum::<Duration>()
    };
    assert!(
        waited("rpc.client") - waited("rpc.server") > Duration::from_millis(40),
        "to wait is no part of the server's time"
    );
}

/// A timeout outside of a client drops it. That it was one is known where it is said.
#[tokio::test]
async fn a_timeout_around_a_client_is_one_where_it_is_told_of_it() {
    for (told, expect) in [
        (
            true,
            (Some("DEADLINE_EXCEEDED"), Some("timeout"), Some("deadline")),
        ),
        (false, (Some("CANCELLED"), Some("cancelled"), Some("local"))),
    ] {
        let capture = capture();
        let meeting = Arc::default();
        let address = serve(Server::builder(), server_layer(&capture), hangs(&meeting)).await;
        let mut layer = RpcClientLayer::new(capture.telemetry());
        if told {
            layer = layer.with_deadline(TIMEOUT);
        }
        let channel = endpoint(address).connect().await.expect("connected");
        let service = TimeoutLayer::new(TIMEOUT).layer(layer.layer(channel));
        let late = ask(Grpc::new(service), "/test.Ending/Unary").await;
        late.expect_err("it is late");
        let records = all(&capture, 2).await;
        assert_eq!(
            ended(find(&records, "rpc.client", "test.Ending/Unary")),
            expect
        );
        let server = find(&records, "rpc.server", "test.Ending/Unary");
        let gone = (Some("CANCELLED"), Some("cancelled"), Some("peer"));
        assert_eq!(ended(server), gone);
    }
}

/// `test.Front`: what it is asked it asks a service behind it.
#[derive(Clone, Debug)]
struct Front(Grpc<RpcClient<Channel>>);

impl NamedService for Front {
    const NAME: &'static str = "test.Front";
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl UnaryService<Said> for Front {
    type Response = Said;
    type Future = BoxFuture<Result<Response<Said>, Status>>;

    fn call(&mut self, request: Request<Said>) -> Self::Future {
        let behind = self.0.clone();
        Box::pin(async move {
            ask(behind, "/test.Ending/Unary").await?;
            Ok(Response::new(request.into_inner()))
        })
    }
}

impl ServerStreamingService<Said> for Front {
    type Response = Said;
    type ResponseStream = Answers;
    type Future = BoxFuture<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Said>) -> Self::Future {
        let mut behind = self.0.clone();
        Box::pin(async move {
            let ready = behind.ready().await;
            ready.map_err(|_| Status::unknown("not ready"))?;
            let codec = ProstCodec::<Said, Said>::default();
            let path = http::uri::PathAndQuery::from_static("/test.Ending/ServerStream");
            let answers = behind.server_streaming(request, path, codec).await?;
            Ok(answers.map(|answers| Box::pin(answers) as Answers))
        })
    }
}

impl tower::Service<http::Request<Body>> for Front {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Said, Said>::default());
        let this = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/test.Front/Unary" => grpc.unary(this, request).await,
                _ => grpc.server_streaming(this, request).await,
            })
        })
    }
}

/// A front with this server's settings, and behind it a service that ends so.
async fn front(
    capture: &Capture,
    server: Server,
    layer: RpcServerLayer,
    ending: Ending,
) -> (SocketAddr, Arc<Meeting>) {
    let meeting = Arc::<Meeting>::default();
    let behind = Ends {
        ending,
        meeting: Arc::clone(&meeting),
    };
    let behind = serve(Server::builder(), server_layer(capture), behind).await;
    let front = Front(client(capture, behind).await);
    (serve(server, layer, front).await, meeting)
}

const GONE: (Option<&str>, Option<&str>, Option<&str>) =
    (Some("CANCELLED"), Some("cancelled"), Some("peer"));
const CASCADED: (Option<&str>, Option<&str>, Option<&str>) =
    (Some("CANCELLED"), Some("cancelled"), Some("cascaded"));

#[tokio::test]
async fn a_call_within_a_call_that_is_dropped_is_cascaded() {
    let capture = capture();
    let layer = server_layer(&capture);
    let ending = Ending::DropBeforeHeaders;
    let (address, meeting) = front(&capture, Server::builder(), layer, ending).await;
    let outer = client(&capture, address).await;
    let outer = tokio::spawn(ask(outer, "/test.Front/Unary"));
    meeting.arrived.notified().await;
    outer.abort();
    let records = all(&capture, 4).await;
    let local = (Some("CANCELLED"), Some("cancelled"), Some("local"));
    assert_eq!(
        ended(find(&records, "rpc.client", "test.Front/Unary")),
        local
    );
    assert_eq!(
        ended(find(&records, "rpc.server", "test.Front/Unary")),
        GONE
    );
    assert_eq!(
        ended(find(&records, "rpc.client", "test.Ending/Unary")),
        CASCADED
    );
    assert_eq!(
        ended(find(&records, "rpc.server", "test.Ending/Unary")),
        GONE
    );
    // One trace, each below the one that asked.
    let tree = capture.tree().to_string();
    assert_eq!(tree.matches("trace ").count(), 1, "{tree}");
}

#[tokio::test]
async fn a_stream_within_a_stream_that_is_dropped_is_cascaded() {
    let capture = capture();
    let layer = server_layer(&capture);
    let ending = Ending::DropMidStream;
    let (address, _) = front(&capture, Server::builder(), layer, ending).await;
    let mut outer = client(&capture, address).await;
    outer.ready().await.expect("connected");
    let codec = ProstCodec::<Said, Said>::default();
    let path = http::uri::PathAndQuery::from_static("/test.Front/ServerStream");
    let asked = Request::new(say("m", 0));
    let answers = outer.server_streaming(asked, path, codec).await;
    let mut answers = answers.expect("a response").into_inner();
    answers.message().await.expect("one").expect("one");
    drop(answers);
    let records = all(&capture, 4).await;
    assert_eq!(
        ended(find(&records, "rpc.server", "test.Front/ServerStream")),
        GONE
    );
    let inner = find(&records, "rpc.client", "test.Ending/ServerStream");
    assert_eq!(ended(inner), CASCADED);
}

#[tokio::test]
async fn a_call_within_a_call_that_is_late_is_cascaded() {
    let capture = capture();
    let layer = server_layer(&capture).with_deadline(TIMEOUT);
    let server = Server::builder().timeout(TIMEOUT);
    let ending = Ending::DropBeforeHeaders;
    let (address, _) = front(&capture, server, layer, ending).await;
    let told = ask(client(&capture, address).await, "/test.Front/Unary").await;
    assert_eq!(told.expect_err("it is late").code(), Code::Cancelled);
    let records = all(&capture, 4).await;
    let late = (Some("DEADLINE_EXCEEDED"), Some("timeout"), Some("deadline"));
    assert_eq!(
        ended(find(&records, "rpc.server", "test.Front/Unary")),
        late
    );
    assert_eq!(
        ended(find(&records, "rpc.client", "test.Ending/Unary")),
        CASCADED
    );
}
