//! What is asked and answered to the end.

use crate::server::{serve, soon, streamed, whole};
use crate::support::{
    ACTIVE, DURATION, FIRST, TOKENS, anthropic, chat, hello, int, layer, openai, over,
};
use futures_util::StreamExt;
use obs_testing::{Capture, assert_tree};
use rig_core::completion::GenerationOptions;
use rig_core::streaming::{Item, StreamEvent};

pub(crate) const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"The sky."},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":5,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":3}}}"#;

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
    let model = chat(&capture, &server.url(""));
    let options = GenerationOptions::new().top_p(0.9).seed(7).stop(["END"]);
    let mut request = hello().options(options);
    request.temperature = Some(0.5);
    request.max_tokens = Some(64);
    let answer = soon(model.call(request)).await.expect("an answer");
    assert_eq!(answer.usage.input_tokens, Some(8));
    let port = server.address.port();
    assert_tree(
        capture.tree(),
        &format!(
            r#"
        trace 1
          chat gpt-4o-mini [client]
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "_OTHER"
            - gen_ai.request.max_tokens: 64
            - gen_ai.request.model: "gpt-4o-mini"
            - gen_ai.request.seed: 7
            - gen_ai.request.stop_sequences: ["END"]
            - gen_ai.request.temperature: 0.5
            - gen_ai.request.top_p: 0.9
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.response.id: "c1"
            - gen_ai.response.model: "gpt-4o-mini-2024-07-18"
            - gen_ai.usage.cache_read.input_tokens: 6
            - gen_ai.usage.input_tokens: 8
            - gen_ai.usage.output_tokens: 5
            - gen_ai.usage.reasoning.output_tokens: 3
            - obs.llm.wire: "openai_chat"
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
    let model = chat(&capture, &server.url(""));
    let mut stream = model.stream(hello()).expect("a stream");
    let mut text = String::new();
    while let Some(item) = soon(stream.next()).await {
        if let Item::Event(StreamEvent::Text { text: piece, .. }) = item.expect("unbroken") {
            text.push_str(&piece);
        }
    }
    assert_eq!(text, "The sky.");
    let answer = soon(stream.finish()).await.expect("an answer");
    assert_eq!(answer.usage.output_tokens, Some(2));
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
    let gaps = "gen_ai.client.operation.time_per_output_chunk";
    assert_eq!(capture.count(gaps), 1);
    assert_eq!(capture.count(TOKENS), 2);
    assert_eq!(capture.in_flight(ACTIVE), 0);
}

/// The stream of Anthropic's with thoughts, the stream with calls of tools.
#[tokio::test]
async fn whatever_comes_first_counts() {
    let thinking = include_str!("../corpus/anthropic/thinking.sse");
    let tools = include_str!("../corpus/anthropic/tools.sse");
    for (stream, first) in [(thinking, "thinking_delta"), (tools, "text_delta")] {
        let capture = Capture::new();
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        let at = events.iter().position(|event| event.contains(first));
        let server = serve(crate::server::begun(
            &events[..=at.expect("it is there")],
            &[crate::server::Act::Hold],
        ))
        .await;
        let model = anthropic(&server.url("")).completion("claude-sonnet-4-5");
        let model = layer(&capture).layer(model);
        let mut stream = model.stream(hello()).expect("a stream");
        while capture.count(FIRST) == 0 {
            soon(stream.next()).await.expect("more").expect("unbroken");
        }
        drop(stream);
        let record = over(&capture, Some("cancelled"));
        assert_eq!(int(&record, "obs.llm.response.chunks"), Some(1));
        assert!(int(&record, "gen_ai.usage.input_tokens").is_some());
    }
}

#[tokio::test]
async fn a_call_of_a_tool_alone_is_content_too() {
    let events = [
        EVENTS[0],
        "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        EVENTS[4],
        EVENTS[5],
    ];
    let capture = Capture::new();
    let server = serve(streamed(&events)).await;
    let model = chat(&capture, &server.url(""));
    let stream = model.stream(hello()).expect("a stream");
    soon(stream.finish()).await.expect("an answer");
    let record = over(&capture, None);
    assert_eq!(capture.count(FIRST), 1);
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&vec!["tool_calls"].into()));
}

#[tokio::test]
async fn what_is_read_is_what_would_be_read_without_us() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let bare = openai(&server.url("")).chat("gpt-4o-mini");
    let observed = layer(&capture).layer(bare.clone());
    let expect: Vec<_> = soon(bare.stream(hello()).expect("a stream").collect()).await;
    let items: Vec<_> = soon(observed.stream(hello()).expect("a stream").collect()).await;
    assert_eq!(format!("{items:?}"), format!("{expect:?}"));
    let expect = soon(bare.stream(hello()).expect("a stream").finish()).await;
    let answer = soon(observed.stream(hello()).expect("a stream").finish()).await;
    assert_eq!(format!("{answer:?}"), format!("{expect:?}"));
    assert_eq!(
        (observed.name(), observed.id()),
        (bare.name(), bare.id()),
        "it says the same of itself"
    );
    // And so are the requests.
    let asked = server.bodies();
    assert_eq!(asked[0], asked[1]);
    assert_eq!(capture.count(DURATION), 2);
}

#[tokio::test]
async fn embeddings_are_calls_of_their_kind() {
    let capture = Capture::new();
    let answer = r#"{"object":"list","model":"text-embedding-3-small","data":[{"object":"embedding","index":0,"embedding":[0.5,0.25]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#;
    let server = serve(whole("200 OK", "application/json", answer)).await;
    let model = openai(&server.url("")).embedding("text-embedding-3-small", Some(2));
    // Erased, as what stores vectors has it.
    let model = layer(&capture).layer(model).erase();
    let texts = vec!["what nobody is to know".to_owned()];
    let answer = soon(model.call(texts)).await.expect("vectors");
    assert_eq!(answer.usage.input_tokens, Some(4));
    let record = over(&capture, None);
    assert_eq!(record.name, "embeddings text-embedding-3-small");
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(4));
    assert_eq!(int(&record, "gen_ai.embeddings.dimension.count"), Some(2));
    assert_eq!(capture.count(TOKENS), 1);
}

#[tokio::test]
async fn a_service_says_who_answers_where_it_knows_better() {
    let capture = Capture::new();
    let server = serve(whole("200 OK", "application/json", ANSWER)).await;
    let told = layer(&capture)
        .with_provider(obs_llm::Provider::named("vllm"))
        .with_server("gpu-7", Some(8000));
    let model = told.layer(openai(&server.url("")).chat("gpt-4o-mini"));
    soon(model.call(hello())).await.expect("an answer");
    let record = over(&capture, None);
    assert_eq!(record.text("gen_ai.provider.name"), Some("vllm"));
    assert_eq!(record.text("server.address"), Some("gpu-7"));
    assert_eq!(int(&record, "server.port"), Some(8000));
}
