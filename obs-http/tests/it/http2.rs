//! Every ending over HTTP/2, on real sockets, with a client that resets streams.

use crate::support::app::{HELLO, app};
use crate::support::client::{H2, h2};
use crate::support::server::{Protocol, Server, serve};
use crate::support::{ACTIVE, DURATION, layer, over, running, until};
use ::h2::Reason;
use http::HeaderMap;
use obs_core::End;
use obs_testing::Capture;
use tower::{Layer, service_fn};

struct Rig {
    capture: Capture,
    server: Server,
    client: H2,
}

async fn start() -> Rig {
    let capture = crate::support::capture();
    let server = serve(Protocol::Http2, layer(&capture).layer(service_fn(app))).await;
    let client = h2(server.address).await;
    Rig {
        capture,
        server,
        client,
    }
}

struct Answer {
    status: u16,
    body: String,
    trailers: Option<HeaderMap>,
}

impl Rig {
    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    async fn fetch(&self, method: &str, path: &str) -> Result<Answer, ::h2::Error> {
        let (response, _) = self.client.send(method, &self.uri(path)).await;
        let response = response.await?;
        let status = response.status().as_u16();
        let mut stream = response.into_body();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let data = data?;
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await?;
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
            trailers,
        })
    }
}

#[track_caller]
fn answers(
    path: &'static str,
    status: u16,
    end: End,
    error: Option<&'static str>,
) -> impl Future<Output = ()> {
    async move {
        let rig = start().await;
        let answer = rig.fetch("GET", path).await.expect("an answer");
        assert_eq!(answer.status, status);
        let record = over(&rig.capture, end, error).await;
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
    answers("/empty", 200, End::Answered, None).await;
    answers("/204", 204, End::Answered, None).await;
    answers("/304", 304, End::Answered, None).await;
    answers("/404", 404, End::Answered, None).await;
}

#[tokio::test]
async fn a_server_error_is_one() {
    answers("/503", 503, End::Failed, Some("503")).await;
}

#[tokio::test]
async fn trailers() {
    let rig = start().await;
    let answer = rig.fetch("GET", "/trailers").await.expect("an answer");
    assert_eq!(answer.body, HELLO);
    assert_eq!(answer.trailers.expect("trailers")["x-checksum"], "1");
    let record = over(&rig.capture, End::Answered, None).await;
    assert_eq!(
        record.attr("http.response.body.size"),
        Some(&obs_testing::AttrValue::Int(HELLO.len() as i64))
    );
}

#[tokio::test]
async fn head_has_no_body_and_no_size() {
    let rig = start().await;
    let answer = rig.fetch("HEAD", "/hello").await.expect("an answer");
    assert_eq!(answer.body, "");
    let record = over(&rig.capture, End::Answered, None).await;
    assert_eq!(record.attr("http.response.body.size"), None);
}

/// The stream goes on as a tunnel, the exchange is over.
async fn connects(uri: &str, protocol: Option<&'static str>, rig: &Rig) {
    let (response, mut to) = rig.client.connect(uri, protocol).await;
    let response = response.await.expect("an answer");
    assert_eq!(response.status(), 200);
    let record = over(&rig.capture, End::Answered, None).await;
    assert_eq!(record.text("http.request.method"), Some("CONNECT"));
    to.send_data("ping".into(), false).expect("a tunnel");
    let echo = response.into_body().data().await.expect("an echo");
    assert_eq!(echo.expect("an echo"), "ping");
    assert_eq!(rig.capture.count(DURATION), 1);
}

#[tokio::test]
async fn a_tunnel_ends_the_exchange_at_its_head() {
    let rig = start().await;
    connects("example.com:443", None, &rig).await;
}

#[tokio::test]
async fn a_websocket_ends_the_exchange_at_its_head() {
    let rig = start().await;
    connects(&rig.uri("/chat"), Some("websocket"), &rig).await;
}

#[tokio::test]
async fn a_failing_service_resets_the_stream() {
    let rig = start().await;
    assert!(rig.fetch("GET", "/error").await.is_err());
    over(&rig.capture, End::Failed, Some("service_error")).await;
}

#[tokio::test]
async fn a_panicking_service() {
    let rig = start().await;
    assert!(rig.fetch("GET", "/panic").await.is_err());
    over(&rig.capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_panicking_body() {
    let rig = start().await;
    assert!(rig.fetch("GET", "/panicking-body").await.is_err());
    over(&rig.capture, End::Panicked, Some("panic")).await;
}

#[tokio::test]
async fn a_body_that_breaks() {
    let rig = start().await;
    assert!(rig.fetch("GET", "/broken-body").await.is_err());
    over(&rig.capture, End::Failed, Some("body_error")).await;
}

#[tokio::test]
async fn a_stream_reset_before_the_head() {
    let rig = start().await;
    let (response, mut stream) = rig.client.send("GET", &rig.uri("/pending")).await;
    running(&rig.capture, 1).await;
    stream.send_reset(Reason::CANCEL);
    over(&rig.capture, End::Cancelled, Some("cancelled")).await;
    drop(response);
}

#[tokio::test]
async fn a_stream_reset_mid_body() {
    for path in ["/endless", "/stalled"] {
        let rig = start().await;
        let (response, mut stream) = rig.client.send("GET", &rig.uri(path)).await;
        let mut body = response.await.expect("a head").into_body();
        body.data().await.expect("a first chunk").expect("data");
        stream.send_reset(Reason::CANCEL);
        let record = over(&rig.capture, End::Cancelled, Some("cancelled")).await;
        assert_eq!(record.attr("http.response.status_code"), Some(&200.into()));
    }
}

#[tokio::test]
async fn a_reset_stream_leaves_its_neighbours_alone() {
    let rig = start().await;
    let (stays, _neighbour) = rig.client.send("GET", &rig.uri("/stalled")).await;
    let mut body = stays.await.expect("a head").into_body();
    body.data().await.expect("a first chunk").expect("data");
    let (_response, mut stream) = rig.client.send("GET", &rig.uri("/pending")).await;
    running(&rig.capture, 2).await;
    stream.send_reset(Reason::CANCEL);
    until("the end of one", || rig.capture.count(DURATION) == 1).await;
    assert_eq!(rig.capture.in_flight(ACTIVE), 1);
    drop(rig.client);
    until("the end of both", || rig.capture.count(DURATION) == 2).await;
    assert_eq!(rig.capture.in_flight(ACTIVE), 0);
    assert_eq!(rig.capture.records().len(), 2);
}

#[tokio::test]
async fn a_connection_that_goes_before_the_head() {
    let rig = start().await;
    let _stream = rig.client.send("GET", &rig.uri("/pending")).await;
    running(&rig.capture, 1).await;
    drop(rig.client);
    over(&rig.capture, End::Cancelled, Some("cancelled")).await;
}

#[tokio::test]
async fn a_connection_that_goes_mid_body() {
    let rig = start().await;
    let (response, _stream) = rig.client.send("GET", &rig.uri("/endless")).await;
    let mut body = response.await.expect("a head").into_body();
    body.data().await.expect("a first chunk").expect("data");
    drop(rig.client);
    over(&rig.capture, End::Cancelled, Some("cancelled")).await;
}
