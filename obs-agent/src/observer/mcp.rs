//! Messages and sessions of the Model Context Protocol.

use super::Shared;
use super::end::fail;
use crate::component::Component;
use crate::descriptor::mcp::{
    CALL, FAILED, METHOD, OPERATION, PROMPT, SESSION_ERROR, SESSION_TRANSPORT, SESSION_VERSION,
    STATUS, TOOL, TRANSPORT, VERSION,
};
use crate::descriptor::{TOOL_ERROR, error_type};
use crate::failure::RunError;
use crate::handler::State;
use crate::input::{Input, McpInput};
use crate::output::Output;
use crate::run::Starting;
use obs_core::otel::KeyValue;
use obs_core::semconv::{mcp, network, rpc};
use obs_core::{ErrorType, Kind, LabelId, Labels, Moment, OpRef, Operation, Outcome};

/// A message or a session that goes on.
pub(super) enum Message {
    /// It has a span.
    Own(Operation),
    /// It is told on the span of the tool that it calls.
    Within(OpRef, Labels, Moment),
    /// A session: of a server, or of a client.
    Session(bool, Labels, Moment),
}

pub(super) fn start(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let told = input;
    let input = match input {
        Input::Mcp(input) => *input,
        _ => McpInput::default(),
    };
    if input.method.is_empty() {
        return session(shared.kinds.mcp_session, &input);
    }
    let kinds = &shared.kinds;
    let is_tool = input.method == CALL;
    let is_of_tool =
        { run.parent() }.is_some_and(|parent| parent.info().component == Component::Tool);
    if is_tool
        && is_of_tool
        && !input.is_server
        && !kinds.mcp_client.is_disabled()
        && let Some(tool) = run.operation_of_parent()
    {
        let labels = labels(kinds.mcp_within, &input);
        for (key, text) in texts(&input) {
            tool.set_attribute(KeyValue::new(key.as_str(), text.to_owned()));
        }
        let method = KeyValue::new(mcp::METHOD_NAME.as_str(), input.method.to_owned());
        tool.set_attribute(method);
        let started = kinds.mcp_within.now();
        return State::new(Message::Within(tool.clone(), labels, started));
    }
    let kind = match input.is_server {
        true => kinds.mcp_server,
        false => kinds.mcp_client,
    };
    let (target, name) = target(&input);
    let mut operation = shared.begin(run, kind, labels(kind, &input), (target, name));
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    for (key, text) in [
        (mcp::RESOURCE_URI, input.resource_uri),
        (mcp::JSONRPC_REQUEST_ID, input.request_id),
        (mcp::SESSION_ID, input.session_id),
    ] {
        if let Some(text) = text {
            active.set(key, text);
        }
    }
    shared.tell_input(&mut active, told);
    State::new(Message::Own(operation))
}

/// Labels that are there from the start, but for the target.
fn labels(kind: &'static Kind, input: &McpInput<'_>) -> Labels {
    let mut labels = Labels::NONE.with(METHOD, kind.label(METHOD, input.method));
    if input.method == CALL {
        labels = labels.with(OPERATION, LabelId::closed(0));
    }
    if let Some(transport) = input.transport {
        labels = labels.with(TRANSPORT, kind.label(TRANSPORT, transport));
    }
    if let Some(version) = input.protocol_version {
        labels = labels.with(VERSION, kind.label(VERSION, version));
    }
    labels
}

/// The tool or prompt that a message names.
fn target<'a>(input: &McpInput<'a>) -> (usize, &'a str) {
    let name = input.target.unwrap_or_default();
    match input.method.split_once('/') {
        Some(("tools", _)) => (TOOL, name),
        // What is completed is an argument of a prompt, where it names one.
        Some(("prompts" | "completion", _)) => (PROMPT, name),
        _ => (TOOL, ""),
    }
}

/// What the span of a tool is told of the message that it is called by.
fn texts<'a>(input: &McpInput<'a>) -> impl Iterator<Item = (obs_core::Key, &'a str)> {
    [
        (mcp::JSONRPC_REQUEST_ID, input.request_id),
        (mcp::SESSION_ID, input.session_id),
        (mcp::PROTOCOL_VERSION, input.protocol_version),
        (network::TRANSPORT, input.transport),
    ]
    .into_iter()
    .filter_map(|(key, text)| Some((key, text?)))
}

fn session(kind: &'static Kind, input: &McpInput<'_>) -> State {
    if kind.is_disabled() {
        return State::none();
    }
    let mut labels = Labels::NONE;
    for (label, text) in [
        (SESSION_TRANSPORT, input.transport),
        (SESSION_VERSION, input.protocol_version),
    ] {
        if let Some(text) = text {
            labels = labels.with(label, kind.label(label, text));
        }
    }
    State::new(Message::Session(input.is_server, labels, kind.now()))
}

impl Message {
    pub(super) fn end(self, shared: &Shared, output: &Output<'_>) {
        let failed = matches!(output, Output::Mcp(output) if output.is_tool_error);
        match self {
            Self::Own(mut operation) => {
                if let Some(mut active) = operation.active() {
                    shared.tell_output(&mut active, output);
                }
                operation.end(match failed {
                    true => Outcome::failed(TOOL_ERROR),
                    false => Outcome::ANSWERED,
                });
            }
            Self::Within(_, labels, started) => {
                let error = match failed {
                    true => TOOL_ERROR,
                    false => ErrorType::NONE,
                };
                within(shared, labels, error, started);
            }
            Self::Session(is_server, labels, started) => {
                last(shared, is_server, labels, started);
            }
        }
    }

    pub(super) fn fail(self, shared: &Shared, error: &RunError<'_>) {
        let code = Some(error.kind).filter(|kind| kind.parse::<i64>().is_ok());
        match self {
            Self::Own(mut operation) => {
                if let (Some(code), Some(mut active)) = (code, operation.active()) {
                    active.set_label_text(STATUS, code);
                }
                fail(operation, error);
            }
            Self::Within(tool, mut labels, started) => {
                if let Some(code) = code {
                    let kind = shared.kinds.mcp_within;
                    labels = labels.with(STATUS, kind.label(STATUS, code));
                    let key = rpc::RESPONSE_STATUS_CODE.as_str();
                    tool.set_attribute(KeyValue::new(key, code.to_owned()));
                }
                within(shared, labels, error_type(error.kind), started);
            }
            Self::Session(is_server, labels, started) => {
                let labels = labels.with(SESSION_ERROR, error_type(error.kind).into());
                last(shared, is_server, labels, started);
            }
        }
    }
}

fn within(shared: &Shared, labels: Labels, error: ErrorType, started: Moment) {
    let kind = shared.kinds.mcp_within;
    kind.record_stage(labels.with(FAILED, error.into()), 0, started, kind.now());
}

fn last(shared: &Shared, is_server: bool, labels: Labels, started: Moment) {
    let kind = shared.kinds.mcp_session;
    kind.record_stage(labels, usize::from(is_server), started, kind.now());
}
