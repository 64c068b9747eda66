//! One duration, one record, no call left running, whichever way it ends.

use super::*;
use obs_core::{End, ErrorType, Outcome, StatsLevel};
use obs_llm::{INCOMPLETE, LLM_CLIENT};
use obs_testing::{AttrValue, assert_tree};

const DURATION: &str = "gen_ai.client.operation.duration";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const GAP: &str = "gen_ai.client.operation.time_per_output_chunk";
const ACTIVE: &str = "obs.llm.client.active_calls";

#[test]
fn an_answer_says_all_of_itself() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    assert_eq!(capture.in_flight(ACTIVE), 1);
    answer(&capture, &mut call);
    call.end();
    assert_tree(
        capture.tree().with_durations(true),
        r#"
        trace 1
          chat claude-sonnet-4-5 [client] 150ms
            - gen_ai.operation.name: "chat"
            - gen_ai.provider.name: "anthropic"
            - gen_ai.request.max_tokens: 1024
            - gen_ai.request.model: "claude-sonnet-4-5"
            - gen_ai.request.stream: true
            - gen_ai.request.temperature: 0.5
            - gen_ai.response.finish_reasons: ["end_turn"]
            - gen_ai.response.id: "msg_1"
            - gen_ai.response.model: "claude-sonnet-4-5-20250929"
            - gen_ai.response.time_to_first_chunk: 0.1
            - gen_ai.usage.cache_read.input_tokens: 1500
            - gen_ai.usage.input_tokens: 2000
            - gen_ai.usage.output_tokens: 101
            - gen_ai.usage.reasoning.output_tokens: 20
            - obs.llm.response.chunk_gap.max: 0.03
            - obs.llm.response.chunks: 3
            - obs.llm.response.time_per_output_token: 0.0005
            - server.address: "api.anthropic.com"
            - server.port: 443
        "#,
    );
    assert_eq!(capture.in_flight(ACTIVE), 0);
    assert_eq!(capture.count(DURATION), 1);
    assert_eq!(capture.count(FIRST), 1);
    assert_eq!(capture.count(GAP), 2);
}

#[test]
fn times_of_chunks_and_tokens_are_told_without_an_error_whatever_becomes_of_the_call() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    answer(&capture, &mut call);
    call.end_with(Outcome::failed(ErrorType::code(529)));
    let points = capture.points();
    let failed = [("error.type", AttrValue::from("529"))];
    let duration = points.histogram(DURATION, &failed).expect("there");
    assert_eq!(duration.count, 1);
    for (name, count, sum) in [(FIRST, 1, 0.1), (GAP, 2, 0.05)] {
        let point = points.histogram(name, &[]).expect("there");
        assert_eq!((point.count, point.sum), (count, Some(sum)), "{name}");
        assert!(point.series.attr("error.type").is_none(), "{name}");
        let model = point.series.attr("gen_ai.response.model");
        assert_eq!(model, Some(&"claude-sonnet-4-5-20250929".into()), "{name}");
    }
    for (kind, tokens) in [("input", 2000.0), ("output", 101.0)] {
        let of = [("gen_ai.token.type", AttrValue::from(kind))];
        let point = points
            .histogram("gen_ai.client.token.usage", &of)
            .expect("there");
        assert_eq!((point.count, point.sum), (1, Some(tokens)));
        assert!(point.series.attr("error.type").is_none());
    }
}

#[test]
fn dropped_in_the_middle_it_is_cancelled_with_what_is_known() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    capture.clock().advance(50 * MS);
    call.chunk();
    call.usage(&Usage::new().with(Tokens::Input, 9));
    drop(call);
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Cancelled);
    assert_eq!(record.error_type(), Some("cancelled"));
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&list(&["error"])));
    let input = record.attr("gen_ai.usage.input_tokens");
    assert_eq!(input, Some(&9_i64.into()));
    assert_eq!(capture.in_flight(ACTIVE), 0);
    assert_eq!((capture.count(DURATION), capture.count(FIRST)), (1, 1));
    assert_eq!(capture.count("gen_ai.client.token.usage"), 1);
}

#[test]
fn a_reader_that_stops_at_the_end_of_the_format_has_the_whole_answer() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    answer(&capture, &mut call);
    drop(call);
    let record = capture.record();
    assert_eq!(
        (record.outcome.end(), record.error_type()),
        (End::Answered, None)
    );
}

#[test]
fn one_choice_of_two_is_half_an_answer() {
    let capture = Capture::new();
    let llm = llm(&capture);
    let two = || {
        let mut call = asked(&llm);
        call.choice_count(2);
        call.finish_reason(0, "stop");
        call
    };
    drop(two());
    assert_eq!(capture.take_records()[0].outcome.end(), End::Cancelled);
    let mut call = two();
    call.finish_reason(1, "length");
    drop(call);
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Answered);
    assert_eq!(
        record.attr("gen_ai.response.finish_reasons"),
        Some(&list(&["stop", "length"]))
    );
}

#[test]
fn the_second_choice_keeps_its_reason_where_the_first_is_cut() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    call.choice_count(3);
    call.finish_reason(1, "stop");
    drop(call);
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Cancelled);
    assert_eq!(
        record.attr("gen_ai.response.finish_reasons"),
        Some(&list(&["error", "stop", "error"]))
    );
}

#[test]
fn a_call_that_asks_for_no_choice_and_is_dropped_has_no_answer() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    call.choice_count(0);
    call.chunk();
    drop(call);
    assert_eq!(capture.record().outcome.end(), End::Cancelled);
}

#[test]
fn an_error_of_the_provider_has_its_name_and_a_status_where_it_has_none() {
    let capture = Capture::new();
    let llm = llm(&capture);
    for (code, expect) in [
        (Some("overloaded_error"), "overloaded_error"),
        (Some("unheard_of"), "529"),
        (None, "529"),
    ] {
        let mut call = asked(&llm);
        call.set_status(529);
        if let Some(code) = code {
            call.error(code);
        }
        call.end();
        let record = capture.take_records().remove(0);
        assert_eq!(record.error_type(), Some(expect), "{code:?}");
        assert_eq!(record.outcome.end(), End::Failed);
    }
    let mut call = asked(&llm);
    call.error("unheard_of");
    call.set_status(500);
    call.fail(INCOMPLETE);
    assert_eq!(capture.record().error_type(), Some("500"));
}

#[test]
fn a_panic_is_one() {
    let capture = Capture::new();
    let call = asked(&llm(&capture));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _call = call;
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
    assert_eq!(capture.record().outcome.end(), End::Panicked);
    assert_eq!(capture.in_flight(ACTIVE), 0);
}

#[test]
fn what_is_told_after_the_end_or_switched_off_counts_for_nothing() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled).build();
    let mut call = asked(&llm(&capture));
    answer(&capture, &mut call);
    assert!(!call.is_recording() && call.handle().is_none());
    drop(call);
    assert_eq!(capture.records().len(), 0);
    assert_eq!((capture.count(DURATION), capture.count(FIRST)), (0, 0));
    assert_eq!(capture.count("gen_ai.client.token.usage"), 0);
    assert_eq!(LLM_CLIENT.name, "llm.client");
}

#[test]
fn an_answer_in_one_piece_has_no_times_of_chunks() {
    let capture = Capture::new();
    let mut call = llm(&capture).call(LlmOperation::Chat, &Provider::OPENAI);
    call.model("gpt-4o");
    capture.clock().advance(70 * MS);
    call.content(Content::Text);
    call.usage(&usage());
    call.finish_reason(0, "stop");
    call.end();
    let record = capture.record();
    assert_eq!(record.attr("gen_ai.response.time_to_first_chunk"), None);
    assert_eq!(record.attr("gen_ai.request.stream"), None);
    assert_eq!((capture.count(FIRST), capture.count(GAP)), (0, 0));
    assert_eq!(capture.count(DURATION), 1);
}

#[test]
fn an_answer_without_tokens_is_counted_as_such() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    call.chunk();
    call.finish_reason(0, "stop");
    call.end();
    let missing = [("obs.anomaly", AttrValue::from("usage_missing"))];
    let points = capture.points();
    assert_eq!(
        points
            .sum("obs.llm.anomalies", &missing)
            .map_or(f64::NAN, |point| point.as_f64()),
        1.0
    );
    assert_eq!(capture.count("gen_ai.client.token.usage"), 0);
}

/// Whoever asks for none gets one, or is refused: what is left before its end was cut.
#[test]
fn a_call_for_no_answers_that_is_left_is_cancelled() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    call.choice_count(0);
    capture.clock().advance(100 * MS);
    call.content(Content::Text);
    drop(call);
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Cancelled);
    let reasons = record.attr("gen_ai.response.finish_reasons");
    assert_eq!(reasons, Some(&list(&["error"])));
}
