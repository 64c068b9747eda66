//! What runs are, to obs-core: the kinds of operations, for their levels, and for whoever reads records.

pub(crate) mod db;
pub(crate) mod mcp;

pub use db::DB_CLIENT;
pub use mcp::{
    MCP_CLIENT, MCP_CLIENT_MAIN, MCP_SERVER, MCP_SERVER_MAIN, MCP_SESSION, MCP_SESSION_MAIN,
    MCP_WITHIN, MCP_WITHIN_MAIN,
};

use crate::component::Component;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, http, network, obs};
use obs_core::{
    Descriptor, ErrorType, Histogram, InFlight, Key, Label, Quantity, Record, Scope, Values,
};
use obs_llm::Dialect;

/// Values of `error.type`: how frameworks' runs fail, in the words of several. What an adapter tells besides is `_OTHER`.
pub(crate) const ERRORS: &[&str] = &[
    "tool_error",
    "tool_not_found",
    "invalid_arguments",
    "max_turns",
    "max_steps",
    "budget_exceeded",
    "invalid_output",
    "not_found",
    "permission_denied",
    "rate_limited",
    "connection_error",
    "service_error",
    "body_error",
    "incomplete_response",
    "model_error",
    "content_filter",
    "interrupted",
    "skipped",
    "observer_panicked",
    // JSON-RPC's and MCP's codes, as the conventions say: their texts.
    "-32700",
    "-32600",
    "-32601",
    "-32602",
    "-32603",
    "-32001",
    "-32002",
    "-32042",
];

/// The type of an error that is told by a word: a common one, a status of three digits, one of the list, else `_OTHER`.
pub(crate) fn error_type(kind: &str) -> ErrorType {
    match kind {
        "cancelled" => return ErrorType::CANCELLED,
        "timeout" => return ErrorType::TIMEOUT,
        "panic" => return ErrorType::PANIC,
        _ => {}
    }
    match ERRORS.iter().position(|known| *known == kind) {
        Some(index) => ErrorType::own(index as u16),
        None => status(kind).map_or(ErrorType::OTHER, ErrorType::code),
    }
}

/// A status of HTTP.
pub(crate) fn status(kind: &str) -> Option<u16> {
    let is_status = kind.len() == 3 && kind.bytes().all(|byte| byte.is_ascii_digit());
    is_status.then(|| kind.parse().ok()).flatten()
}

/// `error.type` of a tool that says by MCP that it failed.
pub(crate) const TOOL_ERROR: ErrorType = ErrorType::own(0);

pub(crate) static SCOPE: Scope = scope(gen_ai::SCHEMA_URL);
/// Names that a backend translates by another schema are of another scope.
pub(crate) static SCOPE_MAIN: Scope = scope(gen_ai::SCHEMA_URL_MAIN);

const fn scope(schema_url: &'static str) -> Scope {
    Scope {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        schema_url,
    }
}

/// The label that agents, workflows, plans and tools have first: their names.
pub(crate) const NAME: usize = 0;
/// Of tools, what kind they are.
pub(crate) const TOOL_TYPE: usize = 1;
/// Of what asks a service, `gen_ai.operation.name`.
pub(crate) const OPERATION: usize = 0;
/// Who is asked.
pub(crate) const PROVIDER: usize = 1;
/// Of an agent that runs elsewhere, its model and its name.
pub(crate) const MODEL: usize = 2;
pub(crate) const REMOTE_NAME: usize = 3;
/// Of a retrieval.
pub(crate) const DATA_SOURCE: usize = 2;
/// Where what is asked is served: the port is the label after it.
pub(crate) const REMOTE_ADDRESS: usize = 4;
pub(crate) const RETRIEVAL_ADDRESS: usize = 3;
pub(crate) const MEMORY_ADDRESS: usize = 2;
/// Of a node, what part of an agent it is, and its name.
pub(crate) const NODE_KIND: usize = 0;
pub(crate) const NODE_NAME: usize = 1;

/// The quantities of agents.
pub(crate) const INFERENCES: usize = 0;
pub(crate) const TOOLS: usize = 1;

/// What kinds of tools there are.
pub(crate) const TOOL_TYPES: &[&str] = &["function", "extension", "datastore"];

/// What is done with what is remembered, in the order of `MemoryOperation`.
pub(crate) const MEMORY_OPERATIONS: &[&str] = &[
    "search_memory",
    "create_memory",
    "update_memory",
    "upsert_memory",
    "delete_memory",
    "create_memory_store",
    "delete_memory_store",
];

pub(crate) const INVOKE_AGENT_OPERATION: &str = "invoke_agent";
pub(crate) const EXECUTE_TOOL_OPERATION: &str = "execute_tool";
pub(crate) const INVOKE_WORKFLOW_OPERATION: &str = "invoke_workflow";
pub(crate) const PLAN_OPERATION: &str = "plan";

/// Nodes, by their components.
const NODES: &[&str] = &Component::NAMES;

/// A turn of an agent in this process, by v1.41's names; its duration and counts are ours. Its name in settings is
/// `agent.invoke_agent`, and each agent is a method.
pub static INVOKE_AGENT: Descriptor =
    invoke_agent(&SCOPE, obs::agent::INVOKE_AGENT_DURATION, CALLS);
/// The same by main's.
pub static INVOKE_AGENT_MAIN: Descriptor =
    invoke_agent(&SCOPE_MAIN, gen_ai::MAIN_INVOKE_AGENT_DURATION, CALLS_MAIN);

const fn invoke_agent(
    scope: &'static Scope,
    duration: &'static str,
    quantities: &'static [Quantity],
) -> Descriptor {
    Descriptor {
        name: "agent.invoke_agent",
        labels: &AGENT_LABELS,
        quantities,
        in_flight: Some(InFlight {
            name: obs::agent::ACTIVE_AGENTS,
            unit: "{run}",
            description: "Number of agents that have a turn.",
            labels: 1 << NAME,
        }),
        duration: Some(Histogram {
            name: duration,
            unit: "s",
            description: "Duration of turns of agents.",
            bounds: gen_ai::AGENT_BOUNDS,
        }),
        ..internal(scope, |record, name| {
            named(INVOKE_AGENT_OPERATION, record, name)
        })
    }
}

/// An agent that runs elsewhere is asked: it has the calls' own duration. `agent.remote` in settings.
pub static REMOTE_AGENT: Descriptor = remote_agent(&SCOPE);
/// The same by main's names.
pub static REMOTE_AGENT_MAIN: Descriptor = remote_agent(&SCOPE_MAIN);

const fn remote_agent(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.remote",
        span_kind: SpanKind::Client,
        labels: &REMOTE_LABELS,
        method: Some(REMOTE_NAME),
        duration: Some(CALL_DURATION),
        ..internal(scope, |record, name| {
            two(record, OPERATION, REMOTE_NAME, name);
        })
    }
}

/// Agents and steps that are known by one name. `agent.invoke_workflow` in settings.
pub static INVOKE_WORKFLOW: Descriptor =
    invoke_workflow(&SCOPE, obs::agent::INVOKE_WORKFLOW_DURATION);
/// The same by main's names.
pub static INVOKE_WORKFLOW_MAIN: Descriptor =
    invoke_workflow(&SCOPE_MAIN, gen_ai::MAIN_INVOKE_WORKFLOW_DURATION);

const fn invoke_workflow(scope: &'static Scope, duration: &'static str) -> Descriptor {
    Descriptor {
        name: "agent.invoke_workflow",
        labels: &WORKFLOW_LABELS,
        duration: Some(Histogram {
            name: duration,
            unit: "s",
            description: "Duration of workflows.",
            bounds: gen_ai::WORKFLOW_BOUNDS,
        }),
        ..internal(scope, |record, name| {
            named(INVOKE_WORKFLOW_OPERATION, record, name);
        })
    }
}

/// An agent decides what to do. `agent.plan` in settings.
pub static PLAN: Descriptor = plan(&SCOPE);
/// The same by main's names.
pub static PLAN_MAIN: Descriptor = plan(&SCOPE_MAIN);

const fn plan(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.plan",
        labels: &AGENT_LABELS,
        duration: Some(Histogram {
            name: obs::agent::PLAN_DURATION,
            unit: "s",
            description: "Duration of plans.",
            bounds: gen_ai::AGENT_BOUNDS,
        }),
        ..internal(scope, |record, name| named(PLAN_OPERATION, record, name))
    }
}

/// A tool is called. `agent.execute_tool` in settings, and each tool is a method.
pub static EXECUTE_TOOL: Descriptor = execute_tool(&SCOPE, obs::agent::EXECUTE_TOOL_DURATION);
/// The same by main's names.
pub static EXECUTE_TOOL_MAIN: Descriptor =
    execute_tool(&SCOPE_MAIN, gen_ai::MAIN_EXECUTE_TOOL_DURATION);

const fn execute_tool(scope: &'static Scope, duration: &'static str) -> Descriptor {
    Descriptor {
        name: "agent.execute_tool",
        labels: &TOOL_LABELS,
        in_flight: Some(InFlight {
            name: obs::agent::ACTIVE_TOOLS,
            unit: "{call}",
            description: "Number of calls of tools that go on.",
            labels: 1 << NAME,
        }),
        duration: Some(Histogram {
            name: duration,
            unit: "s",
            description: "Duration of calls of tools.",
            bounds: gen_ai::DURATION_BOUNDS,
        }),
        ..internal(scope, |record, name| {
            named(EXECUTE_TOOL_OPERATION, record, name)
        })
    }
}

/// Something is looked up. `agent.retrieval` in settings.
pub static RETRIEVAL: Descriptor = retrieval(&SCOPE);
/// The same by main's names.
pub static RETRIEVAL_MAIN: Descriptor = retrieval(&SCOPE_MAIN);

const fn retrieval(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.retrieval",
        span_kind: SpanKind::Client,
        labels: &RETRIEVAL_LABELS,
        method: Some(DATA_SOURCE),
        duration: Some(CALL_DURATION),
        ..internal(scope, |record, name| {
            two(record, OPERATION, DATA_SOURCE, name);
        })
    }
}

/// What is remembered is searched, written or deleted. `agent.memory` in settings, and each operation is a method.
pub static MEMORY: Descriptor = memory(&SCOPE);
/// The same by main's names.
pub static MEMORY_MAIN: Descriptor = memory(&SCOPE_MAIN);

const fn memory(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.memory",
        span_kind: SpanKind::Client,
        labels: &MEMORY_LABELS,
        method: Some(OPERATION),
        duration: Some(CALL_DURATION),
        ..internal(scope, |record, name| record.write_label(OPERATION, name))
    }
}

/// A node that the conventions have no name for. `agent.node` in settings, and each component is a method: `prompt`, `lambda`.
pub static NODE: Descriptor = node(&SCOPE);
/// The same beside main's names.
pub static NODE_MAIN: Descriptor = node(&SCOPE_MAIN);

const fn node(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.node",
        labels: &NODE_LABELS,
        method: Some(NODE_KIND),
        duration: Some(Histogram {
            name: obs::agent::NODE_DURATION,
            unit: "s",
            description: "Duration of nodes of graphs and chains.",
            bounds: obs_core::DURATION_BOUNDS,
        }),
        ..internal(scope, |record, name| {
            two(record, NODE_KIND, NODE_NAME, name)
        })
    }
}

/// What all have.
const fn internal(scope: &'static Scope, span_name: fn(&Record<'_>, &mut String)) -> Descriptor {
    Descriptor {
        name: "",
        span_kind: SpanKind::Internal,
        scope,
        labels: &[],
        method: Some(NAME),
        errors: ERRORS,
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name,
    }
}

const CALL_DURATION: Histogram = Histogram {
    name: gen_ai::CLIENT_OPERATION_DURATION,
    unit: "s",
    description: "Duration of calls of models, until the end of the answer.",
    bounds: gen_ai::DURATION_BOUNDS,
};

const CALLS: &[Quantity] = &[
    calls(obs::agent::INFERENCE_CALLS, "{inference_call}"),
    calls(obs::agent::TOOL_CALLS, "{tool_call}"),
];
const CALLS_MAIN: &[Quantity] = &[
    calls(gen_ai::MAIN_INFERENCE_CALLS, "{inference_call}"),
    calls(gen_ai::MAIN_TOOL_CALLS, "{tool_call}"),
];

const fn calls(name: &'static str, unit: &'static str) -> Quantity {
    Quantity {
        histogram: Histogram {
            name,
            unit,
            description: "Number of calls in one turn of an agent, without those of agents within it.",
            bounds: gen_ai::CALL_COUNT_BOUNDS,
        },
        attribute: None,
    }
}

const fn open(key: Key, cap: u16) -> Label {
    Label {
        key,
        values: Values::Open { cap },
    }
}

const fn closed(key: Key, values: &'static [&'static str]) -> Label {
    Label {
        key,
        values: Values::Closed(values),
    }
}

const ERROR: Label = Label {
    key: http::ERROR_TYPE,
    values: Values::Error,
};

/// As calls of models have them.
const ADDRESS: Label = open(network::SERVER_ADDRESS, 256);
const PORT: Label = Label {
    key: network::SERVER_PORT,
    values: Values::Number,
};

static AGENT_LABELS: [Label; 2] = [open(gen_ai::AGENT_NAME, 256), ERROR];
static WORKFLOW_LABELS: [Label; 2] = [open(gen_ai::WORKFLOW_NAME, 256), ERROR];
static TOOL_LABELS: [Label; 3] = [
    open(gen_ai::TOOL_NAME, 512),
    closed(gen_ai::TOOL_TYPE, TOOL_TYPES),
    ERROR,
];
static REMOTE_LABELS: [Label; 7] = [
    closed(gen_ai::OPERATION_NAME, &[INVOKE_AGENT_OPERATION]),
    open(gen_ai::PROVIDER_NAME, 64),
    open(gen_ai::REQUEST_MODEL, 512),
    open(gen_ai::AGENT_NAME, 256),
    ADDRESS,
    PORT,
    ERROR,
];
static RETRIEVAL_LABELS: [Label; 6] = [
    closed(gen_ai::OPERATION_NAME, &["retrieval"]),
    open(gen_ai::PROVIDER_NAME, 64),
    // Few: what is asked is a knowledge base, not a document.
    open(gen_ai::DATA_SOURCE_ID, 128),
    ADDRESS,
    PORT,
    ERROR,
];
static MEMORY_LABELS: [Label; 5] = [
    closed(gen_ai::OPERATION_NAME, MEMORY_OPERATIONS),
    open(gen_ai::PROVIDER_NAME, 64),
    ADDRESS,
    PORT,
    ERROR,
];
static NODE_LABELS: [Label; 3] = [
    closed(obs::agent::NODE_KIND, NODES),
    open(obs::agent::NODE_NAME, 512),
    ERROR,
];

/// `{operation} {name}`, without a name the operation alone.
fn named(operation: &str, record: &Record<'_>, name: &mut String) {
    name.push_str(operation);
    append(record, NAME, name);
}

/// The same where the operation is a label, too.
fn two(record: &Record<'_>, operation: usize, of: usize, name: &mut String) {
    record.write_label(operation, name);
    append(record, of, name);
}

fn append(record: &Record<'_>, label: usize, name: &mut String) {
    let before = name.len();
    if before > 0 {
        name.push(' ');
    }
    let start = name.len();
    record.write_label(label, name);
    if name.len() == start {
        name.truncate(before);
    }
}

/// Of each kind that of a dialect.
pub(crate) const fn by(
    dialect: Dialect,
    v1_41: &'static Descriptor,
    main: &'static Descriptor,
) -> &'static Descriptor {
    match dialect {
        Dialect::Main => main,
        _ => v1_41,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::MemoryOperation;

    #[test]
    fn an_error_is_a_word_of_the_list_a_status_or_another() {
        assert_eq!(error_type("tool_error"), TOOL_ERROR);
        assert_eq!(error_type("cancelled"), ErrorType::CANCELLED);
        assert_eq!(error_type("503"), ErrorType::code(503));
        for other in ["", "5033", "50", "099", "no such key: hunter2"] {
            assert_eq!(error_type(other), ErrorType::OTHER, "{other}");
        }
        assert_ne!(error_type("-32601"), ErrorType::OTHER);
    }

    #[test]
    fn operations_of_memories_stand_where_their_numbers_say() {
        let name = |operation: MemoryOperation| MEMORY_OPERATIONS[operation as usize];
        assert_eq!(name(MemoryOperation::Search), "search_memory");
        assert_eq!(name(MemoryOperation::Create), "create_memory");
        assert_eq!(name(MemoryOperation::Update), "update_memory");
        assert_eq!(name(MemoryOperation::Upsert), "upsert_memory");
        assert_eq!(name(MemoryOperation::Delete), "delete_memory");
        assert_eq!(name(MemoryOperation::CreateStore), "create_memory_store");
        assert_eq!(name(MemoryOperation::DeleteStore), "delete_memory_store");
    }
}
