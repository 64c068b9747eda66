//! What is asked and answered, as it passes.

use crate::support::ask;
use http_body_util::BodyExt;
use obs_llm::evaluation::Evaluation;
use obs_llm::{Dialect, Llm, LlmClientLayer};
use obs_testing::{Capture, assert_tree};

pub(crate) const CHAT: &str = r#"{"messages":[{"role":"user","content":"hi","model":"no"}],"model":"gpt-4o","stream":true,"max_tokens":64,"stream_options":{"include_usage":true}}"#;

pub(crate) const STREAM: &[&str] = &[
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel",
    "lo\"},\"finish_reason\":null}]}\n\ndata: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n",
    "data: [DONE]\n\n",
];

pub(crate) fn layer(capture: &Capture) -> LlmClientLayer {
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    LlmClientLayer::of(&llm)
}

#[tokio::test]
async fn a_streamed_chat_is_one_call_with_its_tokens() {
    let capture = Capture::new();
    let url = "https://api.openai.com/v1/chat/completions";
    let answer = (200, "text/event-stream; charset=utf-8", STREAM);
    let response = ask(&layer(&capture), (url, CHAT), answer).await;
    let body = response.into_body().collect().await.expect("infallible");
    assert_eq!(body.to_bytes(), STREAM.concat().as_bytes());
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          chat gpt-4o [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.max_tokens: 64
            - gen_ai.request.model: "gpt-4o"
            - gen_ai.request.stream: true
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.response.id: "c1"
            - gen_ai.response.model: "gpt-4o-2024-08-06"
            - gen_ai.response.time_to_first_chunk: 0.0
            - gen_ai.usage.input_tokens: 8
            - gen_ai.usage.output_tokens: 2
            - obs.llm.response.chunk_gap.max: 0.0
            - obs.llm.response.chunks: 2
            - obs.llm.response.time_per_output_token: 0.0
            - obs.llm.wire: "openai_chat"
            - openai.api.type: "chat_completions"
            - server.address: "api.openai.com"
            - server.port: 443
        "#,
    );
    let gaps = "gen_ai.client.operation.time_per_output_chunk";
    assert_eq!(capture.count(gaps), 1);
}

#[tokio::test]
async fn a_body_that_is_dropped_after_the_first_chunk_is_a_cancelled_call() {
    let capture = Capture::new();
    let url = "http://localhost:8000/v1/chat/completions";
    let answer = (200, "text/event-stream", STREAM);
    let response = ask(&layer(&capture), (url, CHAT), answer).await;
    let mut body = response.into_body();
    for _ in 0..3 {
        body.frame().await.expect("a frame").expect("infallible");
    }
    drop(body);
    let record = capture.record();
    assert_eq!(record.error_type(), Some("cancelled"));
    assert_eq!(record.attr("obs.llm.response.chunks"), Some(&2_i64.into()));
    assert_eq!(record.text("gen_ai.provider.name"), Some("_OTHER"));
}

#[tokio::test]
async fn an_error_is_called_by_its_type() {
    let capture = Capture::new();
    let url = "https://api.openai.com/v1/chat/completions";
    let error =
        r#"{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}"#;
    let answer: (u16, &str, &[&str]) = (429, "application/json", &[error]);
    let response = ask(&layer(&capture), (url, CHAT), answer).await;
    response.into_body().collect().await.expect("infallible");
    let record = capture.record();
    assert_eq!(record.error_type(), Some("rate_limit_exceeded"));
}

#[tokio::test]
async fn what_asks_no_model_is_no_call() {
    let capture = Capture::new();
    let url = "https://api.openai.com/v1/files";
    let answer: (u16, &str, &[&str]) = (200, "application/json", &["{}"]);
    let response = ask(&layer(&capture), (url, "{}"), answer).await;
    response.into_body().collect().await.expect("infallible");
    assert_eq!(capture.records().len(), 0);
}

/// Whoever reads an answer through the layer can evaluate it when it is long over.
#[tokio::test]
async fn an_answer_of_the_layers_is_evaluated_by_the_id_of_its_call() {
    let capture = Capture::new();
    let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
    let url = "https://api.openai.com/v1/chat/completions";
    let answer = (200, "text/event-stream", STREAM);
    let response = ask(&LlmClientLayer::of(&llm), (url, CHAT), answer).await;
    let mut body = response.into_body();
    let before = body.call_id().expect("it runs");
    assert_eq!(before.response_id(), None);
    drop(body.frame().await);
    let id = body.call_id().expect("it runs");
    assert_eq!(id.response_id(), Some("c1"));
    while body.frame().await.is_some() {}
    assert_eq!(body.call_id(), None, "it is over");
    drop(body);
    llm.evaluate(&id, Evaluation::new("relevance").with_score(1.0));
    let event = capture.log_events().remove(0);
    assert_eq!(event.span_id, Some(capture.record().span_id));
}
