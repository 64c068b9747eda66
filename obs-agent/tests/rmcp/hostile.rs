//! Senders that say nothing of where they stand, that say nonsense, and that are strangers.

use crate::support::{Weather, handlers, mcp, spans};
use obs_agent::adapters::rmcp::McpObserver;
use obs_core::Trust;
use obs_core::propagation::baggage::Allow;
use obs_testing::{AttrValue, Capture, CapturedRecord};
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

/// However long it is.
#[tokio::test]
async fn baggage_of_strangers_is_not_even_read() {
    let capture = Capture::new();
    let long = format!("session.id=s-7,a={}", "x".repeat(1 << 18));
    let meta = json!({"traceparent": TRACEPARENT, "baggage": long});
    let stranger = AllowAll::mcp(&capture).with_trust(Trust::LinkOnly);
    let (call, answer) = called(&stranger, &capture, Some(meta.clone())).await;
    assert_eq!(call.text("session.id"), None);
    assert_eq!(call.links.len(), 1);
    assert_eq!(answer, expected());
    assert_eq!(capture.telemetry().counts().dropped_baggage, 0);
    // Of somebody who is trusted it is, and let go of.
    called(&AllowAll::mcp(&capture), &capture, Some(meta)).await;
    assert_eq!(capture.telemetry().counts().dropped_baggage, 1);
}

/// Names and ids as long as a message may be, and a hundred of them.
#[tokio::test]
async fn what_is_far_too_long_is_cut_and_is_no_label() {
    let capture = Capture::new();
    let (here, there) = tokio::io::duplex(1 << 20);
    let mcp = mcp(&capture);
    let serving = tokio::spawn(mcp.service(Weather).serve(there));
    let (reads, mut writes) = tokio::io::split(here);
    let mut lines = BufReader::new(reads).lines();
    let info = json!({"name": "lines", "version": "1"});
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
    let long = "n".repeat(200_000);
    let mut asked = vec![
        json!({"id": 1, "method": "initialize", "params": hello}),
        json!({"method": "notifications/initialized"}),
        json!({"id": long, "method": "tools/call", "params": {"name": long, "_meta": {"traceparent": long}}}),
        json!({"id": 3, "method": "resources/read", "params": {"uri": long}}),
        json!({"id": 4, "method": long, "params": {}}),
    ];
    for line in &mut asked {
        line["jsonrpc"] = "2.0".into();
        let line = format!("{line}\n");
        writes.write_all(line.as_bytes()).await.expect("sent");
    }
    let _running = serving.await.expect("no panic").expect("a handshake");
    for _ in 0..4 {
        lines.next_line().await.expect("read").expect("an answer");
    }
    spans(&capture, 5).await;
    for record in capture.records() {
        assert!(record.name.len() < 20_000, "{} bytes", record.name.len());
        for key in ["gen_ai.tool.name", "mcp.resource.uri", "jsonrpc.request.id"] {
            let length = record.text(key).map_or(0, str::len);
            assert!(length < 20_000, "{key}: {length} bytes");
        }
    }
    let points = capture.points();
    for point in points.histograms("mcp.server.operation.duration", &[]) {
        let longest = { point.series.attributes.iter() }.filter_map(|(_, value)| match value {
            AttrValue::Str(text) => Some(text.len()),
            _ => None,
        });
        assert!(
            longest.max().unwrap_or_default() < 100,
            "{:.300?}",
            point.series
        );
    }
}
