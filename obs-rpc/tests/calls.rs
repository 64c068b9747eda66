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
