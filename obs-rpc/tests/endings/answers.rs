//! Where a status stands, and where none does; how messages lie in frames.

use crate::echo::{EchoClient, say};
use crate::peer::{self, Raw, ended, head, message, number, send, trailers};
use crate::world::{all, capture, endpoint};
use http::{HeaderValue, Response};
use obs_rpc::RpcClientLayer;
use obs_testing::CapturedRecord;
use std::time::Duration;
use tonic::Status;
use tower::Layer;

/// One call to a peer that answers so, as its caller and the record have it.
async fn call<F>(
    act: impl FnOnce(peer::Respond) -> F + Send + 'static,
) -> (Result<(), Status>, CapturedRecord)
where
    F: Future<Output = ()> + Send + 'static,
{
    let capture = capture();
    let address = peer::server(act).await;
    let mut client = peer::client(&capture, address).await;
    let told = client.unary(say("m", 0)).await.map(drop);
    let record = all(&capture, 1).await.remove(0);
    assert_eq!(capture.count("rpc.client.call.duration"), 1);
    assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 0);
    (told, record)
}

fn with_status(mut head: Response<()>, status: &'static str) -> Response<()> {
    let value = HeaderValue::from_static(status);
    head.headers_mut().insert("grpc-status", value);
    head
}

#[tokio::test]
async fn a_status_in_the_headers_is_the_whole_answer() {
    let (told, record) = call(|mut respond| async move {
        let head = with_status(head(200), "5");
        respond.send_response(head, true).expect("open");
    })
    .await;
    assert_eq!(told.expect_err("as it says").code(), tonic::Code::NotFound);
    assert_eq!(ended(&record), (Some("NOT_FOUND"), Some("NOT_FOUND"), None));
    assert_eq!(number(&record, "obs.rpc.response.messages"), Some(0));
}

/// No gRPC server does. tonic believes the headers, and reads the messages.
#[tokio::test]
async fn messages_after_an_ok_in_the_headers_are_counted_and_no_trailers_change_it() {
    for status in [None, Some("0"), Some("13")] {
        let (told, record) = call(move |mut respond| async move {
            let head = with_status(head(200), "0");
            let mut body = respond.send_response(head, false).expect("open");
            send(&mut body, message(b"a"));
            match status {
                Some(status) => body.send_trailers(trailers(&[("grpc-status", status)])),
                None => body.send_data("".into(), true),
            }
            .expect("open");
        })
        .await;
        told.expect("answered");
        assert_eq!(ended(&record), (Some("OK"), None, None), "{status:?}");
        assert_eq!(number(&record, "obs.rpc.response.messages"), Some(1));
        assert_eq!(record.event_names().last(), Some(&"stream_finish"));
    }
}

/// No gRPC server does. tonic believes the headers, and reads no further.
#[tokio::test]
async fn a_status_in_the_headers_stands_whatever_follows() {
    let (told, record) = call(|mut respond| async move {
        let head = with_status(head(200), "5");
        let mut body = respond.send_response(head, false).expect("open");
        send(&mut body, message(b"a"));
        // The client may have gone already.
        let _ = body.send_trailers(trailers(&[("grpc-status", "0")]));
    })
    .await;
    assert_eq!(told.expect_err("as it says").code(), tonic::Code::NotFound);
    assert_eq!(ended(&record), (Some("NOT_FOUND"), Some("NOT_FOUND"), None));
}

#[tokio::test]
async fn a_status_in_the_trailers_ends_the_messages() {
    for (status, name) in [
        ("0", "OK"),
        ("7", "PERMISSION_DENIED"),
        ("99", "UNKNOWN"),
        ("x", "UNKNOWN"),
    ] {
        let (told, record) = call(move |mut respond| async move {
            let mut body = respond.send_response(head(200), false).expect("open");
            send(&mut body, message(b"a"));
            body.send_trailers(trailers(&[("grpc-status", status)]))
                .expect("open");
        })
        .await;
        let code = told.map_or_else(|status| status.code(), |()| tonic::Code::Ok);
        assert_eq!(crate::expected::name(code), name, "to the caller");
        let error = (name != "OK").then_some(name);
        assert_eq!(ended(&record), (Some(name), error, None));
        assert_eq!(number(&record, "obs.rpc.response.messages"), Some(1));
    }
}

/// A stream without messages: nothing was read.
#[tokio::test]
async fn a_status_without_messages_is_not_read() {
    let capture = capture();
    let address = peer::server(|mut respond| async move {
        let mut body = respond.send_response(head(200), false).expect("open");
        body.send_trailers(trailers(&[("grpc-status", "0")]))
            .expect("open");
    })
    .await;
    let mut client = peer::client(&capture, address).await;
    let asked = client.server_stream(tonic::Request::new(say("m", 0))).await;
    let mut answers = asked.expect("a response").into_inner();
    assert!(answers.message().await.expect("answered").is_none());
    let record = all(&capture, 1).await.remove(0);
    assert_eq!(ended(&record), (Some("OK"), None, None));
    let events = record.event_names();
    assert_eq!(
        events[events.len() - 2..],
        ["stream_recv_header", "stream_finish"]
    );
}

/// So tonic's server calls it when the client's time is over, and its client when it has waited for that.
#[tokio::test]
async fn a_cancellation_that_comes_late_is_a_timeout() {
    for (deadline, expect) in [
        (
            Duration::from_millis(20),
            (Some("timeout"), Some("deadline")),
        ),
        (Duration::from_secs(60), (Some("CANCELLED"), Some("peer"))),
    ] {
        let capture = capture();
        let address = peer::server(|mut respond| async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            let head = with_status(head(200), "1");
            respond.send_response(head, true).expect("open");
        })
        .await;
        let channel = endpoint(address).connect().await.expect("connected");
        let layer = RpcClientLayer::new(capture.telemetry()).with_deadline(deadline);
        let mut client = EchoClient::new(layer.layer(channel));
        let told = client.unary(say("m", 0)).await.expect_err("as it says");
        assert_eq!(told.code(), tonic::Code::Cancelled);
        let record = all(&capture, 1).await.remove(0);
        assert_eq!(ended(&record), (Some("CANCELLED"), expect.0, expect.1));
    }
}

/// gRPC's servers always send one.
#[tokio::test]
async fn no_status_at_all_is_unknown() {
    for with_trailers in [false, true] {
        let (told, record) = call(move |mut respond| async move {
            let mut body = respond.send_response(head(200), false).expect("open");
            send(&mut body, message(b"a"));
            if with_trailers {
                body.send_trailers(trailers(&[("other", "1")]))
                    .expect("open");
            } else {
                body.send_data("".into(), true).expect("open");
            }
        })
        .await;
        assert_eq!(told.expect_err("no status").code(), tonic::Code::Unknown);
        assert_eq!(ended(&record), (Some("UNKNOWN"), Some("UNKNOWN"), None));
    }
}

/// gRPC's mapping of HTTP's statuses (doc/http-grpc-status-mapping.md).
#[tokio::test]
async fn an_answer_that_is_http_and_no_grpc_is_a_status_by_http() {
    for (http, name) in [
        (400, "INTERNAL"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "UNIMPLEMENTED"),
        (429, "UNAVAILABLE"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "UNAVAILABLE"),
        (500, "UNKNOWN"),
        (418, "UNKNOWN"),
    ] {
        for page in [None, Some("<html>Out to lunch</html>"), Some("")] {
            let (told, record) = call(move |mut respond| async move {
                let head = Response::builder().status(http).body(()).expect("a head");
                let sent = respond.send_response(head, page.is_none());
                let mut body = sent.expect("open");
                match page {
                    None => {}
                    Some("") => body.send_data("".into(), true).expect("open"),
                    Some(page) => {
                        // It goes on, but nobody reads it to its end.
                        send(&mut body, page);
                        std::future::pending::<()>().await;
                    }
                }
            })
            .await;
            // tonic reads the page as a message, which fails over its first byte: INTERNAL. That is said of the page; the
            // record says what the proxy did.
            let told = told.expect_err("it is no answer").code();
            if page.is_none_or(str::is_empty) {
                assert_eq!(crate::expected::name(told), name, "{http}, to the caller");
            }
            assert_eq!(
                ended(&record),
                (Some(name), Some(name), None),
                "{http}, {page:?}"
            );
            assert_eq!(number(&record, "obs.rpc.response.messages"), Some(0));
        }
    }
}

/// As a portal does that wants a sign-in first.
#[tokio::test]
async fn a_page_in_the_place_of_messages_is_a_protocol_error() {
    let (told, record) = call(|mut respond| async move {
        let head = Response::new(());
        let mut body = respond.send_response(head, false).expect("open");
        let _ = body.send_data("<html>Sign in first</html>".into(), true);
    })
    .await;
    assert_eq!(told.expect_err("no message").code(), tonic::Code::Internal);
    assert_eq!(
        ended(&record),
        (Some("INTERNAL"), Some("protocol_error"), None)
    );
    assert_eq!(number(&record, "obs.rpc.response.messages"), Some(0));
}

/// Frames of HTTP/2 are no messages.
#[tokio::test]
async fn messages_are_counted_however_they_lie_in_frames() {
    let messages = [message(b"one"), message(b""), message(b"three")].concat();
    for size in [1, 2, 7, 11, messages.len()] {
        // What the server of this reads, and what a client does.
        let mut raw = Raw::new().await;
        let (response, mut body) = raw.call("ClientStream");
        for part in messages.chunks(size) {
            send(&mut body, part.to_vec());
            tokio::task::yield_now().await;
        }
        body.send_data("".into(), true).expect("open");
        let mut answer = response.await.expect("answered").into_body();
        while answer.data().await.is_some() {}
        assert!(answer.trailers().await.expect("a status").is_some());
        let record = raw.record().await;
        assert_eq!(ended(&record), (Some("OK"), None, None), "{size}");
        assert_eq!(
            number(&record, "obs.rpc.request.messages"),
            Some(3),
            "{size}"
        );
        let bytes = messages.len() as i64 - 3 * 5;
        assert_eq!(
            number(&record, "obs.rpc.request.size"),
            Some(bytes),
            "{size}"
        );

        let messages = messages.clone();
        let capture = capture();
        let address = peer::server(move |mut respond| async move {
            let mut body = respond.send_response(head(200), false).expect("open");
            for part in messages.chunks(size) {
                send(&mut body, part.to_vec());
                tokio::task::yield_now().await;
            }
            body.send_trailers(trailers(&[("grpc-status", "0")]))
                .expect("open");
        })
        .await;
        let mut client = peer::client(&capture, address).await;
        let asked = client.server_stream(tonic::Request::new(say("m", 0))).await;
        let mut answers = asked.expect("a response").into_inner();
        while answers.message().await.expect("messages").is_some() {}
        let record = all(&capture, 1).await.remove(0);
        assert_eq!(ended(&record), (Some("OK"), None, None), "{size}");
        assert_eq!(
            number(&record, "obs.rpc.response.messages"),
            Some(3),
            "{size}"
        );
        assert_eq!(
            number(&record, "obs.rpc.response.size"),
            Some(bytes),
            "{size}"
        );
    }
}
