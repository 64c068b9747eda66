//! What others record, who do not look at what they say: amounts and times that are none, and sums that end.

use crate::support::*;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Outcome, Parent};

/// As somebody else may record them, who does not look at what they say.
static CHAT: obs_core::Descriptor = obs_core::Descriptor {
    name: "test.chat",
    span_kind: SpanKind::Client,
    labels: &[],
    ..TOOL
};

#[test]
fn a_tool_that_is_served_is_counted_by_whoever_called_it() {
    static SERVED: obs_core::Descriptor = obs_core::Descriptor {
        name: "test.served",
        span_kind: SpanKind::Server,
        ..TOOL
    };
    let rig = Rig::new();
    let served = rig.telemetry().kind(&SERVED);
    let labels = obs_core::Labels::NONE.with(0, obs_core::LabelId::closed(0));
    for kind in [served, rig.telemetry().kind(&TOOL)] {
        in_session(kind.start(labels, Parent::Root), "s-1").end(Outcome::ANSWERED);
    }
    assert_eq!(rig.capture.records().len(), 2);
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.tool_calls, 1);
}

#[test]
fn what_is_no_amount_and_no_time_is_not_added() {
    let rig = Rig::new();
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let kind = rig.telemetry().kind(&CHAT);
        let call = kind.start(obs_core::Labels::NONE, Parent::Root);
        let mut call = in_session(call, "s-1");
        call.set(gen_ai::OPERATION_NAME, "chat");
        call.set(gen_ai::USAGE_INPUT_TOKENS, 5_i64);
        call.set(gen_ai::USAGE_OUTPUT_TOKENS, -5_i64);
        call.set(obs::LLM_COST_USD, odd);
        call.set(gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK, odd);
        call.end(Outcome::ANSWERED);
    }
    let summary = rig.ledger.summary("s-1").expect("it is there");
    let tokens = (summary.input_tokens, summary.output_tokens);
    assert_eq!((summary.inference_calls, tokens), (4, (20, 0)));
    assert_eq!((summary.cost_usd, summary.unpriced_calls), (None, 4));
    assert_eq!(summary.time_to_first_chunk, None);
    rig.chat("s-1", &usage(1_000, 0));
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!((summary.cost_usd, summary.unpriced_calls), (Some(0.001), 4));
}

#[test]
fn sums_stop_at_their_ends() {
    let rig = Rig::new();
    let budget = rig.ledger.budget(
        "s-1",
        obs_agent::session::Limits::new().with_cost_usd(1e300),
    );
    for _ in 0..3 {
        let kind = rig.telemetry().kind(&CHAT);
        let call = kind.start(obs_core::Labels::NONE, Parent::Root);
        let mut call = in_session(call, "s-1");
        call.set(gen_ai::OPERATION_NAME, "chat");
        call.set(gen_ai::USAGE_INPUT_TOKENS, i64::MAX);
        call.set(gen_ai::USAGE_OUTPUT_TOKENS, i64::MAX);
        call.set(obs::LLM_COST_USD, 1e300);
        call.end(Outcome::ANSWERED);
    }
    let summary = rig.ledger.close("s-1").expect("it is there");
    assert_eq!(summary.input_tokens, u64::MAX);
    assert_eq!(summary.total_tokens(), u64::MAX);
    assert_eq!(summary.cost_usd, Some(u64::MAX as f64 / 1e12));
    assert_eq!(budget.check(), Ok(()), "what is beyond is not known");
    let event = &rig.summaries()[0];
    let key = "gen_ai.usage.input_tokens";
    assert_eq!(attribute(event, key), Some(i64::MAX.to_string()));
}
