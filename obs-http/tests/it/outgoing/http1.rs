//! Every ending over HTTP/1.1, on real sockets, with hyper-util's client.

use super::failing_servers::{Then, answering, nobody};
use super::{Hyper, fetch, get, hyper, layer, observed, over, running};
use crate::support::app::{HELLO, app};
use crate::support::server::{Protocol, Server, serve};
use http_body_util::BodyExt;
use obs_core::End;
use obs_http::client::BoxedClassify;
use obs_testing::{AttrValue, Capture};
use std::time::Duration;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

async fn start() -> Server {
    serve(Protocol::Http1, service_fn(app)).await
}

/// Requests `path` of the app, and reads the answer to its end.
async fn of_app(path: &str) -> (Capture, Result<bytes::Bytes, &'static str>) {
    let capture = crate::support::capture();
    let server = start().await;
    let answer = fetch(observed(&capture, false), get(server.address, path)).await;
    (capture, answer)
}

fn size(bytes: usize) -> AttrValue {
    AttrValue::Int(bytes as i64)
}

#[tokio::test]
async fn answered() {
    for (path, bytes) in [
        ("/hello", HELLO.len()),
        ("/chunked", "one two three".len()),
        ("/streamed-with-length", 10),
        ("/empty", 0),
    ] {
        let (capture, answer) = of_app(path).await;
        assert_eq!(answer.expect(path).len(), bytes);
        let record = over(&capture, End::Answered, None).await;
        assert_eq!(record.attr("http.response.status_code"), Some(&200.into()));
        assert_eq!(record.attr("http.response.body.size"), Some(&size(bytes)));
        assert_eq!(record.text("network.protocol.version"), Some("1.1"));
    }
}

#[tokio::test]
async fn four_hundreds_and_five_hundreds_are_errors() {
    let (capture, _) = of_app("/404").await;
    over(&capture, End::Failed, Some("404")).await;
    let (capture, _) = of_app("/503").await;
    over(&capture, End::Failed, Some("503")).await;
}

#[tokio::test]
async fn a_connection_that_is_refused() {
    let capture = crate::support::capture();
    let answer = fetch(observed(&capture, false), get(nobody().await, "/")).await;
    assert_eq!(answer, Err("head"));
    let record = over(&capture, End::Failed, Some("connection_refused")).await;
    assert_eq!(record.text("server.address"), Some("127.0.0.1"));
    assert_eq!(record.attr("http.response.status_code"), None);
}

#[tokio::test]
async fn a_name_that_nobody_has() {
    let capture = crate::support::capture();
    // Reserved by RFC 6761: never resolves. Asked of a resolver of ours all the same, for tests stay on loopback.
    let resolver = service_fn(|_: hyper_util::client::legacy::connect::dns::Name| async {
        Err::<std::vec::IntoIter<std::net::SocketAddr>, _>(std::io::Error::other("no such name"))
    });
    let connector = hyper_util::client::legacy::connect::HttpConnector::new_with_resolver(resolver);
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build::<_, http_body_util::Empty<bytes::Bytes>>(connector);
    let request = http::Request::get("http://nobody.invalid/").body(Default::default());
    let answer = fetch(layer(&capture).layer(client), request.expect("a request")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("dns_error")).await;
}

#[tokio::test]
async fn a_server_that_goes_before_its_head() {
    for (then, error) in [
        (Then::Close, "connection_closed"),
        (Then::Reset, "connection_reset"),
    ] {
        let capture = crate::support::capture();
        let address = answering("", then).await;
        let answer = fetch(observed(&capture, false), get(address, "/")).await;
        assert_eq!(answer, Err("head"));
        over(&capture, End::Failed, Some(error)).await;
    }
}

#[tokio::test]
async fn a_server_that_goes_mid_body() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    for (then, error) in [
        (Then::Close, "connection_closed"),
        (Then::Reset, "connection_reset"),
    ] {
        let capture = crate::support::capture();
        let address = answering(begun, then).await;
        let answer = fetch(observed(&capture, false), get(address, "/")).await;
        assert_eq!(answer, Err("body"));
        let record = over(&capture, End::Failed, Some(error)).await;
        assert_eq!(record.attr("http.response.status_code"), Some(&200.into()));
        assert_eq!(record.attr("http.response.body.size"), Some(&size(5)));
    }
}

#[tokio::test]
async fn a_chunked_body_that_lacks_its_end() {
    let capture = crate::support::capture();
    let server = start().await;
    let answer = fetch(
        observed(&capture, false),
        get(server.address, "/broken-body"),
    )
    .await;
    assert_eq!(answer, Err("body"));
    over(&capture, End::Failed, Some("connection_closed")).await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_http() {
    let capture = crate::support::capture();
    let address = answering("220 mail.example ESMTP\r\n", Then::Hold).await;
    let answer = fetch(observed(&capture, false), get(address, "/")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("protocol_error")).await;
}

#[tokio::test]
async fn a_request_that_is_given_up() {
    let capture = crate::support::capture();
    let server = start().await;
    let future = observed(&capture, false).call(get(server.address, "/pending"));
    let given_up = tokio::spawn(future);
    running(&capture, 1).await;
    given_up.abort();
    over(&capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_body_that_is_given_up_is_no_error() {
    for path in ["/hello", "/endless", "/stalled"] {
        let capture = crate::support::capture();
        let server = start().await;
        let mut client = observed(&capture, false);
        let response = client.call(get(server.address, path)).await;
        let mut body = response.expect("a head").into_body();
        if path != "/hello" {
            let frame = body.frame().await.expect("a frame");
            assert!(frame.expect("data").is_data());
        }
        assert_eq!(capture.in_flight(super::ACTIVE), 1);
        drop(body);
        over(&capture, End::Cancelled, None).await;
    }
}

#[tokio::test]
async fn a_head_request_and_answers_without_a_body() {
    for (path, method, status) in [
        ("/hello", "HEAD", 200),
        ("/204", "GET", 204),
        ("/304", "GET", 304),
        ("/announced-empty", "GET", 200),
    ] {
        let capture = crate::support::capture();
        let server = start().await;
        let mut request = get(server.address, path);
        *request.method_mut() = method.parse().expect("a method");
        let response = observed(&capture, false).call(request).await;
        let response = response.expect("a head");
        assert_eq!(response.status(), status);
        // Over with the head, whatever becomes of the body.
        over(&capture, End::Answered, None).await;
        drop(response);
        assert_eq!(capture.records().len(), 1);
    }
}

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_timeout_outside() {
    let server = start().await;
    for (told, end, error) in [
        (false, End::Cancelled, "cancelled"),
        (true, End::TimedOut, "timeout"),
    ] {
        let capture = crate::support::capturing().with_real_clock().build();
        let layer = layer(&capture);
        let layer = if told {
            layer.with_deadline(SOON)
        } else {
            layer
        };
        let client = ServiceBuilder::new()
            .timeout(SOON)
            .layer(layer)
            .service(hyper(false));
        let answer = client.oneshot(get(server.address, "/pending")).await;
        assert!(answer.is_err());
        over(&capture, end, Some(error)).await;
    }
}

#[tokio::test]
async fn a_timeout_inside() {
    let capture = crate::support::capture();
    let server = start().await;
    let client = ServiceBuilder::new()
        .layer(layer(&capture).with_classify(BoxedClassify))
        .timeout(SOON)
        // The boxed classifier takes boxed bodies' errors without a feature.
        .map_response(|response: http::Response<hyper::body::Incoming>| {
            response.map(|body| body.map_err(|error| -> Boxed { error.into() }))
        })
        .service(hyper(false));
    let answer = client.oneshot(get(server.address, "/pending")).await;
    assert!(answer.is_err());
    over(&capture, End::Failed, Some("timeout")).await;
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

#[tokio::test]
async fn a_timeout_of_tokios_inside() {
    let capture = crate::support::capture();
    let server = start().await;
    let client: Hyper = hyper(false);
    let client = service_fn(move |request| {
        let answer = client.request(request);
        async {
            tokio::time::timeout(SOON, answer)
                .await?
                .map_err(Boxed::from)
        }
    });
    let client = client.map_response(|response: http::Response<hyper::body::Incoming>| {
        response.map(|body| body.map_err(|error| -> Boxed { error.into() }))
    });
    let layer = layer(&capture).with_classify(BoxedClassify);
    let answer = fetch(layer.layer(client), get(server.address, "/pending")).await;
    assert_eq!(answer, Err("head"));
    over(&capture, End::Failed, Some("timeout")).await;
}

#[tokio::test]
async fn an_upgrade_ends_the_exchange_at_its_head() {
    let capture = crate::support::capture();
    let server = start().await;
    let mut request = get(server.address, "/upgrade");
    for (name, value) in [("connection", "upgrade"), ("upgrade", "echo")] {
        let value = http::HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
    }
    let response = observed(&capture, false).call(request).await;
    let response = response.expect("a head");
    assert_eq!(response.status(), 101);
    over(&capture, End::Answered, None).await;
}
