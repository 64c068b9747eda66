//! A server on loopback: `test.Echo`, and services of gRPC's own as servers have them.

use crate::echo::Echo;
use obs_rpc::RpcServerLayer;
use obs_testing::{Capture, CapturedRecord};
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

/// A server behind `layer`, and a channel to it.
pub(crate) async fn serve(layer: RpcServerLayer) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("what it has registered can be read");
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .layer(layer)
        .add_service(Echo)
        .add_service(health)
        .add_service(reflection);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    Endpoint::from_shared(format!("http://{address}"))
        .expect("a URL")
        .connect_lazy()
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until it holds. A server's ends come a little after the client's.
#[track_caller]
pub(crate) fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    let held = async move {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    async move {
        let held = tokio::time::timeout(PATIENCE, held).await;
        assert!(held.is_ok(), "{caller}: it never held");
    }
}

/// The records of a side, `rpc.client` or `rpc.server`.
pub(crate) fn of(capture: &Capture, side: &str) -> Vec<CapturedRecord> {
    let mut records = capture.records();
    records.retain(|record| record.descriptor == side);
    records
}
