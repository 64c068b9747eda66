//! What is asked and answered to the end.

use crate::server::{serve, soon, streamed, whole};
use crate::support::{
    ACTIVE, DURATION, FIRST, TOKENS, anthropic, client, hello, int, openai, over, target,
};
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatOptions, ChatResponseFormat, ChatStreamEvent, ReasoningEffort, ServiceTier, Usage,
};
use genai::embed::EmbedOptions;
use obs_testing::{Capture, assert_tree};

pub(crate) const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The sky."},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":5,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":3}}}"#;

pub(crate) const EVENTS: &[&str] = &[
    "data: {\"id\":\"c1\",\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" sky.\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}\n\n",
    "data: [DONE]\n\n",
];

#[tokio::test]
async fn an_answer_in_one_piece_is_one_call() {
    let capture = Capture::new();
    let server = serve(whole("200 OK", "application/json", ANSWER)).await;
    let options = ChatOptions::default()
        .with_temperature(0.5)
        .with_max_tokens(64)
        .with_top_p(0.9)
        .with_seed(7)
        .with_stop_sequence("END")
        .with_service_tier(ServiceTier::Flex)
        .with_reasoning_effort(ReasoningEffort::Low)
        .with_response_format(ChatResponseFormat::JsonMode);
    let asking = client(&capture);
    let asking = asking.exec_chat(openai(&server), hello(), Some(&options));
    let answer = soon(asking).await.expect("an answer");
    assert_eq!(answer.first_text(), Some("The sky."));
    let port = server.address.port();
    assert_tree(
        capture.tree(),
        &format!(
            r#"
        trace 1
          chat gpt-4o-mini [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.output.type: "json"
            - gen_ai.provider.name: "_OTHER"
            - gen_ai.request.max_tokens: 64
            - gen_ai.request.model: "gpt-4o-mini"
            - gen_ai.request.seed: 7
            - gen_ai.request.stop_sequences: ["END"]
            - gen_ai.request.temperature: 0.5
            - gen_ai.request.top_p: 0.9
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.response.model: "gpt-4o-mini-2024-07-18"
            - gen_ai.usage.cache_read.input_tokens: 6
            - gen_ai.usage.input_tokens: 8
            - gen_ai.usage.output_tokens: 5
            - gen_ai.usage.reasoning.output_tokens: 3
            - openai.request.service_tier: "flex"
            - server.address: "127.0.0.1"
            - server.port: {port}
        "#
        ),
    );
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count(TOKENS), 2);
    assert_eq!(capture.count(FIRST), 0, "it has no chunks");
    assert_eq!(capture.in_flight(ACTIVE), 0);
}

#[tokio::test]
async fn a_streamed_answer_is_one_call_with_its_chunks_and_tokens() {
    let capture = Capture::new();
    let server = serve(streamed(EVENTS)).await;
    let asking = client(&capture);
    let asking = asking.exec_chat_stream(openai(&server), hello(), None);
    let mut answer = soon(asking).await.expect("a stream");
    assert_eq!(answer.model_iden.adapter_kind, AdapterKind::OpenAI);
    let mut text = String::new();
    while let Some(event) = soon(answer.stream.next()).await {
        if let ChatStreamEvent::Chunk(chunk) = event.expect("unbroken") {
            text.push_str(&chunk.content);
        }
    }
    assert_eq!(text, "The sky.");
    let port = server.address.port();
    assert_tree(
        capture.tree(),
        &format!(
            r#"
        trace 1
          chat gpt-4o-mini [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "_OTHER"
            - gen_ai.request.model: "gpt-4o-mini"
            - gen_ai.request.stream: true
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.response.id: "c1"
            - gen_ai.response.model: "gpt-4o-mini-2024-07-18"
            - gen_ai.response.time_to_first_chunk: 0.0
            - gen_ai.usage.input_tokens: 8
            - gen_ai.usage.output_tokens: 2
            - obs.llm.response.chunk_gap.max: 0.0
            - obs.llm.response.chunks: 2
            - obs.llm.response.time_per_output_token: 0.0
            - obs.llm.wire: "openai_chat"
            - server.address: "127.0.0.1"
            - server.port: {port}
        "#
        ),
    );
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count(FIRST), 1);
    assert_eq!(
        capture.count("gen_ai.client.operation.time_per_output_chunk"),
        1
    );
    assert_eq!(capture.count(TOKENS), 2);
    assert_eq!(capture.in_flight(ACTIVE), 0);
}

/// The stream of Anthropic's with thoughts, the stream with calls of tools.
#[tokio::test]
async fn whatever_comes_first_counts() {
    let thinking = include_str!("../corpus/anthropic/thinking.sse");
    let tools = include_str!("../corpus/anthropic/tools.sse");
    for stream in [thinking, tools] {
        let capture = Capture::new();
        // Of what it does not know genai makes errors.
        let known = |event: &&str| !event.contains("citations_delta") && !event.contains("server_");
        let events: Vec<&str> = stream.split_inclusive("\n\n").filter(known).collect();
        let server = serve(streamed(&events)).await;
        let asking = client(&capture);
        let asking = asking.exec_chat_stream(anthropic(&server), hello(), None);
        let mut answer = soon(asking).await.expect("a stream");
        // Nothing is asked before somebody reads.
        capture
            .clock()
            .advance(std::time::Duration::from_millis(30));
        let mut first = None;
        while let Some(event) = soon(answer.stream.next()).await {
            let event = event.expect("unbroken");
            let is_content = matches!(
                event,
                ChatStreamEvent::ReasoningChunk(_)
                    | ChatStreamEvent::ToolCallChunk(_)
                    | ChatStreamEvent::Chunk(_)
            );
            if is_content && first.is_none() {
                first = Some(event);
                assert_eq!(capture.count(FIRST), 1);
            }
            capture
                .clock()
                .advance(std::time::Duration::from_millis(10));
        }
        assert!(first.is_some());
        let record = over(&capture, None);
        let took = record.attr("gen_ai.response.time_to_first_chunk");
        // `Start`, and what comes before the first content, had their time.
        let took = took
            .and_then(obs_testing::AttrValue::as_f64)
            .expect("a time");
        assert!((0.03..0.1).contains(&took), "{took}");
        assert!(int(&record, "gen_ai.usage.input_tokens").is_some());
    }
}

#[tokio::test]
async fn what_is_read_is_what_would_be_read_without_us() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let observed = client(&capture);
    let options = ChatOptions::default().with_capture_usage(true);
    let bare = observed.get_ref().clone();
    let expect = bare.exec_chat_stream(openai(&server), hello(), Some(&options));
    let expect = soon(expect).await.expect("a stream").stream;
    let asking = observed.exec_chat_stream(openai(&server), hello(), Some(&options));
    let stream = soon(asking).await.expect("a stream").stream;
    let shown = |event: genai::Result<ChatStreamEvent>| format!("{event:?}");
    let expect: Vec<_> = soon(expect.map(shown).collect()).await;
    let events: Vec<_> = soon(stream.map(shown).collect()).await;
    assert_eq!(events, expect);
    // And so are the requests.
    let asked = server.bodies();
    assert_eq!(asked[0], asked[1]);
    over(&capture, None);
}

#[tokio::test]
async fn embeddings_are_calls_of_their_kind() {
    let capture = Capture::new();
    let answer = r#"{"object":"list","model":"text-embedding-3-small","data":[{"object":"embedding","index":0,"embedding":[0.5,0.25]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let server = serve(whole("200 OK", "application/json", answer)).await;
    let kind = AdapterKind::OpenAI;
    let model = target(kind, server.url("/v1/"), "text-embedding-3-small");
    let options = EmbedOptions::new()
        .with_dimensions(2)
        .with_encoding_format("float");
    let asking = client(&capture);
    let asking = asking.embed(model, "what nobody is to know", Some(&options));
    let answer = soon(asking).await.expect("vectors");
    assert_eq!(answer.first_vector(), Some(&vec![0.5, 0.25]));
    let record = over(&capture, None);
    assert_eq!(record.name, "embeddings text-embedding-3-small");
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(4));
    assert_eq!(int(&record, "gen_ai.embeddings.dimension.count"), Some(2));
    assert_eq!(capture.count(TOKENS), 1);
}

#[tokio::test]
async fn a_model_by_its_name_is_asked_where_a_resolver_says() {
    let server = serve(whole("200 OK", "application/json", ANSWER)).await;
    let capture = Capture::new();
    let url = server.url("/v1/");
    let resolves = move |mut target: genai::ServiceTarget| {
        target.endpoint = genai::resolver::Endpoint::from_owned(url.clone());
        target.auth = genai::resolver::AuthData::from_single("sk-secret");
        Ok(target)
    };
    let inner = crate::support::bare()
        .with_service_target_resolver_fn(resolves)
        .build()
        .expect("a client");
    let llm = crate::support::llm(&capture);
    let told = obs_llm::adapters::genai::Client::new(inner, &llm)
        .with_provider(obs_llm::Provider::named("vllm"))
        .with_server("gpu-7", Some(8000));
    let asking = told.exec_chat("openai::gpt-4o-mini", hello(), None);
    let usage: Usage = soon(asking).await.expect("an answer").usage;
    assert_eq!(usage.prompt_tokens, Some(8));
    let record = over(&capture, None);
    assert_eq!(record.name, "chat gpt-4o-mini");
    assert_eq!(record.text("gen_ai.provider.name"), Some("vllm"));
    assert_eq!(record.text("server.address"), Some("gpu-7"));
}

/// What genai adds up by a provider's arithmetic, and what it does not.
#[tokio::test]
async fn the_parts_are_in_the_tokens_once_whoever_answers() {
    let hi = r#""message":{"role":"assistant","content":"Hi"},"finish_reason":"stop""#;
    let xai = |output, reasoning| {
        let parts = format!(r#"{{"reasoning_tokens":{reasoning}}}"#);
        format!(
            r#"{{"choices":[{{"index":0,{hi}}}],"usage":{{"prompt_tokens":8,"completion_tokens":{output},"total_tokens":23,"completion_tokens_details":{parts}}}}}"#
        )
    };
    let bedrock = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":115,"cacheReadInputTokens":90,"cacheWriteInputTokens":10}}"#;
    let gemini = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":58,"thoughtsTokenCount":50}}"#;
    for (kind, path, body, input, output) in [
        // Their caches stand beside the input.
        (AdapterKind::BedrockApi, "/", bedrock.to_owned(), 110, 5),
        // Reasoning stands beside the output of some of their models, and in that of others.
        (AdapterKind::Xai, "/v1/", xai(5, 10), 8, 15),
        (AdapterKind::Xai, "/v1/", xai(15, 10), 8, 15),
        // It ended within its thoughts.
        (AdapterKind::Gemini, "/v1beta/", gemini.to_owned(), 8, 50),
    ] {
        let capture = Capture::new();
        let server = serve(whole("200 OK", "application/json", &body)).await;
        let model = target(kind, server.url(path), "a-model");
        let asking = client(&capture);
        let answer = soon(asking.exec_chat(model, hello(), None)).await;
        answer.expect("an answer");
        let record = over(&capture, None);
        assert_eq!(
            int(&record, "gen_ai.usage.input_tokens"),
            Some(input),
            "{kind:?}"
        );
        assert_eq!(
            int(&record, "gen_ai.usage.output_tokens"),
            Some(output),
            "{kind:?}"
        );
    }
}
