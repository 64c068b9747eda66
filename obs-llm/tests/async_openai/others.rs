//! What the client calls besides chats.

use crate::server::{events, json, serve};
use crate::support::{TOKENS, client, int, llm, over, soon};
use async_openai::types::embeddings::CreateEmbeddingRequestArgs;
use async_openai::types::responses::CreateResponse;
use futures_util::StreamExt;
use obs_testing::{Capture, assert_tree};
use serde_json::json as value;

const RESPONSES: &str = include_str!("../corpus/openai_responses/streamed.sse");
const FAILED: &str = include_str!("../corpus/openai_responses/failed.sse");

fn response(model: &str) -> CreateResponse {
    let request = value!({"model": model, "input": "hi", "max_output_tokens": 64});
    serde_json::from_value(request).expect("a request")
}

#[tokio::test]
async fn responses_are_calls() {
    let capture = Capture::new();
    let server = serve(vec![events(RESPONSES)]).await;
    let client = client(&llm(&capture), &server);
    let request = response("gpt-4.1");
    let stream = soon(client.responses().create_stream(request)).await;
    let items: Vec<_> = soon(stream.expect("a stream").collect()).await;
    assert_eq!(items.len(), 11);
    over(&capture, None).await;
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          chat gpt-4.1 [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.max_tokens: 64
            - gen_ai.request.model: "gpt-4.1"
            - gen_ai.request.stream: true
            - gen_ai.response.finish_reasons: ["completed"]
            - gen_ai.response.id: "resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654"
            - gen_ai.response.model: "gpt-4.1-2025-04-14"
            - gen_ai.response.time_to_first_chunk: 0.0
            - gen_ai.usage.cache_read.input_tokens: 16
            - gen_ai.usage.input_tokens: 37
            - gen_ai.usage.output_tokens: 11
            - gen_ai.usage.reasoning.output_tokens: 0
            - obs.llm.response.chunk_gap.max: 0.0
            - obs.llm.response.chunks: 3
            - obs.llm.response.time_per_output_token: 0.0
            - obs.llm.wire: "openai_responses"
            - openai.api.type: "responses"
            - openai.response.service_tier: "default"
            - server.address: "api.openai.com"
            - server.port: 443
        "#,
    );
    assert_eq!(capture.count(TOKENS), 2);
}

#[tokio::test]
async fn a_response_that_fails_in_its_stream_is_called_so() {
    let capture = Capture::new();
    let server = serve(vec![events(FAILED)]).await;
    let client = client(&llm(&capture), &server);
    let stream = soon(client.responses().create_stream(response("gpt-4.1"))).await;
    let items: Vec<_> = soon(stream.expect("a stream").collect()).await;
    assert!(!items.is_empty());
    over(&capture, Some("server_error")).await;
}

#[tokio::test]
async fn embeddings_are_calls_without_an_output() {
    let capture = Capture::new();
    let answer = value!({
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    });
    let server = serve(vec![json("200 OK", &answer.to_string())]).await;
    let client = client(&llm(&capture), &server);
    let request = CreateEmbeddingRequestArgs::default()
        .model("text-embedding-3-small")
        .input(["hi"])
        .dimensions(2_u32)
        .build()
        .expect("a request");
    let answer = soon(client.embeddings().create(request)).await;
    assert_eq!(answer.expect("whole").data[0].embedding, [0.25, -0.5]);
    let record = over(&capture, None).await;
    assert_eq!(record.name, "embeddings text-embedding-3-small");
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(8));
    assert_eq!(int(&record, "gen_ai.embeddings.dimension.count"), Some(2));
    assert_eq!(capture.count(TOKENS), 1);
}

#[tokio::test]
async fn what_asks_no_model_is_no_call() {
    let capture = Capture::new();
    let list = r#"{"object":"list","data":[],"has_more":false,"first_id":"a","last_id":"b"}"#;
    let server = serve(vec![json("200 OK", list)]).await;
    let client = client(&llm(&capture), &server);
    soon(client.chat().list()).await.expect("a list");
    soon(client.responses().delete("resp_1")).await.ok();
    assert_eq!(server.asked.lock().unwrap().len(), 2);
    assert!(capture.records().is_empty());
}
