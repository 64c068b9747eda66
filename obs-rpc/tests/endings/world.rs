//! A server, a client, and the wire between them, which can be cut.

use crate::service::{Ends, Meeting, Picky};
use crate::{Ending, PATIENCE, TIMEOUT};
use obs_core::StatsLevel;
use obs_rpc::client::RpcClient;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::client::Grpc;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tower::Layer;

/// One telemetry for both sides, by the machine's clock, at Detailed.
pub(crate) fn capture() -> Capture {
    Capture::builder()
        .with_level(StatsLevel::Detailed)
        .with_real_clock()
        .with(|builder| builder.with_measures(true))
        .build()
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).expect("a URL")
}

pub(crate) struct World {
    pub(crate) capture: Capture,
    pub(crate) client: Grpc<RpcClient<Channel>>,
    pub(crate) codec: Picky,
    pub(crate) meeting: Arc<Meeting>,
    wire: JoinHandle<()>,
    server: JoinHandle<()>,
}

impl World {
    pub(crate) async fn new(ending: Ending) -> Self {
        let capture = capture();
        let meeting = Arc::new(Meeting::default());
        let (listener, behind) = listener().await;
        let mut layer = RpcServerLayer::new(capture.telemetry()).with_addresses(false);
        let mut builder = Server::builder();
        if ending == Ending::DeadlineAtServer {
            // The server's own timeout is outside of its layers, which must be told of it.
            builder = builder.timeout(TIMEOUT);
            layer = layer.with_deadline(TIMEOUT);
        }
        let service = Ends {
            ending,
            meeting: Arc::clone(&meeting),
        };
        let server = builder.layer(layer).add_service(service);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = tokio::spawn(async move {
            server.serve_with_incoming(incoming).await.expect("served");
        });
        let (address, wire) = wire(behind).await;
        let mut endpoint = endpoint(address);
        if ending == Ending::DeadlineAtClient {
            endpoint = endpoint.timeout(TIMEOUT);
        }
        // Connected before the call: what is measured is the call.
        let channel = endpoint.connect().await.expect("connected");
        let layer = RpcClientLayer::new(capture.telemetry());
        Self {
            client: Grpc::new(layer.layer(channel)),
            codec: Picky {
                garbles: ending == Ending::RequestUndecodable,
                refuses: ending == Ending::ResponseUndecodable,
            },
            capture,
            meeting,
            wire,
            server,
        }
    }

    /// Both ends see the connection end.
    pub(crate) fn cut(&self) {
        self.wire.abort();
    }

    /// What both sides recorded: the client's and the server's.
    pub(crate) async fn recorded(self) -> (Capture, CapturedRecord, CapturedRecord) {
        let records = all(&self.capture, 2).await;
        self.server.abort();
        let of = |kind: &str| {
            let mut found = records.iter().filter(|record| record.descriptor == kind);
            let record = found.next().expect("one of each side").clone();
            assert!(found.next().is_none(), "one of each side");
            record
        };
        let (client, server) = (of("rpc.client"), of("rpc.server"));
        (self.capture, client, server)
    }
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
