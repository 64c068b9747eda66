//! Context to and from peers, as Kitex carries it.

use crate::echo::{self, EchoClient};
use crate::generated::EchoServer;
use crate::service::{Acts, say};
use crate::world::{World, capture, listener, one, serve};
use obs_core::Trust;
use obs_rpc::RpcServerLayer;
use obs_rpc::volo_grpc::VoloGrpcServerLayer;
use obs_testing::CapturedRecord;
use tonic::transport::Endpoint;
use volo::net::incoming::DefaultIncoming;
use volo_grpc::server::{Server, ServiceBuilder};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

/// As Kitex's client sends it over HTTP/2, with its telemetry and Volo's keys.
const OF_KITEX: [(&str, &str); 5] = [
    ("rpc-transit-traceparent", PARENT),
    ("rpc-transit-tracestate", "vendor=1"),
    ("rpc-transit-service.name", "checkout"),
    ("rpc-persist-tenant", "blue"),
    ("source-service", "shop.checkout"),
];

async fn ask(address: std::net::SocketAddr, text: &str) -> String {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    let mut client = EchoClient::new(endpoint.connect_lazy());
    let mut request = tonic::Request::new(echo::say(text, 0));
    for (key, value) in OF_KITEX {
        request
            .metadata_mut()
            .insert(key, value.parse().expect("ASCII"));
    }
    let answer = client.unary_to("Unary", request).await.expect("answered");
    answer.into_inner().text
}

fn trace_id(record: &CapturedRecord) -> u128 {
    u128::from_be_bytes(record.trace_id.to_bytes())
}

#[tokio::test]
async fn a_call_from_kitex_is_its_callers_child() {
    let capture = capture();
    let (address, served) = serve(&capture, Acts::default()).await;
    // What Volo makes of the rest is as it was: in capitals, as CGI has its variables.
    assert_eq!(ask(address, "metainfo TRACEPARENT").await, PARENT);
    let record = one(&capture.records(), "rpc.server");
    assert_eq!(trace_id(&record), TRACE);
    assert!(record.parent_is_remote);
    assert_eq!(record.trace_state, "vendor=1");
    assert_eq!(record.text("obs.rpc.peer.service"), Some("checkout"));
    assert_eq!(record.text("network.peer.address"), Some("127.0.0.1"));
    served.abort();
}

#[tokio::test]
async fn a_stranger_is_linked_and_says_not_who_it_is() {
    let capture = capture();
    let (listener, address) = listener().await;
    let settings = RpcServerLayer::new(capture.telemetry()).with_trust(Trust::LinkOnly);
    let server = Server::new()
        .add_service(ServiceBuilder::new(EchoServer::new(Acts::default())).build())
        .layer_tower(VoloGrpcServerLayer::from(settings));
    let served = tokio::spawn(async move { server.run(DefaultIncoming::from(listener)).await });
    ask(address, "well").await;
    let record = one(&capture.records(), "rpc.server");
    assert_ne!(trace_id(&record), TRACE);
    assert_eq!(record.links.len(), 1);
    assert_eq!(record.links[0].trace_id, TRACE);
    for key in ["obs.rpc.peer.service", "network.peer.address"] {
        assert_eq!(record.text(key), None, "{key}");
    }
    served.abort();
}

#[tokio::test]
async fn a_call_to_kitex_carries_it_both_ways_and_who_calls() {
    let world = World::new(None).await;
    let ask = async |text: &str| {
        let answer = world.client.unary(say(text, 0)).await.expect("answered");
        let records = world.recorded().await;
        world.capture.clear();
        (answer.into_inner().text.to_string(), records)
    };
    for text in ["metadata traceparent", "metainfo TRACEPARENT"] {
        let (found, [_, attempt, server]) = ask(text).await;
        let ids = format!(
            "00-{:032x}-{:016x}-{:02x}",
            trace_id(&attempt),
            u64::from_be_bytes(attempt.span_id.to_bytes()),
            attempt.trace_flags.to_u8()
        );
        assert_eq!(found, ids, "{text}");
        assert_eq!(attempt.text("obs.rpc.peer.service"), Some("echo.callee"));
        assert_eq!(server.text("obs.rpc.peer.service"), Some("test-service"));
    }
    assert_eq!(ask("metainfo SERVICE.NAME").await.0, "test-service");
}
