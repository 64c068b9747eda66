//! Streams that are reset, and connections that are.

use crate::echo::say;
use crate::expected::name;
use crate::peer::{self, Raw, ended, head, message, number, send, trailers};
use crate::world::{all, capture, endpoint, listener};
use h2::Reason;
use obs_rpc::RpcClientLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tower::Layer;

/// gRPC over HTTP/2, "Errors". Of those without a mapping there tonic makes UNKNOWN.
const REASONS: &[(Reason, &str)] = &[
    (Reason::NO_ERROR, "INTERNAL"),
    (Reason::PROTOCOL_ERROR, "INTERNAL"),
    (Reason::INTERNAL_ERROR, "INTERNAL"),
    (Reason::FLOW_CONTROL_ERROR, "INTERNAL"),
    (Reason::SETTINGS_TIMEOUT, "INTERNAL"),
    (Reason::STREAM_CLOSED, "UNKNOWN"),
    (Reason::FRAME_SIZE_ERROR, "INTERNAL"),
    (Reason::REFUSED_STREAM, "UNAVAILABLE"),
    (Reason::CANCEL, "CANCELLED"),
    (Reason::COMPRESSION_ERROR, "INTERNAL"),
    (Reason::CONNECT_ERROR, "INTERNAL"),
    (Reason::ENHANCE_YOUR_CALM, "RESOURCE_EXHAUSTED"),
    (Reason::INADEQUATE_SECURITY, "PERMISSION_DENIED"),
    (Reason::HTTP_1_1_REQUIRED, "UNKNOWN"),
];

/// What a client makes of a reset: only CANCEL is a cancellation.
fn expect(
    reason: Reason,
    status: &'static str,
) -> (
    Option<&'static str>,
    Option<&'static str>,
    Option<&'static str>,
) {
    match reason {
        Reason::CANCEL => (Some(status), Some("CANCELLED"), Some("peer")),
        _ => (Some(status), Some("transport_error"), None),
    }
}

#[tokio::test]
async fn a_reset_in_the_place_of_a_response_is_a_status_by_its_reason() {
    for (reason, status) in REASONS {
        let capture = capture();
        let reset = move |mut respond: peer::Respond| async move { respond.send_reset(*reason) };
        let address = peer::server(reset).await;
        let mut client = peer::client(&capture, address).await;
        let told = client.unary(say("m", 0)).await.expect_err("it is reset");
        assert_eq!(name(told.code()), *status, "{reason:?}, to the caller");
        let record = all(&capture, 1).await.remove(0);
        assert_eq!(ended(&record), expect(*reason, status), "{reason:?}");
        let last = record.event_names().pop();
        assert_eq!(last, Some("stream_finish"), "{reason:?}");
    }
}

#[tokio::test]
async fn a_reset_within_a_response_is_a_status_by_its_reason() {
    for (reason, status) in REASONS {
        let capture = capture();
        let address = peer::server(move |mut respond| async move {
            let mut body = respond.send_response(head(200), false).expect("open");
            send(&mut body, message(b"a"));
            tokio::task::yield_now().await;
            body.send_reset(*reason);
        })
        .await;
        let mut client = peer::client(&capture, address).await;
        let told = client.unary(say("m", 0)).await;
        let record = all(&capture, 1).await.remove(0);
        if *reason == Reason::NO_ERROR {
            // hyper takes it for the end of the body (RFC 9113, 8.1: a server may stop to listen so), in which there was no
            // status.
            assert_eq!(told.expect_err("no status").code(), Code::Unknown);
            let expect = (Some("UNKNOWN"), Some("UNKNOWN"), None);
            assert_eq!(ended(&record), expect);
            continue;
        }
        let told = told.expect_err("it is reset");
        assert_eq!(name(told.code()), *status, "{reason:?}, to the caller");
        assert_eq!(ended(&record), expect(*reason, status), "{reason:?}");
    }
}

/// To a server that is the same whatever the client says: it is gone, and whatever the handler makes of it is no answer.
#[tokio::test]
async fn a_client_that_resets_its_request_has_cancelled_it() {
    // All but NO_ERROR, which only servers say: hyper takes it for the end of the request.
    for reason in [
        Reason::CANCEL,
        Reason::INTERNAL_ERROR,
        Reason::REFUSED_STREAM,
    ] {
        for method in ["Unary", "ServerStream", "ClientStream", "Bidi"] {
            let mut raw = Raw::new().await;
            let (_response, mut body) = raw.call(method);
            // A message, or one and a half.
            send(&mut body, message(b"m"));
            if method == "ClientStream" || method == "Bidi" {
                send(&mut body, message(b"m").slice(..6));
            }
            while raw.capture.in_flight("obs.rpc.server.active_calls") == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            body.send_reset(reason);
            let record = raw.record().await;
            let expect = (Some("CANCELLED"), Some("cancelled"), Some("peer"));
            assert_eq!(ended(&record), expect, "{method}, {reason:?}");
            assert_eq!(
                number(&record, "obs.rpc.request.messages"),
                Some(1),
                "{method}"
            );
            assert_eq!(raw.capture.count("rpc.server.call.duration"), 1);
            assert_eq!(raw.capture.in_flight("obs.rpc.server.active_calls"), 0);
        }
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_has_cancelled_its_calls() {
    for method in ["Unary", "ServerStream", "ClientStream", "Bidi"] {
        let mut raw = Raw::new().await;
        let (_response, mut body) = raw.call(method);
        send(&mut body, message(b"m").slice(..6));
        while raw.capture.in_flight("obs.rpc.server.active_calls") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        raw.hang_up();
        let record = raw.record().await;
        let expect = (Some("CANCELLED"), Some("cancelled"), Some("peer"));
        assert_eq!(ended(&record), expect, "{method}");
        assert_eq!(
            number(&record, "obs.rpc.request.messages"),
            Some(0),
            "{method}"
        );
    }
}

/// A server that says GOAWAY to the first request, as if it had not been there: by hand, for h2's own server would count it.
async fn goes_away(reason: Reason) -> std::net::SocketAddr {
    const GOAWAY: u8 = 7;
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.read_exact(&mut [0; 24]).await.expect("the preface");
        write(&mut stream, SETTINGS, &[]).await;
        loop {
            let mut frame = [0; 9];
            stream.read_exact(&mut frame).await.expect("a frame");
            let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.expect("its payload");
            if frame[3] == HEADERS {
                let mut payload = [0; 8];
                payload[4..].copy_from_slice(&u32::from(reason).to_be_bytes());
                write(&mut stream, GOAWAY, &payload).await;
            }
        }
    });
    address
}

async fn write(stream: &mut TcpStream, kind: u8, payload: &[u8]) {
    let mut frame = vec![0, 0, payload.len() as u8, kind, 0, 0, 0, 0, 0];
    frame.extend(payload);
    stream.write_all(&frame).await.expect("the client listens");
}

#[tokio::test]
async fn a_connection_that_goes_away_is_a_status_by_its_reason() {
    for reason in [
        Reason::NO_ERROR,
        Reason::ENHANCE_YOUR_CALM,
        Reason::PROTOCOL_ERROR,
    ] {
        let capture = capture();
        let address = goes_away(reason).await;
        let mut client = peer::client(&capture, address).await;
        let told = client.unary(say("m", 0)).await.expect_err("it goes away");
        // gRPC would have it UNAVAILABLE, to be tried again elsewhere. tonic reads the reason as that of a reset.
        let (_, status) = REASONS
            .iter()
            .find(|(of, _)| *of == reason)
            .expect("listed");
        assert_eq!(name(told.code()), *status, "{reason:?}, to the caller");
        let record = all(&capture, 1).await.remove(0);
        assert_eq!(ended(&record), expect(reason, status), "{reason:?}");
        assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 0);
    }
}

#[tokio::test]
async fn a_call_outlives_the_goaway_that_lets_it() {
    let capture = capture();
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
        let (_request, mut respond) = connection.accept().await.expect("one").expect("whole");
        connection.graceful_shutdown();
        let mut body = respond.send_response(head(200), false).expect("open");
        send(&mut body, message(b"a"));
        let ok = trailers(&[("grpc-status", "0")]);
        body.send_trailers(ok).expect("open");
        while connection.accept().await.is_some() {}
    });
    let mut client = peer::client(&capture, address).await;
    client.unary(say("m", 0)).await.expect("answered");
    let record = all(&capture, 1).await.remove(0);
    assert_eq!(ended(&record), (Some("OK"), None, None));
}

/// There is nobody: no stream, so none of its events.
#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let capture = capture();
    let (listener, address) = listener().await;
    drop(listener);
    let channel = endpoint(address).connect_lazy();
    let service = RpcClientLayer::new(capture.telemetry()).layer(channel);
    let mut client = crate::echo::EchoClient::new(service);
    let told = client.unary(say("m", 0)).await.expect_err("nobody answers");
    assert_eq!(told.code(), Code::Unavailable);
    let record = all(&capture, 1).await.remove(0);
    assert_eq!(
        ended(&record),
        (Some("UNAVAILABLE"), Some("transport_error"), None)
    );
    assert_eq!(record.event_names(), [""; 0]);
}
