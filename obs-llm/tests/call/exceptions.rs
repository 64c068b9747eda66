//! A call that failed is told by an event of the newer conventions, and of the older ones by none.

use super::*;
use obs_core::sampling::HeadSampler;
use obs_core::{ErrorType, Outcome, Session, Severity};

const NAME: &str = "gen_ai.client.operation.exception";

/// The types that the events of calls say which end so.
fn told(dialect: Dialect, outcome: Outcome) -> Vec<String> {
    let sampler = HeadSampler::always_off();
    let capture = Capture::builder().with_sampler(sampler).build();
    let llm = Llm::new(capture.telemetry()).with_dialect(dialect);
    let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
    call.set_session(Session::new("s-1"));
    let ids = call.id().expect("it records").trace_parent();
    call.end_with(outcome);
    let events = capture.log_events();
    let events = events.iter().filter(|event| event.name == NAME);
    let types = events.map(|event| {
        assert_eq!(event.severity, Severity::Warn);
        assert_eq!(event.trace_id, Some(ids.trace_id));
        assert_eq!(event.span_id, Some(ids.span_id));
        assert!(format!("{:?}", event.session).contains("s-1"));
        // The text of an error is not recorded.
        let [kind] = &event.attributes[..] else {
            panic!("one attribute: {event:#?}");
        };
        assert_eq!(kind.key.as_str(), "exception.type");
        kind.value.to_string()
    });
    types.collect()
}

#[test]
fn what_failed_is_told_with_its_type() {
    let failed = Outcome::failed(ErrorType::code(503));
    assert_eq!(told(Dialect::Main, failed), ["503"]);
    let failed = Outcome::failed(obs_llm::INCOMPLETE);
    assert_eq!(told(Dialect::Main, failed), ["incomplete_response"]);
    assert_eq!(told(Dialect::Main, Outcome::TIMED_OUT), ["timeout"]);
    assert_eq!(told(Dialect::Main, Outcome::PANICKED), ["panic"]);
}

#[test]
fn what_did_not_fail_is_not() {
    for outcome in [Outcome::ANSWERED, Outcome::CANCELLED] {
        assert_eq!(told(Dialect::Main, outcome), [""; 0], "{outcome:?}");
    }
    assert_eq!(told(Dialect::V1_41, Outcome::TIMED_OUT), [""; 0]);
}
