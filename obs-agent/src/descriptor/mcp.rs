//! A message of the Model Context Protocol, and a session of it.

use super::{ERROR, ERRORS, SCOPE, SCOPE_MAIN, closed, internal, open};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{gen_ai, mcp, network, rpc};
use obs_core::{Descriptor, Event, Histogram, Label, Record, Scope, Stage, StatsLevel};

pub(crate) const METHOD: usize = 0;
/// `gen_ai.operation.name`, of calls of tools alone.
pub(crate) const OPERATION: usize = 1;
pub(crate) const TOOL: usize = 2;
pub(crate) const PROMPT: usize = 3;
pub(crate) const TRANSPORT: usize = 4;
pub(crate) const VERSION: usize = 5;
pub(crate) const STATUS: usize = 6;
pub(crate) const FAILED: usize = 7;

pub(crate) const SESSION_TRANSPORT: usize = 0;
pub(crate) const SESSION_VERSION: usize = 1;
pub(crate) const SESSION_ERROR: usize = 2;

/// The method that calls a tool.
pub(crate) const CALL: &str = "tools/call";

/// What is asked for and told: the conventions' list by v1.41 and main, then what the protocol and its extensions have besides. Whatever
/// else somebody sends is `_OTHER`.
const METHODS: &[&str] = &[
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "logging/setLevel",
    "sampling/createMessage",
    "roots/list",
    "elicitation/create",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/roots/list_changed",
    // Main's, of the protocol of 2026-07-28.
    "server/discover",
    "subscriptions/listen",
    "notifications/subscriptions/acknowledged",
    // On no list of the conventions: tasks (SEP-2663), skills (SEP-2640), directories, answers that were asked for elsewhere.
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "notifications/tasks",
    "skills/list",
    "skills/get",
    "resources/directory/read",
    "notifications/elicitation/complete",
];

const TRANSPORTS: &[&str] = &["pipe", "tcp", "quic", "unix", "udp"];

static LABELS: [Label; 8] = [
    closed(mcp::METHOD_NAME, METHODS),
    closed(gen_ai::OPERATION_NAME, &["execute_tool"]),
    open(gen_ai::TOOL_NAME, 512),
    open(gen_ai::PROMPT_NAME, 256),
    closed(network::TRANSPORT, TRANSPORTS),
    open(mcp::PROTOCOL_VERSION, 16),
    open(rpc::RESPONSE_STATUS_CODE, 64),
    ERROR,
];

static SESSION_LABELS: [Label; 3] = [
    closed(network::TRANSPORT, TRANSPORTS),
    open(mcp::PROTOCOL_VERSION, 16),
    ERROR,
];

/// A message that is sent. `mcp.client` in settings, and each method of the protocol is a method.
pub static MCP_CLIENT: Descriptor = client(&SCOPE);
/// The same beside main's names.
pub static MCP_CLIENT_MAIN: Descriptor = client(&SCOPE_MAIN);
/// A message that is received. `mcp.server` in settings.
pub static MCP_SERVER: Descriptor = server(&SCOPE);
/// The same beside main's names.
pub static MCP_SERVER_MAIN: Descriptor = server(&SCOPE_MAIN);

/// A call of a tool that has no span of its own, as it is a tool's that runs here: nothing is ever started of it.
pub static MCP_WITHIN: Descriptor = within(&SCOPE);
/// The same beside main's names.
pub static MCP_WITHIN_MAIN: Descriptor = within(&SCOPE_MAIN);

/// Sessions, of which there are no spans.
pub static MCP_SESSION: Descriptor = session(&SCOPE);
/// The same beside main's names.
pub static MCP_SESSION_MAIN: Descriptor = session(&SCOPE_MAIN);

const fn client(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "mcp.client",
        span_kind: SpanKind::Client,
        duration: Some(CLIENT_DURATION),
        ..message(scope)
    }
}

const fn server(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "mcp.server",
        span_kind: SpanKind::Server,
        duration: Some(seconds(
            mcp::SERVER_OPERATION_DURATION,
            "Duration of messages of MCP that are received.",
        )),
        ..message(scope)
    }
}

const fn within(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.mcp_within",
        stages: &WITHIN,
        ..message(scope)
    }
}

const fn session(scope: &'static Scope) -> Descriptor {
    Descriptor {
        name: "agent.mcp_session",
        labels: &SESSION_LABELS,
        method: None,
        stages: &SESSIONS,
        ..message(scope)
    }
}

const fn message(scope: &'static Scope) -> Descriptor {
    Descriptor {
        labels: &LABELS,
        method: Some(METHOD),
        errors: ERRORS,
        ..internal(scope, span_name)
    }
}

const CLIENT_DURATION: Histogram = seconds(
    mcp::CLIENT_OPERATION_DURATION,
    "Duration of messages of MCP that are sent, until they are answered.",
);

static WITHIN: [Stage; 1] = [by_hand(CLIENT_DURATION)];

/// A client's, then a server's.
static SESSIONS: [Stage; 2] = [
    by_hand(seconds(
        mcp::CLIENT_SESSION_DURATION,
        "Duration of sessions of MCP as their clients have them.",
    )),
    by_hand(seconds(
        mcp::SERVER_SESSION_DURATION,
        "Duration of sessions of MCP as their servers have them.",
    )),
];

const fn by_hand(histogram: Histogram) -> Stage {
    Stage {
        histogram,
        attribute: None,
        from: Event::RPC_START,
        to: Event::RPC_FINISH,
        level: StatsLevel::Base,
        by_hand: true,
    }
}

const fn seconds(name: &'static str, description: &'static str) -> Histogram {
    Histogram {
        name,
        unit: "s",
        description,
        bounds: mcp::BOUNDS,
    }
}

/// `{method} {tool or prompt}`.
fn span_name(record: &Record<'_>, name: &mut String) {
    record.write_label(METHOD, name);
    for target in [TOOL, PROMPT] {
        super::append(record, target, name);
    }
}
