//! One request from its beginning to its end, and what it is told by.

use crate::support::{MODEL, Rig, near, texts};
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Outcome, Parent, StatsLevel};
use obs_llm::wire::{RequestScanner, RequestSink, ResponseSink, Wire};
use obs_llm::{LlmOperation, Tokens, Usage};
use obs_testing::{AttrValue, assert_tree};

#[test]
fn each_part_of_a_request_has_its_time() {
    let rig = Rig::new();
    let mut request = rig.request();
    assert_eq!((rig.active(), rig.waiting()), (1, 1));
    rig.pass(30);
    request.scheduled();
    assert_eq!((rig.active(), rig.waiting()), (1, 0));
    near(rig.stage("queue").unwrap().sum, 0.030);
    request.prefilled(17);
    rig.pass(50);
    request.token();
    near(rig.stage("prefill").unwrap().sum, 0.050);
    for gap in [10, 40, 10] {
        rig.pass(gap);
        request.token();
    }
    rig.pass(5);
    request.finish_reason(0, "stop");
    request.end(Outcome::ANSWERED);

    assert_eq!((rig.active(), rig.waiting()), (0, 0));
    near(rig.stage("decode").unwrap().sum, 0.060);
    near(rig.point(gen_ai::SERVER_REQUEST_DURATION).sum, 0.145);
    let first = rig.point(gen_ai::SERVER_TIME_TO_FIRST_TOKEN);
    assert_eq!(first.count, 1);
    near(first.sum, 0.080);
    near(rig.point(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN).sum, 0.020);
    assert_eq!(rig.total(obs::LLM_SERVER_INPUT_TOKENS), 17);
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 4);

    let record = rig.capture.record();
    let seconds = |key: obs_core::Key| record.attr(key.as_str()).and_then(AttrValue::as_f64);
    near(seconds(obs::LLM_SERVER_QUEUE), 0.030);
    near(seconds(obs::LLM_SERVER_PREFILL), 0.050);
    near(seconds(obs::LLM_SERVER_DECODE), 0.060);
    near(seconds(obs::LLM_SERVER_FIRST_TOKEN), 0.080);
    near(seconds(obs::LLM_SERVER_TOKEN_GAP_MAX), 0.040);
    near(seconds(obs::LLM_TIME_PER_OUTPUT_TOKEN_ATTRIBUTE), 0.020);
}

#[test]
fn the_span_is_that_of_an_inference_on_the_side_that_answers() {
    let rig = Rig::with(
        |builder| builder,
        |server| server.with_address("10.0.0.9", Some(8080)),
    );
    let mut request = rig.request();
    request.model(MODEL);
    request.stream(true);
    request.max_tokens(256);
    request.temperature(0.5);
    request.top_k(40.0);
    request.seed(7);
    request.stop_sequence("\n\n");
    request.conversation("c-1");
    rig.decode(&mut request, 3);
    request.cached(5);
    request.response_id("r-1");
    request.finish_reason(0, "length");
    request.end(Outcome::ANSWERED);

    assert_tree(
        rig.capture.tree(),
        r#"
        trace 1
          chat tiny-llama [server]
            - gen_ai.conversation.id: "c-1"
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "acme"
            - gen_ai.request.max_tokens: 256
            - gen_ai.request.model: "tiny-llama"
            - gen_ai.request.seed: 7
            - gen_ai.request.stop_sequences: ["\n\n"]
            - gen_ai.request.stream: true
            - gen_ai.request.temperature: 0.5
            - gen_ai.request.top_k: 40.0
            - gen_ai.response.finish_reasons: ["length"]
            - gen_ai.response.id: "r-1"
            - gen_ai.response.model: "tiny-llama"
            - gen_ai.usage.cache_read.input_tokens: 5
            - gen_ai.usage.input_tokens: 12
            - gen_ai.usage.output_tokens: 3
            - obs.llm.response.time_per_output_token: 0.01
            - obs.llm.server.decode.duration: 0.02
            - obs.llm.server.prefill.duration: 0.02
            - obs.llm.server.queue.duration: 0.0
            - obs.llm.server.time_to_first_token: 0.02
            - obs.llm.server.token_gap.max: 0.01
            - server.address: "10.0.0.9"
            - server.port: 8080
        "#,
    );
    assert_eq!(rig.total(obs::LLM_SERVER_INPUT_TOKENS), 12);
    assert_eq!(rig.total(obs::LLM_SERVER_CACHED_TOKENS), 5);
}

#[test]
fn a_scanner_tells_it_what_a_body_asks_for() {
    let rig = Rig::new();
    let mut request = rig.request();
    let body = br#"{"messages":[{"role":"user","content":"\"model\":\"x\""}],"temperature":0.25,
        "model":"tiny-llama","stream":true,"n":2,"max_completion_tokens":64,"stop":["a","b"],"seed":3}"#;
    let mut scanner = RequestScanner::new(Wire::OpenAiChat);
    for piece in body.chunks(7) {
        scanner.feed(piece, &mut request);
    }
    request.end(Outcome::ANSWERED);
    let record = rig.capture.record();
    for (key, value) in [
        ("gen_ai.request.model", AttrValue::from(MODEL)),
        ("gen_ai.request.temperature", 0.25.into()),
        ("gen_ai.request.stream", true.into()),
        ("gen_ai.request.choice.count", 2.into()),
        ("gen_ai.request.max_tokens", 64.into()),
        ("gen_ai.request.stop_sequences", texts(&["a", "b"])),
        ("gen_ai.request.seed", 3.into()),
    ] {
        assert_eq!(record.attr(key), Some(&value), "{key}");
    }
}

#[test]
fn what_nobody_tells_is_absent() {
    let rig = Rig::new();
    let mut request = rig.request();
    rig.pass(20);
    // A server without a queue: nobody says when it began.
    request.token();
    assert_eq!((rig.active(), rig.waiting()), (1, 0));
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.stage("queue"), None);
    assert_eq!(rig.stage("prefill"), None);
    assert_eq!(
        rig.stage("decode"),
        None,
        "one token takes no time after itself"
    );
    assert_eq!(rig.capture.count(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN), 0);
    near(rig.point(gen_ai::SERVER_TIME_TO_FIRST_TOKEN).sum, 0.020);
    let record = rig.capture.record();
    for key in [
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.response.finish_reasons",
        "obs.llm.server.queue.duration",
        "obs.llm.server.prefill.duration",
        "obs.llm.server.decode.duration",
        "obs.llm.server.token_gap.max",
        "obs.llm.server.preemptions",
        "obs.llm.response.time_per_output_token",
    ] {
        assert_eq!(record.attr(key), None, "{key}");
    }
}

#[test]
fn vectors_have_no_tokens() {
    let rig = Rig::new();
    let mut request = rig.server.request(LlmOperation::Embeddings, Parent::Root);
    request.dimensions(256);
    request.scheduled();
    request.prefilled(9);
    rig.pass(3);
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.capture.count(gen_ai::SERVER_TIME_TO_FIRST_TOKEN), 0);
    assert_eq!(rig.durations(), [(String::new(), 1)]);
    let record = rig.capture.record();
    assert_eq!(record.name, "embeddings tiny-llama");
    assert_eq!(record.attr("gen_ai.usage.input_tokens"), Some(&9.into()));
    assert_eq!(record.attr("gen_ai.usage.output_tokens"), None);
}

#[test]
fn what_is_told_of_tokens_goes_before_what_was_counted() {
    let rig = Rig::new();
    let mut request = rig.request();
    // Chunks of several tokens, counted by the chunk.
    rig.decode(&mut request, 3);
    let told = Usage::new()
        .with(Tokens::Output, 11)
        .with(Tokens::Reasoning, 4)
        .with(Tokens::Input, 9);
    request.usage(&told);
    request.end(Outcome::ANSWERED);
    let record = rig.capture.record();
    let count = |key| record.attr(key).and_then(AttrValue::as_i64);
    assert_eq!(count("gen_ai.usage.input_tokens"), Some(9));
    assert_eq!(count("gen_ai.usage.output_tokens"), Some(11));
    assert_eq!(count("gen_ai.usage.reasoning.output_tokens"), Some(4));
    assert_eq!(rig.total(obs::LLM_SERVER_INPUT_TOKENS), 9);
    assert_eq!(rig.total(obs::LLM_SERVER_OUTPUT_TOKENS), 11);
    // 20 ms for the ten tokens after the first.
    near(rig.point(gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN).sum, 0.002);
}

#[test]
fn at_detailed_its_moments_are_events_of_the_span() {
    let rig = Rig::with(
        |builder| builder.with_level(StatsLevel::Detailed),
        |server| server,
    );
    let mut request = rig.request();
    rig.pass(5);
    rig.decode(&mut request, 2);
    request.end(Outcome::ANSWERED);
    let record = rig.capture.record();
    let names = record.event_names();
    assert_eq!(names, ["scheduled", "first_output"]);
    let at = |event: usize| (record.events[event].time_ns - record.start_ns) / 1_000_000;
    assert_eq!((at(0), at(1)), (5, 25));
}
