//! Dialects and kinds of spans: one of each for a telemetry.

use crate::support::{MODEL, Rig, server_of};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::gen_ai;
use obs_core::{Outcome, Parent, StatsLevel, Telemetry};
use obs_llm::server::{LLM_SERVER, LLM_SERVER_INTERNAL, LLM_SERVER_INTERNAL_MAIN, LLM_SERVER_MAIN};
use obs_llm::wire::{RequestSink, ResponseSink};
use obs_llm::{Dialect, LlmOperation, ModelServer, Provider, Tokens, Usage};
use obs_testing::{AttrValue, Capture, assert_tree};

#[track_caller]
fn kind(dialect: Dialect, span: SpanKind, expect: &'static obs_core::Descriptor) {
    let capture = Capture::new();
    let server = server_of(&capture)
        .with_dialect(dialect)
        .with_span_kind(span);
    assert!(std::ptr::eq(server.kind().descriptor(), expect));
    assert_eq!(capture.telemetry().warnings(), [""; 0]);
}

#[test]
fn there_is_a_kind_for_each_dialect_and_kind_of_span() {
    kind(Dialect::V1_41, SpanKind::Server, &LLM_SERVER);
    kind(Dialect::V1_41, SpanKind::Internal, &LLM_SERVER_INTERNAL);
    kind(Dialect::Main, SpanKind::Server, &LLM_SERVER_MAIN);
    kind(Dialect::Main, SpanKind::Internal, &LLM_SERVER_INTERNAL_MAIN);
    // A server is no client.
    kind(Dialect::V1_41, SpanKind::Client, &LLM_SERVER);
}

#[test]
fn the_span_is_internal_where_one_server_span_is_enough() {
    let rig = Rig::with(
        |builder| builder,
        |server| server.with_span_kind(SpanKind::Internal),
    );
    rig.request().end(Outcome::ANSWERED);
    assert_tree(
        rig.capture.tree().without_attributes(),
        r#"
        trace 1
          chat tiny-llama [internal]
        "#,
    );
    assert_eq!(rig.durations(), [(String::new(), 1)]);
}

#[test]
fn a_server_with_another_dialect_takes_that_of_the_first_and_says_so() {
    let capture = Capture::new();
    let first = server_of(&capture).with_dialect(Dialect::Main);
    let second = server_of(&capture).with_dialect(Dialect::V1_41);
    for server in [&first, &second] {
        let mut request = server.request(LlmOperation::Chat, Parent::Root);
        request.usage(&Usage::new().with(Tokens::CacheWrite, 3));
        request.end(Outcome::ANSWERED);
    }
    assert!(std::ptr::eq(first.kind(), second.kind()));
    assert_eq!(capture.count(gen_ai::SERVER_REQUEST_DURATION), 2);
    for record in capture.records() {
        let written = record.attr("gen_ai.usage.cache_write.input_tokens");
        assert_eq!(written, Some(&3.into()));
    }
    let warnings = capture.telemetry().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("dialect"), "{warnings:?}");
}

#[test]
fn the_dialects_differ_in_what_the_conventions_differ_in() {
    let attributes = |dialect| {
        let rig = Rig::with(|builder| builder, |server| server.with_dialect(dialect));
        let mut request = rig.request();
        request.top_k(40.0);
        request.reasoning_level("high");
        request.previous_response("r-0");
        request.status("completed");
        let usage = Usage::new()
            .with(Tokens::Input, 9)
            .with(Tokens::CacheWrite, 3)
            .with(Tokens::ImageInput, 2);
        request.usage(&usage);
        request.end(Outcome::ANSWERED);
        let record = rig.capture.record();
        [
            "gen_ai.request.top_k",
            "gen_ai.request.reasoning.level",
            "gen_ai.request.previous_response.id",
            "gen_ai.response.status",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.image.input_tokens",
        ]
        .map(|key| record.attr(key).cloned())
    };
    let old = [
        Some(AttrValue::from(40.0)),
        None,
        None,
        None,
        Some(3.into()),
        None,
        None,
    ];
    assert_eq!(attributes(Dialect::V1_41), old);
    let new = [
        Some(AttrValue::from(40)),
        Some("high".into()),
        Some("r-0".into()),
        Some("completed".into()),
        None,
        Some(3.into()),
        Some(2.into()),
    ];
    assert_eq!(attributes(Dialect::Main), new);
}

#[test]
fn levels_and_thresholds_are_set_per_model() {
    let rig = Rig::new();
    let kind = rig.server.kind();
    assert!(kind.set_method_level(MODEL, Some(StatsLevel::Disabled)));
    assert!(!rig.request().is_recording());
    let large = ModelServer::new(rig.capture.telemetry(), Provider::named("acme"), "large")
        .with_dialect(Dialect::V1_41);
    let request = large.request(LlmOperation::Chat, Parent::Root);
    assert!(request.is_recording());
    request.end(Outcome::ANSWERED);
    assert_eq!(rig.durations(), [(String::new(), 1)]);
}

#[test]
fn a_telemetry_that_records_nothing_takes_everything() {
    let server = ModelServer::new(&Telemetry::noop(), Provider::named("acme"), MODEL).with_slots(2);
    let mut request = server.request(LlmOperation::Chat, Parent::Current);
    request.scheduled_at(server.now());
    request.token_at(server.step(1));
    server.kv_cache_usage(0.5);
    server.kv_cache_usage(5.0);
    assert!(!request.is_recording());
    assert!(request.handle().is_none());
    request.end(Outcome::ANSWERED);
}

#[test]
fn nothing_is_recorded_after_shutdown() {
    let rig = Rig::new();
    let mut request = rig.request();
    let telemetry = *rig.capture.telemetry();
    let done = telemetry.shutdown(std::time::Duration::from_millis(10));
    drop(done);
    // It outlives its telemetry.
    rig.decode(&mut request, 40);
    request.end(Outcome::ANSWERED);
    assert!(!rig.request().is_recording());
}
