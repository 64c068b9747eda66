//! Every way in which a message ends, told once on each side.

use crate::support::{Weather, connected, mcp, spans, tool, tree};
use obs_testing::{Capture, Kind, assert_tree};
use rmcp::model::{CallToolRequest, ReadResourceRequestParams};
use rmcp::service::{PeerRequestOptions, ServiceError};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

#[tokio::test]
async fn errors_are_those_of_tools_and_codes_of_json_rpc() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let result = client.call_tool(tool("fails")).await.expect("a result");
    assert_eq!(result.is_error, Some(true));
    client
        .call_tool(tool("none"))
        .await
        .expect_err("no such tool");
    let resource = ReadResourceRequestParams::new("file:///none");
    client.read_resource(resource).await.expect_err("not found");
    spans(&capture, 6).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          resources/read [client] error
            - error.type: "-32002"
            - mcp.resource.uri: "file:///none"
            - rpc.response.status_code: "-32002"
            resources/read [server] error remote parent
              - error.type: "-32002"
              - mcp.resource.uri: "file:///none"
              - rpc.response.status_code: "-32002"
        trace 2
          tools/call fails [client] error
            - error.type: "tool_error"
            - gen_ai.tool.name: "fails"
            tools/call fails [server] error remote parent
              - error.type: "tool_error"
              - gen_ai.tool.name: "fails"
        trace 3
          tools/call none [client] error
            - error.type: "-32602"
            - gen_ai.tool.name: "none"
            - rpc.response.status_code: "-32602"
            tools/call none [server] error remote parent
              - error.type: "-32602"
              - gen_ai.tool.name: "none"
              - rpc.response.status_code: "-32602"
        "#,
    );
}

/// rmcp tells the other side that the time has run out.
#[tokio::test]
async fn a_call_that_takes_too_long_is_timed_out_here_and_cancelled_there() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let options = PeerRequestOptions::with_timeout(Duration::from_millis(20));
    let request = CallToolRequest::new(tool("slow"));
    let error = client.request(request.into(), options).await;
    assert!(
        matches!(error, Err(ServiceError::Timeout { .. })),
        "{error:?}"
    );
    // The notification is received, too; rmcp sends it by itself.
    spans(&capture, 3).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          notifications/cancelled [server]
        trace 2
          tools/call slow [client] error
            - error.type: "timeout"
            - gen_ai.tool.name: "slow"
            tools/call slow [server] error remote parent
              - error.type: "cancelled"
              - gen_ai.tool.name: "slow"
        "#,
    );
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_on_both_sides() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let call = client.call_tool(tool("slow"));
    let late = tokio::time::timeout(Duration::from_millis(50), call).await;
    late.expect_err("it is slow");
    spans(&capture, 3).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          notifications/cancelled [server]
        trace 2
          tools/call slow [client] error
            - error.type: "cancelled"
            - gen_ai.tool.name: "slow"
            tools/call slow [server] error remote parent
              - error.type: "cancelled"
              - gen_ai.tool.name: "slow"
        "#,
    );
}

/// rmcp answers nothing when a handler panics.
#[tokio::test]
async fn a_tool_that_panics_is_told_so_where_it_does() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let call = client.call_tool(tool("panics"));
    let late = tokio::time::timeout(Duration::from_millis(100), call).await;
    late.expect_err("no answer");
    spans(&capture, 3).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          notifications/cancelled [server]
        trace 2
          tools/call panics [client] error
            - error.type: "cancelled"
            - gen_ai.tool.name: "panics"
            tools/call panics [server] error remote parent
              - error.type: "panic"
              - gen_ai.tool.name: "panics"
        "#,
    );
}

/// One that answers the handshake, by lines of JSON, and hangs up when it is asked anything else.
async fn hangs_up(pipe: DuplexStream) {
    let (reads, mut writes) = tokio::io::split(pipe);
    let mut lines = BufReader::new(reads).lines();
    while let Some(line) = lines.next_line().await.expect("read") {
        let asked: Value = serde_json::from_str(&line).expect("JSON");
        match asked["method"].as_str() {
            Some("initialize") => {}
            Some("tools/call") => return,
            _ => continue,
        }
        let info = json!({"name": "lines", "version": "1"});
        let hello =
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info});
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": hello});
        let answer = format!("{answer}\n");
        writes.write_all(answer.as_bytes()).await.expect("sent");
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_an_error_of_the_connection() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (here, there) = tokio::io::duplex(1 << 16);
    let server = tokio::spawn(hangs_up(there));
    let client = mcp.connect((), here).await.expect("a handshake");
    capture.clear();
    client.call_tool(tool("slow")).await.expect_err("no answer");
    // A second one finds nobody.
    client
        .call_tool(tool("rain"))
        .await
        .expect_err("nobody is there");
    server.await.expect("no panic");
    spans(&capture, 2).await;
    for record in capture.records() {
        assert_eq!(record.kind, Kind::Client);
        assert_eq!(record.error_type(), Some("connection_error"));
        assert_eq!(record.text("mcp.protocol.version"), Some("2025-06-18"));
    }
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_is_one_run_that_failed() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (here, there) = tokio::io::duplex(64);
    drop(there);
    mcp.connect((), here).await.expect_err("nobody is there");
    assert_eq!(capture.record().name, "initialize");
    assert_eq!(
        capture.record().text("error.type"),
        Some("connection_error")
    );
    assert_eq!(capture.count("mcp.client.session.duration"), 0);
}
