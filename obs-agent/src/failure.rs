//! How a run fails.

use std::fmt;

/// How a run ended that did not end well.
#[derive(Clone, Copy)]
pub struct RunError<'a> {
    /// In which way.
    pub end: RunEnd,
    /// What kind of error, for `error.type`: a word of a small set, no text of an error. Empty where nothing is known.
    pub kind: &'a str,
    /// The error itself, for handlers that may show it: it can hold what a user said.
    pub message: Option<&'a (dyn fmt::Display + Sync)>,
}

/// In which way a run ended that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunEnd {
    /// It failed.
    Failed,
    /// Somebody stopped it: it was dropped, its stream was not read to the end.
    Cancelled,
    /// It took too long, and a deadline says so.
    TimedOut,
    /// It panicked.
    Panicked,
}

impl<'a> RunError<'a> {
    /// It failed with an error of this kind.
    pub const fn failed(kind: &'a str) -> Self {
        Self::of(RunEnd::Failed, kind)
    }

    /// It was stopped.
    pub const fn cancelled() -> Self {
        Self::of(RunEnd::Cancelled, "cancelled")
    }

    /// It took too long.
    pub const fn timed_out() -> Self {
        Self::of(RunEnd::TimedOut, "timeout")
    }

    /// It panicked.
    pub const fn panicked() -> Self {
        Self::of(RunEnd::Panicked, "panic")
    }

    const fn of(end: RunEnd, kind: &'a str) -> Self {
        Self {
            end,
            kind,
            message: None,
        }
    }

    /// With the error itself.
    #[must_use]
    pub const fn with_message(self, message: &'a (dyn fmt::Display + Sync)) -> Self {
        Self {
            message: Some(message),
            ..self
        }
    }
}

/// Without the message.
impl fmt::Debug for RunError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunError")
            .field("end", &self.end)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
