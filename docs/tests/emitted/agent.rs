//! Runs of every component, once, with all that can be said of them; a session, and a budget that is used up; by the names of both
//! dialects.

use crate::driver::{PATIENCE, telemetry};
use crate::seen::Seen;
use obs_agent::input::{self, MemoryOperation};
use obs_agent::output::{self, ToolRequest};
use obs_agent::session::{Ledger, Limits};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Item, Output, Run, RunError, RunInfo, RunParent,
    RunRef, Text,
};
use obs_core::{Session, StatsLevel, Telemetry};
use obs_llm::content::Capture;
use obs_llm::wire::Content;
use obs_llm::{Bill, Dialect, Llm, Price, Tokens, Usage};
use obs_testing::Receiver;
use std::sync::Arc;

/// What there is at this level, by either dialect.
pub(crate) fn run(level: StatsLevel) -> Seen {
    let dialects = [Dialect::V1_41, Dialect::Main].map(|dialect| {
        let receiver = Receiver::start().expect("a receiver");
        let telemetry = telemetry(&receiver, |builder| builder.with_level(level));
        let ledger = Ledger::new(&telemetry);
        runs(&telemetry, &ledger, dialect);
        telemetry.flush(PATIENCE).expect("delivered");
        ledger.close("conv_1").expect("it was seen");
        telemetry.shutdown(PATIENCE).expect("delivered");
        Seen::of(&receiver)
    });
    Seen::all(&dialects)
}

/// A value of a type that grows.
macro_rules! of {
    ($module:ident::$type:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut made = $module::$type::default();
        $(made.$field = $value;)*
        made
    }};
}

/// Every call costs the same.
#[derive(Debug)]
struct Flat;

impl Price for Flat {
    fn price(&self, _: &Bill<'_>) -> Option<f64> {
        Some(0.001)
    }
}

fn runs(telemetry: &Telemetry, ledger: &Ledger, dialect: Dialect) {
    let llm = Llm::new(telemetry)
        .with_dialect(dialect)
        .with_prices(Arc::new(Flat))
        .with_content(Capture::spans_and_events().with_text_bytes(32));
    let observer = AgentObserver::new(telemetry)
        .with_llm(&llm)
        .with_run_ids(true);
    let handlers = Handlers::new().with(observer);
    let workflow = begin(
        &handlers,
        (Component::Workflow, "research"),
        RunParent::Root,
        Input::Node(of!(input::NodeInput { value: said("a") })),
    );
    let agent = turn(&handlers, workflow.as_parent());
    let budget = ledger.budget("conv_1", Limits::new().with_inference_calls(1));
    decide(&handlers, &agent);
    call_tools(&handlers, &agent);
    look_up(&handlers, &agent);
    remember(&handlers, &agent);
    nodes(&handlers, &workflow);
    agent.in_scope(|| budget.check().expect_err("there was an inference"));
    agent.end(&Output::Agent(of!(output::AgentOutput {
        usage: Some(tokens()),
        finish_reason: Some("stop"),
        messages: said("done"),
    })));
    workflow.end(&Output::Node(of!(output::NodeOutput { value: said("b") })));
    elsewhere(&handlers);
    messages(&handlers);
    sessions(&handlers);
    in_a_session(&handlers);
}

/// A turn of somebody's, whose session is told when it is over.
fn in_a_session(handlers: &Handlers) {
    let run = turn(handlers, RunParent::Root);
    let session = Session::new("s-1").with_conversation("conv_2");
    if let Some(operation) = run.reference().and_then(RunRef::operation) {
        operation.set_session(session.with_user("u-1"));
    }
    run.end(&Output::Agent(Default::default()));
}

/// Whom calls ask.
const SERVER: Option<input::Server<'static>> =
    Some(input::Server::new("api.example.com", Some(443)));

fn said(text: &str) -> Option<Text<'_>> {
    Some(Text::Plain(text))
}

fn begin(
    handlers: &Handlers,
    (component, name): (Component, &str),
    parent: RunParent<'_>,
    input: Input<'_>,
) -> Run {
    let info = RunInfo::new(component, name).with_kind("table");
    handlers.start(info.with_attempt(1), parent, &input)
}

fn tokens() -> Usage {
    let all = Tokens::ALL.into_iter().enumerate();
    all.fold(Usage::new(), |usage, (n, tokens)| {
        usage.with(tokens, 100 - n as u64)
    })
}

fn turn(handlers: &Handlers, parent: RunParent<'_>) -> Run {
    let input = of!(input::AgentInput {
        id: Some("asst_1"),
        description: Some("Finds things."),
        version: Some("1"),
        model: Some("gpt-4o"),
        conversation_id: Some("conv_1"),
        turn: Some(1),
        messages: said("find it"),
        system: said("Be brief."),
    });
    let agent = (Component::Agent, "finder");
    begin(handlers, agent, parent, Input::Agent(input))
}

/// A plan, with a model that streams, one that does not, and one that fails.
fn decide(handlers: &Handlers, agent: &Run) {
    let plan = (Component::Plan, "plan");
    let input = Input::Agent(of!(input::AgentInput {
        model: Some("gpt-4o")
    }));
    let plan = begin(handlers, plan, agent.as_parent(), input);
    let tools = ["search"; 65];
    let input = Input::Model(of!(input::ModelInput {
        provider: Some("openai"),
        model: Some("gpt-4o"),
        server: SERVER,
        stream: true,
        tools: &tools,
        messages: said("find it, wherever it may be hidden"),
    }));
    let model = (Component::Model, "");
    let mut streamed = begin(handlers, model, plan.as_parent(), input);
    streamed.begin_output();
    for _ in 0..2 {
        streamed.item(&Item::Model(of!(output::ModelChunk {
            content: Some(Content::ToolCall),
            tool_call: Some(ToolRequest::new("search", Some("call_1"))),
            finish_reason: Some("tool_calls"),
        })));
    }
    streamed.end(&Output::Streamed);
    let whole = begin(handlers, model, plan.as_parent(), input);
    whole.end(&Output::Model(of!(output::ModelOutput {
        usage: Some(tokens()),
        messages: said("search"),
    })));
    let failed = begin(handlers, model, plan.as_parent(), input);
    failed.fail(&RunError::failed("429"));
    plan.end(&Output::Agent(Default::default()));
}

/// One that answers, one that fails, and one whose call goes by MCP.
fn call_tools(handlers: &Handlers, agent: &Run) {
    let tool = (Component::Tool, "search");
    let input = Input::Tool(of!(input::ToolInput {
        call_id: Some("call_1"),
        description: Some("Searches."),
        arguments: Some(Text::Json(r#"{"for":"it"}"#)),
    }));
    let done = Output::Tool(of!(output::ToolOutput {
        result: said("here")
    }));
    begin(handlers, tool, agent.as_parent(), input).end(&done);
    let failed = begin(handlers, tool, agent.as_parent(), input);
    failed.fail(&RunError::failed("tool_error"));
    let by_mcp = begin(handlers, tool, agent.as_parent(), input);
    let call = message("tools/call", Some("search"));
    let sent = begin(handlers, (Component::Mcp, ""), by_mcp.as_parent(), call);
    sent.fail(&RunError::failed("-32603"));
    by_mcp.fail(&RunError::failed("tool_error"));
}

fn look_up(handlers: &Handlers, agent: &Run) {
    let input = Input::Retriever(of!(input::RetrieverInput {
        data_source_id: Some("handbook"),
        provider: Some("aws.bedrock"),
        server: SERVER,
        top_k: Some(5),
        query: said("it"),
    }));
    let retriever = (Component::Retriever, "pages");
    let retrieval = begin(handlers, retriever, agent.as_parent(), input);
    let input = Input::Embedding(of!(input::EmbeddingInput {
        provider: Some("openai"),
        model: Some("text-embedding-3-small"),
        server: SERVER,
        texts: Some(1),
        dimensions: Some(256),
    }));
    let embedding = (Component::Embedding, "");
    let embedding = begin(handlers, embedding, retrieval.as_parent(), input);
    embedding.end(&Output::Embedding(of!(output::EmbeddingOutput {
        usage: Some(Usage::new().with(Tokens::Input, 3))
    })));
    let found = Output::Documents(of!(output::DocumentsOutput {
        count: Some(1),
        documents: Some(Text::Json(r#"[{"id":"page-1","score":0.5}]"#)),
    }));
    let store = |collection: Option<&'static str>, namespace| {
        let input = Input::Retriever(of!(input::RetrieverInput {
            store: Some("qdrant"),
            store_operation: collection.map(|_| "query"),
            server: SERVER,
            collection: collection,
            namespace: namespace,
        }));
        begin(handlers, retriever, retrieval.as_parent(), input)
    };
    store(Some("pages"), Some("prod")).end(&found);
    store(None, None).fail(&RunError::failed("connection_error"));
    retrieval.end(&found);
    let failed = begin(handlers, retriever, agent.as_parent(), Input::Streamed);
    failed.fail(&RunError::failed("503"));
}

fn remember(handlers: &Handlers, agent: &Run) {
    for operation in [MemoryOperation::Search, MemoryOperation::Upsert] {
        let input = Input::Memory(of!(input::MemoryInput {
            operation: operation,
            provider: Some("aws.bedrock"),
            server: SERVER,
            store_id: Some("store_1"),
            record_id: Some("rec_1"),
            query: said("it"),
            records: Some(1),
        }));
        let run = begin(
            handlers,
            (Component::Memory, "notes"),
            agent.as_parent(),
            input,
        );
        match operation {
            MemoryOperation::Search => run.end(&Output::Memory(of!(output::MemoryOutput {
                count: Some(1),
                records: Some(Text::Json(r#"[{"id":"rec_1"}]"#)),
            }))),
            _ => run.fail(&RunError::timed_out()),
        }
    }
}

fn nodes(handlers: &Handlers, workflow: &Run) {
    let input = Input::Prompt(of!(input::PromptInput {
        name: Some("summary"),
        version: Some("2"),
        variables: Some(Text::Json(r#"{"of":"it"}"#)),
    }));
    let prompt = (Component::Prompt, "prompt");
    let output = Output::Node(of!(output::NodeOutput {
        value: said("summarise it")
    }));
    begin(handlers, prompt, workflow.as_parent(), input).end(&output);
    let input = Input::Documents(of!(input::DocumentsInput { documents: Some(2) }));
    let indexer = (Component::Indexer, "index");
    let failed = begin(handlers, indexer, workflow.as_parent(), input);
    failed.fail(&RunError::failed("service_error"));
}

/// An agent of a provider's, to whom another hands over, and a workflow, an agent and a plan that fail.
fn elsewhere(handlers: &Handlers) {
    let input = Input::Agent(of!(input::AgentInput {
        id: Some("asst_2"),
        description: Some("Is asked."),
        version: Some("2"),
        provider: Some("openai"),
        server: SERVER,
        model: Some("gpt-4o"),
    }));
    let agent = (Component::Agent, "elsewhere");
    let first = begin(
        handlers,
        agent,
        RunParent::Root,
        Input::Agent(Default::default()),
    );
    let second = begin(handlers, agent, RunParent::Root, input);
    let (from, to) = (first.reference(), second.reference());
    let (Some(from), Some(to)) = (from, to) else {
        panic!("somebody is told of them");
    };
    to.handed_from(from);
    first.fail(&RunError::failed("max_turns"));
    second.fail(&RunError::failed("500"));
    for component in [Component::Workflow, Component::Plan] {
        drop(begin(
            handlers,
            (component, "a"),
            RunParent::Root,
            Input::Streamed,
        ));
    }
}

fn message<'a>(method: &'a str, target: Option<&'a str>) -> Input<'a> {
    Input::Mcp(of!(input::McpInput {
        method: method,
        target: target,
        resource_uri: (method == "resources/read").then_some("file:///a"),
        request_id: Some("1"),
        session_id: Some("s-1"),
        protocol_version: Some("2025-06-18"),
        transport: Some("pipe"),
        arguments: Some(Text::Json("{}")),
    }))
}

fn messages(handlers: &Handlers) {
    for is_server in [false, true] {
        for (method, target) in [
            ("tools/call", Some("search")),
            ("prompts/get", Some("summary")),
            ("resources/read", None),
            ("ping", None),
        ] {
            let mut input = message(method, target);
            if let Input::Mcp(input) = &mut input {
                input.is_server = is_server;
            }
            let run = begin(handlers, (Component::Mcp, ""), RunParent::Root, input);
            match method {
                "tools/call" => run.end(&Output::Mcp(of!(output::McpOutput {
                    is_tool_error: true,
                    result: Some(Text::Json(r#"{"isError":true}"#)),
                }))),
                "ping" => run.end(&Output::Mcp(Default::default())),
                _ => run.fail(&RunError::failed("-32601")),
            }
        }
    }
}

/// Of MCP: one that ends, and one that breaks.
fn sessions(handlers: &Handlers) {
    for is_server in [false, true] {
        let mut input = message("", None);
        if let Input::Mcp(input) = &mut input {
            input.is_server = is_server;
        }
        let run = begin(handlers, (Component::Mcp, ""), RunParent::Root, input);
        run.end(&Output::Mcp(Default::default()));
        let run = begin(handlers, (Component::Mcp, ""), RunParent::Root, input);
        run.fail(&RunError::failed("connection_error"));
    }
}
