//! Whatever anybody makes up, metrics have so many series and no more: what is beyond reads `_OTHER`, and counts.

use crate::support::{observed, of, start};
use obs_agent::input::Server;
use obs_agent::{AgentObserver, Component, Handlers, Input, Output, RunError, RunParent};
use obs_llm::Dialect;
use obs_testing::Capture;
use std::collections::BTreeSet;

/// More than any label has room for.
const FLOOD: usize = 700;

/// A run that is told a text which somebody made up.
type Told = fn(&Handlers, &str);

fn ended(handlers: &Handlers, component: Component, name: &str, input: &Input<'_>) {
    start(handlers, component, name, RunParent::Root, input).end(&Output::Streamed);
}

fn retriever(handlers: &Handlers, input: obs_agent::input::RetrieverInput<'_>) {
    ended(handlers, Component::Retriever, "", &Input::Retriever(input));
}

fn remote(handlers: &Handlers, name: &str, mut input: obs_agent::input::AgentInput<'_>) {
    input.provider = input.provider.or(Some("aws.bedrock"));
    ended(handlers, Component::Agent, name, &Input::Agent(input));
}

fn message(handlers: &Handlers, mut input: obs_agent::input::McpInput<'_>) {
    if input.method.is_empty() {
        input.method = "ping";
    }
    ended(handlers, Component::Mcp, "", &Input::Mcp(input));
}

const CALL: &str = "gen_ai.client.operation.duration";
const STORE: &str = "db.client.operation.duration";
const MESSAGE: &str = "mcp.client.operation.duration";

/// Each label with the metric that has it, how many values it has room for, and how it is flooded.
const FLOODS: &[(&str, &str, usize, Told)] = &[
    (
        "obs.agent.invoke_agent.duration",
        "gen_ai.agent.name",
        256,
        |handlers, made| ended(handlers, Component::Agent, made, &Input::Streamed),
    ),
    (
        "obs.agent.plan.duration",
        "gen_ai.agent.name",
        256,
        |handlers, made| ended(handlers, Component::Plan, made, &Input::Streamed),
    ),
    (
        "obs.agent.invoke_workflow.duration",
        "gen_ai.workflow.name",
        256,
        |handlers, made| ended(handlers, Component::Workflow, made, &Input::Streamed),
    ),
    (
        "obs.agent.execute_tool.duration",
        "gen_ai.tool.name",
        512,
        |handlers, made| ended(handlers, Component::Tool, made, &Input::Streamed),
    ),
    (
        "obs.agent.execute_tool.duration",
        "gen_ai.tool.type",
        3,
        |handlers, made| {
            let input = of!(input::ToolInput {
                tool_type: Some(made)
            });
            ended(handlers, Component::Tool, "a", &Input::Tool(input))
        },
    ),
    (
        "obs.agent.node.duration",
        "obs.agent.node.name",
        512,
        |handlers, made| ended(handlers, Component::Lambda, made, &Input::Streamed),
    ),
    (CALL, "gen_ai.agent.name", 256, |handlers, made| {
        remote(handlers, made, Default::default())
    }),
    (CALL, "gen_ai.provider.name", 64, |handlers, made| {
        remote(
            handlers,
            "",
            of!(input::AgentInput {
                provider: Some(made)
            }),
        )
    }),
    (CALL, "gen_ai.request.model", 512, |handlers, made| {
        remote(handlers, "", of!(input::AgentInput { model: Some(made) }))
    }),
    (CALL, "server.address", 256, |handlers, made| {
        let server = Some(Server::new(made, None));
        remote(handlers, "", of!(input::AgentInput { server: server }))
    }),
    (CALL, "gen_ai.data_source.id", 128, |handlers, made| {
        retriever(
            handlers,
            of!(input::RetrieverInput {
                data_source_id: Some(made)
            }),
        )
    }),
    (CALL, "gen_ai.provider.name", 64, |handlers, made| {
        retriever(
            handlers,
            of!(input::RetrieverInput {
                provider: Some(made)
            }),
        )
    }),
    (CALL, "gen_ai.provider.name", 64, |handlers, made| {
        let input = of!(input::MemoryInput {
            provider: Some(made)
        });
        ended(handlers, Component::Memory, "", &Input::Memory(input))
    }),
    (STORE, "db.system.name", 32, |handlers, made| {
        retriever(handlers, of!(input::RetrieverInput { store: Some(made) }))
    }),
    (STORE, "db.collection.name", 256, |handlers, made| {
        retriever(
            handlers,
            of!(input::RetrieverInput {
                store: Some("qdrant"),
                collection: Some(made)
            }),
        )
    }),
    (STORE, "db.namespace", 128, |handlers, made| {
        retriever(
            handlers,
            of!(input::RetrieverInput {
                store: Some("qdrant"),
                namespace: Some(made)
            }),
        )
    }),
    (STORE, "db.operation.name", 64, |handlers, made| {
        retriever(
            handlers,
            of!(input::RetrieverInput {
                store: Some("qdrant"),
                store_operation: Some(made)
            }),
        )
    }),
    (MESSAGE, "mcp.method.name", 0, |handlers, made| {
        message(handlers, of!(input::McpInput { method: made }))
    }),
    (MESSAGE, "gen_ai.tool.name", 512, |handlers, made| {
        message(
            handlers,
            of!(input::McpInput {
                method: "tools/call",
                target: Some(made)
            }),
        )
    }),
    (MESSAGE, "gen_ai.prompt.name", 256, |handlers, made| {
        message(
            handlers,
            of!(input::McpInput {
                method: "prompts/get",
                target: Some(made)
            }),
        )
    }),
    (MESSAGE, "network.transport", 0, |handlers, made| {
        message(
            handlers,
            of!(input::McpInput {
                transport: Some(made)
            }),
        )
    }),
    (MESSAGE, "mcp.protocol.version", 16, |handlers, made| {
        message(
            handlers,
            of!(input::McpInput {
                protocol_version: Some(made)
            }),
        )
    }),
    (MESSAGE, "rpc.response.status_code", 64, |handlers, made| {
        let code = made.trim_start_matches(|sign: char| !sign.is_ascii_digit());
        let input = Input::Mcp(of!(input::McpInput { method: "ping" }));
        let run = start(handlers, Component::Mcp, "", RunParent::Root, &input);
        run.fail(&RunError::failed(code))
    }),
    (
        "mcp.client.session.duration",
        "mcp.protocol.version",
        16,
        |handlers, made| {
            let input = of!(input::McpInput {
                protocol_version: Some(made)
            });
            ended(handlers, Component::Mcp, "", &Input::Mcp(input))
        },
    ),
];

#[test]
fn each_label_has_so_many_values_and_no_more() {
    for &(metric, key, room, tell) in FLOODS {
        let capture = Capture::new();
        let handlers = observed(&capture, Dialect::V1_41);
        for n in 0..FLOOD {
            tell(&handlers, &format!("made up {}", 10_000 + n));
            capture.clear();
        }
        let points = capture.points();
        let series = points.histograms(metric, &[]);
        let counted: u64 = series.iter().map(|point| point.count).sum();
        assert_eq!(counted, FLOOD as u64, "{metric} {key}: all of them count");
        let values: BTreeSet<_> = { series.iter() }
            .filter_map(|point| point.series.attr(key))
            .map(|value| format!("{value:?}"))
            .collect();
        let made = values.iter().filter(|value| value.contains("1")).count();
        // What is of a closed list has no room for anything that is made up.
        let is_closed = room <= 3;
        assert_eq!(made, if is_closed { 0 } else { room }, "{metric} {key}");
        assert!(
            values.contains("Str(\"_OTHER\")"),
            "{metric} {key}: {values:?}"
        );
    }
}

/// Ids, of which there are ever more, are labels of nothing.
#[test]
fn ids_are_no_labels() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::Main);
    for n in 0..50 {
        let made = format!("id-{n}");
        let made = Some(&*made);
        let runs = [
            (
                Component::Agent,
                Input::Agent(of!(input::AgentInput {
                    id: made,
                    version: made,
                    conversation_id: made,
                })),
            ),
            (
                Component::Tool,
                Input::Tool(of!(input::ToolInput {
                    call_id: made,
                    description: made
                })),
            ),
            (
                Component::Memory,
                Input::Memory(of!(input::MemoryInput {
                    store_id: made,
                    record_id: made
                })),
            ),
            (
                Component::Mcp,
                Input::Mcp(of!(input::McpInput {
                    method: "resources/read",
                    resource_uri: made,
                    request_id: made,
                    session_id: made,
                })),
            ),
        ];
        for (component, input) in runs {
            ended(&handlers, component, "a", &input);
        }
        capture.clear();
    }
    let points = capture.points();
    for metric in [
        "gen_ai.invoke_agent.duration",
        "gen_ai.execute_tool.duration",
        CALL,
        MESSAGE,
    ] {
        let [only] = &*points.histograms(metric, &[]) else {
            panic!("{metric} has several series");
        };
        assert_eq!(only.count, 50, "{metric}");
    }
    assert!(!capture.telemetry().prometheus().contains("id-"));
}

/// What is known at start-up keeps its place, in each metric that has it.
#[test]
fn what_is_reserved_keeps_its_place() {
    let reserved: &[(Component, &str, &str)] = &[
        (
            Component::Agent,
            "obs.agent.invoke_agent.duration",
            "gen_ai.agent.name",
        ),
        (Component::Agent, CALL, "gen_ai.agent.name"),
        (
            Component::Plan,
            "obs.agent.plan.duration",
            "gen_ai.agent.name",
        ),
        (
            Component::Workflow,
            "obs.agent.invoke_workflow.duration",
            "gen_ai.workflow.name",
        ),
        (
            Component::Tool,
            "obs.agent.execute_tool.duration",
            "gen_ai.tool.name",
        ),
        (Component::Tool, MESSAGE, "gen_ai.tool.name"),
        (Component::Retriever, CALL, "gen_ai.data_source.id"),
        (
            Component::Lambda,
            "obs.agent.node.duration",
            "obs.agent.node.name",
        ),
    ];
    for &(component, metric, key) in reserved {
        let flood = { FLOODS.iter() }.find(|flood| (flood.0, flood.1) == (metric, key));
        let &(.., tell) = flood.expect("it is flooded above");
        let capture = Capture::new();
        let observer = AgentObserver::new(capture.telemetry()).with_dialect(Dialect::V1_41);
        observer.reserve(component, "known");
        let handlers = Handlers::new().with(observer);
        for n in 0..FLOOD {
            tell(&handlers, &format!("made up {n}"));
            capture.clear();
        }
        tell(&handlers, "known");
        let points = capture.points();
        let known = points.histogram(metric, &[(key, "known".into())]);
        let known = known.map(|point| point.count);
        assert_eq!(known, Some(1), "{component} {metric}");
    }
}
