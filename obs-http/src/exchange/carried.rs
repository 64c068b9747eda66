//! An operation from the request to its end, with the `tracing` span that stands for it, if one was asked for.

use super::span::{EnteredSpan, OperationSpan};
use obs_core::{Entered, Operation, Outcome};
use std::mem::ManuallyDrop;

/// What a span says of the request.
#[cfg_attr(
    not(feature = "tracing"),
    expect(dead_code, reason = "nobody reads it without spans")
)]
pub(crate) struct Said<'a> {
    pub(crate) which: Which,
    pub(crate) method: &'a str,
    /// The route, or the template of the URL.
    pub(crate) route: Option<&'a str>,
    pub(crate) path: &'a str,
    /// Whom a client asks.
    pub(crate) host: &'a str,
}

/// Which span it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Server,
    Client,
    Call,
}

/// Ends both, the span after the operation. Two pointers at most.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) operation: Operation,
    /// Dropped by hand, so that there is one thing to ask where there is none.
    pub(crate) span: ManuallyDrop<OperationSpan>,
}

impl Carried {
    #[inline(always)]
    pub(crate) const fn new(operation: Operation, span: OperationSpan) -> Self {
        let span = ManuallyDrop::new(span);
        Self { operation, span }
    }

    #[inline(always)]
    pub(crate) const fn disabled() -> Self {
        Self::new(Operation::disabled(), OperationSpan::NONE)
    }

    #[inline(always)]
    pub(crate) fn is_recording(&self) -> bool {
        self.operation.is_recording()
    }

    /// Makes the operation current and enters the span: around whatever is polled or dropped for it.
    #[inline(always)]
    pub(crate) fn enter(&mut self) -> Inside<'_> {
        let operation = self.operation.enter();
        Inside {
            span: self.span.enter(),
            operation,
        }
    }

    #[inline(always)]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.operation.end_in_place(outcome);
        if self.span.is_some() {
            self.span.end(outcome);
        }
    }
}

impl Drop for Carried {
    #[inline(always)]
    fn drop(&mut self) {
        if self.span.is_some() {
            self.drop_both();
        }
    }
}

impl Carried {
    #[cold]
    #[inline(never)]
    fn drop_both(&mut self) {
        // Where the operation has ended, so has the span.
        if let Some(outcome) = self.operation.end_as_dropped() {
            self.span.end(outcome);
        }
    }
}

/// Both are entered while this lives. On the way that unwinds, the span is left first, as its place says.
#[must_use]
pub(crate) struct Inside<'a> {
    span: EnteredSpan<'a>,
    operation: Entered<'a>,
}

impl Inside<'_> {
    #[inline(always)]
    pub(crate) fn leave(self) {
        self.span.leave();
        self.operation.leave();
    }
}
