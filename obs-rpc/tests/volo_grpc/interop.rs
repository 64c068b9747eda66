//! Volo's with tonic's, each way, both observed; and what is seen without a transport of our own.

use crate::PATIENCE;
use crate::echo::{self, Echo, EchoClient};
use crate::generated::EchoClientBuilder;
use crate::raw::{NONSENSE, Raw};
use crate::service::{Acts, say};
use crate::world::{World, all, capture, client, listener, one, serve};
use bytes::Bytes;
use obs_core::Outcome;
use obs_rpc::volo_grpc::{MakeTransport, VoloGrpcCallLayer, VoloGrpcClientLayer};
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::Capture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::task::JoinHandle;
use tokio_stream::iter;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tower::Layer;
use tower::util::MapResponseLayer;
use volo_grpc::client::Http2Config;
use volo_grpc::codegen::StreamExt;
use volo_grpc::context::Config;
use volo_grpc::transport::ClientTransport;

fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    endpoint.connect_lazy()
}

async fn serve_tonic(capture: &Capture) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener().await;
    let layer = RpcServerLayer::new(capture.telemetry()).with_addresses(false);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().layer(layer).add_service(Echo);
    let served = tokio::spawn(async move {
        server.serve_with_incoming(incoming).await.expect("served");
    });
    (address, served)
}

/// Each kind of call, one that failed, and one with two messages of each side.
#[track_caller]
fn check(capture: &Capture, wrapped: &str) {
    let records = capture.records();
    for (method, status) in [
        ("Unary", "OK"),
        ("Unary", "NOT_FOUND"),
        ("ServerStream", "OK"),
        ("ClientStream", "OK"),
        ("Bidi", "OK"),
    ] {
        for kind in ["rpc.client", "rpc.server"] {
            let found = records.iter().filter(|record| {
                record.descriptor == kind
                    && record.text("rpc.method") == Some(&format!("test.Echo/{method}"))
                    && record.text("rpc.response.status_code") == Some(status)
            });
            assert_eq!(
                found.count(),
                1,
                "{wrapped}: {kind} {method} {status}\n{}",
                capture.tree()
            );
        }
    }
    for server in records
        .iter()
        .filter(|record| record.descriptor == "rpc.server")
    {
        let mut clients = records
            .iter()
            .filter(|record| record.descriptor == "rpc.client");
        let parent = clients.find(|client| Some(client.span_id) == server.parent_span_id);
        let parent = parent.expect("each is the child of its client");
        for part in ["request", "response"] {
            for what in ["messages", "size"] {
                let key = format!("obs.rpc.{part}.{what}");
                assert_eq!(server.attr(&key), parent.attr(&key), "{wrapped}: {key}");
            }
        }
    }
    for side in ["client", "server"] {
        assert_eq!(capture.count(&format!("rpc.{side}.call.duration")), 5);
        assert_eq!(
            capture.in_flight(&format!("obs.rpc.{side}.active_calls")),
            0
        );
    }
}

#[tokio::test]
async fn a_client_of_tonics_calls_a_server_of_volos() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    let layer = RpcClientLayer::new(capture.telemetry());
    let mut client = EchoClient::new(layer.layer(channel(address)));
    client.unary(echo::say("well", 0)).await.expect("answered");
    let failed = client.unary(echo::say("fail 5", 0)).await;
    assert_eq!(failed.expect_err("as asked").code(), tonic::Code::NotFound);
    let request = tonic::Request::new(echo::say("well", 2));
    let mut answers = client
        .server_stream(request)
        .await
        .expect("answered")
        .into_inner();
    while answers.message().await.expect("a message").is_some() {}
    let said = || tonic::Request::new(iter([echo::say("a", 1), echo::say("b", 1)]));
    client.client_stream(said()).await.expect("answered");
    let mut answers = client.bidi(said()).await.expect("answered").into_inner();
    while answers.message().await.expect("a message").is_some() {}
    all(&capture, 10).await;
    check(&capture, "tonic to Volo");
    served.abort();
}

#[tokio::test]
async fn a_client_of_volos_calls_a_server_of_tonics() {
    let capture = capture();
    let (address, served) = serve_tonic(&capture).await;
    let client = client(&capture, address, None);
    client.unary(say("well", 0)).await.expect("answered");
    let failed = client.unary(say("fail 5", 0)).await;
    assert_eq!(
        failed.expect_err("as asked").code(),
        volo_grpc::Code::NotFound
    );
    let answers = client
        .server_stream(say("well", 2))
        .await
        .expect("answered");
    let mut answers = Box::pin(answers.into_inner());
    while let Some(said) = answers.next().await {
        said.expect("a message");
    }
    let said = || iter([say("a", 1), say("b", 1)]);
    client.client_stream(said()).await.expect("answered");
    let mut answers = Box::pin(client.bidi(said()).await.expect("answered").into_inner());
    while let Some(said) = answers.next().await {
        said.expect("a message");
    }
    all(&capture, 15).await;
    check(&capture, "Volo to tonic");
    assert_eq!(capture.count("obs.rpc.call.duration"), 5);
    served.abort();
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_the_servers_internal_error() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    for method in ["Unary", "ServerStream", "ClientStream", "Bidi"] {
        let mut client = tonic::client::Grpc::new(channel(address));
        client.ready().await.expect("connected");
        let path = format!("/test.Echo/{method}").parse().expect("a path");
        let request = tonic::Request::new(iter([Bytes::from_static(NONSENSE)]));
        let answered = client.streaming(request, path, Raw).await;
        assert_eq!(
            answered.expect_err("nonsense").code(),
            tonic::Code::Internal
        );
        let records = all(&capture, 1).await;
        let record = one(&records, "rpc.server");
        assert_eq!(record.text("rpc.response.status_code"), Some("INTERNAL"));
        assert_eq!(record.error_type(), Some("INTERNAL"));
        capture.clear();
    }
    served.abort();
}

#[tokio::test]
async fn a_method_that_there_is_not_has_no_name() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    let mut client = EchoClient::new(channel(address));
    let request = tonic::Request::new(echo::say("well", 0));
    let answered = client.unary_to("Unheard", request).await;
    assert_eq!(
        answered.expect_err("there is none").code(),
        tonic::Code::Unimplemented
    );
    let record = one(&all(&capture, 1).await, "rpc.server");
    assert_eq!(record.text("rpc.method"), Some("_OTHER"));
    assert_eq!(
        record.text("rpc.method_original"),
        Some("test.Echo/Unheard")
    );
    served.abort();
}

/// Volo's own transport shows the head of a response, and no more.
#[tokio::test]
async fn without_a_transport_of_ours_a_call_ends_with_the_head_of_its_response() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    let client = EchoClientBuilder::new("echo.callee")
        .address(address)
        .layer_outer_front(VoloGrpcCallLayer::new(capture.telemetry()))
        .layer_inner(VoloGrpcClientLayer::new(capture.telemetry()))
        .build();
    let answers = client
        .server_stream(say("well", 2))
        .await
        .expect("answered");
    let records = capture.records();
    for kind in ["rpc.call", "rpc.client"] {
        let record = one(&records, kind);
        assert_eq!(record.outcome, Outcome::ANSWERED, "{kind}");
        assert_eq!(record.text("rpc.response.status_code"), None, "{kind}");
        assert_eq!(record.attr("obs.rpc.response.messages"), None, "{kind}");
        assert_eq!(
            record.event_names().last(),
            Some(&"stream_recv_header"),
            "{kind}"
        );
    }
    assert_eq!(capture.count("obs.rpc.client.response.messages"), 0);
    assert_eq!(capture.count("obs.rpc.client.request.messages"), 1);
    drop(answers);
    // A status in the place of the head is seen.
    let failed = client.unary(say("fail 5", 0)).await;
    assert_eq!(
        failed.expect_err("as asked").code(),
        volo_grpc::Code::NotFound
    );
    let seen = capture.records();
    let failed = seen
        .iter()
        .filter(|record| record.error_type() == Some("NOT_FOUND"));
    assert_eq!(failed.count(), 2, "the call and its attempt");
    assert_eq!(capture.count("rpc.client.call.duration"), 2);
    served.abort();
}

/// If this fails, Volo has learnt to read it, and its page has a line too many.
#[tokio::test]
async fn binary_metadata_of_a_response_panics_volos_client_and_the_call_ends_once() {
    let capture = capture();
    let (listener, address) = listener().await;
    let adds = MapResponseLayer::new(|mut response: http::Response<tonic::body::Body>| {
        let value = http::HeaderValue::from_static("AAE");
        response.headers_mut().insert("note-bin", value);
        response
    });
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().layer(adds).add_service(Echo);
    let served = tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let client = client(&capture, address, None);
    let asked = tokio::spawn(async move { client.unary(say("well", 0)).await.map(drop) });
    assert!(asked.await.expect_err("it panics").is_panic());
    let records = capture.records();
    for kind in ["rpc.call", "rpc.client"] {
        assert_eq!(one(&records, kind).error_type(), Some("panic"), "{kind}");
    }
    assert_eq!(capture.count("rpc.client.call.duration"), 1);
    assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 0);
    served.abort();
}

/// What is behind it is not there. Volo reads the page as a message, or its caller does not read it at all.
#[tokio::test]
async fn a_page_of_a_proxy_is_a_status_by_http_whether_it_is_read_or_not() {
    for is_read in [true, false] {
        let capture = capture();
        let (listener, address) = listener().await;
        let fails = MapResponseLayer::new(|_: http::Response<tonic::body::Body>| {
            let page = http_body_util::Full::new(Bytes::from_static(b"<html>"));
            let response = http::Response::builder().status(503);
            let page = response.body(tonic::body::Body::new(page));
            page.expect("a response")
        });
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = Server::builder().layer(fails).add_service(Echo);
        let served = tokio::spawn(async move { server.serve_with_incoming(incoming).await });
        let client = client(&capture, address, None);
        if is_read {
            client.unary(say("well", 0)).await.expect_err("a page");
        } else {
            drop(client.server_stream(say("well", 0)).await.expect("a head"));
        }
        let records = all(&capture, 2).await;
        for kind in ["rpc.call", "rpc.client"] {
            let record = one(&records, kind);
            let status = record.text("rpc.response.status_code");
            assert_eq!(status, Some("UNAVAILABLE"), "{kind}, {is_read}");
        }
        served.abort();
    }
}

/// As one with TLS would be made.
struct Counting(Arc<AtomicU32>);

impl MakeTransport for Counting {
    fn make<U>(&self, config: &Config) -> ClientTransport<U> {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert_eq!(config.rpc_timeout(), Some(PATIENCE));
        ClientTransport::new(&Http2Config::default(), config)
    }
}

#[tokio::test]
async fn a_transport_of_the_users_is_made_once_and_watched_as_well() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    let made = Arc::new(AtomicU32::new(0));
    let layer = VoloGrpcClientLayer::new(capture.telemetry());
    let client = EchoClientBuilder::new("echo.callee")
        .address(address)
        .rpc_timeout(Some(PATIENCE))
        .layer_outer_front(VoloGrpcClientLayer::calls(capture.telemetry()))
        .layer_inner(layer.with_transport(Counting(made.clone())))
        .build();
    for client in [client.clone(), client] {
        client.unary(say("well", 0)).await.expect("answered");
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
    for record in all(&capture, 6).await {
        assert_eq!(record.text("rpc.response.status_code"), Some("OK"));
    }
    served.abort();
}

/// As between two messages: the attempt goes with its call.
#[tokio::test]
async fn a_response_that_is_dropped_unread_takes_its_attempt_with_it() {
    let world = World::new(None).await;
    let answers = world.client.server_stream(say("well", 2)).await;
    drop(answers.expect("a response"));
    let records = world.recorded().await;
    let origins = records.map(|it| it.text("obs.rpc.cancel.origin").map(str::to_owned));
    let [call, attempt, _] = origins;
    assert_eq!(call.as_deref(), Some("local"));
    assert_eq!(attempt.as_deref(), Some("cascaded"));
}

#[tokio::test]
async fn nobody_listens() {
    let capture = capture();
    let (nobody, address) = listener().await;
    drop(nobody);
    let client = client(&capture, address, None);
    let seen = client.unary(say("well", 0)).await.expect_err("nobody");
    let records = capture.records();
    for kind in ["rpc.call", "rpc.client"] {
        let record = one(&records, kind);
        assert_eq!(record.error_type(), Some("transport_error"), "{kind}");
        let told = crate::endings::name(seen.code());
        assert_eq!(
            record.text("rpc.response.status_code"),
            Some(told),
            "{kind}"
        );
    }
}

/// Two calls in one task at a time, each with its own context.
#[tokio::test]
async fn calls_of_one_task_do_not_mix() {
    let world = World::new(None).await;
    let call = |text: &'static str| world.client.unary(say(text, 0));
    let (one, two) = tokio::join!(call("metadata traceparent"), call("metainfo TRACEPARENT"));
    let (one, two) = (one.expect("answered"), two.expect("answered"));
    let records = all(&world.capture, 6).await;
    for answer in [one, two] {
        let said = answer.into_inner().text;
        let mut attempts = records.iter().filter(|record| {
            let id = format!("{:016x}", u64::from_be_bytes(record.span_id.to_bytes()));
            record.descriptor == "rpc.client" && said.contains(&id)
        });
        let attempt = attempts.next().expect("an attempt");
        let server = records
            .iter()
            .find(|it| it.parent_span_id == Some(attempt.span_id));
        assert_eq!(server.expect("its child").descriptor, "rpc.server");
    }
}
