//! What is asked for within a call: of its own sort it is part of it, of the other sort it is a call of its own.

use crate::answers::CHAT;
use crate::support::{Frames, request};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use obs_llm::client::RequestBody;
use obs_llm::{Dialect, Llm, LlmClientLayer, LlmOperation, Provider};
use obs_testing::Capture;
use std::convert::Infallible;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const EMBEDS: &str = r#"{"model":"text-embedding-3-small","input":"hi"}"#;
const VECTORS: &str = r#"{"object":"list","data":[],"model":"text-embedding-3-small","usage":{"prompt_tokens":1,"total_tokens":1}}"#;
const CHATTED: &str = r#"{"id":"c1","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;

async fn asks(layer: &LlmClientLayer, what: &'static str) {
    let (path, body, answer) = match what {
        "chat" => ("chat/completions", CHAT, CHATTED),
        _ => ("embeddings", EMBEDS, VECTORS),
    };
    let answers = service_fn(move |request: Request<RequestBody<Frames>>| async move {
        request.into_body().collect().await?;
        let head = Response::builder().header(header::CONTENT_TYPE, "application/json");
        Ok::<_, Infallible>(head.body(Frames::of(&[answer])).expect("a head"))
    });
    let url = format!("https://api.openai.com/v1/{path}");
    let answered = layer.layer(answers).oneshot(request(&url, body)).await;
    let body = answered.expect("infallible").into_body();
    body.collect().await.expect("infallible");
}

/// The names of the spans of a call and of what is asked for within it.
async fn within(dialect: Dialect, outer: LlmOperation, inner: &'static str) -> Vec<String> {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(dialect);
    let layer = LlmClientLayer::of(&llm);
    let mut call = llm.call(outer, &Provider::OPENAI);
    let asking = asks(&layer, inner);
    let mut asking = std::pin::pin!(asking);
    // Nothing of it waits.
    let polled = call.scope(|| {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        asking.as_mut().poll(&mut context)
    });
    assert!(polled.is_ready());
    call.end();
    let records = capture.records();
    let mut names: Vec<_> = records.iter().map(|record| record.name.clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn embeddings_within_an_inference_are_a_call_and_a_chat_is_part_of_it() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let names = within(dialect, LlmOperation::Chat, "embeddings").await;
        assert_eq!(names, ["chat", "embeddings text-embedding-3-small"]);
        let names = within(dialect, LlmOperation::TextCompletion, "chat").await;
        assert_eq!(names, ["text_completion"], "{dialect:?}");
    }
}

#[tokio::test]
async fn an_inference_within_embeddings_is_a_call_and_embeddings_are_part_of_them() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let names = within(dialect, LlmOperation::Embeddings, "chat").await;
        assert_eq!(names, ["chat gpt-4o", "embeddings"]);
        let names = within(dialect, LlmOperation::Embeddings, "embeddings").await;
        assert_eq!(names, ["embeddings"], "{dialect:?}");
    }
}

#[tokio::test]
async fn an_inference_within_embeddings_within_an_inference_is_part_of_the_outermost() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let layer = LlmClientLayer::of(&llm);
    let mut outer = llm.call(LlmOperation::Chat, &Provider::OPENAI);
    outer.scope(|| {
        let mut inner = llm.call(LlmOperation::Embeddings, &Provider::OPENAI);
        inner.scope(|| {
            let asking = std::pin::pin!(asks(&layer, "chat"));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(asking.poll(&mut context).is_ready());
        });
        inner.end();
    });
    outer.end();
    assert_eq!(capture.records().len(), 2);
}
