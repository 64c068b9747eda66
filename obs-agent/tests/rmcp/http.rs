//! Over HTTP on loopback, with obs-http's layer around the server's.

use crate::support::{Weather, connected, mcp, spans, tool, tree, until};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use obs_agent::adapters::rmcp::{McpObserver, ObservedClient, carry_http};
use obs_core::Trust;
use obs_http::HttpServerLayer;
use obs_testing::{AttrValue, Capture, CapturedRecord, Kind, assert_tree};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{
    StreamableHttpClientTransport, StreamableHttpServerConfig, StreamableHttpService,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;
use tower::util::MapRequest;

/// Where it listens, from now on.
async fn serve(capture: &Capture, mcp: &McpObserver, has_sessions: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let observed = mcp.clone();
    let service = StreamableHttpService::new(
        move || Ok(observed.handler(Weather)),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default().with_legacy_session_mode(has_sessions),
    );
    let service = MapRequest::new(service, carry_http);
    let service = HttpServerLayer::new(capture.telemetry()).layer(service);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    format!("http://{address}/mcp")
}

async fn connect(mcp: &McpObserver, url: &str) -> ObservedClient<()> {
    let transport = StreamableHttpClientTransport::from_uri(url.to_owned());
    mcp.connect((), transport).await.expect("a handshake")
}

/// The spans of a call of `rain`: the client's, the server's, and that of its request of HTTP.
fn call(capture: &Capture) -> (CapturedRecord, CapturedRecord, Vec<CapturedRecord>) {
    let records = capture.records();
    let of = |kind: Kind| {
        let is_it =
            |record: &&CapturedRecord| record.kind == kind && record.name == "tools/call rain";
        { records.iter() }.find(is_it).expect("a call").clone()
    };
    let http = { records.iter() }.filter(|record| record.name.starts_with("POST"));
    (of(Kind::Client), of(Kind::Server), http.cloned().collect())
}

#[tokio::test]
async fn a_call_is_within_its_clients_and_linked_with_its_request() {
    let capture = Capture::new();
    let server = mcp(&capture);
    let url = serve(&capture, &server, true).await;
    let client = connect(&mcp(&capture).with_transport("tcp"), &url).await;
    client.call_tool(tool("rain")).await.expect("a result");
    client.call_tool(tool("fails")).await.expect("a result");
    client
        .call_tool(tool("none"))
        .await
        .expect_err("no such tool");
    // Of each of three calls, the handshake and its notification: here, there (of the notification alone there), and its request.
    let mcp_spans = 2 * 3 + 2 + 1;
    until(|| {
        let records = capture.records();
        let http = records
            .iter()
            .filter(|record| record.name.starts_with("POST"));
        (http.count(), records.len() >= mcp_spans + 5) == (5, true)
    })
    .await;
    let (sent, received, http) = call(&capture);
    assert_eq!(received.trace_id, sent.trace_id);
    assert_eq!(received.parent_span_id, Some(sent.span_id));
    let [link] = &*received.links else {
        panic!("{:?}", received.links)
    };
    let its =
        |record: &&CapturedRecord| record.span_id.to_string() == format!("{:016x}", link.span_id);
    assert_eq!(http.iter().filter(its).count(), 1);
    assert_eq!(received.text("network.transport"), Some("tcp"));
    for name in ["tools/call fails", "tools/call none"] {
        let records = capture.records();
        let errors = records.iter().filter(|record| record.name == name);
        let errors: Vec<_> = errors.map(CapturedRecord::error_type).collect();
        let error = if name.ends_with("fails") {
            "tool_error"
        } else {
            "-32602"
        };
        assert_eq!(errors, [Some(error), Some(error)], "{name}");
    }
    assert!(
        received
            .text("mcp.session.id")
            .is_some_and(|id| id.len() > 8)
    );
    assert_eq!(received.text("mcp.protocol.version"), Some("2025-11-25"));
    assert_eq!(capture.count("mcp.server.operation.duration"), 5);
    assert_eq!(capture.count("mcp.client.operation.duration"), 4);
    // The session ends with a request that deletes it.
    assert_eq!(capture.count("mcp.server.session.duration"), 0);
    client.into_inner().cancel().await.expect("closed");
    until(|| capture.count("mcp.server.session.duration") == 1).await;
    let tcp = [("network.transport", AttrValue::from("tcp"))];
    for session in ["mcp.client.session.duration", "mcp.server.session.duration"] {
        let points = capture.points();
        let session = points.histogram(session, &tcp).map(|session| session.count);
        assert_eq!(session, Some(1));
    }
}

#[tokio::test]
async fn a_strangers_call_is_within_its_request_and_linked_with_the_stranger() {
    let capture = Capture::new();
    let server = mcp(&capture).with_trust(Trust::LinkOnly);
    let url = serve(&capture, &server, true).await;
    let client = connect(&mcp(&capture), &url).await;
    client.call_tool(tool("rain")).await.expect("a result");
    until(|| {
        let is_http = |record: &CapturedRecord| record.name.starts_with("POST");
        capture
            .records()
            .iter()
            .filter(|record| is_http(record))
            .count()
            == 3
    })
    .await;
    let (sent, received, http) = call(&capture);
    assert_ne!(received.trace_id, sent.trace_id);
    let around = |record: &&CapturedRecord| Some(record.span_id) == received.parent_span_id;
    assert_eq!(http.iter().filter(around).count(), 1);
    let [link] = &*received.links else {
        panic!("{:?}", received.links)
    };
    assert_eq!(format!("{:016x}", link.span_id), sent.span_id.to_string());
}

/// Each request has a handler of its own.
#[tokio::test]
async fn a_server_without_sessions_tells_none() {
    let capture = Capture::new();
    let server = mcp(&capture);
    let url = serve(&capture, &server, false).await;
    let client = connect(&mcp(&capture), &url).await;
    client.call_tool(tool("rain")).await.expect("a result");
    client.into_inner().cancel().await.expect("closed");
    until(|| capture.count("mcp.client.session.duration") == 1).await;
    // rmcp accepts notifications without a session, and hands them to nobody.
    until(|| capture.count("mcp.server.operation.duration") == 2).await;
    assert_eq!(capture.count("mcp.server.session.duration"), 0);
    let (sent, received, _) = call(&capture);
    assert_eq!(received.parent_span_id, Some(sent.span_id));
    assert_eq!(received.text("mcp.session.id"), None);
}

/// Over HTTP it says so by a request of its own, or hangs up.
#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_on_both_sides() {
    for has_sessions in [true, false] {
        let capture = Capture::new();
        let mcp = mcp(&capture);
        let url = serve(&capture, &mcp, has_sessions).await;
        let client = connect(&mcp, &url).await;
        capture.clear();
        let call = client.call_tool(tool("slow"));
        let late = tokio::time::timeout(Duration::from_millis(50), call).await;
        late.expect_err("it is slow");
        let slow = || {
            let records = capture.records().into_iter();
            records.filter(|record| record.name == "tools/call slow")
        };
        until(|| slow().count() == 2).await;
        let (sent, received): (Vec<_>, Vec<_>) =
            slow().partition(|record| record.kind == Kind::Client);
        let ([sent], [received]) = (&*sent, &*received) else {
            panic!("{sent:?} {received:?}")
        };
        assert_eq!(received.parent_span_id, Some(sent.span_id));
        for record in [sent, received] {
            assert_eq!(record.error_type(), Some("cancelled"), "{has_sessions}");
        }
    }
}

/// It names a session that nobody has agreed on.
#[tokio::test]
async fn a_session_that_there_is_not_is_not_told() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let url = serve(&capture, &mcp, false).await;
    let address = url
        .strip_prefix("http://")
        .and_then(|url| url.split('/').next());
    let address = address.expect("an address");
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rain"}}"#;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-session-id: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        "s".repeat(4096),
        call.len()
    );
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(call.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.contains("at noon"), "{answer}");
    let is_call = |record: &CapturedRecord| record.name == "tools/call rain";
    until(|| capture.records().iter().any(is_call)).await;
    let records = capture.records();
    let call = records.iter().find(|record| is_call(record));
    assert_eq!(call.and_then(|call| call.text("mcp.session.id")), None);
}

/// All of a session that is there when a call has been answered. What listens for the server's messages goes on.
#[tokio::test]
async fn calls_and_their_requests_as_traces() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let url = serve(&capture, &mcp, true).await;
    let client = connect(&mcp, &url).await;
    client.call_tool(tool("rain")).await.expect("a result");
    // The handshake, its notification and the call, with a request for each.
    spans(&capture, 2 + 1 + 2 + 3).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          #1 POST [server]
        trace 2
          #2 POST [server]
        trace 3
          POST [server]
            notifications/initialized [server]
        trace 4
          initialize [client]
            initialize [server] remote parent
              ~ #1
        trace 5
          tools/call rain [client]
            - gen_ai.tool.name: "rain"
            tools/call rain [server] remote parent
              - gen_ai.tool.name: "rain"
              ~ #2
        "#,
    );
}

/// What rmcp answers over HTTP is the same with and without us.
#[tokio::test]
async fn a_handler_answers_as_it_does_alone() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (observed, _one) = connected(&mcp, mcp.handler(Weather)).await;
    let (bare, _other) = connected(&mcp, Weather).await;
    for name in ["rain", "fails", "none"] {
        let (one, other) = (observed.call_tool(tool(name)), bare.call_tool(tool(name)));
        assert_eq!(format!("{:?}", one.await), format!("{:?}", other.await));
    }
    let (one, other) = (observed.list_tools(None), bare.list_tools(None));
    assert_eq!(format!("{:?}", one.await), format!("{:?}", other.await));
    let (one, other) = (observed.get_ref().peer_info(), bare.get_ref().peer_info());
    assert_eq!(one, other);
    spans(&capture, 3 + 4 * 2 + 1 + 4).await;
}
