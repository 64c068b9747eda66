//! Budgets: when they are used up, and where that is said.

use crate::support::*;
use obs_agent::session::{Budget, Ledger, Limit, Limits};
use obs_core::sampling::HeadSampler;
use obs_core::{Outcome, Session, StatsLevel};
use obs_llm::wire::RequestSink;
use obs_llm::{LlmOperation, Tokens, Usage};
use obs_testing::{AttrValue, Capture};
use std::time::Duration;

#[track_caller]
fn exceeded(budget: &Budget) -> (Limit, f64, f64) {
    let exceeded = budget.check().expect_err("it is used up");
    (exceeded.limit, exceeded.used, exceeded.allowed)
}

/// A budget that one step uses up, and what it says then. One of twice as much is not.
#[track_caller]
fn check(limits: fn(u64) -> Limits, step: impl Fn(&Rig), expect: (Limit, f64, f64)) {
    let rig = Rig::with(
        Capture::builder().with_sampler(HeadSampler::always_off()),
        Ledger::builder(),
    );
    let [tight, wide] = [1, 2].map(|times| rig.ledger.budget("s-1", limits(times)));
    assert_eq!(tight.check(), Ok(()));
    step(&rig);
    let (limit, used, allowed) = exceeded(&tight);
    assert_eq!((limit, allowed), (expect.0, expect.2));
    assert!((used - expect.1).abs() < 1e-9, "{used}");
    assert_eq!(wide.check(), Ok(()));
    step(&rig);
    assert!(wide.check().is_err());
}

#[test]
fn each_limit_is_used_up_by_what_it_limits() {
    let chat = |rig: &Rig| rig.chat("s-1", &usage(1_000, 200));
    check(
        |times| Limits::new().with_input_tokens(1_000 * times),
        chat,
        (Limit::InputTokens, 1_000.0, 1_000.0),
    );
    check(
        |times| Limits::new().with_output_tokens(150 * times),
        chat,
        (Limit::OutputTokens, 200.0, 150.0),
    );
    check(
        |times| Limits::new().with_tokens(1_200 * times),
        chat,
        (Limit::Tokens, 1_200.0, 1_200.0),
    );
    check(
        |times| Limits::new().with_cost_usd(0.003 * times as f64),
        chat,
        (Limit::Cost, 0.003, 0.003),
    );
    check(
        |times| Limits::new().with_inference_calls(times),
        chat,
        (Limit::InferenceCalls, 1.0, 1.0),
    );
    check(
        |times| Limits::new().with_tool_calls(times),
        |rig| drop(rig.start_tool("s-1", "search")),
        (Limit::ToolCalls, 1.0, 1.0),
    );
    check(
        |times| Limits::new().with_wall_time(Duration::from_millis(2_500 * times)),
        |rig| rig.advance(Duration::from_millis(2_500)),
        (Limit::WallTime, 2.5, 2.5),
    );
}

#[test]
fn vectors_use_money_and_no_tokens_of_inferences() {
    let rig = Rig::new();
    let tokens = rig
        .ledger
        .budget("s-1", Limits::new().with_tokens(10).with_inference_calls(1));
    let money = rig
        .ledger
        .budget("s-1", Limits::new().with_cost_usd(0.0001));
    let mut call = rig.call(LlmOperation::Embeddings, Session::new("s-1"));
    obs_llm::wire::ResponseSink::usage(&mut call, &Usage::new().with(Tokens::Input, 5_000));
    call.end();
    assert_eq!(tokens.check(), Ok(()));
    assert_eq!(exceeded(&money).0, Limit::Cost);
}

#[test]
fn a_call_without_a_price_uses_no_money() {
    let rig = Rig::new();
    let money = rig
        .ledger
        .budget("s-1", Limits::new().with_cost_usd(0.0001));
    let mut call = rig.call(LlmOperation::Chat, Session::new("s-1"));
    call.model(UNPRICED);
    obs_llm::wire::ResponseSink::usage(&mut call, &usage(1_000_000, 0));
    call.end();
    assert_eq!(money.check(), Ok(()));
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(summary.unpriced_calls, 1, "which is to be seen");
}

#[test]
fn the_same_call_is_told_by_name_and_arguments_wherever_it_comes_again() {
    let rig = Rig::new();
    let limits = Limits::new().with_identical_calls(2);
    let budget = rig.ledger.budget("s-1", limits);
    for (name, arguments) in [
        ("search", "cups"),
        ("search", "plates"),
        ("find", "cups"),
        ("search", "cups"),
        ("search", "plates"),
    ] {
        budget.tool_call(name, arguments);
        assert_eq!(budget.check(), Ok(()));
    }
    budget.tool_call("search", "cups");
    assert_eq!(exceeded(&budget), (Limit::IdenticalCalls, 3.0, 2.0));
    // A hash will do; another budget knows nothing of it.
    let other = rig.ledger.budget("s-1", limits);
    for _ in 0..2 {
        other.tool_call("search", &0x5eed_u64);
    }
    assert_eq!(other.check(), Ok(()));
    other.tool_call("search", &0x5eed_u64);
    assert_eq!(exceeded(&other).0, Limit::IdenticalCalls);
}

#[test]
fn without_limits_everything_is_allowed() {
    let rig = Rig::new();
    let budget = rig.ledger.budget("s-1", Limits::new());
    rig.chat("s-1", &usage(u64::from(u32::MAX), u64::from(u32::MAX)));
    assert_eq!(budget.check(), Ok(()));
}

#[test]
fn one_of_a_session_counts_what_was_before_and_one_from_now_does_not() {
    let rig = Rig::new();
    rig.chat("s-1", &usage(900, 0));
    rig.advance(5_000 * MS);
    let limits = Limits::new()
        .with_input_tokens(1_000)
        .with_wall_time(6_000 * MS);
    let (whole, now) = (
        rig.ledger.budget("s-1", limits),
        rig.ledger.budget_from_now("s-1", limits),
    );
    assert_eq!(whole.wall_time(), 5_000 * MS);
    assert_eq!(now.wall_time(), Duration::ZERO);
    rig.chat("s-2", &usage(5_000, 0));
    rig.chat("s-1", &usage(200, 0));
    assert_eq!(exceeded(&whole), (Limit::InputTokens, 1_100.0, 1_000.0));
    assert_eq!(now.check(), Ok(()));
    rig.advance(6_000 * MS);
    assert_eq!(exceeded(&now), (Limit::WallTime, 6.0, 6.0));
}

#[test]
fn what_gives_way_in_the_ledger_is_not_forgotten_by_a_budget() {
    let rig = Rig::with(Capture::builder(), Ledger::builder().with_max_sessions(1));
    let budget = rig
        .ledger
        .budget("s-1", Limits::new().with_inference_calls(4));
    for other in ["s-2", "s-3", "s-4"] {
        assert_eq!(budget.check(), Ok(()));
        rig.chat("s-1", &usage(1, 1));
        // It is evicted for that.
        rig.advance(MS);
        rig.chat(other, &usage(1, 1));
    }
    assert_eq!(rig.ledger.summary("s-1"), None);
    assert_eq!(budget.check(), Ok(()));
    rig.chat("s-1", &usage(1, 1));
    assert_eq!(exceeded(&budget), (Limit::InferenceCalls, 4.0, 4.0));
    // A new one knows what the ledger knows, and what others still know.
    let second = rig
        .ledger
        .budget("s-1", Limits::new().with_inference_calls(4));
    assert!(second.check().is_err());
    drop((budget, second));
    let third = rig
        .ledger
        .budget("s-1", Limits::new().with_inference_calls(4));
    assert_eq!(
        third.check(),
        Ok(()),
        "of the one that is held, one call is known"
    );
}

#[test]
fn clones_are_one_wherever_they_are() {
    let rig = Rig::new();
    let budget = rig.ledger.budget(
        "s-1",
        Limits::new().with_tool_calls(1).with_identical_calls(1),
    );
    let clone = budget.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            clone.tool_call("search", "a");
            rig.start_tool("s-1", "search").end(Outcome::ANSWERED);
        });
    });
    assert_eq!(exceeded(&budget).0, Limit::ToolCalls);
    budget.tool_call("search", "a");
    drop(budget);
    assert_eq!(exceeded(&clone).0, Limit::ToolCalls);
}

#[test]
fn the_reason_is_on_the_trace_once() {
    let rig = Rig::new();
    let budget = rig.ledger.budget("s-1", Limits::new().with_tool_calls(2));
    for _ in 0..3 {
        rig.start_tool("s-1", "search").end(Outcome::ANSWERED);
    }
    // Outside of all operations there is no trace to say it on.
    assert!(budget.check().is_err());
    rig.capture.clear();
    let mut agent = rig.start_agent("s-1");
    agent.scope(|| {
        assert!(budget.check().is_err());
        assert!(budget.clone().check().is_err());
    });
    agent.end(Outcome::ANSWERED);
    let records = rig.capture.records();
    let said = &records[0];
    assert_eq!(said.text("obs.agent.budget.exceeded"), Some("tool_calls"));
    assert_eq!(
        said.attr("obs.agent.budget.used"),
        Some(&AttrValue::Double(3.0))
    );
    assert_eq!(
        said.attr("obs.agent.budget.limit"),
        Some(&AttrValue::Double(2.0))
    );
    assert_eq!(said.event_names(), ["obs.agent.budget"]);
    let points = rig.capture.points();
    let of = [("obs.agent.budget.exceeded", "tool_calls".into())];
    let counted = points.sum("obs.agent.budgets.exceeded", &of).expect("once");
    assert_eq!(counted.as_f64(), 1.0);
}

#[test]
fn each_loop_that_one_budget_stops_has_the_reason_on_its_trace_once() {
    let rig = Rig::new();
    let budget = rig.ledger.budget("s-1", Limits::new().with_tool_calls(1));
    rig.start_tool("s-1", "search").end(Outcome::ANSWERED);
    rig.capture.clear();
    let mut turns = [rig.start_agent("s-1"), rig.start_agent("s-1")];
    // Turns beside each other, which ask in turn, and go on all the same.
    for _ in 0..3 {
        for turn in &mut turns {
            turn.scope(|| assert!(budget.check().is_err()));
        }
    }
    for turn in turns {
        turn.end(Outcome::ANSWERED);
    }
    let records = rig.capture.records();
    assert_eq!(records.len(), 2);
    for said in &records {
        assert_eq!(said.text("obs.agent.budget.exceeded"), Some("tool_calls"));
        assert_eq!(said.event_names(), ["obs.agent.budget"]);
    }
    let points = rig.capture.points();
    let of = [("obs.agent.budget.exceeded", "tool_calls".into())];
    let counted = points.sum("obs.agent.budgets.exceeded", &of).expect("once");
    assert_eq!(counted.as_f64(), 1.0, "it is one budget");
}

#[test]
fn an_operation_that_has_ended_does_not_take_the_reason_with_it() {
    let rig = Rig::new();
    let budget = rig.ledger.budget("s-1", Limits::new().with_tool_calls(1));
    rig.start_tool("s-1", "search").end(Outcome::ANSWERED);
    let mut gone = rig.start_agent("s-1");
    let handle = gone.handle().expect("recording");
    gone.end(Outcome::ANSWERED);
    handle.in_scope(|| assert!(budget.check().is_err()));
    assert_eq!(rig.telemetry().counts().late_calls, 0);
    rig.capture.clear();
    let mut turn = rig.start_agent("s-1");
    turn.scope(|| assert!(budget.check().is_err()));
    turn.end(Outcome::ANSWERED);
    let said = rig.capture.record();
    assert_eq!(said.text("obs.agent.budget.exceeded"), Some("tool_calls"));
}

#[test]
fn a_limit_that_is_no_number_allows_nothing() {
    let rig = Rig::new();
    // A share of an amount that is nothing, and nothing divided by nothing.
    for usd in [f64::NAN, -1.0, 0.0] {
        let budget = rig.ledger.budget("s-1", Limits::new().with_cost_usd(usd));
        assert_eq!(exceeded(&budget).0, Limit::Cost, "{usd}");
    }
    let budget = rig
        .ledger
        .budget("s-1", Limits::new().with_cost_usd(f64::INFINITY));
    rig.chat("s-1", &usage(1_000_000, 0));
    assert_eq!(budget.check(), Ok(()));
}

#[test]
fn calls_beside_each_other_are_known_when_each_has_ended() {
    let rig = Rig::new();
    let limits = Limits::new().with_inference_calls(3);
    let budget = rig.ledger.budget("s-1", limits);
    let asked: Vec<_> = (0..5)
        .map(|_| {
            assert_eq!(budget.check(), Ok(()), "none of them has ended");
            rig.call(LlmOperation::Chat, Session::new("s-1"))
        })
        .collect();
    for (ended, call) in (1..).zip(asked) {
        call.end();
        assert_eq!(budget.check().is_err(), ended >= 3, "{ended}");
    }
    assert_eq!(exceeded(&budget), (Limit::InferenceCalls, 5.0, 3.0));
}

#[test]
fn it_stops_nothing_by_itself() {
    let rig = Rig::new();
    let budget = rig
        .ledger
        .budget("s-1", Limits::new().with_inference_calls(1));
    for _ in 0..3 {
        rig.chat("s-1", &usage(1, 1));
    }
    assert!(budget.check().is_err());
    let summary = rig.ledger.summary("s-1").expect("it is there");
    assert_eq!(
        (summary.inference_calls, summary.failed_inference_calls),
        (3, 0)
    );
}

#[test]
fn what_is_not_recorded_is_not_known() {
    let capture = Capture::builder().with_level(StatsLevel::Disabled);
    let rig = Rig::with(capture, Ledger::builder());
    let budget = rig
        .ledger
        .budget("s-1", Limits::new().with_inference_calls(1));
    rig.chat("s-1", &usage(1, 1));
    assert_eq!(budget.check(), Ok(()));
}

#[test]
fn it_says_in_words_what_is_used_up() {
    let rig = Rig::new();
    let budget = rig.ledger.budget("s-1", Limits::new().with_cost_usd(0.25));
    rig.chat("s-1", &usage(500_000, 0));
    let error = budget.check().expect_err("it is used up");
    assert_eq!(
        error.to_string(),
        "the budget of US dollars is used up: 0.5 of 0.25"
    );
    assert_eq!(error.limit.as_str(), "cost");
}
