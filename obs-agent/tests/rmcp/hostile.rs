//! Senders that say nothing of where they stand, that say nonsense, and that are strangers.

use crate::support::{Weather, handlers, mcp, spans};
use obs_agent::adapters::rmcp::McpObserver;
use obs_core::Trust;
use obs_core::propagation::baggage::Allow;
use obs_testing::{Capture, CapturedRecord};
use rmcp::ServiceExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The span of a call with this `_meta`, by a client that writes lines of JSON, and what it is answered.
async fn called(
    mcp: &McpObserver,
    capture: &Capture,
    meta: Option<Value>,
) -> (CapturedRecord, Value) {
    let (here, there) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(mcp.service(Weather).serve(there));
    let (reads, mut writes) = tokio::io::split(here);
    let mut lines = BufReader::new(reads).lines();
    let mut params = json!({"name": "rain"});
    if let Some(meta) = meta {
        params["_meta"] = meta;
    }
    let info = json!({"name": "lines", "version": "1"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
    for (id, method, params) in [
        (Some(1), "initialize", hello),
        (None, "notifications/initialized", json!({})),
        (Some(2), "tools/call", params),
    ] {
        let mut line = json!({"jsonrpc": "2.0", "method": method, "params": params});
        if let Some(id) = id {
            line["id"] = id.into();
        }
        let line = format!("{line}\n");
        writes.write_all(line.as_bytes()).await.expect("sent");
    }
    let _running = serving.await.expect("no panic").expect("a handshake");
    let answer = loop {
        let line = lines.next_line().await.expect("read").expect("a line");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        if line["id"] == 2 {
            break line;
        }
    };
    spans(capture, 3).await;
    let mut records = capture.take_records();
    let at = records
        .iter()
        .position(|record| record.name == "tools/call rain");
    (records.remove(at.expect("a call")), answer)
}

fn expected() -> Value {
    let content = json!([{"type": "text", "text": "at noon"}]);
    json!({"jsonrpc": "2.0", "id": 2, "result": {"content": content, "isError": false}})
}

#[tokio::test]
async fn a_peer_that_says_nothing_begins_a_trace_and_is_answered_as_ever() {
    let capture = Capture::new();
    let (call, answer) = called(&mcp(&capture), &capture, None).await;
    assert_eq!(call.parent_span_id, None);
    assert_eq!(call.text("jsonrpc.request.id"), Some("2"));
    assert_eq!(call.text("mcp.protocol.version"), Some("2025-06-18"));
    assert_eq!(answer, expected());
}

#[tokio::test]
async fn a_context_is_obeyed_or_linked() {
    let capture = Capture::new();
    let meta = json!({"traceparent": TRACEPARENT, "tracestate": "a=b"});
    let (call, _) = called(&mcp(&capture), &capture, Some(meta.clone())).await;
    assert_eq!(call.trace_id.to_string(), TRACE);
    assert_eq!(
        call.parent_span_id.map(|id| id.to_string()),
        Some("b7ad6b7169203331".to_owned())
    );
    let stranger = mcp(&capture).with_trust(Trust::LinkOnly);
    let (call, answer) = called(&stranger, &capture, Some(meta)).await;
    assert_ne!(call.trace_id.to_string(), TRACE);
    assert_eq!(call.parent_span_id, None);
    let [link] = &*call.links else {
        panic!("{:?}", call.links)
    };
    assert_eq!(format!("{:032x}", link.trace_id), TRACE);
    assert_eq!(answer, expected());
}

#[tokio::test]
async fn nonsense_is_counted_and_nothing_else_comes_of_it() {
    let capture = Capture::new();
    let observer = AllowAll::mcp(&capture);
    let long = format!("user.id={},a=1", "x".repeat(1 << 20));
    for (meta, parents, baggage) in [
        (json!({"traceparent": "garbage"}), 1, 0),
        (
            json!({"traceparent": "00-00000000000000000000000000000000-b7ad6b7169203331-01"}),
            2,
            0,
        ),
        (
            json!({"traceparent": 7, "tracestate": [], "baggage": {}}),
            2,
            0,
        ),
        (json!({"baggage": long}), 2, 1),
    ] {
        let (call, answer) = called(&observer, &capture, Some(meta.clone())).await;
        assert_eq!(call.parent_span_id, None, "{meta:.60}");
        assert_eq!(call.text("user.id"), None);
        assert_eq!(answer, expected());
        let counts = capture.telemetry().counts();
        assert_eq!(counts.invalid_parents, parents);
        assert_eq!(counts.dropped_baggage, baggage);
    }
}

struct AllowAll;

impl AllowAll {
    fn mcp(capture: &Capture) -> McpObserver {
        McpObserver::new(&handlers(capture)).with_baggage(Allow::all())
    }
}

#[tokio::test]
async fn baggage_is_taken_over_from_those_who_are_trusted_as_far_as_it_is_allowed() {
    let capture = Capture::new();
    let meta = json!({"traceparent": TRACEPARENT, "baggage": "session.id=s-7,secret=x"});
    let session = |call: &CapturedRecord| call.text("session.id").map(str::to_owned);
    let (call, _) = called(&mcp(&capture), &capture, Some(meta.clone())).await;
    assert_eq!(session(&call), None);
    let allowing = mcp(&capture).with_baggage(Allow::names(["session.id"]));
    let (call, _) = called(&allowing, &capture, Some(meta.clone())).await;
    assert_eq!(session(&call).as_deref(), Some("s-7"));
    assert_eq!(call.text("secret"), None);
    let (call, _) = called(&allowing.with_trust(Trust::LinkOnly), &capture, Some(meta)).await;
    assert_eq!(session(&call), None);
}
