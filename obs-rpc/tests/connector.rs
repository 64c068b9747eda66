//! Channels whose connections are timed, over real sockets: who waited for which dial, and that nothing else changes.

#[path = "support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;
#[path = "connector/latency.rs"]
mod latency;
#[path = "connector/peers.rs"]
mod peers;
#[path = "connector/settings.rs"]
mod settings;
#[path = "connector/several.rs"]
mod several;
#[path = "connector/tls.rs"]
mod tls;

use echo::say;
use hyper_util::client::legacy::connect::HttpConnector;
use obs_rpc::connector::Connections;
use obs_rpc::{RPC_CLIENT_NEXT, RpcClientLayer, StatusKey};
use obs_testing::Capture;
use peers::{Relay, at, check_dial, client, detailed, dials, endpoint, points, reused, serve};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tonic::Code;
use tonic::transport::Endpoint;
use tower::Layer;

const TCP: [&str; 4] = [
    "client_conn_start",
    "tcp_start",
    "tcp_finish",
    "client_conn_finish",
];

#[tokio::test]
async fn the_first_call_waits_for_the_connection_and_the_next_finds_it() {
    let capture = detailed();
    let address = serve().await;
    let connections = Connections::new(capture.telemetry());
    let channel = connections.connect_lazy(&endpoint(&format!("http://{address}")));
    let mut client = client(&capture, channel);
    for _ in 0..2 {
        client.unary(say("", 0)).await.expect("answered");
    }
    let calls = capture.records();
    assert_eq!(
        calls.iter().map(reused).collect::<Vec<_>>(),
        [Some(false), Some(true)]
    );
    check_dial(&calls[0], &TCP);
    check_dial(&calls[1], &[]);
    assert!(at(&calls[0], "client_conn_finish") <= at(&calls[0], "write_start"));
    assert_eq!(dials(&capture, None), 1);
    for (stage, count) in [("connect", 1), ("tcp", 1), ("dns", 0), ("tls", 0)] {
        assert_eq!(points(&capture, stage), count, "{stage}");
    }
}

#[tokio::test]
async fn a_name_is_looked_up_before_it_is_dialled() {
    let capture = detailed();
    let port = serve().await.port();
    let connections = Connections::new(capture.telemetry());
    let channel = connections.connect_lazy(&endpoint(&format!("http://localhost:{port}")));
    client(&capture, channel)
        .unary(say("", 0))
        .await
        .expect("answered");
    check_dial(
        &capture.record(),
        &[
            "client_conn_start",
            "dns_start",
            "dns_finish",
            "tcp_start",
            "tcp_finish",
            "client_conn_finish",
        ],
    );
}

#[tokio::test]
async fn calls_that_queue_wait_for_one_dial_each_for_its_part() {
    let capture = detailed();
    let address = serve().await;
    let connections = Connections::new(capture.telemetry());
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let gated = tower::service_fn(move |uri: http::Uri| {
        let gate = gate.clone();
        async move {
            // Closed, it lets everybody through.
            let _ = gate.acquire().await;
            let mut http = HttpConnector::new();
            http.set_nodelay(true);
            tower::Service::call(&mut http, uri).await
        }
    });
    let channel = connections.connect_with_lazy(&endpoint(&format!("http://{address}")), gated);
    let (mut early, mut late) = (client(&capture, channel.clone()), client(&capture, channel));
    let late = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        late.unary(say("late", 0)).await
    };
    let open = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        opened.close();
    };
    let (one, other, ()) = tokio::join!(early.unary(say("", 0)), late, open);
    one.and(other).expect("answered");
    let mut calls = capture.records();
    calls.sort_by_key(|call| call.start_ns);
    let waits: Vec<_> = calls
        .iter()
        .map(|call| {
            assert_eq!(reused(call), Some(false));
            check_dial(call, &["client_conn_start", "client_conn_finish"]);
            let finish = at(call, "client_conn_finish").expect("stamped");
            Duration::from_nanos(finish - at(call, "client_conn_start").expect("stamped"))
        })
        .collect();
    // It began before the second call did, for which only what was left counts.
    assert_eq!(at(&calls[1], "client_conn_start"), Some(calls[1].start_ns));
    assert!(waits[0] >= Duration::from_millis(50), "{waits:?}");
    assert!(waits[1] + Duration::from_millis(25) < waits[0], "{waits:?}");
    assert_eq!(dials(&capture, None), 1);
}

#[tokio::test]
async fn connected_ahead_no_call_waits() {
    let capture = detailed();
    let address = serve().await;
    let connections = Connections::new(capture.telemetry());
    let endpoint = endpoint(&format!("http://{address}"));
    let channel = connections.connect(&endpoint).await.expect("connected");
    assert_eq!(dials(&capture, None), 1);
    client(&capture, channel)
        .unary(say("", 0))
        .await
        .expect("answered");
    assert_eq!(reused(&capture.record()), Some(true));
    check_dial(&capture.record(), &[]);
}

#[tokio::test]
async fn after_a_broken_connection_the_next_call_waits_for_another() {
    let capture = detailed();
    let relay = Relay::to(serve().await, Duration::ZERO).await;
    let connections = Connections::new(capture.telemetry());
    let url = format!("http://{}", relay.address);
    let mut client = client(&capture, connections.connect_lazy(&endpoint(&url)));
    client.unary(say("", 0)).await.expect("answered");
    let sleeps = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        relay.kill().await;
    };
    let (broken, ()) = tokio::join!(client.unary(say("sleep 5000", 0)), sleeps);
    broken.expect_err("its connection broke");
    client.unary(say("", 0)).await.expect("answered");
    let calls = capture.records();
    assert_eq!(
        calls.iter().map(reused).collect::<Vec<_>>(),
        [Some(false), Some(true), Some(false)]
    );
    check_dial(&calls[2], &TCP);
    assert_eq!(dials(&capture, None), 2);
}

#[tokio::test]
async fn a_call_has_the_dial_that_failed_it() {
    let capture = detailed();
    let connections = Connections::new(capture.telemetry());
    // Nobody listens any more.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let gone = gone.and_then(|gone| gone.local_addr()).expect("a socket");
    let channel = connections.connect_lazy(&endpoint(&format!("http://{gone}")));
    let mut calls = Vec::new();
    for _ in 0..8 {
        let mut client = client(&capture, channel.clone());
        calls.push(tokio::spawn(async move { client.unary(say("", 0)).await }));
    }
    for call in calls {
        let refused = call.await.expect("no panic").expect_err("nobody is there");
        assert_eq!(refused.code(), Code::Unavailable);
    }
    let records = capture.records();
    assert_eq!(records.len(), 8);
    let mut starts: Vec<_> = records
        .iter()
        .map(|call| {
            assert_eq!(reused(call), Some(false));
            check_dial(call, &TCP);
            at(call, "client_conn_finish")
        })
        .collect();
    // Each has been given a dial of its own, one after another.
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len(), 8);
    assert_eq!(dials(&capture, Some("tcp_error")), 8);
}

#[tokio::test]
async fn a_name_that_there_is_not_fails_before_anything_is_dialled() {
    let capture = detailed();
    let connections = Connections::new(capture.telemetry());
    // Longer than a part of a name may be: nobody is asked.
    let url = format!("http://{}.test:80", "x".repeat(70));
    let channel = connections.connect_lazy(&endpoint(&url));
    let failed = client(&capture, channel).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("no such name").code(), Code::Unavailable);
    check_dial(
        &capture.record(),
        &[
            "client_conn_start",
            "dns_start",
            "dns_finish",
            "client_conn_finish",
        ],
    );
    assert_eq!(dials(&capture, Some("dns_error")), 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_while_it_waits_says_so() {
    let capture = detailed();
    let connections = Connections::new(capture.telemetry());
    let never = tower::service_fn(|_: http::Uri| async {
        std::future::pending::<()>().await;
        tower::Service::call(&mut HttpConnector::new(), http::Uri::default()).await
    });
    // tonic's own, around all that a connector does.
    let endpoint = endpoint("http://127.0.0.1:1").connect_timeout(Duration::from_millis(500));
    let channel = connections.connect_with_lazy(&endpoint, never);
    let mut client = client(&capture, channel);
    let call = client.unary(say("", 0));
    let waited = tokio::time::timeout(Duration::from_millis(30), call).await;
    waited.expect_err("nobody connects");
    let call = capture.record();
    assert_eq!(reused(&call), Some(false));
    check_dial(&call, &["client_conn_start"]);
    assert_eq!(at(&call, "write_start"), None);
    assert_eq!(dials(&capture, Some("dropped")), 0);
    // tonic goes on with the dial when there is a call again, which has the rest of it.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let late = client.unary(say("", 0)).await.expect_err("it is too late");
    assert_eq!(dials(&capture, Some("dropped")), 1);
    let records = capture.records();
    check_dial(&records[1], &["client_conn_start", "client_conn_finish"]);
    // As tonic tells its caller.
    assert_eq!(late.code(), Code::Unknown);
    assert_eq!(records[1].text("rpc.response.status_code"), Some("UNKNOWN"));
}

#[tokio::test]
async fn below_detailed_dials_are_counted_and_calls_say_nothing() {
    let capture = Capture::builder().with_real_clock().build();
    let address = serve().await;
    let connections = Connections::new(capture.telemetry());
    let channel = connections.connect_lazy(&endpoint(&format!("http://{address}")));
    client(&capture, channel)
        .unary(say("", 0))
        .await
        .expect("answered");
    assert_eq!(reused(&capture.record()), None);
    assert_eq!(dials(&capture, None), 1);
}

#[tokio::test]
async fn the_layer_of_another_telemetry_knows_nothing() {
    let (capture, other) = (detailed(), detailed());
    let address = serve().await;
    let connections = Connections::new(other.telemetry());
    let channel = connections.connect_lazy(&endpoint(&format!("http://{address}")));
    client(&capture, channel)
        .unary(say("", 0))
        .await
        .expect("answered");
    assert_eq!(reused(&capture.record()), None);
    assert_eq!((dials(&capture, None), dials(&other, None)), (0, 1));
}

/// A channel comes before the layer around it.
#[tokio::test]
async fn a_channel_does_not_settle_what_the_status_is_called() {
    let capture = Capture::new();
    let endpoint = Endpoint::from_static("http://127.0.0.1:1");
    let channel = Connections::new(capture.telemetry()).connect_lazy(&endpoint);
    let layer = RpcClientLayer::new(capture.telemetry()).with_status_key(StatusKey::StatusCode);
    let kind = layer.kind();
    let _client = layer.layer(channel);
    assert_eq!(capture.telemetry().warnings(), Vec::<String>::new());
    assert!(std::ptr::eq(kind.descriptor(), &raw const RPC_CLIENT_NEXT));
    let mut kinds = capture.telemetry().kinds();
    kinds.retain(|kind| kind.descriptor().name == "rpc.client");
    assert_eq!(kinds.len(), 1);
}
