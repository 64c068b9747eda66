//! Evaluations of calls that run, have ended, or ended elsewhere.

use obs_core::propagation::traceparent;
use obs_core::redact::Patterns;
use obs_core::{LogEvent, Severity};
use obs_llm::evaluation::{CallId, Evaluation};
use obs_llm::wire::ResponseSink;
use obs_llm::{Dialect, Llm, LlmCall, LlmOperation, Provider};
use obs_testing::Capture;

fn llm(capture: &Capture) -> Llm {
    Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41)
}

fn call(llm: &Llm) -> LlmCall {
    let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
    call.response_id("chatcmpl-1");
    call
}

#[track_caller]
fn result(capture: &Capture) -> LogEvent {
    let mut events = capture.log_events();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

/// Its attributes as text, in order.
fn told(event: &LogEvent) -> Vec<String> {
    let pairs = event.attributes.iter();
    let mut told: Vec<_> = pairs
        .map(|pair| format!("{}={}", pair.key, pair.value))
        .collect();
    told.sort();
    told
}

#[test]
fn a_call_that_runs_is_evaluated_under_its_span() {
    let capture = Capture::new();
    let mut call = call(&llm(&capture));
    let evaluation = Evaluation::new("relevance").with_score(0.75);
    call.evaluate(
        evaluation
            .with_label("relevant")
            .with_explanation("It says what was asked."),
    );
    call.end();
    let (event, record) = (result(&capture), capture.record());
    assert_eq!(event.name, "gen_ai.evaluation.result");
    assert_eq!(event.severity, Severity::Info);
    assert_eq!(event.trace_id, Some(record.trace_id));
    assert_eq!(event.span_id, Some(record.span_id));
    assert_eq!(
        told(&event),
        [
            "gen_ai.evaluation.explanation=It says what was asked.",
            "gen_ai.evaluation.name=relevance",
            "gen_ai.evaluation.score.label=relevant",
            "gen_ai.evaluation.score.value=0.75",
            "gen_ai.response.id=chatcmpl-1",
        ]
    );
}

#[test]
fn a_call_that_has_ended_is_evaluated_by_its_id_elsewhere() {
    let here = Capture::new();
    let mut call = call(&llm(&here));
    let id = call.id().expect("it records");
    call.end();
    let stored = id.to_string();

    let there = Capture::new();
    let id: CallId = stored.parse().expect("its own text");
    llm(&there).evaluate(
        &id,
        Evaluation::new("faithfulness").with_error_type("timeout"),
    );
    let (event, record) = (result(&there), here.record());
    assert_eq!(event.span_id, Some(record.span_id));
    assert_eq!(
        told(&event),
        [
            "error.type=timeout",
            "gen_ai.evaluation.name=faithfulness",
            "gen_ai.response.id=chatcmpl-1",
        ]
    );
}

#[test]
fn an_answer_is_evaluated_by_its_id_alone() {
    let capture = Capture::new();
    let evaluation = Evaluation::new("relevance").with_score(f64::NAN);
    llm(&capture).evaluate_response("r1", evaluation);
    let event = result(&capture);
    assert_eq!((event.trace_id, event.span_id), (None, None));
    let expected = ["gen_ai.evaluation.name=relevance", "gen_ai.response.id=r1"];
    assert_eq!(told(&event), expected, "what is no number is not told");
}

#[test]
fn secrets_in_an_explanation_are_redacted() {
    let capture = Capture::builder()
        .with(|builder| builder.with_redactor(Patterns::new()))
        .build();
    let explanation = "It gave away postgres://u:hunter2@db/x";
    let evaluation = Evaluation::new("safety").with_explanation(explanation);
    llm(&capture).evaluate_response("r1", evaluation);
    let told = told(&result(&capture)).join(" ");
    assert!(told.contains("It gave away"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn ids_are_what_they_say_they_are() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let parent = traceparent::parse(PARENT.as_bytes()).expect("valid");
    for response in [None, Some("chatcmpl-1"), Some("an id with spaces")] {
        let id = CallId::new(parent, response);
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert_eq!(id.response_id(), response);
    }
    assert_eq!(CallId::new(parent, Some("")).to_string(), PARENT);
    for wrong in ["", " ", "r1", &format!("{PARENT} "), &PARENT[1..]] {
        assert!(wrong.parse::<CallId>().is_err(), "{wrong:?}");
    }
}

#[test]
fn what_records_nothing_has_no_id_and_tells_nothing() {
    let capture = Capture::builder()
        .with_level(obs_core::StatsLevel::Disabled)
        .build();
    let mut call = call(&llm(&capture));
    assert_eq!(call.id(), None);
    call.evaluate(Evaluation::new("relevance"));
    assert_eq!(capture.log_events().len(), 0);
}

#[test]
fn an_evaluation_is_of_the_same_scope_as_its_call() {
    let scope = |dialect| {
        let capture = Capture::new();
        let llm = Llm::new(capture.telemetry()).with_dialect(dialect);
        llm.evaluate_response("r1", Evaluation::new("relevance"));
        result(&capture).scope.expect("a scope").schema_url
    };
    assert_eq!(
        scope(Dialect::V1_41),
        "https://opentelemetry.io/schemas/1.41.0"
    );
    assert_eq!(
        scope(Dialect::Main),
        "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
    );
}

#[test]
fn an_id_is_whole_where_the_span_has_no_room_for_it() {
    for limit in [0, 8, 64] {
        let capture = Capture::builder()
            .with(|builder| builder.with_value_bytes(limit))
            .build();
        let mut call = call(&llm(&capture));
        let id = call.id().expect("it records");
        assert_eq!(id.response_id(), Some("chatcmpl-1"), "{limit} bytes");
        call.response_id("chatcmpl-2");
        let id = call.id().expect("it records");
        assert_eq!(id.response_id(), Some("chatcmpl-2"), "{limit} bytes");
    }
}
