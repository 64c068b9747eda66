//! Every ending over HTTP/1.1, on real sockets.

use crate::support::app::{HELLO, app};
use crate::support::client::{exchange, exchange_with, read_until, send, send_with};
use crate::support::server::{Protocol, Server, serve};
use crate::support::{layer, over, running};
use obs_core::End;
use obs_testing::Capture;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, ServiceBuilder, service_fn};

/// A server of the app behind the layer, with defaults.
async fn start(capture: &Capture) -> Server {
    serve(Protocol::Http1, layer(capture).layer(service_fn(app))).await
}

/// Requests `path`, reads the answer to its end.
async fn fetch(path: &str) -> (Capture, String) {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let answer = exchange(server.address, "GET", path).await;
    (capture, answer)
}

fn size(bytes: usize) -> obs_testing::AttrValue {
    obs_testing::AttrValue::Int(bytes as i64)
}

#[tokio::test]
async fn answered() {
    let (capture, answer) = fetch("/hello").await;
    assert!(answer.ends_with(HELLO), "{answer}");
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.status_code"), Some(&200.into()));
    assert_eq!(
        record.attr("http.response.body.size"),
        Some(&size(HELLO.len()))
    );
}

#[tokio::test]
async fn answered_in_chunks_of_unknown_length() {
    let (capture, answer) = fetch("/chunked").await;
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    let record = over(&capture, End::Answered, None).await;
    let sent = "one two three".len();
    assert_eq!(record.attr("http.response.body.size"), Some(&size(sent)));
}

#[tokio::test]
async fn answered_in_chunks_of_announced_length() {
    let (capture, answer) = fetch("/streamed-with-length").await;
    assert!(answer.ends_with("1234567890"), "{answer}");
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.body.size"), Some(&size(10)));
}

#[tokio::test]
async fn an_empty_answer_is_over_with_its_head() {
    let (capture, _) = fetch("/empty").await;
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.body.size"), Some(&size(0)));
}

#[tokio::test]
async fn an_answer_that_is_announced_as_empty_is_over_with_its_head() {
    let (capture, answer) = fetch("/announced-empty").await;
    assert!(answer.contains("content-length: 0"), "{answer}");
    over(&capture, End::Answered, None).await;
}

#[tokio::test]
async fn trailers_that_the_client_did_not_ask_for() {
    let (capture, answer) = fetch("/trailers").await;
    assert!(answer.contains(HELLO), "{answer}");
    over(&capture, End::Answered, None).await;
}

#[tokio::test]
async fn trailers() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let answer = exchange_with(server.address, "GET", "/trailers", "te: trailers\r\n").await;
    assert!(answer.contains(HELLO), "{answer}");
    over(&capture, End::Answered, None).await;
}

#[tokio::test]
async fn a_server_error_is_one() {
    let (capture, _) = fetch("/503").await;
    over(&capture, End::Failed, Some("503")).await;
}

#[tokio::test]
async fn a_client_error_is_none() {
    let (capture, _) = fetch("/404").await;
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.status_code"), Some(&404.into()));
}

#[tokio::test]
async fn a_failing_service() {
    let (capture, answer) = fetch("/error").await;
    assert_eq!(answer, "", "hyper closes the connection");
    let record = over(&capture, End::Failed, Some("service_error")).await;
    assert_eq!(record.attr("http.response.status_code"), None);
}

#[tokio::test]
async fn a_panicking_service() {
    let (capture, answer) = fetch("/panic").await;
    assert_eq!(answer, "", "the connection's task is gone");
    over(&capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_panic_that_a_layer_inside_turns_into_an_answer() {
    let capture = crate::support::capture();
    let stack = ServiceBuilder::new()
        .layer(layer(&capture))
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
        .service(service_fn(app));
    let server = serve(Protocol::Http1, stack).await;
    let answer = exchange(server.address, "GET", "/panic").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    over(&capture, End::Failed, Some("500")).await;
}

#[tokio::test]
async fn a_panic_that_a_layer_outside_turns_into_an_answer() {
    let capture = crate::support::capture();
    let stack = ServiceBuilder::new()
        .layer(tower_http::catch_panic::CatchPanicLayer::new())
        .layer(layer(&capture))
        .service(service_fn(app));
    let server = serve(Protocol::Http1, stack).await;
    let answer = exchange(server.address, "GET", "/panic").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    over(&capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_panicking_body() {
    let (capture, _) = fetch("/panicking-body").await;
    over(&capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_body_that_breaks() {
    let (capture, answer) = fetch("/broken-body").await;
    assert!(!answer.ends_with("0\r\n\r\n"), "no proper end: {answer}");
    let record = over(&capture, End::Failed, Some("body_error")).await;
    assert_eq!(record.attr("http.response.status_code"), Some(&200.into()));
}

#[tokio::test]
async fn a_client_that_goes_before_the_head() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let stream = send(server.address, "GET", "/pending").await;
    running(&capture, 1).await;
    drop(stream);
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_client_that_goes_mid_body() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let mut stream = send(server.address, "GET", "/endless").await;
    read_until(&mut stream, "xxxx").await;
    assert_eq!(capture.count(crate::support::DURATION), 0);
    drop(stream);
    let record = over(&capture, End::Cancelled, Some("cancelled")).await;
    // What the client was told stands beside how it ended.
    assert_eq!(record.attr("http.response.status_code"), Some(&200.into()));
}

#[tokio::test]
async fn a_client_that_goes_while_the_body_has_nothing_to_say() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let mut stream = send(server.address, "GET", "/stalled").await;
    read_until(&mut stream, HELLO).await;
    drop(stream);
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_connection_reset_before_the_head() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let stream = send(server.address, "GET", "/pending").await;
    running(&capture, 1).await;
    stream.set_zero_linger().expect("a TCP socket");
    drop(stream);
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_connection_reset_mid_body() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let mut stream = send(server.address, "GET", "/endless").await;
    read_until(&mut stream, "xxxx").await;
    stream.set_zero_linger().expect("a TCP socket");
    drop(stream);
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_timeout_outside_that_the_layer_was_told_of() {
    let deadline = Duration::from_millis(50);
    let capture = crate::support::capturing().with_real_clock().build();
    let stack = ServiceBuilder::new()
        .layer(timeout(deadline))
        .layer(layer(&capture).with_deadline(deadline))
        .service(service_fn(app));
    let server = serve(Protocol::Http1, stack).await;
    let answer = exchange(server.address, "GET", "/pending").await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    let record = over(&capture, End::TimedOut, Some("timeout")).await;
    assert!(record.duration >= deadline - Duration::from_millis(1));
}

#[tokio::test]
async fn a_timeout_outside_that_the_layer_was_not_told_of() {
    let capture = crate::support::capture();
    let stack = ServiceBuilder::new()
        .layer(timeout(Duration::from_millis(50)))
        .layer(layer(&capture))
        .service(service_fn(app));
    let server = serve(Protocol::Http1, stack).await;
    exchange(server.address, "GET", "/pending").await;
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_timeout_inside_that_answers() {
    let capture = crate::support::capture();
    let stack = ServiceBuilder::new()
        .layer(layer(&capture))
        .layer(timeout(Duration::from_millis(50)))
        .service(service_fn(app));
    let server = serve(Protocol::Http1, stack).await;
    exchange(server.address, "GET", "/pending").await;
    over(&capture, End::Failed, Some("504")).await;
}

#[tokio::test]
async fn a_timeout_inside_that_is_an_error() {
    let capture = crate::support::capture();
    let stack = ServiceBuilder::new()
        .layer(layer(&capture))
        .timeout(Duration::from_millis(50))
        .service(service_fn(app::<hyper::body::Incoming>));
    let server = serve(Protocol::Http1, stack).await;
    exchange(server.address, "GET", "/pending").await;
    over(&capture, End::Failed, Some("service_error")).await;
}

#[tokio::test]
async fn head_has_no_body_and_no_size() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let answer = exchange(server.address, "HEAD", "/hello").await;
    assert!(!answer.contains(HELLO), "{answer}");
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.body.size"), None);
}

#[tokio::test]
async fn head_of_an_endless_body_is_over_at_once() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    exchange(server.address, "HEAD", "/endless").await;
    over(&capture, End::Answered, None).await;
}

#[tokio::test]
async fn no_content_and_not_modified() {
    for (path, status, sent) in [("/204", 204, Some(size(0))), ("/304", 304, None)] {
        let (capture, _) = fetch(path).await;
        let record = over(&capture, End::Answered, None).await;
        assert_eq!(
            record.attr("http.response.status_code"),
            Some(&status.into())
        );
        assert_eq!(record.attr("http.response.body.size"), sent.as_ref());
    }
}

#[tokio::test]
async fn an_upgrade_ends_the_exchange_at_its_head() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let asks = "connection: upgrade\r\nupgrade: echo\r\n";
    let mut stream = send_with(server.address, "GET", "/upgrade", asks).await;
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    // The connection goes on, the exchange does not.
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.status_code"), Some(&101.into()));
    stream.write_all(b"ping").await.expect("an echo");
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.expect("an echo");
    assert_eq!(&echo, b"ping");
    assert_eq!(capture.records().len(), 1);
}

#[tokio::test]
async fn a_tunnel_ends_the_exchange_at_its_head() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let mut stream = send(server.address, "CONNECT", "example.com:443").await;
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.text("http.request.method"), Some("CONNECT"));
    stream.write_all(b"ping").await.expect("an echo");
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.expect("an echo");
    assert_eq!(&echo, b"ping");
    assert_eq!(capture.count(crate::support::DURATION), 1);
}

#[tokio::test]
async fn a_tunnel_that_is_refused_has_a_body_like_any_answer() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let asks = "x-refuse: 1\r\n";
    let answer = exchange_with(server.address, "CONNECT", "example.com:443", asks).await;
    assert!(answer.ends_with("not from here"), "{answer}");
    let record = over(&capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.body.size"), Some(&13.into()));
}

#[tokio::test]
async fn exchanges_on_one_connection_are_one_each() {
    let capture = crate::support::capture();
    let server = start(&capture).await;
    let mut stream = send(server.address, "GET", "/hello").await;
    read_until(&mut stream, HELLO).await;
    let again = format!("GET /chunked HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    stream
        .write_all(again.as_bytes())
        .await
        .expect("keep-alive");
    read_until(&mut stream, "three").await;
    crate::support::until("both", || capture.count(crate::support::DURATION) == 2).await;
    assert_eq!(capture.in_flight(crate::support::ACTIVE), 0);
    assert_eq!(capture.records().len(), 2);
}

fn timeout(after: Duration) -> tower_http::timeout::TimeoutLayer {
    tower_http::timeout::TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, after)
}
