//! What a ledger of sessions takes, and what it adds to the end of an operation.

use std::{any::Any, cell::Cell, rc::Rc};

use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, RunInfo, RunParent,
    input::{AgentInput, ModelInput, ToolInput},
    session::{Budget, Ledger, Limits},
};
use obs_core::{Session, StatsLevel, Telemetry};
use obs_llm::{LlmOperation, Provider, Tokens, Usage, wire::ResponseSink};

use super::super::{
    flat::Flat,
    http::{Kept, builder},
    sdk::same,
};
use crate::harness::{in_flight::InFlight, pair::Pair};

fn telemetry() -> Telemetry {
    Flat::build(builder(StatsLevel::Base, Kept::None)).telemetry
}

/// A turn of its own conversation.
fn turn(handlers: &Handlers, conversation: &str) {
    let mut input = AgentInput::default();
    input.conversation_id = Some(conversation);
    let info = RunInfo::new(Component::Agent, "seller");
    let agent = handlers.start(info, RunParent::Root, &Input::Agent(input));
    let mut input = ModelInput::default();
    (input.provider, input.model) = (Some("openai"), Some("gpt-4o"));
    let info = RunInfo::new(Component::Model, "");
    let model = handlers.start(info, agent.as_parent(), &Input::Model(input));
    model.end(&Output::Model(Default::default()));
    for name in ["search", "send_mail", "calendar"] {
        let info = RunInfo::new(Component::Tool, name);
        let input = Input::Tool(ToolInput::default());
        let tool = handlers.start(info, agent.as_parent(), &input);
        tool.end(&Output::Tool(Default::default()));
    }
    agent.end(&Output::Agent(Default::default()));
}

/// So many turns, each of another session; those that were held are closed when what is given back is dropped.
fn turns(telemetry: Telemetry, ledger: Option<Ledger>) -> impl Fn(usize) -> Box<dyn Any> {
    let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
    move |count| {
        for number in 0..count {
            turn(&handlers, &format!("conversation-{number:019}"));
        }
        Box::new(Closes(ledger.clone()))
    }
}

struct Closes(Option<Ledger>);

impl Drop for Closes {
    fn drop(&mut self) {
        let Some(ledger) = &self.0 else { return };
        for id in ledger.sessions() {
            ledger.close(&id);
        }
    }
}

pub(super) fn bytes() -> InFlight {
    let (bare, with) = (telemetry(), telemetry());
    let ledger = Ledger::new(&with);
    let counted = ledger.clone();
    InFlight::of(
        turns(bare, None),
        turns(with, Some(ledger)),
        move |opened| {
            let counts = counted.counts();
            same("sessions", counts.created, opened)?;
            same("those closed", counts.closed, opened)?;
            Ok(format!("{opened} sessions"))
        },
    )
}

/// A call of a model in a session.
fn call(telemetry: &Telemetry) -> impl FnMut() + 'static {
    let llm = obs_llm::Llm::new(telemetry);
    let usage = Usage::new()
        .with(Tokens::Input, 1_200)
        .with(Tokens::Output, 300);
    let session = Session::new("session-0000000000000000001");
    move || {
        let mut call = llm.call(LlmOperation::Chat, &Provider::OPENAI);
        call.set_session(session.clone());
        call.usage(&usage);
        call.end();
    }
}

pub(super) fn end() -> Pair {
    let (bare, with) = (telemetry(), telemetry());
    let ledger = Ledger::new(&with);
    let id = "session-0000000000000000001";
    Pair::new(call(&bare), call(&with)).with_account(move |calls| {
        let summary = ledger.summary(id).ok_or("there is no session")?;
        same("inferences", summary.inference_calls, calls)?;
        same("tokens", summary.total_tokens(), 1_500 * calls)?;
        Ok(format!("{calls} inferences in one session"))
    })
}

pub(super) fn budget_check() -> Pair {
    let telemetry = telemetry();
    let limits = Limits::new()
        .with_tokens(u64::MAX)
        .with_cost_usd(1e9)
        .with_inference_calls(u64::MAX)
        .with_tool_calls(u64::MAX);
    let budget: Budget = Ledger::new(&telemetry).budget("session-1", limits);
    let asked = Rc::new(Cell::new(0));
    let counted = asked.clone();
    Pair::new(
        || (),
        move || {
            let left = std::hint::black_box(&budget).check().is_ok();
            asked.set(asked.get() + u64::from(left));
        },
    )
    .with_account(move |calls| {
        same("that something is left", counted.get(), calls)?;
        Ok(format!("{calls} times something was left"))
    })
}
