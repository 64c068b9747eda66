//! What happened in which order, at Detailed.

use crate::generated::EchoServer;
use crate::service::{Acts, say};
use crate::world::{World, all, capture, client, listener, one, serve};
use obs_core::StatsLevel;
use obs_rpc::volo_grpc::{VoloGrpcHandleLayer, VoloGrpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::time::Duration;
use tokio_stream::iter;
use volo::net::incoming::DefaultIncoming;
use volo_grpc::Request;
use volo_grpc::codegen::StreamExt;
use volo_grpc::context::ServerContext;
use volo_grpc::server::layer::timeout::TimeoutLayer;
use volo_grpc::server::{Server, ServiceBuilder};

#[track_caller]
fn check(record: &CapturedRecord, expect: &[&str]) {
    assert_eq!(record.event_names(), expect);
}

#[tokio::test]
async fn a_unary_call_shows_its_parts_on_both_sides() {
    let world = World::new(None).await;
    world.client.unary(say("well", 0)).await.expect("answered");
    let [call, attempt, server] = world.recorded().await;
    check(
        &call,
        &[
            "stream_recv_header",
            "read_start",
            "stream_recv",
            "read_finish",
            "stream_finish",
        ],
    );
    check(
        &attempt,
        &[
            "stream_start",
            "write_start",
            "stream_send",
            "write_finish",
            "wait_read_start",
            "wait_read_finish",
            "stream_recv_header",
            "read_start",
            "stream_recv",
            "read_finish",
            "stream_finish",
        ],
    );
    check(
        &server,
        &[
            "stream_start",
            "read_start",
            "stream_recv",
            "server_handle_start",
            "read_finish",
            "server_handle_finish",
            "write_start",
            "stream_send",
            "write_finish",
            "stream_finish",
        ],
    );
}

/// A layer of the user's, around the one that tells of the handler.
#[derive(Clone)]
struct Slow<S>(S);

const SLOW: Duration = Duration::from_millis(40);

impl<S, T> motore::Service<ServerContext, Request<T>> for Slow<S>
where
    S: motore::Service<ServerContext, Request<T>> + Sync,
    T: Send,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;

    async fn call(
        &self,
        cx: &mut ServerContext,
        request: Request<T>,
    ) -> Result<S::Response, S::Error> {
        tokio::time::sleep(SLOW).await;
        let answer = self.0.call(cx, request).await;
        tokio::time::sleep(SLOW).await;
        answer
    }
}

#[tokio::test]
async fn a_handler_is_told_apart_from_the_layers_around_it() {
    let capture = capture();
    let (listener, address) = listener().await;
    let server = Server::new()
        .add_service(ServiceBuilder::new(EchoServer::new(Acts::default())).build())
        .layer_tower(VoloGrpcServerLayer::new(capture.telemetry()))
        .layer(motore::layer::layer_fn(Slow))
        .layer(VoloGrpcHandleLayer::new());
    let served = tokio::spawn(async move { server.run(DefaultIncoming::from(listener)).await });
    let client = client(&capture, address, None);
    let messages = iter([say("a", 0), say("b", 0)]);
    client.client_stream(messages).await.expect("answered");
    let record = one(&all(&capture, 3).await, "rpc.server");
    let at = |name: &str| {
        let event = record.events.iter().find(|event| event.name == name);
        Duration::from_nanos(event.expect("there").time_ns - record.start_ns)
    };
    assert!(at("server_handle_start") >= SLOW, "{record:?}");
    let left = record.duration - at("server_handle_finish");
    assert!(left >= SLOW, "{record:?}");
    served.abort();
}

#[tokio::test]
async fn at_base_there_are_numbers_and_no_events() {
    let capture = Capture::builder()
        .with_real_clock()
        .with(|builder| builder.with_measures(true))
        .build();
    let (address, served) = serve(&capture, Acts::default()).await;
    let client = client(&capture, address, None);
    client.unary(say("well", 0)).await.expect("answered");
    let records = all(&capture, 3).await;
    for record in &records {
        assert_eq!(record.event_names(), [""; 0], "{}", record.descriptor);
        assert_eq!(record.text("rpc.response.status_code"), Some("OK"));
    }
    for side in ["client", "server"] {
        assert_eq!(capture.count(&format!("rpc.{side}.call.duration")), 1);
        assert_eq!(capture.count(&format!("obs.rpc.{side}.response.size")), 1);
    }
    served.abort();
}

#[tokio::test]
async fn nothing_is_said_where_nothing_is_observed() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let (address, served) = serve(&capture, Acts::default()).await;
    let client = client(&capture, address, None);
    for text in ["metadata traceparent", "metadata rpc-transit-service.name"] {
        let answer = client.unary(say(text, 0)).await.expect("answered");
        assert_eq!(answer.into_inner().text, "none");
    }
    let messages = iter([say("a", 0), say("b", 0)]);
    let answers = client.bidi(messages).await.expect("answered");
    let mut answers = Box::pin(answers.into_inner());
    let mut count = 0;
    while let Some(said) = answers.next().await {
        said.expect("a message");
        count += 1;
    }
    assert_eq!(count, 2);
    assert!(capture.records().is_empty());
    assert_eq!(capture.count("rpc.client.call.duration"), 0);
    served.abort();
}

/// The server's own timeout, which Volo's users add as a layer, answers: the handler is dropped, and the call is not.
#[tokio::test]
async fn a_timeout_of_the_servers_is_its_answer() {
    let capture = capture();
    let (listener, address) = listener().await;
    let server = Server::new()
        .add_service(ServiceBuilder::new(EchoServer::new(Acts::default())).build())
        .layer_tower(VoloGrpcServerLayer::new(capture.telemetry()))
        .layer(TimeoutLayer::new())
        .layer(VoloGrpcHandleLayer::new());
    let served = tokio::spawn(async move { server.run(DefaultIncoming::from(listener)).await });
    let client = client(&capture, address, None);
    let mut request = Request::new(say("hang", 0));
    let soon = "50m".parse().expect("text");
    request.metadata_mut().insert("grpc-timeout", soon);
    let seen = client.unary(request).await.expect_err("it is late");
    let records = all(&capture, 3).await;
    let told = crate::endings::name(seen.code());
    for record in &records {
        assert_eq!(record.text("rpc.response.status_code"), Some(told));
    }
    let server = one(&records, "rpc.server");
    assert!(server.event_names().contains(&"server_handle_finish"));
    assert_eq!(capture.in_flight("obs.rpc.server.active_calls"), 0);
    served.abort();
}

#[tokio::test]
async fn a_stream_counts_its_messages_and_their_bytes() {
    let world = World::new(None).await;
    let messages = iter([say("a", 0), say("bc", 0), say("def", 0)]);
    let answers = world.client.bidi(messages).await.expect("answered");
    let mut answers = Box::pin(answers.into_inner());
    let mut count = 0;
    while let Some(said) = answers.next().await {
        said.expect("a message");
        count += 1;
    }
    assert_eq!(count, 3);
    let [_, attempt, server] = world.recorded().await;
    for record in [attempt, server] {
        for part in ["request", "response"] {
            let number = |what: &str| {
                let value = record.attr(&format!("obs.rpc.{part}.{what}"));
                value.and_then(|value| value.as_i64())
            };
            assert_eq!(number("messages"), Some(3), "{part}");
            // Each has a tag, a length and its text; a zero is not written.
            assert_eq!(number("size"), Some(3 + 4 + 5), "{part}");
        }
    }
}
