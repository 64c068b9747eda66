//! Budgets of runs: each counts what begins within its run, and nothing else.

use crate::support::*;
use obs_agent::input::{AgentInput, ModelInput, ToolInput};
use obs_agent::output::{AgentOutput, ModelOutput, ToolOutput};
use obs_agent::session::{Budget, Ledger, Limit, Limits};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, Run, RunInfo, RunParent, RunRef,
};
use obs_core::sampling::HeadSampler;
use obs_core::{Outcome, Session};
use obs_llm::{LlmOperation, Provider};
use obs_testing::Capture;
use std::thread;
use std::time::Duration;

fn observed(rig: &Rig) -> Handlers {
    Handlers::new().with(AgentObserver::new(rig.telemetry()).with_llm(&rig.llm))
}

fn agent(handlers: &Handlers, parent: RunParent<'_>, conversation: Option<&str>) -> Run {
    let mut input = AgentInput::default();
    input.conversation_id = conversation;
    let info = RunInfo::new(Component::Agent, "seller");
    handlers.start(info, parent, &Input::Agent(input))
}

fn end(agent: Run) {
    agent.end(&Output::Agent(AgentOutput::default()));
}

fn model(handlers: &Handlers, parent: RunParent<'_>, input: u64, output: u64) {
    let mut asked = ModelInput::default();
    (asked.provider, asked.model) = (Some("openai"), Some("gpt-x"));
    let info = RunInfo::new(Component::Model, "");
    let run = handlers.start(info, parent, &Input::Model(asked));
    let mut told = ModelOutput::default();
    told.usage = Some(usage(input, output));
    run.end(&Output::Model(told));
}

fn tool(handlers: &Handlers, parent: RunParent<'_>) {
    let info = RunInfo::new(Component::Tool, "search");
    let run = handlers.start(info, parent, &Input::Tool(ToolInput::default()));
    run.end(&Output::Tool(ToolOutput::default()));
}

fn of(run: &Run) -> &RunRef {
    run.reference().expect("somebody listens")
}

/// What has been used by it, of tokens of inputs.
#[track_caller]
fn input_tokens(ledger: &Ledger, run: &Run, work: impl FnOnce()) -> Option<f64> {
    let budget = ledger.budget_of_run(of(run), Limits::new().with_input_tokens(1));
    work();
    budget.check().err().map(|exceeded| exceeded.used)
}

#[track_caller]
fn is_up(budget: &Budget, limit: Limit, used: f64) {
    let exceeded = budget.check().expect_err("it is used up");
    assert_eq!((exceeded.limit, exceeded.used), (limit, used));
}

#[test]
fn two_loops_of_one_session_have_a_budget_each() {
    let rig = Rig::with(
        Capture::builder().with_sampler(HeadSampler::always_off()),
        Ledger::builder(),
    );
    let handlers = observed(&rig);
    let limits = Limits::new().with_tool_calls(2).with_cost_usd(0.01);
    let runs = [(); 2].map(|()| agent(&handlers, RunParent::Root, Some("c-1")));
    let budgets = [&runs[0], &runs[1]].map(|run| rig.ledger.budget_of_run(of(run), limits));
    let both = rig.ledger.budget_from_now("c-1", limits);
    for _ in 0..2 {
        assert!(budgets.iter().all(|budget| budget.check().is_ok()));
        tool(&handlers, runs[0].as_parent());
    }
    is_up(&budgets[0], Limit::ToolCalls, 2.0);
    is_up(&both, Limit::ToolCalls, 2.0);
    tool(&handlers, runs[1].as_parent());
    assert_eq!(budgets[1].check(), Ok(()), "one of its own");
    model(&handlers, runs[1].as_parent(), 10_000, 0);
    is_up(&budgets[1], Limit::Cost, 0.01);
    is_up(&budgets[0], Limit::ToolCalls, 2.0);
    runs.into_iter().for_each(end);
    let summary = rig.ledger.summary("c-1").expect("it is of both");
    assert_eq!((summary.turns, summary.tool_calls), (2, 3));
}

#[test]
fn a_run_within_a_run_is_counted_by_both() {
    let rig = Rig::new();
    let handlers = observed(&rig);
    let outer = agent(&handlers, RunParent::Root, Some("c-1"));
    let limits = Limits::new().with_tokens(100);
    let whole = rig.ledger.budget_of_run(of(&outer), limits);
    model(&handlers, outer.as_parent(), 60, 0);
    // With a conversation of its own.
    let inner = agent(&handlers, outer.as_parent(), Some("c-2"));
    let part = rig.ledger.budget_of_run(of(&inner), limits);
    model(&handlers, inner.as_parent(), 70, 0);
    is_up(&whole, Limit::Tokens, 130.0);
    assert_eq!(part.check(), Ok(()));
    model(&handlers, inner.as_parent(), 30, 0);
    is_up(&part, Limit::Tokens, 100.0);
    end(inner);
    model(&handlers, outer.as_parent(), 5, 0);
    is_up(&part, Limit::Tokens, 100.0);
    is_up(&whole, Limit::Tokens, 165.0);
    end(outer);
}

#[test]
fn whatever_begins_within_is_counted_of_any_session_or_none_and_whoever_records_it() {
    for conversation in [None, Some("c-1")] {
        let rig = Rig::new();
        let handlers = observed(&rig);
        let run = agent(&handlers, RunParent::Root, conversation);
        let call = |session: Option<&str>| {
            let mut call = rig.llm.call(LlmOperation::Chat, &Provider::OPENAI);
            if let Some(session) = session {
                call.set_session(Session::new(session));
            }
            obs_llm::wire::ResponseSink::usage(&mut call, &usage(7, 0));
            call.end();
        };
        call(None);
        let used = input_tokens(&rig.ledger, &run, || {
            run.in_scope(|| {
                call(None);
                call(Some("s-9"));
                rig.start_tool("s-9", "search").end(Outcome::ANSWERED);
            });
            let elsewhere = of(&run).clone();
            thread::scope(|scope| {
                scope.spawn(|| elsewhere.in_scope(|| call(None)));
            });
            // Beside it.
            call(None);
            call(Some("s-9"));
        });
        assert_eq!(used, Some(21.0), "{conversation:?}");
        end(run);
        let summary = rig.ledger.summary("s-9").expect("it is there");
        assert_eq!((summary.inference_calls, summary.tool_calls), (2, 1));
        let own = conversation.and_then(|id| rig.ledger.summary(id));
        assert_eq!(own.map(|own| own.inference_calls), conversation.map(|_| 2));
        assert_eq!(
            rig.ledger.sessions().len(),
            1 + usize::from(conversation.is_some())
        );
    }
}

#[test]
fn of_two_ledgers_each_adds_to_its_own() {
    let rig = Rig::new();
    let other = Ledger::new(rig.telemetry());
    let handlers = observed(&rig);
    let run = agent(&handlers, RunParent::Root, Some("c-1"));
    let used = input_tokens(&rig.ledger, &run, || {
        let theirs = input_tokens(&other, &run, || model(&handlers, run.as_parent(), 7, 0));
        assert_eq!(theirs, Some(7.0));
    });
    assert_eq!(used, Some(7.0), "once");
    end(run);
}

#[test]
fn the_reason_is_on_the_runs_trace() {
    let rig = Rig::new();
    let handlers = observed(&rig);
    let run = agent(&handlers, RunParent::Root, Some("c-1"));
    let limits = Limits::new().with_identical_calls(1);
    let budget = rig.ledger.budget_of_run(of(&run), limits);
    for _ in 0..2 {
        budget.tool_call("search", "cups");
    }
    // Those of another run are other ones.
    assert_eq!(rig.ledger.budget_of_run(of(&run), limits).check(), Ok(()));
    run.in_scope(|| is_up(&budget, Limit::IdenticalCalls, 2.0));
    end(run);
    let record = rig.capture.record();
    assert_eq!(
        record.text("obs.agent.budget.exceeded"),
        Some("identical_calls")
    );
    assert_eq!(record.event_names(), ["obs.agent.budget"]);
    assert_eq!(record.text("gen_ai.conversation.id"), Some("c-1"));
}

#[test]
fn time_runs_from_when_it_is_made_and_is_known_without_an_observer() {
    let rig = Rig::new();
    struct Listens;
    impl obs_agent::Handler for Listens {}
    let handlers = Handlers::new().with(Listens);
    let run = agent(&handlers, RunParent::Root, Some("c-1"));
    rig.advance(Duration::from_secs(5));
    let limits = Limits::new()
        .with_wall_time(Duration::from_secs(10))
        .with_tool_calls(1);
    let budget = rig.ledger.budget_of_run(of(&run), limits);
    rig.advance(Duration::from_secs(9));
    tool(&handlers, run.as_parent());
    assert_eq!(budget.check(), Ok(()));
    rig.advance(Duration::from_secs(1));
    is_up(&budget, Limit::WallTime, 10.0);
}

#[test]
fn nothing_is_lost_where_many_threads_work_within_a_run() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 300;
    let rig = Rig::with(Capture::builder().threaded(), Ledger::builder());
    let handlers = observed(&rig);
    let run = agent(&handlers, RunParent::Root, None);
    let used = input_tokens(&rig.ledger, &run, || {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..CALLS {
                        model(&handlers, run.as_parent(), 3, 0);
                        // Made and gone, they do not disturb it.
                        drop(rig.ledger.budget_of_run(of(&run), Limits::new()));
                    }
                });
            }
        });
    });
    assert_eq!(used, Some((THREADS * CALLS * 3) as f64));
    end(run);
}
