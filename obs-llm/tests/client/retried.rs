//! Layers that retry stand within: they clone a request before they send it.

use crate::answers::layer;
use crate::support::{Frames, request};
use http::{Request, Response};
use http_body_util::BodyExt;
use obs_llm::client::RequestBody;
use obs_testing::{Capture, assert_tree};
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const URL: &str = "http://engine.example/v1/chat/completions";
const ASKED: &str = r#"{"model":"m","stop":["a","b"],"messages":[{"role":"user","content":"what is asked here"}],"seed":7}"#;
const ANSWER: &str = r#"{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

/// Of the first attempt so many frames are read, of which it dies; the second is a clone from before that.
async fn retried(frames: usize) -> Capture {
    let capture = Capture::new();
    let service = service_fn(move |request: Request<RequestBody<Frames>>| async move {
        let again = request.body().clone();
        let mut first = request.into_body();
        for _ in 0..frames {
            assert!(first.frame().await.is_some());
        }
        drop(first);
        let sent = again.collect().await?.to_bytes();
        assert_eq!(sent, ASKED.as_bytes());
        Ok::<_, Infallible>(Response::new(Frames::of(&[ANSWER])))
    });
    let answered = layer(&capture).layer(service);
    let answered = answered.oneshot(request(URL, ASKED)).await;
    let body = answered.expect("infallible").into_body();
    body.collect().await.expect("infallible");
    capture
}

#[track_caller]
fn check(capture: &Capture) {
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          chat m [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "_OTHER"
            - gen_ai.request.model: "m"
            - gen_ai.request.seed: 7
            - gen_ai.request.stop_sequences: ["a", "b"]
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.response.id: "1"
            - gen_ai.response.model: "m"
            - gen_ai.usage.input_tokens: 3
            - gen_ai.usage.output_tokens: 1
            - obs.llm.wire: "openai_chat"
            - server.address: "engine.example"
            - server.port: 80
        "#,
    );
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 1);
}

#[tokio::test]
async fn an_attempt_without_a_connection_is_followed_by_one_that_tells_what_is_asked() {
    check(&retried(0).await);
}

#[tokio::test]
async fn what_an_attempt_told_is_not_told_twice() {
    check(&retried(1).await);
    check(&retried(2).await);
}

#[tokio::test]
async fn a_body_that_is_cloned_after_its_beginning_passes_unread() {
    let capture = Capture::new();
    let service = service_fn(|request: Request<RequestBody<Frames>>| async move {
        let mut body = request.into_body();
        let first = body.frame().await.expect("a frame")?.into_data();
        let mut sent = first.expect("data").to_vec();
        sent.extend_from_slice(&body.clone().collect().await?.to_bytes());
        assert_eq!(sent, ASKED.as_bytes());
        Ok::<_, Infallible>(Response::new(Frames::of(&[ANSWER])))
    });
    let answered = layer(&capture).layer(service);
    let answered = answered.oneshot(request(URL, ASKED)).await;
    let body = answered.expect("infallible").into_body();
    body.collect().await.expect("infallible");
    // The half that was read told the model.
    let record = capture.record();
    assert_eq!(record.name, "chat m");
}
