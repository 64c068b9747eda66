//! What the conventions require is there, however little is told: of each operation, by either dialect, by each ending.
//!
//! What they require is read from where it was taken from their model files; see `docs/conventions.py`.

use crate::support::{agent, model, observed, of, start, tool};
use obs_agent::input::{MemoryOperation, Server};
use obs_agent::{Component, Handlers, Input, Output, Run, RunError, RunParent};
use obs_llm::{Dialect, Llm, LlmOperation, Provider};
use obs_testing::{AttrValue, Capture};

/// Of spans by our kinds of operations, and of metrics.
const REQUIREMENTS: &str = include_str!("../../../docs/conventions.tsv");

/// What one requires of a span or a metric, by v1.41 for generative AI.
fn required(of: &str) -> Vec<&'static str> {
    let rows = REQUIREMENTS.lines().map(|row| row.split('\t'));
    let rows = rows.filter_map(|mut row| {
        let row = [row.next()?, row.next()?, row.next()?, row.next()?];
        (row[0] == "requirement" && row[1] == of && row[3] == "required").then_some(row[2])
    });
    rows.collect()
}

/// What main requires no longer: who provides an agent in this process, and of what is asked who provides it, where nobody does.
fn is_required(dialect: Dialect, of: &str, attribute: &str) -> bool {
    let main = dialect == Dialect::Main && attribute == "gen_ai.provider.name";
    !(main
        && [
            "span.agent.invoke_agent",
            "gen_ai.client.operation.duration",
        ]
        .contains(&of))
}

/// Runs of all that the conventions have a span for, told nothing but what they are.
fn all() -> Vec<(Component, &'static str, Input<'static>)> {
    let mcp = |method, is_server| {
        let mut input = of!(input::McpInput { method: method });
        input.is_server = is_server;
        Input::Mcp(input)
    };
    let memory = |operation| {
        Input::Memory(of!(input::MemoryInput {
            operation: operation
        }))
    };
    vec![
        (Component::Agent, "", Input::Streamed),
        (Component::Agent, "a", Input::Agent(Default::default())),
        (
            Component::Agent,
            "a",
            Input::Agent(of!(input::AgentInput {
                provider: Some("aws.bedrock")
            })),
        ),
        (Component::Workflow, "", Input::Streamed),
        (Component::Plan, "", Input::Streamed),
        (Component::Model, "", Input::Streamed),
        (Component::Embedding, "", Input::Streamed),
        (Component::Tool, "t", Input::Streamed),
        (Component::Retriever, "", Input::Streamed),
        (
            Component::Retriever,
            "",
            Input::Retriever(of!(input::RetrieverInput {
                store: Some("qdrant")
            })),
        ),
        (Component::Memory, "", Input::Streamed),
        (Component::Memory, "", memory(MemoryOperation::DeleteStore)),
        (Component::Mcp, "", mcp("ping", false)),
        (Component::Mcp, "", mcp("tools/call", true)),
        (Component::Mcp, "", mcp("", false)),
        (Component::Mcp, "", mcp("", true)),
    ]
}

fn each(handlers: &Handlers) {
    for (component, name, input) in all() {
        let begin = || start(handlers, component, name, RunParent::Root, &input);
        begin().end(&Output::Streamed);
        begin().fail(&RunError::failed("tool_error"));
        drop(begin());
    }
}

#[test]
fn what_is_required_is_there_however_little_is_told() {
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = Capture::new();
        each(&observed(&capture, dialect));
        let mut missing = Vec::new();
        let mut checked = 0;
        for record in capture.records() {
            let of = format!("span.{}", record.descriptor);
            for attribute in required(&of) {
                checked += 1;
                if is_required(dialect, &of, attribute) && record.attr(attribute).is_none() {
                    missing.push(format!("{}: {attribute}", record.name));
                }
            }
        }
        for point in capture.points().histograms {
            let series = &point.series;
            for attribute in required(&series.name) {
                checked += 1;
                if is_required(dialect, &series.name, attribute) && series.attr(attribute).is_none()
                {
                    missing.push(format!("{series}: {attribute}"));
                }
            }
        }
        missing.dedup();
        assert!(missing.is_empty(), "{dialect:?}: {missing:#?}");
        assert!(checked > 50, "{checked}");
    }
}

/// By v1.41 an agent in this process has a provider: who serves the model that it asks first, whoever tells of that and when. What an
/// agent within it asks is not its own.
#[test]
fn an_agent_here_has_the_provider_of_its_model() {
    let provider = |tell: &dyn Fn(&Handlers, &Llm, &Run)| {
        let capture = Capture::new();
        let handlers = observed(&capture, Dialect::V1_41);
        let llm = Llm::new(capture.telemetry()).with_dialect(Dialect::V1_41);
        let outer = agent(&handlers, "outer", RunParent::Root);
        tell(&handlers, &llm, &outer);
        outer.end(&Output::Agent(Default::default()));
        let records = capture.records();
        let agent = records.last().expect("the agent is the last");
        agent.text("gen_ai.provider.name").map(str::to_owned)
    };
    let model = |handlers: &Handlers, parent: RunParent<'_>, asked, answered| {
        let input = of!(input::ModelInput { provider: asked });
        let run = start(handlers, Component::Model, "", parent, &Input::Model(input));
        run.end(&Output::Model(of!(output::ModelOutput {
            provider: answered
        })));
    };
    let told = provider(&|handlers, _, outer| {
        model(handlers, outer.as_parent(), None, None);
        model(handlers, outer.as_parent(), Some("anthropic"), None);
        model(handlers, outer.as_parent(), Some("openai"), None);
    });
    assert_eq!(
        told.as_deref(),
        Some("anthropic"),
        "the first that is known"
    );
    let told = provider(&|handlers, _, outer| {
        let within = tool(handlers, "t", outer.as_parent());
        model(handlers, within.as_parent(), None, Some("vllm"));
        within.end(&Output::Tool(Default::default()));
    });
    assert_eq!(told.as_deref(), Some("vllm"), "at its end");
    let told = provider(&|_, llm, outer| {
        outer.in_scope(|| drop(llm.call(LlmOperation::Chat, &Provider::GROQ)));
    });
    assert_eq!(told.as_deref(), Some("groq"), "by a layer");
    let told = provider(&|handlers, _, outer| {
        let inner = agent(handlers, "inner", outer.as_parent());
        model(handlers, inner.as_parent(), Some("openai"), None);
        inner.end(&Output::Agent(Default::default()));
    });
    assert_eq!(told.as_deref(), Some("_OTHER"));
}

/// Main wants none of an agent in this process.
#[test]
fn on_main_an_agent_here_has_no_provider() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::Main);
    let outer = agent(&handlers, "outer", RunParent::Root);
    model(&handlers, outer.as_parent()).end(&Output::Model(Default::default()));
    outer.end(&Output::Agent(Default::default()));
    let records = capture.records();
    assert_eq!(records[0].text("gen_ai.provider.name"), Some("openai"));
    assert_eq!(records[1].attr("gen_ai.provider.name"), None);
}

/// Whom a call asks is on its span and in its duration; where nobody says it, it is on neither.
#[test]
fn whom_a_call_asks_is_told_where_it_is_known() {
    let server = Some(Server::new("api.example.com", Some(8443)));
    let runs = |server| {
        [
            (
                Component::Model,
                Input::Model(of!(input::ModelInput { server: server })),
            ),
            (
                Component::Embedding,
                Input::Embedding(of!(input::EmbeddingInput { server: server })),
            ),
            (
                Component::Agent,
                Input::Agent(of!(input::AgentInput {
                    provider: Some("aws.bedrock"),
                    server: server,
                })),
            ),
            (
                Component::Retriever,
                Input::Retriever(of!(input::RetrieverInput { server: server })),
            ),
            (
                Component::Memory,
                Input::Memory(of!(input::MemoryInput { server: server })),
            ),
            (
                Component::Retriever,
                Input::Retriever(of!(input::RetrieverInput {
                    store: Some("qdrant"),
                    server: server,
                })),
            ),
        ]
    };
    let here = [
        ("server.address", AttrValue::from("api.example.com")),
        ("server.port", 8443_i64.into()),
    ];
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        let mut told = 0;
        for (component, input) in runs(server) {
            start(&handlers, component, "a", RunParent::Root, &input).end(&Output::Streamed);
            let records = capture.take_records();
            // Where a run is a retrieval and the question to its store, it is the store that is asked.
            let (asks, around) = records.split_first().expect("a span");
            for (key, value) in &here {
                assert_eq!(asks.attr(key), Some(value), "{component} {key}");
                assert!(around.iter().all(|record| record.attr(key).is_none()));
            }
            told += 1;
        }
        let points = capture.points();
        let durations = points
            .histograms
            .iter()
            .filter(|point| point.series.name.ends_with("duration") && point.series.has(&here));
        assert_eq!(durations.count(), told);

        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        for empty in [None, Some(Server::new("", Some(1)))] {
            for (component, input) in runs(empty) {
                start(&handlers, component, "a", RunParent::Root, &input).end(&Output::Streamed);
            }
        }
        for record in capture.records() {
            let keys = ["server.address", "server.port"];
            assert!(
                keys.iter().all(|key| record.attr(key).is_none()),
                "{record:?}"
            );
        }
    }
}

/// Frameworks have words of their own for how a model fails, and none of them is another's.
#[test]
fn models_fail_in_the_words_of_frameworks() {
    let words = [
        "model_error",
        "connection_error",
        "service_error",
        "body_error",
        "incomplete_response",
        "invalid_output",
        "permission_denied",
        "not_found",
        "rate_limited",
        "content_filter",
        "interrupted",
        "budget_exceeded",
    ];
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        for component in [Component::Model, Component::Embedding, Component::Tool] {
            for word in words {
                let run = start(&handlers, component, "a", RunParent::Root, &Input::Streamed);
                run.fail(&RunError::failed(word));
                let record = capture.take_records().remove(0);
                assert_eq!(record.error_type(), Some(word), "{component}");
            }
        }
    }
}

/// The boundaries that the conventions advise, of each metric; of what is ours, those of what is its like.
#[test]
fn buckets_are_as_advised() {
    let seconds = [
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ];
    let turns = [
        0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6,
    ];
    let workflows = [
        1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
    ];
    let calls = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
    let messages = [
        0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    ];
    let stores = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
    for (dialect, ours) in [(Dialect::V1_41, "obs.agent"), (Dialect::Main, "gen_ai")] {
        let capture = Capture::new();
        each(&observed(&capture, dialect));
        let points = capture.points();
        let check = |metric: &str, bounds: &[f64], unit: &str| {
            let of_it = points.histograms(metric, &[]);
            assert!(!of_it.is_empty(), "{metric}");
            for point in of_it {
                assert_eq!(point.bounds, bounds, "{metric}");
                assert_eq!(point.series.unit, unit, "{metric}");
            }
        };
        check(&format!("{ours}.invoke_agent.duration"), &turns, "s");
        let inferences = format!("{ours}.invoke_agent.inference_calls");
        check(&inferences, &calls, "{inference_call}");
        let tools = format!("{ours}.invoke_agent.tool_calls");
        check(&tools, &calls, "{tool_call}");
        check(&format!("{ours}.execute_tool.duration"), &seconds, "s");
        check(&format!("{ours}.invoke_workflow.duration"), &workflows, "s");
        check("obs.agent.plan.duration", &turns, "s");
        check("gen_ai.client.operation.duration", &seconds, "s");
        for side in ["client", "server"] {
            let message = format!("mcp.{side}.operation.duration");
            check(&message, &messages, "s");
            check(&format!("mcp.{side}.session.duration"), &messages, "s");
        }
        check("db.client.operation.duration", &stores, "s");
    }
}

/// What a backend translates names by: main's, v1.41's, and of databases the stable conventions'.
#[test]
fn schemas_are_those_of_the_names() {
    use obs_agent::descriptor as of;
    use obs_core::semconv::{self, gen_ai};
    let pairs = [
        (&of::INVOKE_AGENT, &of::INVOKE_AGENT_MAIN),
        (&of::REMOTE_AGENT, &of::REMOTE_AGENT_MAIN),
        (&of::INVOKE_WORKFLOW, &of::INVOKE_WORKFLOW_MAIN),
        (&of::PLAN, &of::PLAN_MAIN),
        (&of::EXECUTE_TOOL, &of::EXECUTE_TOOL_MAIN),
        (&of::RETRIEVAL, &of::RETRIEVAL_MAIN),
        (&of::MEMORY, &of::MEMORY_MAIN),
        (&of::NODE, &of::NODE_MAIN),
        (&of::MCP_CLIENT, &of::MCP_CLIENT_MAIN),
        (&of::MCP_SERVER, &of::MCP_SERVER_MAIN),
        (&of::MCP_WITHIN, &of::MCP_WITHIN_MAIN),
        (&of::MCP_SESSION, &of::MCP_SESSION_MAIN),
    ];
    for (v1_41, main) in pairs {
        assert_eq!(v1_41.name, main.name);
        assert_eq!(v1_41.scope.schema_url, gen_ai::SCHEMA_URL, "{}", v1_41.name);
        assert_eq!(
            main.scope.schema_url,
            gen_ai::SCHEMA_URL_MAIN,
            "{}",
            main.name
        );
    }
    assert_eq!(of::DB_CLIENT.scope.schema_url, semconv::SCHEMA_URL);
}
