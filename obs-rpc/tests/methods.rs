//! Which methods have a name, what a flood of unknown ones does, and which services are left out.
#![cfg(feature = "tonic")]

#[path = "support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;
#[path = "support/host.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod host;

use bytes::Bytes;
use echo::{Echo, EchoClient, say};
use host::{of, serve, until};
use http_body_util::Full;
use obs_rpc::{RPC_CLIENT, RPC_SERVER, RpcClientLayer, RpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::convert::Infallible;
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tower::{Layer, ServiceExt, service_fn};

const SERVER: &str = "rpc.server.call.duration";

/// The name of a span, its method, and what was asked for where that is not known.
fn named(record: &CapturedRecord) -> (&str, Option<&str>, Option<&str>) {
    (
        &record.name,
        record.text("rpc.method"),
        record.text("rpc.method_original"),
    )
}

fn server(capture: &Capture) -> RpcServerLayer {
    RpcServerLayer::new(capture.telemetry()).with_addresses(false)
}

/// One call without a socket: what the layer recorded of it.
async fn ask<S>(capture: &Capture, service: S, path: &str) -> CapturedRecord
where
    S: tower::Service<http::Request<Body>>,
    S::Response: Answered,
    S::Error: std::fmt::Debug,
{
    capture.clear();
    let request = http::Request::post(path).header("content-type", "application/grpc");
    let request = request.body(Body::empty()).expect("a request");
    let answer = service.oneshot(request).await.expect("answered");
    answer.read().await;
    capture.record()
}

trait Answered {
    fn read(self) -> impl Future<Output = ()>;
}

impl<B: http_body::Body> Answered for http::Response<B> {
    async fn read(self) {
        let _ = http_body_util::BodyExt::collect(self.into_body()).await;
    }
}

/// A service that answers whatever it is asked: a proxy.
async fn anything(_: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    Ok(Status::new(Code::NotFound, "but the method is there").into_http())
}

#[tokio::test]
async fn a_method_has_its_name_from_its_first_answer_on() {
    let capture = Capture::new();
    let kind = capture.telemetry().kind(&RPC_SERVER);
    let service = server(&capture).layer(Echo);
    assert!(!kind.knows_method("test.Echo/Unary"));
    // Not even a message that can be read: but there is such a method.
    let record = ask(&capture, service.clone(), "/test.Echo/Unary").await;
    let name = "test.Echo/Unary";
    assert_eq!(named(&record), (name, Some(name), None));
    assert!(kind.knows_method("test.Echo/Unary"));
    let record = ask(&capture, service.clone(), "/test.Echo/Unary").await;
    assert_eq!(named(&record), (name, Some(name), None));
    let record = ask(&capture, service, "/test.Echo/Nothing").await;
    assert_eq!(
        named(&record),
        ("grpc", Some("_OTHER"), Some("test.Echo/Nothing"))
    );
    assert_eq!(
        record.text("rpc.response.status_code"),
        Some("UNIMPLEMENTED")
    );
    assert!(!kind.knows_method("test.Echo/Nothing"));
}

#[tokio::test]
async fn a_method_that_is_never_answered_has_no_name() {
    let capture = Capture::new();
    let hangs = service_fn(|_: http::Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, Infallible>>()
    });
    let request = http::Request::post("/test.Echo/Unary").body(Body::empty());
    let mut call = Box::pin(server(&capture).layer(hangs).oneshot(request.expect("one")));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    drop(call);
    let record = capture.record();
    assert_eq!(
        named(&record),
        ("grpc", Some("_OTHER"), Some("test.Echo/Unary"))
    );
}

/// A gate in front of the services, pages of HTTP: whoever has no business here names nothing.
#[tokio::test]
async fn strangers_that_are_turned_away_name_no_methods() {
    let page = |status: u16| {
        let page = Full::new(Bytes::from_static(b"<html>"));
        let response = http::Response::builder().status(status);
        response.body(Body::new(page)).expect("a response")
    };
    let gate = |code| move || Status::new(code, "who are you?").into_http::<Body>();
    let answers: [Box<dyn Fn() -> http::Response<Body> + Send + Sync>; 4] = [
        Box::new(gate(Code::Unauthenticated)),
        Box::new(gate(Code::PermissionDenied)),
        Box::new(move || page(405)),
        // A front that has a page for every path.
        Box::new(move || page(200)),
    ];
    for answer in answers {
        let capture = Capture::new();
        let service = service_fn(|_| std::future::ready(Ok::<_, Infallible>(answer())));
        let record = ask(&capture, server(&capture).layer(service), "/test.Echo/Junk").await;
        assert_eq!(
            named(&record),
            ("grpc", Some("_OTHER"), Some("test.Echo/Junk"))
        );
    }
}

#[tokio::test]
async fn where_it_is_said_which_methods_there_are_all_others_are_other() {
    let capture = Capture::new();
    let layer = server(&capture).with_methods(["test.Echo/Unary"]);
    let service = layer.layer(service_fn(anything));
    let record = ask(&capture, service.clone(), "/test.Echo/Unary").await;
    let name = "test.Echo/Unary";
    assert_eq!(named(&record), (name, Some(name), None));
    let record = ask(&capture, service, "/test.Echo/Bidi").await;
    assert_eq!(
        named(&record),
        ("grpc", Some("_OTHER"), Some("test.Echo/Bidi"))
    );
}

#[tokio::test]
async fn methods_are_read_off_descriptor_sets_as_reflection_has_them() {
    let capture = Capture::new();
    let layer = server(&capture)
        .with_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET);
    let kind = layer.kind();
    for method in [
        "grpc.health.v1.Health/Check",
        "grpc.health.v1.Health/Watch",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        assert!(kind.knows_method(method), "{method}");
    }
    let channel = serve(layer).await;
    let mut health = HealthClient::new(channel.clone());
    health
        .check(HealthCheckRequest::default())
        .await
        .expect("answered");
    EchoClient::new(channel)
        .unary(say("", 0))
        .await
        .expect("answered");
    until(|| of(&capture, "rpc.server").len() == 2).await;
    let records = of(&capture, "rpc.server");
    let name = "grpc.health.v1.Health/Check";
    assert_eq!(named(&records[0]), (name, Some(name), None));
    assert_eq!(
        named(&records[1]),
        ("grpc", Some("_OTHER"), Some("test.Echo/Unary"))
    );
}

#[tokio::test]
async fn a_flood_of_unknown_methods_is_one_series_and_takes_no_names() {
    let capture = Capture::new();
    let service = server(&capture).layer(Echo);
    for number in 0..3_000 {
        let path = format!("/test.Echo/Nothing{number}");
        let record = ask(&capture, service.clone(), &path).await;
        assert_eq!(record.text("rpc.method"), Some("_OTHER"));
    }
    let series = capture.points().histograms(SERVER, &[]);
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].count, 3_000);
    assert_eq!(series[0].series.attr("rpc.method"), Some(&"_OTHER".into()));
    let record = ask(&capture, service, "/test.Echo/Unary").await;
    assert_eq!(record.text("rpc.method"), Some("test.Echo/Unary"));
}

/// A proxy answers for whatever it is asked. Names are learned up to the cap.
#[tokio::test]
async fn a_flood_of_answered_methods_takes_1024_names() {
    let capture = Capture::new();
    let service = server(&capture).layer(service_fn(anything));
    for number in 0..1_200 {
        ask(&capture, service.clone(), &format!("/p.S/M{number}")).await;
    }
    let counts = capture.points().histogram_by(SERVER, "rpc.method");
    assert_eq!(counts.len(), 1_025);
    assert_eq!(counts["_OTHER"].count, 1_200 - 1_024);
    // The span has its text all the same.
    let record = ask(&capture, service, "/p.S/M1199").await;
    assert_eq!(record.text("rpc.method"), Some("p.S/M1199"));
}

#[tokio::test]
async fn names_that_are_known_keep_their_place_in_a_flood_of_a_clients_own() {
    let capture = Capture::new();
    let layer = RpcClientLayer::new(capture.telemetry()).with_known_methods(["p.S/Known"]);
    let service = layer.layer(service_fn(anything));
    for number in 0..1_200 {
        ask(
            &capture,
            service.clone(),
            &format!("http://h/p.S/M{number}"),
        )
        .await;
    }
    ask(&capture, service, "http://h/p.S/Known").await;
    let counts = capture
        .points()
        .histogram_by("rpc.client.call.duration", "rpc.method");
    assert_eq!(counts["p.S/Known"].count, 1);
    assert_eq!(counts["_OTHER"].count, 1_200 - 1_023);
    assert!(capture.telemetry().kind(&RPC_CLIENT).knows_method("p.S/M0"));
}

/// What is longer than any method's name is none, whether there is an answer for it or not.
#[tokio::test]
async fn a_long_name_is_kept_in_part_and_is_no_label() {
    let capture = Capture::new();
    let proxy = server(&capture).layer(service_fn(anything));
    let longest = format!("test.Echo/{}", "m".repeat(502));
    let record = ask(&capture, proxy.clone(), &format!("/{longest}")).await;
    assert_eq!(named(&record), (&*longest, Some(&*longest), None));
    for long in [503, 60_000] {
        let path = format!("/test.Echo/{}", "m".repeat(long));
        let record = ask(&capture, proxy.clone(), &path).await;
        assert_eq!(named(&record), ("grpc", Some("_OTHER"), Some(&*longest)));
        let record = ask(&capture, server(&capture).layer(Echo), &path).await;
        assert_eq!(named(&record), ("grpc", Some("_OTHER"), Some(&*longest)));
    }
    let counts = capture.points().histogram_by(SERVER, "rpc.method");
    assert_eq!(counts["_OTHER"].count, 4);
}

#[tokio::test]
async fn health_and_reflection_are_left_out_on_both_sides_and_nothing_else_is() {
    for leaves_out in [true, false] {
        let capture = Capture::new();
        let (mut servers, mut clients) =
            (server(&capture), RpcClientLayer::new(capture.telemetry()));
        if leaves_out {
            servers = servers.without_infrastructure();
            clients = clients.without_infrastructure();
        }
        let channel = clients.layer(serve(servers).await);
        let mut health = HealthClient::new(channel.clone());
        let request = HealthCheckRequest::default();
        health.check(request.clone()).await.expect("answered");
        // It streams until it is dropped.
        let mut watch = health.watch(request).await.expect("a head").into_inner();
        watch.message().await.expect("one").expect("one");
        drop(watch);
        let mut reflection = ServerReflectionClient::new(channel.clone());
        let asked = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let answers = reflection
            .server_reflection_info(tokio_stream::iter([asked]))
            .await;
        let answers: Vec<_> = answers.expect("a head").into_inner().collect().await;
        assert_eq!(answers.len(), 1);
        let mut echo = EchoClient::new(channel);
        echo.unary_to("Unary", Request::new(say("", 0)))
            .await
            .expect("answered");
        let expect = if leaves_out { 1 } else { 4 };
        until(|| of(&capture, "rpc.server").len() >= expect).await;
        for side in ["rpc.server", "rpc.client"] {
            let records = of(&capture, side);
            let mut names: Vec<_> = records.iter().map(|record| &*record.name).collect();
            names.sort_unstable();
            let all = [
                "grpc.health.v1.Health/Check",
                "grpc.health.v1.Health/Watch",
                "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                "test.Echo/Unary",
            ];
            assert_eq!(names, all[4 - expect..], "{side}");
            assert_eq!(
                capture.count(&format!("{side}.call.duration")),
                expect as u64
            );
        }
    }
}

#[tokio::test]
async fn a_filter_that_panics_lets_all_be_observed() {
    let capture = Capture::new();
    let layer = server(&capture).with_filter(|_| panic!("a bug in a filter"));
    let record = ask(&capture, layer.layer(Echo), "/test.Echo/Unary").await;
    assert_eq!(record.name, "test.Echo/Unary");
}
