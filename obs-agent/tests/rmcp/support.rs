//! How it is asked.

pub(crate) use crate::weather::Weather;
use obs_agent::adapters::rmcp::{McpObserver, ObservedClient};
use obs_agent::{AgentObserver, Handlers};
use obs_testing::{Capture, SpanTree};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleServer, RunningService, Service};
use std::time::Duration;

pub(crate) fn handlers(capture: &Capture) -> Handlers {
    Handlers::new().with(AgentObserver::new(capture.telemetry()))
}

pub(crate) fn mcp(capture: &Capture) -> McpObserver {
    McpObserver::new(&handlers(capture)).with_transport("pipe")
}

/// A client and a server that are connected.
pub(crate) async fn connected<S: Service<RoleServer>>(
    client: &McpObserver,
    server: S,
) -> (ObservedClient<()>, RunningService<RoleServer, S>) {
    let (here, there) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(server.serve(there));
    let client = client.connect((), here).await.expect("a handshake");
    let server = serving.await.expect("no panic").expect("a handshake");
    (client, server)
}

/// Without what differs from run to run, and what all have.
pub(crate) fn tree(capture: &Capture) -> SpanTree {
    capture.tree().with_attributes([
        "error.type",
        "gen_ai.prompt.name",
        "gen_ai.tool.name",
        "mcp.resource.uri",
        "rpc.response.status_code",
    ])
}

/// Waits until it is so; in the end it has to be.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        for _ in 0..2000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to be: {place}");
    }
}

/// Waits until this many spans have ended.
pub(crate) async fn spans(capture: &Capture, count: usize) {
    until(|| capture.records().len() >= count).await;
    let records = capture.records();
    let names: Vec<_> = records.iter().map(|record| &*record.name).collect();
    assert_eq!(records.len(), count, "{names:?}");
}

pub(crate) fn tool(name: &'static str) -> CallToolRequestParams {
    CallToolRequestParams::new(name)
}
