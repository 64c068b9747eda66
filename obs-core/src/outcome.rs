//! How an operation ended, with an `error.type` from a closed set.

/// The way an operation ended. Every operation ends in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// It did what it was asked, whatever the answer was.
    Answered,
    /// It failed, or answered with what its protocol calls an error.
    Failed,
    /// Whoever waited for it went away, or it was dropped.
    Cancelled,
    /// A deadline known to us had passed.
    TimedOut,
    /// It unwound.
    Panicked,
}

/// The value of `error.type`: a common one, one of the kind's own list, or a status code. Never free text.
///
/// The number is also the metric label: 0 none, 1–9 common, 10–99 the kind's own
/// ([`Descriptor::errors`](crate::Descriptor::errors)), from 100 to 999 the code itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorType(pub(crate) u16);

impl ErrorType {
    /// No error: the attribute is absent.
    pub const NONE: Self = Self(0);
    /// An error outside the closed set: `_OTHER`, as the conventions say.
    pub const OTHER: Self = Self(1);
    /// `cancelled`.
    pub const CANCELLED: Self = Self(2);
    /// `timeout`.
    pub const TIMEOUT: Self = Self(3);
    /// `panic`.
    pub const PANIC: Self = Self(4);

    /// The `index`-th of the kind's own error types, 0 to 89; beyond it is `_OTHER`.
    pub const fn own(index: u16) -> Self {
        if index < 90 {
            Self(10 + index)
        } else {
            Self::OTHER
        }
    }

    /// A status code of three digits, exported as those; any other is `_OTHER`.
    pub const fn code(code: u16) -> Self {
        if 100 <= code && code <= 999 {
            Self(code)
        } else {
            Self::OTHER
        }
    }

    /// Whether there is no error.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// How it ended and what to call the error, if it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub(crate) end: End,
    pub(crate) error: ErrorType,
}

impl Outcome {
    /// Answered, and the answer is no error.
    pub const ANSWERED: Self = Self {
        end: End::Answered,
        error: ErrorType::NONE,
    };
    /// Cancelled, as `error.type=cancelled`.
    pub const CANCELLED: Self = Self {
        end: End::Cancelled,
        error: ErrorType::CANCELLED,
    };
    /// Timed out, as `error.type=timeout`.
    pub const TIMED_OUT: Self = Self {
        end: End::TimedOut,
        error: ErrorType::TIMEOUT,
    };
    /// Panicked, as `error.type=panic`.
    pub const PANICKED: Self = Self {
        end: End::Panicked,
        error: ErrorType::PANIC,
    };

    /// Failed, with a type from the closed set.
    pub const fn failed(error: ErrorType) -> Self {
        Self {
            end: End::Failed,
            error,
        }
    }

    /// Cancelled, as the protocol calls it.
    pub const fn cancelled(error: ErrorType) -> Self {
        Self {
            end: End::Cancelled,
            error,
        }
    }

    /// Timed out, as the protocol calls it.
    pub const fn timed_out(error: ErrorType) -> Self {
        Self {
            end: End::TimedOut,
            error,
        }
    }

    /// Cancelled on purpose by the caller: an ending, but no error.
    pub const fn cancelled_on_purpose() -> Self {
        Self {
            end: End::Cancelled,
            error: ErrorType::NONE,
        }
    }

    /// How it ended.
    pub const fn end(self) -> End {
        self.end
    }

    /// The error type, [`ErrorType::NONE`] if it is no error.
    pub const fn error(self) -> ErrorType {
        self.error
    }

    /// Whether it counts as an error: for the span's status and for late keep.
    pub const fn is_error(self) -> bool {
        !self.error.is_none()
    }
}
