//! Other clients than hyper-util's.
#![cfg(feature = "reqwest")]

use super::failing_servers::{Then, answering, nobody};
use super::{fetch, idle, layer, over};
use crate::support::app::{HELLO, app};
use crate::support::server::{Protocol, Server, serve};
use http::Request;
use obs_core::{End, StatsLevel};
use obs_http::client::{ConnectorLayer, HttpClient, Reqwest};
use obs_testing::{AttrValue, Capture};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::{Layer, Service, service_fn};

fn get(address: SocketAddr, path: &str) -> Request<reqwest::Body> {
    let request = Request::get(format!("http://{address}{path}"));
    request.body(reqwest::Body::default()).expect("a request")
}

fn observed(
    capture: &Capture,
    set: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> HttpClient<Reqwest> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .connector_layer(ConnectorLayer::default());
    let client = set(client).build().expect("a client");
    layer(capture)
        .with_connections(true)
        .layer(Reqwest::from(client))
}

async fn start() -> Server {
    serve(Protocol::Http1, service_fn(app)).await
}

#[tokio::test]
async fn reqwest_answers() {
    let capture = crate::support::capturing()
        .with_level(StatsLevel::Detailed)
        .build();
    let server = start().await;
    let client = observed(&capture, |client| client);
    for _ in 0..2 {
        let answer = fetch(client.clone(), get(server.address, "/hello")).await;
        assert_eq!(answer.expect("an answer"), HELLO);
        idle().await;
    }
    let records = capture.records();
    assert_eq!(records.len(), 2);
    let reused = |at: usize| records[at].attr("obs.http.connection.reused").cloned();
    assert_eq!(reused(0), Some(AttrValue::Bool(false)));
    assert_eq!(reused(1), Some(AttrValue::Bool(true)));
    assert_eq!(
        records[0].event_names().join(" "),
        "client_conn_start client_conn_finish response_head read_start stream_recv read_finish"
    );
    assert_eq!(records[0].text("network.peer.address"), Some("127.0.0.1"));
}

#[tokio::test]
async fn reqwest_fails() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    let cases = [
        (nobody().await, Err("head"), "connection_refused"),
        (
            answering("", Then::Close).await,
            Err("head"),
            "connection_closed",
        ),
        (
            answering("", Then::Reset).await,
            Err("head"),
            "connection_reset",
        ),
        (
            answering(begun, Then::Close).await,
            Err("body"),
            "connection_closed",
        ),
        (
            answering(begun, Then::Reset).await,
            Err("body"),
            "connection_reset",
        ),
    ];
    for (address, failed, error) in cases {
        let capture = crate::support::capture();
        let answer = fetch(observed(&capture, |client| client), get(address, "/")).await;
        assert_eq!(answer.map(|_| ()), failed);
        over(&capture, End::Failed, Some(error)).await;
    }
}

#[tokio::test]
async fn reqwests_own_timeout() {
    let capture = crate::support::capture();
    let server = start().await;
    let client = observed(&capture, |client| client.timeout(Duration::from_millis(50)));
    let answer = fetch(client.clone(), get(server.address, "/pending")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("timeout")).await;
    capture.clear();
    let answer = fetch(client, get(server.address, "/stalled")).await;
    assert_eq!(answer, Err("body"));
    let record = &capture.records()[0];
    assert_eq!(record.error_type(), Some("timeout"));
}

#[tokio::test]
async fn redirects_that_reqwest_follows_are_within_one_span() {
    let capture = crate::support::capture();
    let app = service_fn(|request: Request<hyper::body::Incoming>| async move {
        let first = request.uri().path() == "/0";
        let status = if first { 302 } else { 200 };
        let response = http::Response::builder()
            .status(status)
            .header("location", "/1");
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        Ok::<_, std::convert::Infallible>(response.body(body).expect("one"))
    });
    let server = serve(Protocol::Http1, app).await;
    let mut client = observed(&capture, |client| client);
    let response = client.call(get(server.address, "/0")).await;
    assert_eq!(response.expect("an answer").status(), 200);
    let record = over(&capture, End::Answered, None).await;
    let asked = format!("http://{}/0", server.address);
    assert_eq!(record.text("url.full"), Some(asked.as_str()));
}

#[tokio::test]
async fn redirects_that_are_followed_outside_tell_the_trace_to_no_host_outside() {
    use tower_http::follow_redirect::FollowRedirectLayer;

    let capture = crate::support::capture();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = told.clone();
    let app = service_fn(move |request: Request<hyper::body::Incoming>| {
        let host = request.headers()["host"]
            .to_str()
            .expect("a host")
            .to_owned();
        let (name, port) = host.rsplit_once(':').expect("a port");
        let is_told = request.headers().contains_key("traceparent");
        tells.lock().unwrap().push((name.to_owned(), is_told));
        let mut response = http::Response::builder();
        if name == "inside" {
            let to = format!("http://outside.example:{port}/");
            response = response.status(302).header("location", to);
        }
        let body = http_body_util::Empty::<bytes::Bytes>::new();
        async move { Ok::<_, std::convert::Infallible>(response.body(body).expect("one")) }
    });
    let server = serve(Protocol::Http1, app).await;
    let client = observed(&capture, |client| {
        client
            .redirect(reqwest::redirect::Policy::none())
            .resolve("inside", server.address)
            .resolve("outside.example", server.address)
    });
    let mut client = FollowRedirectLayer::new().layer(client);
    let asked = format!("http://inside:{}/", server.address.port());
    let request = Request::get(asked).body(reqwest::Body::default());
    let response = client.call(request.expect("a request")).await;
    assert_eq!(response.expect("an answer").status(), 200);
    let told = told.lock().unwrap();
    let expected = [("inside".into(), true), ("outside.example".into(), false)];
    assert_eq!(*told, expected);
}
