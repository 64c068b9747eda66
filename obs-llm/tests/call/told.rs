//! All that a call is told of its request and of its answer, as its span says it.

use super::*;
use obs_llm::wire::{ServerPart, Wire};
use obs_testing::assert_tree;

fn everything(capture: &Capture, dialect: Dialect) {
    let llm = Llm::new(capture.telemetry()).with_dialect(dialect);
    let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
    call.set_wire(Wire::OpenAiResponses);
    call.set_server("llm.internal", Some(8443));
    call.set_prompt("greeting", Some("7"));
    call.model("gpt-5");
    call.max_tokens(4096);
    call.temperature(0.25);
    call.top_p(0.5);
    call.top_k(40.0);
    call.frequency_penalty(-1.5);
    call.presence_penalty(0.75);
    call.seed(-3);
    call.choice_count(2);
    call.stop_sequence("END");
    call.stop_sequence("\n\n");
    call.reasoning_level("high");
    call.output_type("json");
    call.encoding_format("base64");
    call.dimensions(256);
    call.previous_response("resp_0");
    call.conversation("conv_1");
    RequestSink::service_tier(&mut call, "priority");
    call.response_id("resp_1");
    call.response_model("gpt-5-2025-08-07");
    ResponseSink::service_tier(&mut call, "default");
    call.system_fingerprint("fp_1");
    call.status("incomplete");
    call.server_time(ServerPart::Load, 1_000_000_000);
    call.server_time(ServerPart::Prefill, 250_000_000);
    call.server_time(ServerPart::Decode, 1_500_000_000);
    call.server_time(ServerPart::Total, 2_750_000_000);
    call.finish_reason(1, "max_output_tokens");
    call.finish_reason(0, "stop");
    call.usage(&usage());
    call.end();
}

#[test]
fn all_that_is_told_is_said_by_the_older_names() {
    let capture = Capture::new();
    everything(&capture, Dialect::V1_41);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          chat gpt-5 [client]
            - gen_ai.conversation.id: "conv_1"
            - gen_ai.embeddings.dimension.count: 256
            - gen_ai.operation.name: "chat"
            - gen_ai.output.type: "json"
            - gen_ai.prompt.name: "greeting"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.choice.count: 2
            - gen_ai.request.encoding_formats: ["base64"]
            - gen_ai.request.frequency_penalty: -1.5
            - gen_ai.request.max_tokens: 4096
            - gen_ai.request.model: "gpt-5"
            - gen_ai.request.presence_penalty: 0.75
            - gen_ai.request.seed: -3
            - gen_ai.request.stop_sequences: ["END", "\n\n"]
            - gen_ai.request.temperature: 0.25
            - gen_ai.request.top_k: 40.0
            - gen_ai.request.top_p: 0.5
            - gen_ai.response.finish_reasons: ["stop", "max_output_tokens"]
            - gen_ai.response.id: "resp_1"
            - gen_ai.response.model: "gpt-5-2025-08-07"
            - gen_ai.usage.cache_read.input_tokens: 1500
            - gen_ai.usage.input_tokens: 2000
            - gen_ai.usage.output_tokens: 101
            - gen_ai.usage.reasoning.output_tokens: 20
            - obs.llm.server.decode.duration: 1.5
            - obs.llm.server.load.duration: 1.0
            - obs.llm.server.prefill.duration: 0.25
            - obs.llm.server.total.duration: 2.75
            - obs.llm.wire: "openai_responses"
            - openai.api.type: "responses"
            - openai.request.service_tier: "priority"
            - openai.response.service_tier: "default"
            - openai.response.system_fingerprint: "fp_1"
            - server.address: "llm.internal"
            - server.port: 8443
        "#,
    );
}

#[test]
fn the_newer_names_say_more_and_count_candidates_of_sampling_whole() {
    let capture = Capture::new();
    everything(&capture, Dialect::Main);
    let record = capture.record();
    for (key, value) in [
        ("gen_ai.request.top_k", 40_i64.into()),
        ("gen_ai.request.reasoning.level", "high".into()),
        ("gen_ai.request.previous_response.id", "resp_0".into()),
        ("gen_ai.prompt.version", "7".into()),
        ("gen_ai.response.status", "incomplete".into()),
    ] {
        assert_eq!(record.attr(key), Some(&value), "{key}");
    }
}

#[test]
fn chunks_that_come_at_once_cost_no_more_than_one() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    for count in [u32::MAX, u32::MAX, 1] {
        capture.clock().advance(MS);
        call.chunks(count);
    }
    call.chunks(0);
    call.end();
    let all = 2 * u64::from(u32::MAX) + 1;
    let gaps = "gen_ai.client.operation.time_per_output_chunk";
    assert_eq!(capture.count(gaps), all - 1);
    let record = capture.record();
    let told = |key| record.attr(key).cloned();
    assert_eq!(told("obs.llm.response.chunks"), Some((all as i64).into()));
    // All but three came with no time between.
    assert_eq!(told("obs.llm.response.chunk_gap.max"), Some(0.001.into()));
}

#[test]
fn of_what_a_request_says_twice_the_last_counts() {
    for (said, streams) in [([true, false], false), ([false, true], true)] {
        let capture = Capture::new();
        let mut call = llm(&capture).call(LlmOperation::Chat, &Provider::OPENAI);
        said.into_iter().for_each(|said| call.stream(said));
        call.content(Content::Text);
        call.end();
        let record = capture.record();
        let told = record.attr("gen_ai.request.stream").cloned();
        assert_eq!(told, streams.then(|| true.into()), "{said:?}");
        // Chunks of an answer in one piece have no times.
        let first = record.attr("gen_ai.response.time_to_first_chunk");
        assert_eq!(first.is_some(), streams, "{said:?}");
    }
}

#[test]
fn a_reason_of_a_ninth_choice_is_an_anomaly_and_the_call_is_whole_at_its_end_alone() {
    let capture = Capture::new();
    for choices in [8, 9] {
        let mut call = llm(&capture).call(LlmOperation::Chat, &Provider::OPENAI);
        call.choice_count(choices.into());
        (0..choices).for_each(|choice| call.finish_reason(choice, "stop"));
        drop(call);
        let mut call = llm(&capture).call(LlmOperation::Chat, &Provider::OPENAI);
        call.choice_count(choices.into());
        (0..choices).for_each(|choice| call.finish_reason(choice, "stop"));
        ResponseSink::complete(&mut call);
        drop(call);
    }
    let records = capture.records();
    let ends: Vec<_> = records.iter().map(|record| record.error_type()).collect();
    assert_eq!(ends, [None, None, Some("cancelled"), None]);
    let untold = [("obs.anomaly", "choice_untold".into())];
    let untold = capture.points().sum("obs.llm.anomalies", &untold);
    assert_eq!(untold.map(|point| point.as_f64()), Some(2.0));
}
