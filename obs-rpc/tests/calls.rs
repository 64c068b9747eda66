//! Calls of each kind over real sockets, as both sides see them.
#![cfg(feature = "tonic")]

#[path = "support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;

use echo::{Echo, EchoClient, say};
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::Capture;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tower::Layer;

async fn serve(capture: &Capture) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let layer = RpcServerLayer::new(capture.telemetry()).with_addresses(false);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder().layer(layer).add_service(Echo);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    address
}

#[tokio::test]
async fn a_unary_call_is_one_span_on_each_side_with_its_messages_and_its_status() {
    let capture = Capture::new();
    let address = serve(&capture).await;
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("a URL")
        .connect_lazy();
    let service = RpcClientLayer::new(capture.telemetry()).layer(channel);
    let mut client = EchoClient::new(service);
    client.unary(say("hello", 0)).await.expect("answered");
    let failed = client.unary(say("fail 5", 0)).await;
    assert_eq!(failed.expect_err("as asked").code(), tonic::Code::NotFound);
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
async fn stages_of_both_sides_are_one_metric() {
    let capture = Capture::new();
    let address = serve(&capture).await;
    for kind in [&obs_rpc::RPC_CLIENT, &obs_rpc::RPC_SERVER] {
        let kind = capture.telemetry().kind(kind);
        kind.set_level(obs_core::StatsLevel::Detailed);
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
