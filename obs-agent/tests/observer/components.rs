//! What a run of each component becomes, by the names of either dialect.

use crate::support::{MS, agent, observed, of, start, usage};
use obs_agent::output::{ModelChunk, ToolRequest};
use obs_agent::{Component, Input, Item, Output, RunInfo, RunParent};
use obs_llm::wire::Content;
use obs_llm::{Dialect, Tokens};
use obs_testing::{Capture, assert_tree};

/// An agent's turn: a model is asked twice, and a tool between.
fn turn(capture: &Capture, dialect: Dialect) {
    let handlers = observed(capture, dialect);
    let input = of!(input::AgentInput {
        id: Some("asst_5j66"),
        description: Some("Tells the weather."),
        version: Some("2"),
        model: Some("gpt-4o"),
        conversation_id: Some("conv_1"),
        turn: Some(3),
    });
    let info = RunInfo::new(Component::Agent, "forecaster").with_kind("rig");
    let agent = handlers.start(info, RunParent::Root, &Input::Agent(input));

    let input = of!(input::ModelInput {
        provider: Some("openai"),
        model: Some("gpt-4o"),
        stream: true,
        max_tokens: Some(100),
        temperature: Some(0.5),
        top_p: Some(0.25),
        tools: &["weather", "news"],
    });
    let mut model = start(
        &handlers,
        Component::Model,
        "",
        agent.as_parent(),
        &Input::Model(input),
    );
    model.begin_output();
    capture.clock().advance(250 * MS);
    model.item(&Item::Model(of!(output::ModelChunk {
        response_id: Some("chatcmpl-1"),
        model: Some("gpt-4o-2024-08-06"),
    })));
    for tool_call in [Some(ToolRequest::new("weather", Some("call_1"))), None] {
        model.item(&Item::Model(of!(output::ModelChunk {
            content: Some(Content::ToolCall),
            tool_call: tool_call,
        })));
        capture.clock().advance(50 * MS);
    }
    let spent = usage(40, 11);
    model.item(&Item::Model(of!(output::ModelChunk {
        finish_reason: Some("tool_calls"),
        usage: Some(&spent),
    })));
    model.end(&Output::Streamed);

    let input = of!(input::ToolInput {
        call_id: Some("call_1"),
        description: Some("The weather of a city."),
    });
    let info = RunInfo::new(Component::Tool, "weather").with_attempt(1);
    let tool = handlers.start(info, agent.as_parent(), &Input::Tool(input));
    capture.clock().advance(100 * MS);
    tool.end(&Output::Tool(Default::default()));

    let input = of!(input::ModelInput {
        provider: Some("openai"),
        model: Some("gpt-4o"),
    });
    let model = start(
        &handlers,
        Component::Model,
        "",
        agent.as_parent(),
        &Input::Model(input),
    );
    model.end(&Output::Model(of!(output::ModelOutput {
        response_id: Some("chatcmpl-2"),
        model: Some("gpt-4o-2024-08-06"),
        finish_reasons: &["stop"],
        usage: Some(usage(60, 20)),
    })));

    agent.end(&Output::Agent(of!(output::AgentOutput {
        usage: Some(usage(100, 31).with(Tokens::CacheRead, 10)),
        finish_reason: Some("stop"),
    })));
}

#[test]
fn a_turn_is_told_with_its_models_and_tools() {
    let capture = Capture::new();
    turn(&capture, Dialect::V1_41);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          invoke_agent forecaster [internal]
            - gen_ai.agent.description: "Tells the weather."
            - gen_ai.agent.id: "asst_5j66"
            - gen_ai.agent.name: "forecaster"
            - gen_ai.agent.version: "2"
            - gen_ai.conversation.id: "conv_1"
            - gen_ai.operation.name: "invoke_agent"
            - gen_ai.provider.name: "openai"
            - gen_ai.request.model: "gpt-4o"
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.usage.cache_read.input_tokens: 10
            - gen_ai.usage.input_tokens: 100
            - gen_ai.usage.output_tokens: 31
            - obs.agent.depth: 0
            - obs.agent.implementation: "rig"
            - obs.agent.run.inferences: 2
            - obs.agent.run.tools: 1
            - obs.agent.turn: 3
            chat gpt-4o [client]
              - gen_ai.conversation.id: "conv_1"
              - gen_ai.operation.name: "chat"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.max_tokens: 100
              - gen_ai.request.model: "gpt-4o"
              - gen_ai.request.stream: true
              - gen_ai.request.temperature: 0.5
              - gen_ai.request.top_p: 0.25
              - gen_ai.response.finish_reasons: ["tool_calls"]
              - gen_ai.response.id: "chatcmpl-1"
              - gen_ai.response.model: "gpt-4o-2024-08-06"
              - gen_ai.response.time_to_first_chunk: 0.25
              - gen_ai.usage.input_tokens: 40
              - gen_ai.usage.output_tokens: 11
              - obs.agent.depth: 1
              - obs.agent.step: 1
              - obs.agent.tools.chosen: ["weather"]
              - obs.agent.tools.offered: ["weather", "news"]
              - obs.llm.response.chunk_gap.max: 0.05
              - obs.llm.response.chunks: 2
              - obs.llm.response.time_per_output_token: 0.005
            execute_tool weather [internal]
              - gen_ai.agent.name: "forecaster"
              - gen_ai.conversation.id: "conv_1"
              - gen_ai.operation.name: "execute_tool"
              - gen_ai.tool.call.id: "call_1"
              - gen_ai.tool.description: "The weather of a city."
              - gen_ai.tool.name: "weather"
              - gen_ai.tool.type: "function"
              - obs.agent.attempt: 1
              - obs.agent.depth: 1
              - obs.agent.step: 2
            chat gpt-4o [client]
              - gen_ai.conversation.id: "conv_1"
              - gen_ai.operation.name: "chat"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.model: "gpt-4o"
              - gen_ai.response.finish_reasons: ["stop"]
              - gen_ai.response.id: "chatcmpl-2"
              - gen_ai.response.model: "gpt-4o-2024-08-06"
              - gen_ai.usage.input_tokens: 60
              - gen_ai.usage.output_tokens: 20
              - obs.agent.depth: 1
              - obs.agent.step: 3
    "#,
    );
    for (metric, count, sum) in [
        ("obs.agent.invoke_agent.duration", 1, 0.45),
        ("obs.agent.execute_tool.duration", 1, 0.1),
        ("obs.agent.invoke_agent.inference_calls", 1, 2.0),
        ("obs.agent.invoke_agent.tool_calls", 1, 1.0),
        ("gen_ai.client.operation.duration", 2, 0.35),
        ("gen_ai.client.operation.time_to_first_chunk", 1, 0.25),
    ] {
        holds(&capture, metric, count, sum);
    }
    // 40 and 60, 11 and 20: what the agent adds up is counted nowhere.
    holds(&capture, "gen_ai.client.token.usage", 4, 131.0);
    nothing_goes_on(&capture);
}

#[test]
fn main_has_names_for_turns() {
    let capture = Capture::new();
    turn(&capture, Dialect::Main);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          invoke_agent forecaster [internal]
            - gen_ai.agent.description: "Tells the weather."
            - gen_ai.agent.name: "forecaster"
            - gen_ai.conversation.id: "conv_1"
            - gen_ai.operation.name: "invoke_agent"
            - gen_ai.request.model: "gpt-4o"
            - gen_ai.response.finish_reasons: ["stop"]
            - gen_ai.usage.input_tokens: 100
            - gen_ai.usage.output_tokens: 31
            - obs.agent.depth: 0
            - obs.agent.implementation: "rig"
            - obs.agent.run.inferences: 2
            - obs.agent.run.tools: 1
            - obs.agent.turn: 3
            chat gpt-4o [client]
              - gen_ai.conversation.id: "conv_1"
              - gen_ai.operation.name: "chat"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.max_tokens: 100
              - gen_ai.request.model: "gpt-4o"
              - gen_ai.request.stream: true
              - gen_ai.request.temperature: 0.5
              - gen_ai.request.top_p: 0.25
              - gen_ai.response.finish_reasons: ["tool_calls"]
              - gen_ai.response.id: "chatcmpl-1"
              - gen_ai.response.model: "gpt-4o-2024-08-06"
              - gen_ai.response.time_to_first_chunk: 0.25
              - gen_ai.usage.input_tokens: 40
              - gen_ai.usage.output_tokens: 11
              - obs.agent.depth: 1
              - obs.agent.step: 1
              - obs.agent.tools.chosen: ["weather"]
              - obs.agent.tools.offered: ["weather", "news"]
              - obs.llm.response.chunk_gap.max: 0.05
              - obs.llm.response.chunks: 2
              - obs.llm.response.time_per_output_token: 0.005
            execute_tool weather [internal]
              - gen_ai.agent.name: "forecaster"
              - gen_ai.conversation.id: "conv_1"
              - gen_ai.operation.name: "execute_tool"
              - gen_ai.tool.call.id: "call_1"
              - gen_ai.tool.description: "The weather of a city."
              - gen_ai.tool.name: "weather"
              - gen_ai.tool.type: "function"
              - obs.agent.attempt: 1
              - obs.agent.depth: 1
              - obs.agent.step: 2
            chat gpt-4o [client]
              - gen_ai.conversation.id: "conv_1"
              - gen_ai.operation.name: "chat"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.model: "gpt-4o"
              - gen_ai.response.finish_reasons: ["stop"]
              - gen_ai.response.id: "chatcmpl-2"
              - gen_ai.response.model: "gpt-4o-2024-08-06"
              - gen_ai.usage.input_tokens: 60
              - gen_ai.usage.output_tokens: 20
              - obs.agent.depth: 1
              - obs.agent.step: 3
    "#,
    );
    for (metric, count, sum) in [
        ("gen_ai.invoke_agent.duration", 1, 0.45),
        ("gen_ai.execute_tool.duration", 1, 0.1),
        ("gen_ai.invoke_agent.inference_calls", 1, 2.0),
        ("gen_ai.invoke_agent.tool_calls", 1, 1.0),
        ("gen_ai.client.inference.duration", 2, 0.35),
    ] {
        holds(&capture, metric, count, sum);
    }
    let page = capture.telemetry().prometheus();
    for old in ["obs_agent_invoke_agent", "obs_agent_execute_tool"] {
        assert!(!page.contains(old), "{old} in {page}");
    }
    nothing_goes_on(&capture);
}

/// A histogram's points and their sum, over all series.
#[track_caller]
pub(crate) fn holds(capture: &Capture, metric: &str, count: u64, sum: f64) {
    let points = capture.points();
    let series = points.histograms(metric, &[]);
    let all: u64 = series.iter().map(|point| point.count).sum();
    let total: f64 = series.iter().filter_map(|point| point.sum).sum();
    assert_eq!(all, count, "{metric}");
    assert!((total - sum).abs() < 1e-9, "{metric}: {total}");
}

#[track_caller]
fn nothing_goes_on(capture: &Capture) {
    for gauge in [
        "obs.agent.active_agents",
        "obs.agent.active_tools",
        "obs.llm.client.active_calls",
    ] {
        assert_eq!(capture.in_flight(gauge), 0, "{gauge}");
    }
}

#[test]
fn an_agent_elsewhere_is_a_clients() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        let input = of!(input::AgentInput {
            id: Some("asst_1"),
            version: Some("7"),
            provider: Some("aws.bedrock"),
            model: Some("nova-pro"),
        });
        let run = start(
            &handlers,
            Component::Agent,
            "planner",
            RunParent::Root,
            &Input::Agent(input),
        );
        capture.clock().advance(20 * MS);
        run.end(&Output::Agent(Default::default()));
        assert_tree(
            capture.tree(),
            r#"
            trace 1
              invoke_agent planner [client]
                - gen_ai.agent.id: "asst_1"
                - gen_ai.agent.name: "planner"
                - gen_ai.agent.version: "7"
                - gen_ai.operation.name: "invoke_agent"
                - gen_ai.provider.name: "aws.bedrock"
                - gen_ai.request.model: "nova-pro"
                - obs.agent.depth: 0
        "#,
        );
        holds(&capture, "gen_ai.client.operation.duration", 1, 0.02);
        for ours in [
            "gen_ai.invoke_agent.duration",
            "obs.agent.invoke_agent.duration",
            "gen_ai.invoke_agent.tool_calls",
            "obs.agent.invoke_agent.tool_calls",
        ] {
            assert_eq!(capture.count(ours), 0, "{ours}");
        }
    }
}

#[test]
fn a_workflow_and_what_is_in_it() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let nodes = Input::Node(Default::default());
    let workflow = start(
        &handlers,
        Component::Graph,
        "research",
        RunParent::Root,
        &nodes,
    );
    let inner = start(
        &handlers,
        Component::Chain,
        "gather",
        workflow.as_parent(),
        &nodes,
    );
    let input = Input::Documents(of!(input::DocumentsInput { documents: Some(4) }));
    let indexer = start(
        &handlers,
        Component::Indexer,
        "store",
        inner.as_parent(),
        &input,
    );
    indexer.end(&Output::Documents(of!(output::DocumentsOutput {
        count: Some(3)
    })));
    let input = Input::Prompt(of!(input::PromptInput {
        name: Some("summary"),
        version: Some("1.2"),
    }));
    let prompt = start(&handlers, Component::Prompt, "", inner.as_parent(), &input);
    prompt.end(&Output::Node(Default::default()));
    inner.end(&Output::Node(Default::default()));
    let planner = agent(&handlers, "planner", workflow.as_parent());
    let input = Input::Agent(of!(input::AgentInput {
        model: Some("gpt-4o")
    }));
    let plan = start(
        &handlers,
        Component::Plan,
        "decide",
        planner.as_parent(),
        &input,
    );
    plan.end(&Output::Agent(Default::default()));
    planner.end(&Output::Agent(Default::default()));
    let nested = start(
        &handlers,
        Component::Workflow,
        "review",
        workflow.as_parent(),
        &nodes,
    );
    nested.end(&Output::Node(Default::default()));
    workflow.end(&Output::Node(Default::default()));
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          invoke_workflow research [internal]
            - gen_ai.operation.name: "invoke_workflow"
            - gen_ai.workflow.name: "research"
            - obs.agent.depth: 0
            chain gather [internal]
              - obs.agent.depth: 1
              - obs.agent.node.kind: "chain"
              - obs.agent.node.name: "gather"
              - obs.agent.step: 1
              indexer store [internal]
                - obs.agent.depth: 2
                - obs.agent.documents: 3
                - obs.agent.node.kind: "indexer"
                - obs.agent.node.name: "store"
                - obs.agent.step: 1
              prompt [internal]
                - gen_ai.prompt.name: "summary"
                - obs.agent.depth: 2
                - obs.agent.node.kind: "prompt"
                - obs.agent.step: 2
            invoke_agent planner [internal]
              - gen_ai.agent.name: "planner"
              - gen_ai.operation.name: "invoke_agent"
              - gen_ai.provider.name: "_OTHER"
              - obs.agent.depth: 1
              - obs.agent.run.inferences: 0
              - obs.agent.run.tools: 0
              - obs.agent.step: 2
              plan planner [internal]
                - gen_ai.agent.name: "planner"
                - gen_ai.operation.name: "plan"
                - gen_ai.request.model: "gpt-4o"
                - obs.agent.depth: 2
                - obs.agent.step: 1
            invoke_workflow review [internal]
              - gen_ai.operation.name: "invoke_workflow"
              - gen_ai.workflow.name: "review"
              - obs.agent.depth: 1
              - obs.agent.step: 3
    "#,
    );
    for (metric, count) in [
        ("obs.agent.invoke_workflow.duration", 2),
        ("obs.agent.node.duration", 3),
        ("obs.agent.plan.duration", 1),
        ("obs.agent.invoke_agent.duration", 1),
    ] {
        assert_eq!(capture.count(metric), count, "{metric}");
    }
}

#[test]
fn without_names_spans_have_those_of_their_operations() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::Main);
    let all = [
        (Component::Agent, Input::Agent(Default::default())),
        (Component::Plan, Input::Agent(Default::default())),
        (Component::Tool, Input::Tool(Default::default())),
        (Component::Workflow, Input::Node(Default::default())),
        (Component::Retriever, Input::Retriever(Default::default())),
        (Component::Model, Input::Model(Default::default())),
        (Component::Embedding, Input::Embedding(Default::default())),
        (Component::Lambda, Input::Node(Default::default())),
    ];
    for (component, input) in all {
        drop(start(&handlers, component, "", RunParent::Root, &input));
    }
    let records = capture.records();
    let names: Vec<_> = records.iter().map(|record| record.name.as_str()).collect();
    let expect = [
        "invoke_agent",
        "plan",
        "execute_tool",
        "invoke_workflow",
        "retrieval",
        "chat",
        "embeddings",
        "lambda",
    ];
    assert_eq!(names, expect);
    for call in &records[5..7] {
        let provider = call.attr("gen_ai.provider.name");
        assert_eq!(provider, Some(&"_OTHER".into()));
    }
}

#[test]
fn more_tools_than_are_named_are_counted() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let long = "é".repeat(100);
    let tools = [&*long; 65];
    let input = of!(input::ModelInput { tools: &tools });
    let run = start(
        &handlers,
        Component::Model,
        "",
        RunParent::Root,
        &Input::Model(input),
    );
    let chosen = vec![ToolRequest::new("a", None); 70];
    run.end(&Output::Model(of!(output::ModelOutput {
        tool_calls: &chosen
    })));
    let record = capture.record();
    let list = |key: &str| match record.attr(key) {
        Some(obs_testing::AttrValue::Array(list)) => list.clone(),
        other => panic!("{other:?}"),
    };
    let offered = list("obs.agent.tools.offered");
    assert_eq!(offered.len(), 64);
    assert_eq!(offered[0], "é".repeat(64).as_str().into());
    assert_eq!(list("obs.agent.tools.chosen").len(), 64);
    let count = record.attr("obs.agent.tools.offered.count");
    assert_eq!(count, Some(&65_i64.into()));
}

/// A chunk without content has no time, and says what it says.
#[test]
fn time_to_the_first_chunk_is_that_of_content() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let mut run = crate::support::model(&handlers, RunParent::Root);
    run.begin_output();
    capture.clock().advance(10 * MS);
    run.item(&Item::Model(ModelChunk::default()));
    capture.clock().advance(20 * MS);
    run.item(&Item::Model(of!(output::ModelChunk {
        content: Some(Content::Text)
    })));
    run.end(&Output::Streamed);
    let first = capture.record();
    let first = first.attr("gen_ai.response.time_to_first_chunk");
    assert_eq!(first, Some(&0.03.into()));
}
