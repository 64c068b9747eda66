//! Services inside of a server's layer that are not tonic's: they answer as HTTP does, fail, and unwind.

use crate::peer::ended;
use crate::world::capture;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use obs_rpc::RpcServerLayer;
use obs_testing::CapturedRecord;
use std::io;
use std::panic::AssertUnwindSafe;
use tonic::body::Body;
use tower::{Layer, Service, service_fn};

type Boxed = Box<dyn std::error::Error + Send + Sync>;
type Part = Result<Frame<Bytes>, Boxed>;
type Parts = StreamBody<tokio_stream::Iter<std::vec::IntoIter<Part>>>;
type Answer = Result<Response<Parts>, io::Error>;

fn answer(status: u16, parts: Vec<Part>) -> Answer {
    let body = StreamBody::new(tokio_stream::iter(parts));
    let response = Response::builder().status(status);
    let response = response
        .header("content-type", "application/grpc")
        .body(body);
    Ok(response.expect("a response"))
}

fn data(text: &'static [u8]) -> Part {
    Ok(Frame::data(Bytes::from_static(text)))
}

/// What is recorded of a call to such a service, whose response is read to its end.
async fn record(answer: impl FnOnce() -> Answer) -> CapturedRecord {
    let capture = capture();
    let mut answer = Some(answer);
    let inner = service_fn(move |_: Request<Body>| {
        let answer = answer.take().expect("one call")();
        async { answer }
    });
    let mut service = RpcServerLayer::new(capture.telemetry()).layer(inner);
    let request = Request::post("/test.Other/Call").body(Body::empty());
    let request = request.expect("a request");
    // In the call itself, before there is a future.
    let called = std::panic::catch_unwind(AssertUnwindSafe(|| service.call(request)));
    if let Ok(response) = called
        && let Ok(Ok(response)) = tokio::spawn(response).await
    {
        let mut body = response.into_body();
        while let Some(Ok(_)) = body.frame().await {}
    }
    assert_eq!(capture.in_flight("obs.rpc.server.active_calls"), 0);
    assert_eq!(capture.count("rpc.server.call.duration"), 1);
    capture.record()
}

#[tokio::test]
async fn what_answers_without_a_status_has_that_of_http() {
    for (status, name, is_error) in [
        (200, "UNKNOWN", true),
        (403, "PERMISSION_DENIED", false),
        (404, "UNIMPLEMENTED", true),
        (503, "UNAVAILABLE", true),
    ] {
        for parts in [vec![], vec![data(b"sorry")]] {
            let record = record(|| answer(status, parts)).await;
            let error = is_error.then_some(name);
            assert_eq!(ended(&record), (Some(name), error, None), "{status}");
        }
    }
}

#[tokio::test]
async fn a_status_of_trailers_is_that_of_the_call() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "13".parse().expect("a value"));
    let parts = vec![data(b"\0\0\0\0\x01a"), Ok(Frame::trailers(trailers))];
    let record = record(|| answer(200, parts)).await;
    assert_eq!(ended(&record), (Some("INTERNAL"), Some("INTERNAL"), None));
    assert_eq!(record.text("rpc.method"), Some("test.Other/Call"));
}

#[tokio::test]
async fn an_error_in_the_place_of_a_response_has_no_status() {
    let record = record(|| Err(io::Error::other("no"))).await;
    assert_eq!(ended(&record), (None, Some("service_error"), None));
    let events = record.event_names();
    assert_eq!(events.last(), Some(&"server_handle_finish"), "{events:?}");
}

#[tokio::test]
async fn a_response_that_fails_has_none_either() {
    let parts = vec![data(b"\0\0\0\0\x01a"), Err(io::Error::other("no").into())];
    let record = record(|| answer(200, parts)).await;
    let (status, error, origin) = ended(&record);
    assert_eq!((status, origin), (None, None));
    assert_eq!(error, Some("body_error"));
}

/// Asked for, never answered: the method has no name, and is told as it was asked for.
#[tokio::test]
async fn a_service_that_unwinds_while_it_is_called_has_panicked() {
    let unwind = || -> Answer { std::panic::resume_unwind(Box::new("on purpose")) };
    let record = record(unwind).await;
    assert_eq!(ended(&record), (None, Some("panic"), None));
    assert_eq!(record.text("rpc.method"), Some("_OTHER"));
    assert_eq!(record.text("rpc.method_original"), Some("test.Other/Call"));
    let events = record.event_names();
    assert_eq!(events.last(), Some(&"server_handle_finish"), "{events:?}");
}

/// Of axum and of hyper: their errors are not tonic's.
#[tokio::test]
async fn a_client_that_goes_away_within_a_foreign_body_has_cancelled_too() {
    let capture = capture();
    let lost = io::Error::from(io::ErrorKind::ConnectionReset);
    let parts = [Ok(Frame::data(Bytes::from_static(b"\0\0"))), Err(lost)];
    let body = StreamBody::new(tokio_stream::iter(parts));
    let request = Request::post("/test.Echo/Unary").body(body);
    let mut service = RpcServerLayer::new(capture.telemetry()).layer(crate::echo::Echo);
    let answer = service.call(request.expect("a request")).await;
    drop(answer.expect("what the handler makes of it"));
    let gone = (Some("CANCELLED"), Some("cancelled"), Some("peer"));
    assert_eq!(ended(&capture.record()), gone);
}
