//! One or the other set of names, never both.

use super::*;
use obs_core::{ErrorType, Outcome};
use obs_testing::AttrValue;

fn main_llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::Main)
}

#[test]
fn main_counts_tokens_by_what_they_are_of() {
    let capture = Capture::new();
    let mut call = asked(&main_llm(&capture));
    answer(&capture, &mut call);
    call.usage(
        &Usage::new()
            .with(Tokens::ImageInput, 300)
            .with(Tokens::TextInput, 1600)
            .with(Tokens::CacheWrite, 40),
    );
    call.end();
    let points = capture.points();
    let number = |name: &str, of: &str| {
        let of = [("gen_ai.token.modality", AttrValue::from(of))];
        points
            .sum(name, &of)
            .map_or(f64::NAN, |point| point.as_f64())
    };
    let input = "gen_ai.client.inference.usage.input_tokens";
    assert_eq!(number(input, "image"), 300.0);
    assert_eq!(number(input, "text"), 1600.0);
    assert_eq!(number(input, "unknown"), 100.0);
    let output = "gen_ai.client.inference.usage.output_tokens";
    assert_eq!(number(output, "unknown"), 101.0);
    for (name, count) in [
        ("cache_read.input_tokens", 1500.0),
        ("cache_write.input_tokens", 40.0),
        ("reasoning.output_tokens", 20.0),
    ] {
        let name = format!("gen_ai.client.inference.usage.{name}");
        assert_eq!(number(&name, "unknown"), count);
    }
    let whole = points
        .histogram("gen_ai.client.inference.operation.input_tokens", &[])
        .expect("there");
    assert_eq!((whole.count, whole.sum), (1, Some(2000.0)));
    for name in [
        "gen_ai.client.inference.duration",
        "gen_ai.client.inference.time_to_first_chunk",
    ] {
        assert_eq!(capture.count(name), 1, "{name}");
    }
    assert_eq!(
        capture.count("gen_ai.client.inference.time_per_output_chunk"),
        2
    );
    let page = capture.telemetry().prometheus();
    for old in ["operation_duration", "token_usage"] {
        assert!(!page.contains(old), "{old} in {page}");
    }
    let record = capture.record();
    let written = record.attr("gen_ai.usage.cache_write.input_tokens");
    assert_eq!(written, Some(&40_i64.into()));
    assert_eq!(
        record.attr("gen_ai.usage.cache_creation.input_tokens"),
        None
    );
}

#[test]
fn main_records_a_failed_call_with_no_tokens() {
    let capture = Capture::new();
    let call = asked(&main_llm(&capture));
    call.end_with(Outcome::failed(ErrorType::code(503)));
    let points = capture.points();
    let failed = [("error.type", AttrValue::from("503"))];
    let whole = points
        .histogram("gen_ai.client.inference.operation.output_tokens", &failed)
        .expect("there");
    assert_eq!((whole.count, whole.sum), (1, Some(0.0)));
}

#[test]
fn main_calls_what_is_no_inference_an_operation() {
    let capture = Capture::new();
    let mut call = main_llm(&capture).call(LlmOperation::Embeddings, &Provider::OPENAI);
    call.model("text-embedding-3-small");
    call.usage(&Usage::new().with(Tokens::Input, 5));
    call.end();
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 1);
    assert_eq!(capture.count("gen_ai.client.inference.duration"), 0);
    assert_eq!(capture.record().name, "embeddings text-embedding-3-small");
}

#[test]
fn times_stand_by_how_long_input_and_output_were() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    answer(&capture, &mut call);
    call.end();
    let points = capture.points();
    let input = [("obs.llm.input.class", AttrValue::from("1k-4k"))];
    let first = points
        .histogram("obs.llm.client.time_to_first_chunk", &input)
        .expect("there");
    assert_eq!((first.count, first.sum), (1, Some(0.1)));
    let output = [("obs.llm.output.class", AttrValue::from("64-256"))];
    let whole = points
        .histogram("obs.llm.client.duration", &output)
        .expect("there");
    assert_eq!((whole.count, whole.sum), (1, Some(0.15)));
    let token = points
        .histogram("obs.llm.client.time_per_output_token", &output)
        .expect("there");
    assert_eq!((token.count, token.sum), (1, Some(0.0005)));
    let none = Capture::new();
    let mut call = asked(&llm(&none).with_lengths(false));
    answer(&none, &mut call);
    call.end();
    assert_eq!(none.count("obs.llm.client.duration"), 0);
}

/// A report that contradicts itself: no token is counted twice.
#[test]
fn main_counts_no_more_of_the_parts_than_there_are_in_all() {
    let capture = Capture::new();
    let mut call = asked(&main_llm(&capture));
    let parts = [
        (Tokens::Input, 100),
        (Tokens::TextInput, 70),
        (Tokens::ImageInput, 50),
        (Tokens::AudioInput, 10),
    ];
    for (tokens, count) in parts {
        call.usage(&Usage::new().with(tokens, count));
    }
    call.end();
    let counted = capture.points().sum_by(
        "gen_ai.client.inference.usage.input_tokens",
        "gen_ai.token.modality",
    );
    let counted: Vec<_> = counted.iter().map(|(of, count)| (&**of, *count)).collect();
    assert_eq!(counted, [("image", 30.0), ("text", 70.0)]);
}

#[test]
fn an_answer_of_one_chunk_has_no_time_for_each_token_after_it() {
    let capture = Capture::new();
    let mut call = asked(&llm(&capture));
    capture.clock().advance(100 * MS);
    call.content(Content::Text);
    call.usage(&usage());
    call.end();
    let record = capture.record();
    assert_eq!(record.attr("obs.llm.response.chunks"), Some(&1.into()));
    assert_eq!(record.attr("obs.llm.response.time_per_output_token"), None);
    assert_eq!(capture.count("obs.llm.client.time_per_output_token"), 0);
}

/// Vectors are not written by the token, whatever a server reports.
#[test]
fn an_embedding_has_no_tokens_of_output_in_metrics() {
    let capture = Capture::new();
    let mut call = llm(&capture).call(LlmOperation::Embeddings, &Provider::OPENAI);
    let usage = Usage::new().with(Tokens::Input, 5);
    call.usage(&usage.with(Tokens::Output, 3));
    call.end();
    assert_eq!(capture.count("gen_ai.client.token.usage"), 1);
    let input = [("gen_ai.token.type", AttrValue::from("input"))];
    let points = capture.points();
    assert!(
        points
            .histogram("gen_ai.client.token.usage", &input)
            .is_some()
    );
}
