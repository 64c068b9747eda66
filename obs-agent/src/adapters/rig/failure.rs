//! How runs of rig's fail, as far as its errors say it.

use crate::failure::{RunEnd, RunError};
use rig_core::error::{ErrorKind, ErrorReport};
use rig_core::tool::{ToolErrorKind, ToolResult};

/// Of the whole run there is the text of its error only, and rig has few of its own.
const MAX_TURNS: &str = "reached the max turns limit of ";
const CANCELLED: &str = "the run was cancelled: ";
const UNKNOWN_TOOL: &str = "model attempted to call unknown or disallowed tool `";

/// Words that all of this suite's adapters have.
pub(super) const TOOL_NOT_FOUND: &str = "tool_not_found";
pub(super) const INVALID_ARGUMENTS: &str = "invalid_arguments";
pub(super) const INVALID_OUTPUT: &str = "invalid_output";
pub(super) const INCOMPLETE: &str = "incomplete_response";
const SERVICE: &str = "service_error";

/// What a failure is called and in which way it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) end: RunEnd,
    pub(super) kind: &'static str,
    message: String,
}

impl Failure {
    /// That of a run whose error reads so. `last` is what failed last within it, whose words rig passes on.
    pub(super) fn of_run(text: &str, last: Option<&Self>) -> Self {
        // An answer that was cut has no words of its own, and the run fails of it at once.
        let is_cut = |last: &Self| last.kind == INCOMPLETE && last.message.is_empty();
        if let Some(last) = last.filter(|last| last.message == text || is_cut(last)) {
            return Self::new(last.end, last.kind, text);
        }
        let (end, kind) = if text.starts_with(MAX_TURNS) {
            (RunEnd::Failed, "max_turns")
        } else if text.starts_with(CANCELLED) {
            (RunEnd::Cancelled, "cancelled")
        } else if text.starts_with(UNKNOWN_TOOL) {
            (RunEnd::Failed, TOOL_NOT_FOUND)
        } else {
            (RunEnd::Failed, "")
        };
        Self::new(end, kind, text)
    }

    pub(super) fn of_report(report: &ErrorReport) -> Self {
        let kind = match (report.http_status, report.kind) {
            (Some(status), _) => of_status(status),
            (None, ErrorKind::Tool(kind)) => of_tool(kind),
            (None, ErrorKind::Http | ErrorKind::Url | ErrorKind::Request) => SERVICE,
            (None, ErrorKind::Json | ErrorKind::Response) => INCOMPLETE,
            (None, ErrorKind::Provider | ErrorKind::ProviderResponse) => "model_error",
            (None, ErrorKind::Denied) => "permission_denied",
            (None, kind) => kind.code(),
        };
        let end = match report.kind {
            ErrorKind::Cancelled | ErrorKind::Tool(ToolErrorKind::Cancelled) => RunEnd::Cancelled,
            ErrorKind::Timeout | ErrorKind::Tool(ToolErrorKind::Timeout) => RunEnd::TimedOut,
            _ => RunEnd::Failed,
        };
        Self::new(end, kind, &report.message)
    }

    /// That of a tool which did not succeed.
    pub(super) fn of_tool(result: &ToolResult) -> Option<Self> {
        if result.is_skipped() {
            let why = result.output().render();
            return Some(Self::new(RunEnd::Cancelled, "skipped", &why));
        }
        if let Some(refusal) = result.refusal() {
            let why = refusal.message();
            return Some(Self::new(RunEnd::Failed, of_tool(refusal.kind()), why));
        }
        let error = result.error()?;
        let end = match error.kind() {
            ToolErrorKind::Timeout => RunEnd::TimedOut,
            ToolErrorKind::Cancelled => RunEnd::Cancelled,
            _ => RunEnd::Failed,
        };
        Some(Self::new(end, of_tool(error.kind()), error.message()))
    }

    /// Something had been answered before.
    pub(super) fn within_answer(self) -> Self {
        match self.kind {
            SERVICE => Self {
                kind: "body_error",
                ..self
            },
            _ => self,
        }
    }

    pub(super) fn new(end: RunEnd, kind: &'static str, message: &str) -> Self {
        Self {
            end,
            kind,
            message: message.to_owned(),
        }
    }

    pub(super) fn error(&self) -> RunError<'_> {
        RunError {
            end: self.end,
            kind: self.kind,
            message: Some(&self.message),
        }
    }
}

/// rig's words for what is wrong with tools, in ours.
fn of_tool(kind: ToolErrorKind) -> &'static str {
    match kind {
        ToolErrorKind::InvalidArgs => INVALID_ARGUMENTS,
        ToolErrorKind::Network => "connection_error",
        ToolErrorKind::Provider => SERVICE,
        ToolErrorKind::Other => "tool_error",
        // The same in both.
        kind => kind.as_str(),
    }
}

/// The statuses that servers of models answer with.
fn of_status(status: u16) -> &'static str {
    match status {
        400 => "400",
        401 => "401",
        402 => "402",
        403 => "403",
        404 => "404",
        408 => "408",
        409 => "409",
        413 => "413",
        422 => "422",
        424 => "424",
        429 => "429",
        500 => "500",
        501 => "501",
        502 => "502",
        503 => "503",
        504 => "504",
        529 => "529",
        _ => "model_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rig_agent::completion::PromptError;

    #[track_caller]
    fn check(error: &PromptError, end: RunEnd, kind: &str) {
        let failure = Failure::of_run(&error.to_string(), None);
        assert_eq!((failure.end, failure.kind), (end, kind), "{error}");
    }

    /// They are rig's own words, which a hook is given instead of its errors.
    #[test]
    fn what_rig_says_of_a_run_is_known_by_its_words() {
        let (chat_history, prompt) = (Vec::new(), "".into());
        let max_turns = 3;
        check(
            &PromptError::MaxTurns {
                max_turns,
                chat_history,
                prompt,
            },
            RunEnd::Failed,
            "max_turns",
        );
        check(
            &PromptError::cancelled([], "enough"),
            RunEnd::Cancelled,
            "cancelled",
        );
        let tool_name = "nothing".to_owned();
        check(
            &PromptError::UnknownToolCall {
                tool_name,
                available_tools: Vec::new(),
                allowed_tools: Vec::new(),
                chat_history: Vec::new(),
            },
            RunEnd::Failed,
            TOOL_NOT_FOUND,
        );
    }

    #[test]
    fn what_failed_within_says_more_than_the_words() {
        let report = ErrorReport::new(ErrorKind::ProviderResponse, "slow down");
        let within = Failure::of_report(&report.with_http_status(429));
        assert_eq!(within.kind, "429");
        assert_eq!(Failure::of_run("slow down", Some(&within)), within);
        assert_eq!(Failure::of_run("something else", Some(&within)).kind, "");
    }
}
