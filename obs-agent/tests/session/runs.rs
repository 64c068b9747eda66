//! Sessions of agents whose runs are told to the handler that emits.

use crate::support::*;
use obs_agent::input::{AgentInput, McpInput, ModelInput, ToolInput};
use obs_agent::output::{AgentOutput, ModelOutput};
use obs_agent::{AgentObserver, Component, Handlers, Input, Output, Run, RunInfo, RunParent};
use obs_core::{Outcome, Session};
use obs_llm::{Dialect, Usage};

fn observed(rig: &Rig, dialect: Dialect) -> Handlers {
    let llm = rig.llm.clone().with_dialect(dialect);
    Handlers::new().with(AgentObserver::new(rig.telemetry()).with_llm(&llm))
}

fn start(
    handlers: &Handlers,
    component: Component,
    name: &str,
    parent: RunParent<'_>,
    input: &Input<'_>,
) -> Run {
    handlers.start(RunInfo::new(component, name), parent, input)
}

fn agent(
    handlers: &Handlers,
    name: &str,
    parent: RunParent<'_>,
    conversation: Option<&str>,
) -> Run {
    let mut input = AgentInput::default();
    input.conversation_id = conversation;
    let input = Input::Agent(input);
    start(handlers, Component::Agent, name, parent, &input)
}

fn model(handlers: &Handlers, parent: RunParent<'_>, usage: Usage) {
    let mut input = ModelInput::default();
    (input.provider, input.model) = (Some("openai"), Some("gpt-x"));
    let run = start(handlers, Component::Model, "", parent, &Input::Model(input));
    let mut output = ModelOutput::default();
    output.usage = Some(usage);
    run.end(&Output::Model(output));
}

/// A graph in which an agent asks a model and two tools, of which one is another agent and one is called by MCP.
fn turn(handlers: &Handlers, conversation: Option<&str>) {
    let graph = start(
        handlers,
        Component::Graph,
        "shop",
        RunParent::Current,
        &Input::Node(Default::default()),
    );
    let outer = agent(handlers, "seller", graph.as_parent(), conversation);
    model(handlers, outer.as_parent(), usage(100, 10));
    let tool = |name| {
        let input = Input::Tool(ToolInput::default());
        start(handlers, Component::Tool, name, outer.as_parent(), &input)
    };
    let asks = tool("ask_stock");
    let inner = agent(handlers, "stock", asks.as_parent(), None);
    model(handlers, inner.as_parent(), usage(7, 3));
    let mut told = AgentOutput::default();
    told.usage = Some(usage(7, 3));
    inner.end(&Output::Agent(told));
    asks.end(&Output::Tool(Default::default()));

    let calls = tool("mail");
    let mut input = McpInput::default();
    (input.method, input.target) = ("tools/call", Some("mail"));
    let message = start(
        handlers,
        Component::Mcp,
        "mail",
        calls.as_parent(),
        &Input::Mcp(input),
    );
    message.end(&Output::Mcp(Default::default()));
    calls.end(&Output::Tool(Default::default()));

    let mut told = AgentOutput::default();
    told.usage = Some(usage(107, 13));
    outer.end(&Output::Agent(told));
    graph.end(&Output::Node(Default::default()));
}

#[track_caller]
fn check(rig: &Rig, id: &str) {
    let summary = rig.ledger.summary(id).expect("it is there");
    assert_eq!(summary.turns, 2);
    assert_eq!(summary.inference_calls, 4);
    let tokens = (summary.input_tokens, summary.output_tokens);
    assert_eq!(tokens, (214, 26), "once each");
    assert_eq!(summary.tool_calls, 4);
    let tools = summary.tools.iter().map(|tool| (&*tool.name, tool.calls));
    assert!(tools.eq([("ask_stock", 2), ("mail", 2)]));
    assert_eq!(rig.ledger.sessions().len(), 1);
}

#[test]
fn a_session_around_the_runs_is_that_of_all_of_them() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let rig = Rig::new();
        let handlers = observed(&rig, dialect);
        let kind = rig.telemetry().kind(&AGENT);
        let mut request = kind.start(obs_core::Labels::NONE, obs_core::Parent::Root);
        let session = Session::new("s-1").with_user("ann");
        { request.active().expect("recording") }.set_session(session);
        request.scope(|| {
            turn(&handlers, Some("c-1"));
            turn(&handlers, Some("c-1"));
        });
        request.end(Outcome::ANSWERED);
        check(&rig, "s-1");
        let summary = rig.ledger.summary("s-1").expect("it is there");
        assert_eq!(summary.conversation_id.as_deref(), Some("c-1"));
        assert_eq!(summary.user_id.as_deref(), Some("ann"));
    }
}

#[test]
fn without_one_an_agents_conversation_is() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let rig = Rig::new();
        let handlers = observed(&rig, dialect);
        turn(&handlers, Some("c-1"));
        turn(&handlers, Some("c-1"));
        check(&rig, "c-1");
        let records = rig.capture.records();
        let first = records
            .iter()
            .find(|record| record.name.ends_with("seller"));
        let outermost = first.and_then(|first| first.attr("obs.agent.outermost"));
        assert_eq!(outermost, Some(&true.into()), "the graph is of none");
        // Without that there is nothing to add up.
        turn(&handlers, None);
        check(&rig, "c-1");
    }
}

#[test]
fn what_runs_within_an_agent_is_of_its_conversation_whoever_records_it() {
    let rig = Rig::new();
    let handlers = observed(&rig, Dialect::V1_41);
    let agent = agent(&handlers, "seller", RunParent::Root, Some("c-1"));
    agent.in_scope(|| {
        let call = rig.llm.call(
            obs_llm::LlmOperation::Embeddings,
            &obs_llm::Provider::OPENAI,
        );
        call.end();
    });
    agent.end(&Output::Agent(AgentOutput::default()));
    let summary = rig.ledger.summary("c-1").expect("it is there");
    assert_eq!((summary.turns, summary.embeddings_calls), (1, 1));
    let records = rig.capture.records();
    for record in &records {
        let id = record.text("gen_ai.conversation.id");
        assert_eq!(id, Some("c-1"), "{}", record.name);
    }
    assert_eq!(records[1].attr("obs.agent.outermost"), None);
}
