//! How messages end, and sessions.

use super::side::sealed::Answer;
use super::{KIND, McpObserver};
use crate::handlers::Run;
use crate::input::{Input, McpInput};
use crate::output::{McpOutput, Output};
use crate::run::{RunInfo, RunParent};
use crate::{Component, RunError, Text};
use rmcp::model::{ErrorData, ProtocolVersion};
use rmcp::service::ServiceError;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// A session, from its handshake on. It ends with whoever has it.
#[derive(Debug, Default)]
pub(super) struct Session {
    is_agreed: AtomicBool,
    run: OnceLock<Run>,
}

impl Session {
    /// A server's handshake is answered. Whether there is a session is known by what is received next, if anything is: a server
    /// over HTTP may have none.
    pub(super) fn agree(&self) {
        self.is_agreed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_agreed(&self) -> bool {
        self.is_agreed.load(Ordering::Relaxed)
    }

    /// Something is received.
    pub(super) fn go_on(
        &self,
        observer: &McpObserver,
        transport: Option<&str>,
        version: Option<&ProtocolVersion>,
    ) {
        if self.is_agreed() {
            self.begin(observer, true, transport, version);
        }
    }

    /// It begins, unless it has.
    pub(super) fn begin(
        &self,
        observer: &McpObserver,
        is_server: bool,
        transport: Option<&str>,
        version: Option<&ProtocolVersion>,
    ) {
        self.run.get_or_init(|| {
            let input = McpInput {
                is_server,
                transport: transport.or(observer.settings.transport),
                protocol_version: version.map(ProtocolVersion::as_str),
                ..McpInput::default()
            };
            let info = RunInfo::new(Component::Mcp, "").with_kind(KIND);
            { &observer.handlers }.start(info, RunParent::Root, &Input::Mcp(input))
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            run.end(&Output::Mcp(McpOutput::default()));
        }
    }
}

/// It was answered so.
pub(super) fn end(run: Run, answer: Answer<'_>) {
    let mut output = McpOutput::default();
    let Answer::Tool(result) = answer else {
        return run.end(&Output::Mcp(output));
    };
    let write = |out: &mut String| {
        if let Ok(text) = serde_json::to_string(result) {
            out.push_str(&text);
        }
    };
    output.is_tool_error = result.is_error == Some(true);
    output.result = Some(Text::JsonBy(&write));
    run.end(&Output::Mcp(output));
}

/// It was answered by an error of JSON-RPC.
pub(super) fn fail(run: Run, error: &ErrorData) {
    let code = error.code.0.to_string();
    run.fail(&RunError::failed(&code).with_message(&error.message));
}

/// It was sent, and not answered well.
pub(super) fn fail_sent(run: Run, error: &ServiceError) {
    let failed = match error {
        ServiceError::McpError(error) => return fail(run, error),
        ServiceError::Timeout { .. } => RunError::timed_out(),
        ServiceError::Cancelled { .. } => RunError::cancelled(),
        ServiceError::TransportSend(_) | ServiceError::TransportClosed => {
            RunError::failed("connection_error")
        }
        ServiceError::UnexpectedResponse => RunError::failed("invalid_output"),
        _ => RunError::failed(""),
    };
    run.fail(&failed.with_message(error));
}
