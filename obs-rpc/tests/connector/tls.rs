//! tonic's own TLS around our connector: its handshake apart from the dial.

use crate::echo::say;
use crate::peers::{Relay, at, check_dial, client, detailed, dials, endpoint, reused, serve_tls};
use obs_rpc::connector::Connections;
use std::time::Duration;
use tonic::Code;

const TLS: [&str; 6] = [
    "client_conn_start",
    "tcp_start",
    "tcp_finish",
    "tls_start",
    "tls_finish",
    "client_conn_finish",
];

#[tokio::test]
async fn the_handshake_is_told_apart_and_takes_as_long_as_its_peer() {
    let capture = detailed();
    let (server, trust) = serve_tls().await;
    let relay = Relay::to(server, Duration::from_millis(40)).await;
    let url = format!("https://{}", relay.address);
    let endpoint = endpoint(&url).tls_config(trust).expect("a configuration");
    let channel = Connections::new(capture.telemetry()).connect_lazy(&endpoint);
    let mut client = client(&capture, channel);
    for _ in 0..2 {
        client.unary(say("", 0)).await.expect("answered");
    }
    let calls = capture.records();
    check_dial(&calls[0], &TLS);
    let between = |from, to| {
        let at = |event| at(&calls[0], event).expect("stamped");
        Duration::from_nanos(at(to) - at(from))
    };
    let (tcp, tls) = (
        between("tcp_start", "tcp_finish"),
        between("tls_start", "tls_finish"),
    );
    assert!(tls >= Duration::from_millis(40), "{tls:?}");
    assert!(tcp < tls, "{tcp:?} {tls:?}");
    assert_eq!(reused(&calls[1]), Some(true));
    check_dial(&calls[1], &[]);
    assert_eq!(dials(&capture, None), 1);
}

#[tokio::test]
async fn a_call_that_comes_in_the_middle_has_only_what_is_left() {
    let capture = detailed();
    let (server, trust) = serve_tls().await;
    let relay = Relay::gated(server).await;
    let url = format!("https://{}", relay.address);
    let endpoint = endpoint(&url).tls_config(trust).expect("a configuration");
    let channel = Connections::new(capture.telemetry()).connect_lazy(&endpoint);
    let (mut early, mut late) = (client(&capture, channel.clone()), client(&capture, channel));
    // When the server's part of the handshake is held back, the connection is there.
    let late = async {
        relay.holds().await;
        late.unary(say("", 0)).await
    };
    let release = async {
        relay.holds().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        relay.release();
    };
    let (one, other, ()) = tokio::join!(early.unary(say("", 0)), late, release);
    one.and(other).expect("answered");
    let mut calls = capture.records();
    calls.sort_by_key(|call| call.start_ns);
    check_dial(&calls[0], &TLS);
    check_dial(
        &calls[1],
        &[
            "client_conn_start",
            "tls_start",
            "tls_finish",
            "client_conn_finish",
        ],
    );
    assert_eq!(dials(&capture, None), 1);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_failed_handshake() {
    let capture = detailed();
    let (server, _) = serve_tls().await;
    let (_, of_another) = serve_tls().await;
    let endpoint = endpoint(&format!("https://{server}"));
    let endpoint = endpoint.tls_config(of_another).expect("a configuration");
    let channel = Connections::new(capture.telemetry()).connect_lazy(&endpoint);
    let failed = client(&capture, channel).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("not trusted").code(), Code::Unavailable);
    check_dial(&capture.record(), &TLS);
    assert_eq!(dials(&capture, Some("tls_error")), 1);
    assert_eq!(dials(&capture, None), 0);
}

#[tokio::test]
async fn the_connect_timeout_is_for_tcp_alone_as_it_is_without_us() {
    let capture = detailed();
    let (server, trust) = serve_tls().await;
    let relay = Relay::to(server, Duration::from_millis(250)).await;
    let endpoint = endpoint(&format!("https://{}", relay.address))
        .connect_timeout(Duration::from_millis(100))
        .tls_config(trust)
        .expect("a configuration");
    endpoint.connect().await.expect("tonic's own connects");
    let connections = Connections::new(capture.telemetry());
    let channel = connections.connect(&endpoint).await.expect("so does ours");
    client(&capture, channel)
        .unary(say("", 0))
        .await
        .expect("answered");
}

#[tokio::test]
async fn tls_that_never_was_asked_for_is_none() {
    // An https URL without a configuration is refused by tonic, after the dial.
    let capture = detailed();
    let (server, _) = serve_tls().await;
    let endpoint = endpoint(&format!("https://{server}"));
    let channel = Connections::new(capture.telemetry()).connect_lazy(&endpoint);
    let failed = client(&capture, channel).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("no TLS").code(), Code::Unavailable);
    check_dial(
        &capture.record(),
        &[
            "client_conn_start",
            "tcp_start",
            "tcp_finish",
            "client_conn_finish",
        ],
    );
    assert_eq!(dials(&capture, Some("dropped")), 1);
}
