//! Calls of each kind over real sockets, as both sides see them.
#![cfg(feature = "tonic")]

#[path = "support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;

use bytes::Bytes;
use echo::{Echo, EchoClient, say};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use obs_core::propagation::traceparent;
use obs_core::{Descriptor, Labels, Outcome, Parent, Scope, StatsLevel, Trust};
use obs_rpc::client::RpcClient;
use obs_rpc::{Code, RpcClientLayer, RpcServerLayer};
use obs_testing::{AttrValue, Capture, Kind};
use std::net::SocketAddr;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Status};
use tower::{Layer, ServiceExt, service_fn};

async fn serve(capture: &Capture) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let layer = RpcServerLayer::new(capture.telemetry()).with_addresses(false);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().layer(layer).add_service(Echo);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    address
}

async fn client(capture: &Capture) -> EchoClient<RpcClient<Channel>> {
    let address = serve(capture).await;
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("a URL")
        .connect_lazy();
    EchoClient::new(RpcClientLayer::new(capture.telemetry()).layer(channel))
}

/// One call of each kind, read to its end.
async fn each_kind(client: &mut EchoClient<RpcClient<Channel>>) {
    client.unary(say("hello", 0)).await.expect("answered");
    let asked = client.server_stream(Request::new(say("then ", 2))).await;
    let mut answers = asked.expect("a response").into_inner();
    let mut count = 0;
    while answers.message().await.expect("messages").is_some() {
        count += 1;
    }
    assert_eq!(count, 2);
    let three = || Request::new(tokio_stream::iter(["a", "b", "c"].map(|text| say(text, 0))));
    let counted = client.client_stream(three()).await.expect("answered");
    assert_eq!(counted.into_inner().count, 3);
    let asked = client.bidi(three()).await;
    let mut answers = asked.expect("a response").into_inner();
    while answers.message().await.expect("messages").is_some() {
        count += 1;
    }
    assert_eq!(count, 5);
}

/// So many records; the server's may be behind.
async fn all(capture: &Capture, count: usize) {
    let begun = Instant::now();
    while capture.records().len() < count {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            capture.tree()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_unary_call_is_one_span_on_each_side_with_its_messages_and_its_status() {
    let capture = Capture::new();
    let mut client = client(&capture).await;
    client.unary(say("hello", 0)).await.expect("answered");
    let failed = client.unary(say("fail 5", 0)).await;
    assert_eq!(failed.expect_err("as asked").code(), tonic::Code::NotFound);
    all(&capture, 4).await;
    let tree = capture.tree().to_string();
    for line in [
        "  test.Echo/Unary [client]\n",
        "    test.Echo/Unary [server] remote parent\n",
        "  test.Echo/Unary [client] error\n",
    ] {
        assert!(tree.contains(line), "{line}{tree}");
    }
    assert_eq!(capture.count("rpc.client.call.duration"), 2);
    assert_eq!(capture.count("rpc.server.call.duration"), 2);
}

#[tokio::test]
async fn each_kind_of_call_has_its_messages_counted_at_base_without_an_event() {
    let capture = Capture::builder()
        .with(|builder| builder.with_measures(true))
        .build();
    each_kind(&mut client(&capture).await).await;
    all(&capture, 8).await;
    let records = capture.records();
    for client in records.iter().filter(|it| it.kind == Kind::Client) {
        let mut below = records
            .iter()
            .filter(|it| it.parent_span_id == Some(client.span_id));
        let server = below.next().expect("the server's is below the client's");
        assert_eq!((server.kind, &server.name), (Kind::Server, &client.name));
        assert_eq!(below.next(), None);
    }
    for record in records {
        let messages = match &*record.name {
            "test.Echo/Unary" => (1, 1),
            "test.Echo/ServerStream" => (1, 2),
            "test.Echo/ClientStream" => (3, 1),
            "test.Echo/Bidi" => (3, 3),
            other => panic!("nobody asked for {other}"),
        };
        let number = |key| match record.attr(key) {
            Some(AttrValue::Int(number)) => *number,
            other => panic!("{key} is {other:?}"),
        };
        let counted = (
            number("obs.rpc.request.messages"),
            number("obs.rpc.response.messages"),
        );
        assert_eq!(
            counted, messages,
            "{} at the {:?}",
            record.name, record.kind
        );
        assert_eq!(record.text("rpc.response.status_code"), Some("OK"));
        assert_eq!(record.event_names(), [""; 0]);
    }
    for side in ["client", "server"] {
        assert_eq!(capture.count(&format!("rpc.{side}.call.duration")), 4);
        let sizes = format!("obs.rpc.{side}.request.size");
        assert_eq!(capture.count(&sizes), 4, "{side}");
    }
    // Parts of a call are timed at Detailed only.
    assert_eq!(capture.count("obs.rpc.stage.duration"), 0);
}

#[tokio::test]
async fn what_is_disabled_passes_as_if_nothing_were_there() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    each_kind(&mut client(&capture).await).await;
    assert!(capture.records().is_empty());
    for side in ["client", "server"] {
        assert_eq!(capture.count(&format!("rpc.{side}.call.duration")), 0);
    }
}

#[tokio::test]
async fn stages_of_both_sides_are_one_metric() {
    let capture = Capture::new();
    let address = serve(&capture).await;
    for kind in [&obs_rpc::RPC_CLIENT, &obs_rpc::RPC_SERVER] {
        let kind = capture.telemetry().kind(kind);
        kind.set_level(StatsLevel::Detailed);
    }
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("a URL")
        .connect_lazy();
    let mut client = EchoClient::new(RpcClientLayer::new(capture.telemetry()).layer(channel));
    client.unary(say("hello", 0)).await.expect("answered");
    assert_eq!(capture.tree().to_string().matches("trace ").count(), 1);
    let page = capture.telemetry().prometheus();
    assert!(!page.contains("not shown"), "{page}");
    let counts = page.lines().filter(|line| {
        line.starts_with("obs_rpc_stage_duration_seconds_count{") && line.ends_with(" 1")
    });
    let stage = |line: &str| {
        let (_, stage) = line.split_once("obs_stage=\"").expect("a stage");
        stage.split('"').next().expect("its end").to_owned()
    };
    let mut stages: Vec<_> = counts.map(stage).collect();
    stages.sort();
    let expect = [
        "read_request",
        "read_response",
        "wait_response",
        "write_request",
        "write_response",
    ];
    assert!(
        expect
            .iter()
            .all(|it| stages.iter().any(|stage| stage == it)),
        "{stages:?}"
    );
}

#[tokio::test]
async fn who_may_be_foreign_is_not_told_of_the_trace_unless_it_is_said() {
    for (server, said, told) in [
        (None, None, true),
        (Some("http://orders:80"), None, true),
        (Some("http://10.1.2.3:80"), None, true),
        (Some("https://api.example.com"), None, false),
        (Some("https://api.example.com"), Some(true), true),
        (Some("http://orders:80"), Some(false), false),
    ] {
        let capture = Capture::new();
        let (sees, seen) = std::sync::mpsc::channel();
        let service = service_fn(move |request: http::Request<Body>| {
            let _ = sees.send(request.headers().contains_key("traceparent"));
            let status = Status::unavailable("").into_http::<Body>();
            std::future::ready(Ok::<_, std::convert::Infallible>(status))
        });
        let mut layer = RpcClientLayer::new(capture.telemetry());
        if let Some(server) = server {
            layer = layer.with_server(&server.parse().expect("a URL"));
        }
        if let Some(said) = said {
            layer = layer.with_injection(said);
        }
        let mut client = EchoClient::new(layer.layer(service));
        client
            .unary(say("hello", 0))
            .await
            .expect_err("answered so");
        assert_eq!(seen.recv(), Ok(told), "{server:?} {said:?}");
    }
}

/// Its attempts write their own, as far as they may.
#[tokio::test]
async fn a_call_around_attempts_tells_nobody_of_the_trace_whatever_is_said() {
    let capture = Capture::new();
    let layer = RpcClientLayer::calls(capture.telemetry()).with_injection(true);
    let service = layer.layer(service_fn(|request: http::Request<Body>| {
        assert!(!request.headers().contains_key("traceparent"));
        let status = Status::unavailable("").into_http::<Body>();
        std::future::ready(Ok::<_, std::convert::Infallible>(status))
    }));
    let answer = EchoClient::new(service).unary(say("hello", 0)).await;
    answer.expect_err("answered so");
    assert_eq!(capture.count("obs.rpc.call.duration"), 1);
}

/// An interceptor, a layer inside: what they return in the place of a response is what the other side is told.
#[tokio::test]
async fn a_status_that_comes_as_an_error_is_one_where_it_is_one_to_this_side() {
    let refuses = service_fn(|_: http::Request<Body>| async {
        Err::<http::Response<Body>, _>(Status::not_found("no such thing"))
    });
    let capture = Capture::new();
    let found = |code: Code| code.name() != "NOT_FOUND";
    let telemetry = capture.telemetry();
    for (server, meant, error) in [
        (true, false, None),
        (false, false, Some("NOT_FOUND")),
        (false, true, None),
    ] {
        capture.clear();
        let request = http::Request::post("/test.Echo/Unary").body(Body::empty());
        let request = request.expect("a request");
        let answered = if server {
            let service = RpcServerLayer::new(telemetry).layer(refuses);
            service.oneshot(request).await.map(drop)
        } else {
            let layer = RpcClientLayer::new(telemetry);
            let layer = if meant {
                layer.with_classify(found)
            } else {
                layer
            };
            layer.layer(refuses).oneshot(request).await.map(drop)
        };
        answered.expect_err("refused");
        let record = capture.record();
        assert_eq!(record.text("rpc.response.status_code"), Some("NOT_FOUND"));
        assert_eq!(record.text("error.type"), error);
    }
}

/// Of a caller who writes it by hand, or a request that is passed on.
#[tokio::test]
async fn a_foreign_trace_that_stood_in_a_request_is_linked_and_not_lost() {
    let capture = Capture::new();
    let answers = service_fn(|_: http::Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Status::not_found("").into_http::<Body>())
    });
    let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = http::Request::post("/test.Echo/Unary").header("traceparent", theirs);
    let client = RpcClientLayer::new(capture.telemetry()).layer(answers);
    let request = request.body(Body::empty()).expect("a request");
    drop(client.oneshot(request).await);
    let record = capture.record();
    assert_ne!(record.trace_id.to_string(), theirs[3..35]);
    assert_eq!(record.links.len(), 1);
    assert_eq!(format!("{:032x}", record.links[0].trace_id), theirs[3..35]);
}

/// An HTTP layer around gRPC's, which reads the same `traceparent`.
#[tokio::test]
async fn a_call_within_an_operation_that_read_the_same_header_is_its_child_and_not_beside_it() {
    static HTTP: Descriptor = Descriptor {
        name: "http.server",
        span_kind: obs_core::otel::trace::SpanKind::Server,
        scope: &Scope {
            name: "test",
            version: "0",
            schema_url: "",
        },
        labels: &[],
        method: None,
        errors: &[],
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, name| name.push_str("POST"),
    };
    let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answers = service_fn(|_: http::Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Status::not_found("").into_http::<Body>())
    });
    // Of a stranger the one outside makes a trace of its own, with a link.
    for (trust, inside) in [
        (Trust::Trusted, Trust::Trusted),
        (Trust::LinkOnly, Trust::LinkOnly),
        (Trust::LinkOnly, Trust::Trusted),
    ] {
        let capture = Capture::new();
        let parent = Parent::Remote {
            parent: traceparent::parse(theirs.as_bytes()).expect("valid"),
            tracestate: "",
            trust,
        };
        let mut around = capture.telemetry().kind(&HTTP).start(Labels::NONE, parent);
        let layer = RpcServerLayer::new(capture.telemetry()).with_trust(inside);
        let server = layer.layer(answers);
        let request = http::Request::post("/test.Echo/Unary").header("traceparent", theirs);
        let request = request.body(Body::empty()).expect("a request");
        let entered = around.enter();
        let answering = server.oneshot(request);
        let mut answering = std::pin::pin!(answering);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(answering.as_mut().poll(&mut cx).is_ready());
        entered.leave();
        around.end(Outcome::ANSWERED);
        let records = capture.records();
        let of = |name: &str| records.iter().find(|it| it.descriptor == name);
        let (http, rpc) = (
            of("http.server").expect("one"),
            of("rpc.server").expect("one"),
        );
        let told = (rpc.trace_id, rpc.parent_span_id);
        assert_eq!(
            told,
            (http.trace_id, Some(http.span_id)),
            "{trust:?}, {inside:?}"
        );
    }
}

/// It says OK, and not what it answers. tonic tells a unary call's caller INTERNAL; of a stream's last part it says nothing.
#[tokio::test]
async fn an_answer_that_breaks_off_within_a_message_is_not_ok_whatever_its_trailers_say() {
    for (data, status) in [
        (&b"\0\0\0\0\x09a"[..], "INTERNAL"),
        (b"\0\0\0", "INTERNAL"),
        (b"\0\0\0\0\0\0", "INTERNAL"),
        (b"\x07\0\0\0\x01a", "INTERNAL"),
        (b"\0\0\0\0\0", "OK"),
        (b"", "OK"),
    ] {
        let capture = Capture::new();
        let answers = service_fn(move |_: http::Request<Body>| async move {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            let frames = [
                Frame::data(Bytes::from_static(data)),
                Frame::trailers(trailers),
            ];
            let frames = tokio_stream::iter(frames.map(Ok::<_, Status>));
            let body = Body::new(StreamBody::new(frames));
            Ok::<_, std::convert::Infallible>(http::Response::new(body))
        });
        let client = RpcClientLayer::new(capture.telemetry()).layer(answers);
        let request = http::Request::post("/test.Echo/Unary").body(Body::empty());
        let answer = client.oneshot(request.expect("a request")).await;
        let read = answer.expect("a head").into_body().collect().await;
        read.expect("whole");
        let record = capture.record();
        let error = (status != "OK").then_some("protocol_error");
        let told = record.text("rpc.response.status_code");
        assert_eq!(
            (told, record.text("error.type")),
            (Some(status), error),
            "{data:?}"
        );
    }
}

/// Both sides, and whoever says it in another way, name the same host: or one server is two series.
#[tokio::test]
async fn an_address_of_version_6_is_recorded_without_the_brackets_that_a_url_has() {
    let capture = Capture::new();
    let answers = service_fn(|_: http::Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Status::not_found("").into_http::<Body>())
    });
    let server = RpcServerLayer::new(capture.telemetry()).layer(answers);
    let url = "http://[::1]:50051/test.Echo/Unary";
    for (to, by_layer) in [(url, false), ("/test.Echo/Unary", true)] {
        capture.clear();
        let mut layer = RpcClientLayer::new(capture.telemetry());
        if by_layer {
            layer = layer.with_server(&url.parse().expect("a URL"));
        }
        let request = http::Request::post(to).body(Body::empty());
        let asked = layer.layer(server.clone());
        drop(asked.oneshot(request.expect("a request")).await);
        for record in capture.records() {
            let said = record.text("server.address");
            let expect = (record.kind == Kind::Client || !by_layer).then_some("::1");
            assert_eq!(said, expect, "{to}, {:?}", record.kind);
        }
    }
}

/// A timeout outside began before this layer was asked.
#[tokio::test]
async fn a_call_that_is_given_up_a_moment_before_its_deadline_is_late_and_not_cancelled() {
    let hangs = service_fn(|_: http::Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, std::convert::Infallible>>()
    });
    let deadline = Duration::from_millis(100);
    for (passed, origins) in [(99, ["deadline"; 2]), (90, ["peer", "local"])] {
        for said in [true, false] {
            let capture = Capture::new();
            let mut server = RpcServerLayer::new(capture.telemetry());
            let mut client = RpcClientLayer::new(capture.telemetry());
            let mut request = http::Request::post("/test.Echo/Unary");
            if said {
                request = request.header("grpc-timeout", "100m");
            } else {
                server = server.with_deadline(deadline);
                client = client.with_deadline(deadline);
            }
            let service = client.layer(server.layer(hangs));
            let request = request.body(Body::empty()).expect("a request");
            let mut call = Box::pin(service.oneshot(request));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(&mut cx).is_pending());
            capture.clock().advance(Duration::from_millis(passed));
            drop(call);
            let records = capture.records();
            let origin = |side| {
                let mut of_side = records.iter().filter(|record| record.kind == side);
                of_side.next().expect("one").text("obs.rpc.cancel.origin")
            };
            let told = [origin(Kind::Server), origin(Kind::Client)];
            assert_eq!(told, origins.map(Some), "{passed} ms, {said}");
        }
    }
}
