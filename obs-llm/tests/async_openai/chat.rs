//! Chats that are answered.

use crate::server::{Act, events, json, serve, stream};
use crate::support::{DURATION, FIRST, GAPS, TOKENS, asks, client, llm, over, soon};
use futures_util::StreamExt;
use obs_testing::{Capture, assert_tree};
use serde_json::json as value;
use std::time::Duration;

pub(crate) const STREAMED: &str = include_str!("../corpus/openai_chat/streamed.sse");
const UNARY: &str = include_str!("../corpus/openai_chat/unary.json");
const TOOLS: &str = include_str!("../corpus/openai_chat/tools.sse");

#[tokio::test]
async fn a_stream_is_one_call_with_times_tokens_and_all_that_was_asked() {
    let capture = Capture::new();
    let pieces: Vec<&str> = STREAMED.split_inclusive("\n\n").collect();
    let mut acts = vec![stream()];
    for piece in &pieces {
        acts.extend([Act::Await, Act::Chunk((*piece).to_owned())]);
    }
    acts.push(Act::Last);
    let server = serve(vec![acts]).await;
    let client = client(&llm(&capture), &server);
    let request = asks(value!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "max_completion_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.25,
        "frequency_penalty": 1.5,
        "presence_penalty": -0.5,
        "seed": 7,
        "stop": ["END"],
        "service_tier": "auto",
        "stream_options": {"include_usage": true},
    }));
    let mut stream = soon(client.chat().create_stream(request))
        .await
        .expect("a stream");
    let mut text = String::new();
    // All but the last event are items.
    for _ in 1..pieces.len() {
        capture.clock().advance(Duration::from_millis(30));
        server.go_on.notify_one();
        let item = soon(stream.next()).await.expect("an item").expect("whole");
        let said = item.choices.first();
        text.extend(said.and_then(|choice| choice.delta.content.clone()));
    }
    server.go_on.notify_one();
    assert!(soon(stream.next()).await.is_none());
    assert_eq!(text, "Hello wörld\n\"quoted\" \u{1f600}");
    over(&capture, None).await;
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          chat gpt-4o [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.frequency_penalty: 1.5
            - gen_ai.request.max_tokens: 64
            - gen_ai.request.model: "gpt-4o"
            - gen_ai.request.presence_penalty: -0.5
            - gen_ai.request.seed: 7
            - gen_ai.request.stop_sequences: ["END"]
            - gen_ai.request.stream: true
            - gen_ai.request.temperature: 0.5
            - gen_ai.request.top_p: 0.25
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.response.id: "chatcmpl-9xKd"
            - gen_ai.response.model: "gpt-4o-2024-08-06"
            - gen_ai.response.time_to_first_chunk: 0.06
            - gen_ai.usage.cache_read.input_tokens: 4
            - gen_ai.usage.input_tokens: 19
            - gen_ai.usage.output_tokens: 10
            - gen_ai.usage.reasoning.output_tokens: 3
            - obs.llm.response.chunk_gap.max: 0.03
            - obs.llm.response.chunks: 4
            - obs.llm.response.time_per_output_token: 0.01
            - obs.llm.wire: "openai_chat"
            - openai.api.type: "chat_completions"
            - openai.request.service_tier: "auto"
            - openai.response.service_tier: "default"
            - openai.response.system_fingerprint: "fp_fc9f1d7035"
            - server.address: "api.openai.com"
            - server.port: 443
        "#,
    );
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count(FIRST), 1);
    assert_eq!(capture.count(GAPS), 3);
    assert_eq!(capture.count(TOKENS), 2);
    // What the server got is what the client wrote.
    let asked = server.asked.lock().unwrap();
    let [asked] = asked.as_slice() else {
        panic!("one request: {asked:?}");
    };
    assert!(asked.head.starts_with("POST /v1/chat/completions HTTP/1.1"));
    let asked: serde_json::Value = serde_json::from_str(&asked.body).expect("JSON");
    assert_eq!(asked["stream"], true);
    assert_eq!(asked["temperature"], 0.5);
}

#[tokio::test]
async fn an_answer_in_one_piece_is_one_call() {
    let capture = Capture::new();
    let server = serve(vec![json("200 OK", UNARY)]).await;
    let client = client(&llm(&capture), &server);
    let request = asks(value!({
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": "hi"}],
        "n": 2,
    }));
    let answer = soon(client.chat().create(request)).await.expect("whole");
    let first = answer.choices[0].message.content.as_deref();
    assert_eq!(first, Some("Hello! How can I assist you today?"));
    over(&capture, None).await;
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          chat gpt-4.1 [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.choice.count: 2
            - gen_ai.request.model: "gpt-4.1"
            - gen_ai.response.finish_reasons: ["stop", "length"]
            - gen_ai.response.id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"
            - gen_ai.response.model: "gpt-4.1-2025-04-14"
            - gen_ai.usage.cache_read.input_tokens: 0
            - gen_ai.usage.input_tokens: 19
            - gen_ai.usage.output_tokens: 10
            - gen_ai.usage.reasoning.output_tokens: 0
            - obs.llm.wire: "openai_chat"
            - openai.api.type: "chat_completions"
            - openai.response.service_tier: "default"
            - server.address: "api.openai.com"
            - server.port: 443
        "#,
    );
    assert_eq!(capture.count(FIRST), 0);
    assert_eq!(capture.count(TOKENS), 2);
}

#[tokio::test]
async fn calls_of_tools_are_chunks() {
    let capture = Capture::new();
    let server = serve(vec![events(TOOLS)]).await;
    let client = client(&llm(&capture), &server);
    let request = asks(value!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
    }));
    let mut stream = soon(client.chat().create_stream(request))
        .await
        .expect("a stream");
    let mut called = 0;
    while let Some(item) = soon(stream.next()).await {
        let item = item.expect("whole");
        let said = item.choices.first();
        called += usize::from(said.is_some_and(|said| said.delta.tool_calls.is_some()));
    }
    let record = over(&capture, None).await;
    let chunks = record.attr("obs.llm.response.chunks");
    assert_eq!(chunks, Some(&i64::try_from(called).unwrap().into()));
    assert!(called > 2);
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&vec!["tool_calls".to_owned()].into()));
}
