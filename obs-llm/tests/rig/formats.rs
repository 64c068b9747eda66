//! Each of rig's formats that is read here, by its frames.

use crate::client::Sends;
use crate::server::{Server, serve, soon, streamed};
use crate::support::{FIRST, anthropic, hello, hyper, int, layer, openai, over};
use obs_llm::adapters::rig::ModelLayer;
use obs_testing::Capture;
use rig_core::DynModel;
use rig_core::operation::Completion;
use rig_core::providers::gemini::GeminiConfig;
use rig_core::providers::ollama::OllamaConfig;

struct Case {
    answer: &'static str,
    model: fn(&ModelLayer, &Server) -> DynModel<Completion>,
    wire: &'static str,
    /// The operation's name, chunks with content, tokens in, tokens out, the reason: as the corpus has them.
    told: (&'static str, i64, i64, i64, &'static str),
}

const CASES: [Case; 4] = [
    Case {
        answer: include_str!("../corpus/openai_responses/streamed.sse"),
        model: |layer, server| {
            let model = openai(&server.url("")).responses("gpt-4.1");
            layer.layer(model).erase()
        },
        wire: "openai_responses",
        told: ("chat gpt-4.1", 3, 37, 11, "completed"),
    },
    Case {
        answer: include_str!("../corpus/gemini/text.sse"),
        model: |layer, server| {
            let mut config = GeminiConfig::new("sk-secret");
            config.base_url = server.url("");
            let model = config.connect(Sends(hyper()));
            let model = model.completion("gemini-2.5-flash");
            layer.layer(model).erase()
        },
        wire: "gemini",
        told: ("generate_content gemini-2.5-flash", 3, 8, 37, "STOP"),
    },
    Case {
        answer: include_str!("../corpus/anthropic/text.sse"),
        model: |layer, server| {
            let model = anthropic(&server.url("")).completion("claude-sonnet-4-5");
            layer.layer(model).erase()
        },
        wire: "anthropic_messages",
        told: ("chat claude-sonnet-4-5", 2, 25, 15, "end_turn"),
    },
    Case {
        answer: include_str!("../corpus/ollama/chat.ndjson"),
        model: |layer, server| {
            let mut config = OllamaConfig::new();
            config.base_url = server.url("");
            // By default rig speaks OpenAI's format with it.
            let model = config.connect(Sends(hyper()));
            let model = model.native_completion("qwen3:4b");
            layer.layer(model).erase()
        },
        wire: "ollama",
        told: ("chat qwen3:4b", 2, 26, 282, "stop"),
    },
];

#[tokio::test]
async fn each_is_read() {
    for case in &CASES {
        let (name, chunks, input, output, reason) = case.told;
        let capture = Capture::new();
        let server = serve(streamed(&[case.answer])).await;
        let model = (case.model)(&layer(&capture), &server);
        let stream = model.stream(hello()).expect("a stream");
        soon(stream.finish()).await.expect(case.wire);
        assert_eq!(capture.count(FIRST), 1, "{}", case.wire);
        let record = over(&capture, None);
        assert_eq!(record.name, name);
        assert_eq!(record.text("obs.llm.wire"), Some(case.wire));
        assert_eq!(int(&record, "obs.llm.response.chunks"), Some(chunks));
        assert_eq!(int(&record, "gen_ai.usage.input_tokens"), Some(input));
        assert_eq!(int(&record, "gen_ai.usage.output_tokens"), Some(output));
        let reasons = record.attr("gen_ai.response.finish_reasons");
        assert_eq!(reasons, Some(&vec![reason].into()), "{}", case.wire);
    }
}
