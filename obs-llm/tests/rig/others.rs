//! Models whose answers are in no format that is read here: measured by rig's own reading.

use crate::client::Sends;
use crate::server::{Act, begun, serve, soon, streamed, whole};
use crate::support::{DURATION, hello, hyper, int, layer, over};
use futures_util::StreamExt;
use obs_testing::Capture;
use rig_core::driver::{Exchange, Local, Opened, Opening, Step, Transport};
use rig_core::embeddings::EmbeddingResponse;
use rig_core::error::ProviderError;
use rig_core::operation::{Completion, Embedding};
use rig_core::providers::cohere::{ChatRoute, CohereConfig};
use rig_core::{DynModel, Model};

const EVENTS: &[&str] = &[
    "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"m1\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n",
    "event: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}\n\n",
    "event: content-end\ndata: {\"type\":\"content-end\",\"index\":0}\n\n",
    "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":3,\"output_tokens\":1},\"tokens\":{\"input_tokens\":4,\"output_tokens\":1}}}}\n\n",
];

fn cohere(capture: &Capture, url: &str) -> DynModel<Completion> {
    let config = CohereConfig::new("sk-secret").with_base_url(url);
    let mut model = config.connect(Sends(hyper())).completion("command-r");
    // Cohere's own format: by default rig speaks OpenAI's with it.
    model.wire = model.wire.with_route(ChatRoute::Native);
    layer(capture).layer(model).erase()
}

#[tokio::test]
async fn a_stream_that_rig_reads_to_its_end_is_answered() {
    let server = serve(streamed(EVENTS)).await;
    let capture = Capture::new();
    let model = cohere(&capture, &server.url(""));
    let mut request = hello();
    request.temperature = Some(0.5);
    let stream = model.stream(request).expect("a stream");
    soon(stream.finish()).await.expect("an answer");
    let record = over(&capture, None);
    assert_eq!(record.name, "chat command-r");
    assert_eq!(record.text("gen_ai.provider.name"), Some("cohere"));
    assert_eq!(record.attr("gen_ai.request.temperature"), Some(&0.5.into()));
    assert_eq!(record.text("obs.llm.wire"), None);
}

#[tokio::test]
async fn an_answer_in_one_piece_is_answered_too() {
    let answer = r#"{"id":"m1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"Hi"}]},"usage":{"billed_units":{"input_tokens":3,"output_tokens":1},"tokens":{"input_tokens":4,"output_tokens":1}}}"#;
    for (answer, error) in [(answer, None), ("[]", Some("incomplete_response"))] {
        let server = serve(whole("200 OK", "application/json", answer)).await;
        let capture = Capture::new();
        let model = cohere(&capture, &server.url(""));
        let answer = soon(model.call(hello())).await;
        assert_eq!(answer.is_err(), error.is_some());
        over(&capture, error);
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_before_is_cancelled() {
    let server = serve(begun(&EVENTS[..3], &[Act::Hold])).await;
    let capture = Capture::new();
    let model = cohere(&capture, &server.url(""));
    let mut stream = model.stream(hello()).expect("a stream");
    soon(stream.next()).await.expect("more").expect("unbroken");
    drop(stream);
    over(&capture, Some("cancelled"));
}

#[tokio::test]
async fn a_stream_that_is_no_more_or_no_json_is_incomplete() {
    let broken = [EVENTS[0], "data: {\"type\":\n\n"];
    for events in [&EVENTS[..3], &broken] {
        let server = serve(streamed(events)).await;
        let capture = Capture::new();
        let model = cohere(&capture, &server.url(""));
        let stream = model.stream(hello()).expect("a stream");
        soon(stream.finish()).await.expect_err("it is not whole");
        over(&capture, Some("incomplete_response"));
    }
}

#[tokio::test]
async fn a_refusal_has_its_status() {
    let server = serve(whole(
        "401 Unauthorized",
        "application/json",
        r#"{"message":"invalid api token"}"#,
    ))
    .await;
    let capture = Capture::new();
    let model = cohere(&capture, &server.url(""));
    soon(model.call(hello())).await.expect_err("refused");
    over(&capture, Some("401"));
}

/// A model within the process: two numbers for each text.
#[derive(Clone)]
struct Counts {
    fails: bool,
}

impl Transport<Local<Embedding>> for Counts {
    fn send(&self, texts: Vec<String>, _: Exchange) -> Opening<Step<Embedding>> {
        if self.fails {
            return Opening::failed(ProviderError::Provider("no memory".to_owned()));
        }
        let vectors = texts.into_iter().map(|document| {
            let vec = vec![document.len() as f64, 1.0];
            rig_core::embeddings::Embedding { document, vec }
        });
        let answer = EmbeddingResponse::new(vectors.collect());
        let frames = futures_util::stream::iter([Ok(Step::End(answer))]);
        Opening::ready(Opened::new(frames))
    }
}

#[tokio::test]
async fn a_model_within_the_process_is_measured_too() {
    for (fails, error) in [(false, None), (true, Some("_OTHER"))] {
        let capture = Capture::new();
        let wire = Local::<Embedding>::new("counts").with_id("two-numbers");
        let model = layer(&capture).layer(Model::new(wire, Counts { fails }));
        let answer = soon(model.call(vec!["abc".to_owned()])).await;
        assert_eq!(answer.is_err(), fails);
        let record = over(&capture, error);
        assert_eq!(record.name, "embeddings two-numbers");
        assert_eq!(record.text("gen_ai.provider.name"), Some("counts"));
        assert_eq!(int(&record, "gen_ai.usage.input_tokens"), None);
        assert_eq!(capture.count(DURATION), 1);
    }
}
