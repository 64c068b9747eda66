//! Levels per side, service and method while calls run, and events of the service's own at levels of theirs.
#![cfg(feature = "tonic")]

#[path = "support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;
#[path = "support/host.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod host;

use echo::{Echo, EchoClient, say};
use host::{of, serve, until};
use obs_core::setup::environment::Environment;
use obs_core::{Event, Kind, StatsLevel, Telemetry};
use obs_rpc::client::RpcClient;
use obs_rpc::{RPC_CLIENT, RPC_SERVER, RpcClientLayer, RpcServerLayer};
use obs_testing::receiver::ReceivedSpan;
use obs_testing::{Capture, Receiver};
use std::sync::LazyLock;
use std::time::Duration;
use tokio_stream::StreamExt;
use tonic::Request;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, ServiceExt};

const DISABLED: StatsLevel = StatsLevel::Disabled;
const BASE: StatsLevel = StatsLevel::Base;
const DETAILED: StatsLevel = StatsLevel::Detailed;

/// Both sides in one telemetry.
struct Rig {
    capture: Capture,
    channel: RpcClient<Channel>,
    client: &'static Kind,
    server: &'static Kind,
}

impl Rig {
    async fn new() -> Self {
        let capture = Capture::new();
        let telemetry = *capture.telemetry();
        let channel = serve(RpcServerLayer::new(&telemetry)).await;
        Self {
            capture,
            channel: RpcClientLayer::new(&telemetry).layer(channel),
            client: telemetry.kind(&RPC_CLIENT),
            server: telemetry.kind(&RPC_SERVER),
        }
    }

    /// At which levels a call was recorded: the client's, the server's.
    async fn levels(&self, call: Call) -> (StatsLevel, StatsLevel) {
        self.capture.clear();
        match call {
            Call::Unary => {
                let mut client = EchoClient::new(self.channel.clone());
                client.unary(say("", 0)).await.expect("answered");
            }
            Call::Stream => {
                let mut client = EchoClient::new(self.channel.clone());
                let answers = client.server_stream(Request::new(say("", 1))).await;
                let answers = answers.expect("a head").into_inner();
                assert_eq!(answers.collect::<Vec<_>>().await.len(), 1);
            }
            Call::Health => {
                let mut client = HealthClient::new(self.channel.clone());
                let request = HealthCheckRequest::default();
                client.check(request).await.expect("answered");
            }
        }
        // Once it runs no more there is its record or will never be one.
        until(|| self.capture.in_flight("obs.rpc.server.active_calls") == 0).await;
        let level = |side| match &of(&self.capture, side)[..] {
            [] => DISABLED,
            [one] => one.level,
            more => panic!("{}", more.len()),
        };
        (level("rpc.client"), level("rpc.server"))
    }
}

#[derive(Clone, Copy)]
enum Call {
    Unary,
    Stream,
    Health,
}

#[tokio::test]
async fn each_side_has_its_own_level_changeable_while_it_runs() {
    let rig = Rig::new().await;
    assert_eq!(rig.levels(Call::Unary).await, (BASE, BASE));
    rig.server.set_level(DETAILED);
    assert_eq!(rig.levels(Call::Unary).await, (BASE, DETAILED));
    rig.client.set_level(DISABLED);
    assert_eq!(rig.levels(Call::Unary).await, (DISABLED, DETAILED));
    rig.server.set_level(DISABLED);
    rig.client.set_level(DETAILED);
    assert_eq!(rig.levels(Call::Unary).await, (DETAILED, DISABLED));
}

#[tokio::test]
async fn a_method_has_a_level_before_that_of_its_service_and_a_service_before_its_side() {
    let rig = Rig::new().await;
    for side in [rig.client, rig.server] {
        side.set_level(DISABLED);
        assert!(side.set_method_level("test.Echo/*", Some(BASE)));
        assert!(side.set_method_level("test.Echo/Unary", Some(DETAILED)));
    }
    assert_eq!(rig.levels(Call::Unary).await, (DETAILED, DETAILED));
    assert_eq!(rig.levels(Call::Stream).await, (BASE, BASE));
    assert_eq!(rig.levels(Call::Health).await, (DISABLED, DISABLED));
    assert!(rig.server.set_method_level("test.Echo/*", None));
    assert_eq!(rig.levels(Call::Stream).await, (BASE, DISABLED));
    assert!(
        rig.server
            .set_method_level("grpc.health.v1.Health/*", Some(BASE))
    );
    assert_eq!(rig.levels(Call::Health).await, (DISABLED, BASE));
}

/// A server knows no method before it has answered.
#[tokio::test]
async fn the_first_call_of_a_method_has_the_level_of_its_service() {
    for level in [DISABLED, DETAILED] {
        let rig = Rig::new().await;
        for side in [rig.client, rig.server] {
            assert!(side.set_method_level("test.Echo/*", Some(level)));
        }
        assert_eq!(rig.levels(Call::Unary).await, (level, level));
        assert_eq!(rig.levels(Call::Stream).await, (level, level));
        assert_eq!(rig.levels(Call::Health).await, (BASE, BASE));
    }
}

#[tokio::test]
async fn what_is_disabled_leaves_no_number_either() {
    let rig = Rig::new().await;
    for side in [rig.client, rig.server] {
        assert!(side.set_method_level("test.Echo/*", Some(DISABLED)));
    }
    rig.levels(Call::Stream).await;
    rig.levels(Call::Health).await;
    for metric in ["rpc.client.call.duration", "rpc.server.call.duration"] {
        assert_eq!(rig.capture.count(metric), 1, "of health: {metric}");
    }
}

#[tokio::test]
async fn a_service_is_detailed_for_a_time() {
    let rig = Rig::new().await;
    let minute = Duration::from_secs(60);
    assert!(
        rig.server
            .set_method_level_for("test.Echo/*", DETAILED, minute)
    );
    assert_eq!(rig.levels(Call::Unary).await, (BASE, DETAILED));
    assert_eq!(rig.levels(Call::Health).await, (BASE, BASE));
    rig.capture.clock().advance(minute);
    rig.capture.clear();
    assert_eq!(rig.levels(Call::Unary).await, (BASE, BASE));
}

#[tokio::test]
async fn a_call_that_runs_keeps_its_level() {
    let rig = Rig::new().await;
    let mut client = EchoClient::new(rig.channel.clone());
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let answers = client.bidi(Request::new(messages)).await.expect("a head");
    rig.client.set_level(DETAILED);
    rig.server.set_level(DISABLED);
    sender.send(say("", 0)).await.expect("room");
    drop(sender);
    assert_eq!(answers.into_inner().collect::<Vec<_>>().await.len(), 1);
    until(|| of(&rig.capture, "rpc.server").len() == 1).await;
    for side in ["rpc.client", "rpc.server"] {
        let [record] = &of(&rig.capture, side)[..] else {
            panic!("{}", rig.capture.tree());
        };
        assert_eq!(
            (record.level, record.event_names()),
            (BASE, vec![]),
            "{side}"
        );
    }
}

/// Of a service's author: at levels of their own.
static CACHE_MISSED: LazyLock<Event> =
    LazyLock::new(|| Event::define("shop.cache_missed", BASE).expect("room"));
static SQL_SENT: LazyLock<Event> =
    LazyLock::new(|| Event::define("shop.sql_sent", DETAILED).expect("room"));
static ROW_READ: LazyLock<Event> =
    LazyLock::new(|| Event::define("shop.row_read", DETAILED).expect("room"));
static TOKEN_HAD: LazyLock<Event> =
    LazyLock::new(|| Event::define("shop.token_had", BASE).expect("room"));
static TOKEN_SIGNED: LazyLock<Event> =
    LazyLock::new(|| Event::define("shop.token_signed", DETAILED).expect("room"));

/// The service, whose handler says what it does: where it runs, and in a task that it spawns.
#[derive(Clone, Copy, Debug)]
struct Saying;

impl tonic::server::NamedService for Saying {
    const NAME: &'static str = "test.Echo";
}

type Answer = Result<http::Response<tonic::body::Body>, std::convert::Infallible>;

impl tower::Service<http::Request<tonic::body::Body>> for Saying {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move {
            obs_core::current::stamp(*CACHE_MISSED);
            obs_core::current::stamp(*SQL_SENT);
            let reads = async { obs_core::current::stamp(*ROW_READ) };
            tokio::spawn(obs_core::current::wrap(reads))
                .await
                .expect("no panic");
            Echo.oneshot(request).await
        })
    }
}

/// One call at this level, as it arrives over OTLP: the client's span, the server's.
async fn exported(level: StatsLevel) -> Vec<ReceivedSpan> {
    let receiver = Receiver::start().expect("a receiver");
    let endpoint = receiver.endpoint();
    let variable =
        move |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let telemetry = Telemetry::builder()
        .with_environment(Environment::from_fn(variable))
        .with_otlp()
        .with_level(level)
        .manual()
        .build()
        .expect("settings that can be used");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a socket");
    let address = listener.local_addr().expect("bound");
    let server = tonic::transport::Server::builder()
        .layer(RpcServerLayer::new(&telemetry))
        .add_service(Saying);
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"));
    let channel = channel.expect("a URL").connect_lazy();
    // What stands inside of the client's layer is part of the call.
    let signing = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        obs_core::current::stamp(*TOKEN_HAD);
        let channel = channel.clone();
        async move {
            obs_core::current::stamp(*TOKEN_SIGNED);
            channel.oneshot(request).await
        }
    });
    let mut client = EchoClient::new(RpcClientLayer::new(&telemetry).layer(signing));
    client.unary(say("hello", 0)).await.expect("answered");
    let expect = if level == DISABLED { 0 } else { 2 };
    let delivered = || {
        telemetry.flush(host::PATIENCE).expect("delivered");
        receiver.spans().len() == expect
    };
    until(delivered).await;
    let mut spans = receiver.spans();
    // The client's has the lower number of a kind after the server's.
    spans.sort_by_key(|span| std::cmp::Reverse(span.span.kind));
    telemetry.shutdown(host::PATIENCE).expect("delivered");
    spans
}

fn events(span: &ReceivedSpan) -> Vec<&str> {
    let events = span.span.events.iter();
    events.map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn events_of_the_services_own_arrive_by_their_names_at_their_levels() {
    assert!(exported(DISABLED).await.is_empty());
    let spans = exported(BASE).await;
    assert_eq!(events(&spans[0]), ["shop.token_had"]);
    assert_eq!(events(&spans[1]), ["shop.cache_missed"]);
    let spans = exported(DETAILED).await;
    let (client, server) = (events(&spans[0]), events(&spans[1]));
    let own = |all: &[&str]| -> Vec<String> {
        let own = all.iter().filter(|name| name.starts_with("shop."));
        own.map(|name| (*name).to_owned()).collect()
    };
    assert_eq!(own(&client), ["shop.token_had", "shop.token_signed"]);
    assert_eq!(
        own(&server),
        ["shop.cache_missed", "shop.sql_sent", "shop.row_read"]
    );
    // In their places among the others.
    let at = |all: &[&str], name: &str| all.iter().position(|known| *known == name);
    assert!(at(&client, "shop.token_signed") < at(&client, "wait_read_finish"));
    assert!(at(&server, "shop.row_read") < at(&server, "server_handle_finish"));
    assert!(at(&server, "stream_start") < at(&server, "shop.cache_missed"));
}
