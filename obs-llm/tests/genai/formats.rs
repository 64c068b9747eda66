//! Each format whose frames are read, and the same by genai's events: both tell the same.

use crate::server::{serve, soon, streamed};
use crate::support::{FIRST, bare, client, hello, int, llm, over, target};
use futures_util::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::ChatOptions;
use obs_llm::adapters::genai::Client;
use obs_testing::Capture;

struct Case {
    kind: AdapterKind,
    path: &'static str,
    model: &'static str,
    answer: &'static str,
    wire: &'static str,
    /// Chunks with content, tokens in, tokens out, the reason: as the corpus has them.
    told: (i64, i64, i64, &'static str),
}

const CASES: [Case; 4] = [
    Case {
        kind: AdapterKind::OpenAIResp,
        path: "/v1/",
        model: "gpt-4.1",
        answer: include_str!("../corpus/openai_responses/streamed.sse"),
        wire: "openai_responses",
        told: (3, 37, 11, "completed"),
    },
    Case {
        kind: AdapterKind::Gemini,
        path: "/v1beta/",
        model: "gemini-2.5-flash",
        answer: include_str!("../corpus/gemini/text.sse"),
        wire: "gemini",
        told: (3, 8, 37, "STOP"),
    },
    Case {
        kind: AdapterKind::Anthropic,
        path: "/v1/",
        model: "claude-sonnet-4-5",
        answer: include_str!("../corpus/anthropic/text.sse"),
        wire: "anthropic_messages",
        told: (2, 25, 15, "end_turn"),
    },
    Case {
        kind: AdapterKind::Ollama,
        path: "/",
        model: "qwen3:4b",
        answer: include_str!("../corpus/ollama/chat.ndjson"),
        wire: "ollama",
        told: (2, 26, 282, "stop"),
    },
];

async fn told(case: &Case, capture: &Capture, client: &Client, wire: Option<&str>) {
    let server = serve(streamed(&[case.answer])).await;
    let model = target(case.kind, server.url(case.path), case.model);
    let asking = client.exec_chat_stream(model, hello(), None);
    let stream = soon(asking).await.expect("a stream").stream;
    let events: Vec<_> = soon(stream.collect()).await;
    assert!(events.iter().all(Result::is_ok), "{events:?}");
    assert_eq!(capture.count(FIRST), 1, "{}", case.wire);
    let record = over(capture, None);
    let (chunks, input, output, reason) = case.told;
    assert_eq!(int(&record, "obs.llm.response.chunks"), Some(chunks));
    assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(input));
    assert_eq!(int(&record, "gen_ai.usage.output_tokens"), Some(output));
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&vec![reason].into()), "{}", case.wire);
    assert_eq!(record.text("obs.llm.wire"), wire);
}

#[tokio::test]
async fn by_their_frames() {
    for case in &CASES {
        let capture = Capture::new();
        told(case, &capture, &client(&capture), Some(case.wire)).await;
    }
}

#[tokio::test]
async fn by_genais_events() {
    for case in &CASES {
        let capture = Capture::new();
        // Defaults that are not told here are not touched.
        let defaults = ChatOptions::default().with_capture_usage(true);
        let inner = bare().with_chat_options(defaults).build();
        let client = Client::new(inner.expect("a client"), &llm(&capture));
        told(case, &capture, &client, None).await;
    }
}
