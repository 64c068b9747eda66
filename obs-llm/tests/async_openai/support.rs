//! A client with the layer in its stack, and what is known when a call is over.

pub(crate) use crate::record::{ACTIVE, DURATION, FIRST, GAPS, TOKENS, int};
pub(crate) use crate::scripted::soon;
use crate::server::Server;
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::middleware::ReqwestService;
use async_openai::middleware::retry::OpenAIRetryLayer;
use async_openai::types::chat::CreateChatCompletionRequest;
use obs_core::End;
use obs_llm::adapters::async_openai::AsyncOpenAiLayer;
use obs_llm::{Dialect, Llm, LlmClientLayer, Provider};
use obs_testing::{Capture, CapturedRecord};
use std::time::Duration;
use tower::ServiceBuilder;

pub(crate) type OpenAi = Client<OpenAIConfig>;

pub(crate) fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

/// As of OpenAI's, whose address the server's is.
pub(crate) fn layer(llm: &Llm) -> AsyncOpenAiLayer {
    let layer = LlmClientLayer::of(llm)
        .with_provider(Provider::OPENAI)
        .with_server("api.openai.com", Some(443));
    AsyncOpenAiLayer::from(layer)
}

pub(crate) fn config(server: &Server) -> OpenAIConfig {
    OpenAIConfig::new()
        .with_api_base(format!("http://{}/v1", server.address))
        .with_api_key("sk-of-nobody")
}

pub(crate) fn sends() -> ReqwestService {
    let client = reqwest::Client::builder().no_proxy().build();
    ReqwestService::new(client.expect("a client"))
}

/// As the client is by itself, but for the layer outside of its retries.
pub(crate) fn client(llm: &Llm, server: &Server) -> OpenAi {
    client_with(llm, server, 3)
}

pub(crate) fn client_with(llm: &Llm, server: &Server, retries: usize) -> OpenAi {
    let stack = ServiceBuilder::new()
        .layer(layer(llm))
        .layer(OpenAIRetryLayer::new(retries))
        .service(sends());
    Client::with_config(config(server)).with_http_service(stack)
}

pub(crate) fn asks(request: serde_json::Value) -> CreateChatCompletionRequest {
    serde_json::from_value(request).expect("a request")
}

/// When there are so many records: what reads a stream is a task of the client's.
pub(crate) async fn there(capture: &Capture, records: usize) {
    soon(async {
        while capture.records().len() < records {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// The record of the only call, when it is over.
pub(crate) async fn over(capture: &Capture, error: Option<&str>) -> CapturedRecord {
    there(capture, 1).await;
    assert_eq!(capture.count(DURATION), 1, "durations");
    assert_eq!(capture.in_flight(ACTIVE), 0, "in flight");
    let record = capture.record();
    assert_eq!(record.error_type(), error, "{record:#?}");
    record
}

pub(crate) async fn over_as(capture: &Capture, end: End, error: Option<&str>) {
    assert_eq!(over(capture, error).await.outcome.end(), end);
}
