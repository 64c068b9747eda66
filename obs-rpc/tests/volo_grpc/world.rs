//! A server of Volo's, a client of Volo's, and the wire between them, which can be cut.

use crate::PATIENCE;
use crate::generated::{EchoClient, EchoClientBuilder, EchoServer};
use crate::service::{Acts, say};
use obs_core::StatsLevel;
use obs_rpc::volo_grpc::{
    VoloGrpcCallLayer, VoloGrpcClientLayer, VoloGrpcHandleLayer, VoloGrpcServerLayer,
};
use obs_rpc::{CallHead, RpcClientLayer, RpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use volo::net::incoming::DefaultIncoming;
use volo_grpc::Request;
use volo_grpc::server::{Server, ServiceBuilder};

/// One telemetry for both sides, by the machine's clock, at Detailed.
pub(crate) fn capture() -> Capture {
    Capture::builder()
        .with_level(StatsLevel::Detailed)
        .with_real_clock()
        .with(|builder| {
            builder
                .with_measures(true)
                .with_service_name("test-service")
        })
        .build()
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Is the metadata of a call that only makes the connection.
const WARMS: &str = "warms";

fn counts(head: CallHead<'_>) -> bool {
    !head.metadata.contains_key(WARMS)
}

/// A server as its users build it, with both layers.
pub(crate) async fn serve(capture: &Capture, acts: Acts) -> (SocketAddr, JoinHandle<()>) {
    let server = Server::new()
        .add_service(ServiceBuilder::new(EchoServer::new(acts)).build())
        .layer_tower(VoloGrpcServerLayer::from(
            RpcServerLayer::new(capture.telemetry()).with_filter(counts),
        ))
        .layer(VoloGrpcHandleLayer::new());
    let (listener, address) = listener().await;
    let served = tokio::spawn(async move {
        let incoming = DefaultIncoming::from(listener);
        server.run(incoming).await.expect("served");
    });
    (address, served)
}

/// A client as its users build it, with both layers.
pub(crate) fn client(
    capture: &Capture,
    address: SocketAddr,
    timeout: Option<Duration>,
) -> EchoClient {
    let call = RpcClientLayer::calls(capture.telemetry()).with_filter(counts);
    let attempt = RpcClientLayer::new(capture.telemetry()).with_filter(counts);
    EchoClientBuilder::new("echo.callee")
        .caller_name("echo.caller")
        .address(address)
        .rpc_timeout(timeout)
        .layer_outer_front(VoloGrpcCallLayer::from(call))
        .layer_inner(VoloGrpcClientLayer::from(attempt).with_own_transport())
        .build()
}

pub(crate) struct World {
    pub(crate) capture: Capture,
    pub(crate) client: EchoClient,
    pub(crate) acts: Acts,
    wire: JoinHandle<()>,
    server: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new(timeout: Option<Duration>) -> Self {
        let capture = capture();
        let acts = Acts::default();
        let (behind, server) = serve(&capture, acts.clone()).await;
        let (address, wire) = wire(behind).await;
        let client = client(&capture, address, timeout);
        // Connected before the call, whose timeout includes that.
        let mut request = Request::new(say("well", 0));
        request
            .metadata_mut()
            .insert(WARMS, "1".parse().expect("text"));
        client.unary(request).await.expect("answered");
        Self {
            client,
            capture,
            acts,
            wire,
            server,
        }
    }

    /// Both ends see the connection end.
    pub(crate) fn cut(&self) {
        self.wire.abort();
    }

    /// What was recorded: the whole call, its attempt, and the server's part.
    pub(crate) async fn recorded(&self) -> [CapturedRecord; 3] {
        let records = all(&self.capture, 3).await;
        ["rpc.call", "rpc.client", "rpc.server"].map(|kind| one(&records, kind))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
        self.wire.abort();
    }
}

#[track_caller]
pub(crate) fn one(records: &[CapturedRecord], kind: &str) -> CapturedRecord {
    let mut found = records.iter().filter(|record| record.descriptor == kind);
    let record = found.next().expect("one of each").clone();
    assert!(found.next().is_none(), "one of each");
    record
}

/// The first connection, and what it leads to. Ends with both, or is aborted.
async fn wire(to: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener().await;
    let wire = tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.expect("a client");
        let mut far = TcpStream::connect(to).await.expect("the server");
        near.set_nodelay(true).expect("a socket");
        far.set_nodelay(true).expect("a socket");
        // Its end is what tests are about.
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    (address, wire)
}

/// So many records; the other side may need a moment, and the runtime's only thread.
pub(crate) async fn all(capture: &Capture, count: usize) -> Vec<CapturedRecord> {
    let begun = Instant::now();
    loop {
        let records = capture.records();
        if records.len() >= count {
            return records;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {count} calls ended:\n{}",
            records.len(),
            capture.tree()
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
