//! Around reqwest's client, in one line.

use crate::answers::{CHAT, STREAM, layer};
use crate::support::Frames;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use obs_http::HttpClientLayer;
use obs_http::client::Reqwest;
use obs_llm::client::{RequestBody, UsageInjectionLayer};
use obs_llm::{Dialect, Llm, LlmClientLayer};
use obs_testing::Capture;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tower::util::service_fn;
use tower::{Layer, ServiceBuilder, ServiceExt};

type Arrived = Arc<Mutex<Vec<(Option<String>, Bytes)>>>;

/// Answers with the stream, and keeps what arrived with which length.
async fn serve() -> (SocketAddr, Arrived) {
    let arrived = Arrived::default();
    let keeps = arrived.clone();
    let app = service_fn(move |request: Request<Incoming>| {
        let keeps = keeps.clone();
        async move {
            let (head, body) = request.into_parts();
            let length = head.headers.get(header::CONTENT_LENGTH);
            let length = length.map(|length| length.to_str().expect("a number").to_owned());
            let body = body.collect().await?.to_bytes();
            keeps.lock().unwrap().push((length, body));
            let head = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
            Ok::<_, hyper::Error>(
                head.body(Full::<Bytes>::from(STREAM.concat()))
                    .expect("a head"),
            )
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(app.clone());
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, arrived)
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/v1/chat/completions")
}

fn reqwest_client() -> Reqwest {
    Reqwest::build(reqwest::Client::builder().no_proxy()).expect("a client")
}

#[track_caller]
fn known(capture: &Capture) {
    let records = capture.records();
    let mut calls = records.iter().filter(|record| record.name == "chat gpt-4o");
    let call = calls.next().expect("the call");
    assert!(calls.next().is_none(), "one call");
    assert_eq!(call.error_type(), None);
    assert_eq!(call.text("gen_ai.request.model"), Some("gpt-4o"));
    assert_eq!(call.attr("gen_ai.usage.output_tokens"), Some(&2_i64.into()));
    assert_eq!(call.attr("obs.llm.response.chunks"), Some(&2_i64.into()));
}

#[tokio::test]
async fn the_layer_stands_around_reqwest_with_bodies_of_its_own() {
    let (address, arrived) = serve().await;
    let capture = Capture::new();
    let client = layer(&capture).layer(reqwest_client());
    let request = Request::post(url(address)).body(reqwest::Body::from(CHAT));
    let answer = client
        .oneshot(request.expect("a request"))
        .await
        .expect("an answer");
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("whole")
        .to_bytes();
    assert_eq!(body, STREAM.concat());
    known(&capture);
    let length = Some(CHAT.len().to_string());
    assert_eq!(*arrived.lock().unwrap(), [(length, Bytes::from(CHAT))]);
}

#[tokio::test]
async fn bodies_that_stream_are_read_as_they_pass() {
    let (address, arrived) = serve().await;
    let capture = Capture::new();
    // An HTTP client's layer within, whose span is the call's child.
    let client = ServiceBuilder::new()
        .layer(layer(&capture))
        .layer(HttpClientLayer::new(capture.telemetry()))
        .service(reqwest_client());
    let (one, other) = CHAT.split_at(20);
    let streamed = reqwest::Body::wrap(Frames::of(&[one, other]));
    let request = Request::post(url(address))
        .body(streamed)
        .expect("a request");
    let answer = client.clone().oneshot(request).await.expect("an answer");
    answer.into_body().collect().await.expect("whole");
    known(&capture);
    assert_eq!(capture.records().len(), 2);
    capture.clear();
    // Of another type, too.
    let request = Request::post(url(address)).body(Full::<Bytes>::from(CHAT));
    let answer = client
        .oneshot(request.expect("a request"))
        .await
        .expect("an answer");
    answer.into_body().collect().await.expect("whole");
    known(&capture);
    let length = Some(CHAT.len().to_string());
    let expect = [(None, Bytes::from(CHAT)), (length, Bytes::from(CHAT))];
    assert_eq!(*arrived.lock().unwrap(), expect);
}

#[tokio::test]
async fn tokens_can_be_asked_for_before_reqwest_sends() {
    let (address, arrived) = serve().await;
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let client = ServiceBuilder::new()
        .layer(UsageInjectionLayer::of(&llm))
        .layer(LlmClientLayer::of(&llm))
        .service(reqwest_client());
    let asks = r#"{"model":"gpt-4o","stream":true}"#;
    let request = Request::post(url(address)).body(reqwest::Body::from(asks));
    let answer = client
        .oneshot(request.expect("a request"))
        .await
        .expect("an answer");
    answer.into_body().collect().await.expect("whole");
    known(&capture);
    let expect = r#"{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}"#;
    let length = Some(expect.len().to_string());
    assert_eq!(*arrived.lock().unwrap(), [(length, Bytes::from(expect))]);
}

#[tokio::test]
async fn what_reqwest_can_send_again_it_still_can() {
    let capture = Capture::new();
    let again = Arc::new(Mutex::new(Vec::new()));
    let keeps = again.clone();
    let inner = service_fn(move |request: Request<RequestBody<reqwest::Body>>| {
        let body = reqwest::Body::from(request.into_body());
        keeps
            .lock()
            .unwrap()
            .push(body.as_bytes().map(<[u8]>::to_vec));
        std::future::ready(Ok::<_, Infallible>(Response::new(Frames::of(STREAM))))
    });
    let client = layer(&capture).layer(inner);
    for url in [
        "https://api.openai.com/v1/chat/completions",
        "https://example.com/",
    ] {
        let request = Request::post(url).body(reqwest::Body::from(CHAT));
        let answer = client.clone().oneshot(request.expect("a request")).await;
        answer
            .expect("infallible")
            .into_body()
            .collect()
            .await
            .expect("infallible");
    }
    let whole = Some(CHAT.as_bytes().to_vec());
    assert_eq!(*again.lock().unwrap(), [whole.clone(), whole]);
    known(&capture);
}
