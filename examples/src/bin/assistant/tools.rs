//! The tool service: gRPC in a process of its own, which the front starts and stops.

mod shed;

use crate::{behind::Behind, contract::ToolsServer, failure::Failure, options, serving::Serving};
use obs_rpc::RpcServerLayer;
use shed::Shed;
use std::io;
use tokio::net::TcpListener;
use tonic::transport::{Server, server::TcpIncoming};

/// Its `service.name`.
pub(crate) const NAME: &str = "assistant-tools";

/// Serves until a signal, or until the end of its input if it is attached.
pub(crate) async fn run(options: options::Behind) -> Result<(), Failure> {
    let behind = Behind::begin(NAME, options)?;
    // One layer around all services.
    let observed = Server::builder()
        .layer(RpcServerLayer::new(&behind.telemetry()))
        .add_service(ToolsServer::new(Shed));
    let service = Serving::start(|listener, stop| async move {
        let serve = observed.serve_with_incoming_shutdown(incoming(listener), stop.called());
        serve.await.map_err(io::Error::other)
    });
    let bare = Server::builder().add_service(ToolsServer::new(Shed));
    let bare = Serving::start(|listener, stop| async move {
        let serve = bare.serve_with_incoming_shutdown(incoming(listener), stop.called());
        serve.await.map_err(io::Error::other)
    });
    behind.serve(service.await?, bare.await?).await
}

/// tonic sets what it says only on connections of sockets that it has bound itself: an answer that waits for an
/// acknowledgement is 40 ms late.
fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}
