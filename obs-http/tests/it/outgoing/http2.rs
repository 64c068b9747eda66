//! Every ending over HTTP/2, on real sockets, with hyper-util's client.

use super::failing_servers::{goodbye, h2 as h2_server, nobody};
use super::{fetch, get, observed, over, running};
use crate::support::app::app;
use crate::support::server::{Protocol, Server, serve};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use obs_core::End;

use tower::{Service, service_fn};

async fn start() -> Server {
    serve(Protocol::Http2, service_fn(app)).await
}

#[track_caller]
fn answers(
    path: &'static str,
    status: u16,
    end: End,
    error: Option<&'static str>,
) -> impl Future<Output = ()> {
    async move {
        let capture = crate::support::capture();
        let server = start().await;
        let answer = fetch(observed(&capture, true), get(server.address, path)).await;
        answer.expect("an answer");
        let record = over(&capture, end, error).await;
        // What was asked for was HTTP/1.1; what was spoken counts.
        assert_eq!(record.text("network.protocol.version"), Some("2"));
        assert_eq!(
            record.attr("http.response.status_code"),
            Some(&status.into())
        );
    }
}

#[tokio::test]
async fn answered() {
    answers("/hello", 200, End::Answered, None).await;
    answers("/chunked", 200, End::Answered, None).await;
    answers("/streamed-with-length", 200, End::Answered, None).await;
    answers("/trailers", 200, End::Answered, None).await;
    answers("/empty", 200, End::Answered, None).await;
    answers("/204", 204, End::Answered, None).await;
    answers("/304", 304, End::Answered, None).await;
    answers("/404", 404, End::Failed, Some("404")).await;
    answers("/503", 503, End::Failed, Some("503")).await;
}

#[tokio::test]
async fn a_connection_that_is_refused() {
    let capture = crate::support::capture();
    let answer = fetch(observed(&capture, true), get(nobody().await, "/")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("connection_refused")).await;
}

#[tokio::test]
async fn a_stream_reset_before_the_head() {
    let capture = crate::support::capture();
    let server = start().await;
    let answer = fetch(observed(&capture, true), get(server.address, "/error")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("stream_reset")).await;
}

#[tokio::test]
async fn a_stream_reset_mid_body() {
    let capture = crate::support::capture();
    let server = start().await;
    let answer = fetch(
        observed(&capture, true),
        get(server.address, "/broken-body"),
    )
    .await;
    assert_eq!(answer, Err("body"));
    over(&capture, End::Failed, Some("stream_reset")).await;
}

#[tokio::test]
async fn a_server_that_says_goodbye_before_it_looks_at_the_stream() {
    let capture = crate::support::capture();
    let address = goodbye().await;
    let answer = fetch(observed(&capture, true), get(address, "/")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("goaway")).await;
}

#[tokio::test]
async fn a_connection_that_goes_mid_body() {
    let capture = crate::support::capture();
    let address = h2_server(|mut connection, _request, mut respond| async move {
        let response = Response::builder().status(StatusCode::OK).body(());
        let mut stream = respond
            .send_response(response.expect("a response"), false)
            .expect("a stream");
        stream
            .send_data(Bytes::from_static(b"begun"), false)
            .expect("a stream");
        let polled = std::future::poll_fn(|cx| connection.poll_closed(cx));
        let _ = tokio::time::timeout(std::time::Duration::from_millis(50), polled).await;
        drop(connection);
        drop(stream);
    })
    .await;
    let answer = fetch(observed(&capture, true), get(address, "/")).await;
    assert_eq!(answer, Err("body"));
    over(&capture, End::Failed, Some("connection_reset")).await;
}

#[tokio::test]
async fn a_connection_that_goes_before_the_head() {
    let capture = crate::support::capture();
    let address = h2_server(|connection, _request, _respond| async move { drop(connection) }).await;
    let answer = fetch(observed(&capture, true), get(address, "/")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("connection_reset")).await;
}

#[tokio::test]
async fn a_request_that_is_given_up() {
    let capture = crate::support::capture();
    let server = start().await;
    let given_up = tokio::spawn(observed(&capture, true).call(get(server.address, "/pending")));
    running(&capture, 1).await;
    given_up.abort();
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_body_that_is_given_up_is_no_error() {
    let capture = crate::support::capture();
    let server = start().await;
    let mut client = observed(&capture, true);
    let response = client.call(get(server.address, "/endless")).await;
    let mut body = response.expect("a head").into_body();
    body.frame().await.expect("a frame").expect("data");
    drop(body);
    over(&capture, End::Cancelled, None).await;
}
