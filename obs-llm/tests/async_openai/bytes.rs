//! What passes: the requests as they were built, the answers as they came, in the pieces in which they came.

use crate::chat::STREAMED;
use crate::server::{Act, Server, serve, stream};
use crate::support::{DURATION, layer, llm, sends, soon};
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::middleware::retry::OpenAIRetryLayer;
use bytes::Bytes;
use obs_core::StatsLevel;
use obs_llm::LlmOperation;
use obs_testing::Capture;
use reqwest::{Client, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const ASKS: &str = r#"{"model":"gpt-4o","stream":true,"messages":[]}"#;

const PATH: &str = "/v1/chat/completions";

/// Requests to this path, and how many were built.
fn factory(server: &Server, path: &str) -> (HttpRequestFactory, Arc<AtomicU32>) {
    let built = Arc::new(AtomicU32::new(0));
    let counts = built.clone();
    let url = format!("http://{}{path}", server.address);
    let factory = HttpRequestFactory::new(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        let request = Client::new().post(&url).header("x-mine", "of mine");
        async move { Ok(request.body(ASKS).build()?) }
    });
    (factory, built)
}

async fn ask<S>(service: S, factory: HttpRequestFactory) -> Response
where
    S: Service<HttpRequestFactory, Response = Response, Error = OpenAIError>,
{
    let answer = soon(service.oneshot(factory)).await;
    answer.unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes in the pieces in which they come, each of which is read before the next is sent; and how it ended.
async fn read(server: &Server, mut answer: Response) -> (Vec<Bytes>, Option<String>) {
    let mut pieces = Vec::new();
    loop {
        server.go_on.notify_one();
        match soon(answer.chunk()).await {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return (pieces, None),
            Err(error) => {
                let kind = (error.is_body(), error.is_decode(), error.is_timeout());
                return (pieces, Some(format!("{kind:?} {:?}", error.url())));
            }
        }
    }
}

/// All that a client can ask of a head.
fn head(answer: &Response) -> String {
    format!(
        "{} {:?} {:?} {} {:?} {:?}",
        answer.status(),
        answer.version(),
        answer.headers(),
        answer.url(),
        answer.content_length(),
        answer.remote_addr(),
    )
}

#[tokio::test]
async fn answers_are_as_they_are_without_the_layer() {
    // Pieces that end within lines and events.
    let pieces = [0, 1, 5, 211, 212, 640, 641, 1024, STREAMED.len()];
    let mut acts = vec![stream()];
    for window in pieces.windows(2) {
        let piece = &STREAMED.as_bytes()[window[0]..window[1]];
        acts.push(Act::Await);
        acts.push(Act::Chunk(String::from_utf8_lossy(piece).into_owned()));
    }
    let length = STREAMED.len();
    let known = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n"
    );
    for ends in [Act::Last, Act::Reset] {
        let mut acts = acts.clone();
        acts.extend([Act::Await, ends]);
        check(acts).await;
    }
    let whole = Act::Send(STREAMED.to_owned());
    check(vec![Act::Send(known), Act::Await, whole]).await;
}

async fn check(acts: Vec<Act>) {
    let server = serve(vec![acts]).await;
    for path in [PATH, "/v1/files"] {
        let (plain, built) = factory(&server, path);
        let without = ask(sends(), plain).await;
        let without = (head(&without), read(&server, without).await);
        let capture = Capture::new();
        let (seen, built_seen) = factory(&server, path);
        let with = ask(layer(&llm(&capture)).layer(sends()), seen).await;
        let with = (head(&with), read(&server, with).await);
        assert_eq!(with, without, "{path}");
        assert_eq!(built.load(Ordering::Relaxed), 1);
        assert_eq!(built_seen.load(Ordering::Relaxed), 1, "built once");
        let calls = u64::from(path != "/v1/files");
        assert_eq!(capture.count(DURATION), calls, "{path}");
    }
    let asked = server.asked.lock().unwrap();
    for (with, without) in [(1, 0), (3, 2)] {
        let (with, without) = (&asked[with], &asked[without]);
        assert_eq!((&with.head, &with.body), (&without.head, &without.body));
        assert_eq!(with.body, ASKS);
    }
}

#[tokio::test]
async fn each_attempt_is_built_once() {
    let capture = Capture::new();
    let busy = vec![Act::Send(
        "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
    )];
    let server = serve(vec![busy]).await;
    let stack = ServiceBuilder::new()
        .layer(layer(&llm(&capture)))
        .layer(OpenAIRetryLayer::new(2))
        .service(sends());
    let (factory, built) = factory(&server, PATH);
    assert_eq!(ask(stack, factory).await.status(), 503);
    assert_eq!(built.load(Ordering::Relaxed), 3);
    assert_eq!(server.asked.lock().unwrap().len(), 3);
    assert_eq!(capture.record().error_type(), Some("503"));
}

#[tokio::test]
async fn inside_of_retries_each_attempt_is_a_call() {
    let capture = Capture::new();
    let busy = vec![Act::Send(
        "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n".to_owned(),
    )];
    let server = serve(vec![busy]).await;
    let stack = ServiceBuilder::new()
        .layer(OpenAIRetryLayer::new(2))
        .layer(layer(&llm(&capture)))
        .service(sends());
    let (factory, built) = factory(&server, PATH);
    assert_eq!(ask(stack, factory).await.status(), 503);
    assert_eq!(built.load(Ordering::Relaxed), 3);
    assert_eq!(capture.count(DURATION), 3);
}

#[tokio::test]
async fn where_calls_are_switched_off_nothing_is_built_for_them() {
    let capture = Capture::new();
    let llm = llm(&capture);
    for operation in [LlmOperation::Chat, LlmOperation::Embeddings] {
        llm.kind(operation).set_level(StatsLevel::Disabled);
    }
    let (factory, built) = factory(&Server::at(([127, 0, 0, 1], 1).into()), PATH);
    // Who sends has a mind of its own.
    let sends = service_fn(|_: HttpRequestFactory| async {
        let answer = http::Response::new(reqwest::Body::default());
        Ok::<Response, OpenAIError>(answer.into())
    });
    let service = layer(&llm).layer(sends);
    assert_eq!(ask(service, factory).await.status(), 200);
    assert_eq!(built.load(Ordering::Relaxed), 0);
    assert!(capture.records().is_empty());
}
