//! Where telemetry is at work on itself: what is logged there would become telemetry again.

use crate::context;
use crate::engine::live::Live;
use crate::scope::Hidden;
use crate::thread;
use opentelemetry::Context;
use std::cell::Cell;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`, which must not unwind, with nothing that it logs becoming telemetry.
pub(crate) fn during<R>(work: impl FnOnce() -> R) -> R {
    let before = QUIET.replace(true);
    let result = work();
    QUIET.set(before);
    result
}

/// Whether this is such a place.
#[inline]
pub(crate) fn is_quiet() -> bool {
    QUIET.get()
}

/// The same, and wherever others say so: in OpenTelemetry's suppressed scope.
#[inline]
pub(crate) fn is_suppressed() -> bool {
    is_quiet() || thread::sees_otel() && Context::is_current_telemetry_suppressed()
}

/// A delivery: quiet, and no part of the operation in whose middle it may run in manual mode.
///
/// OpenTelemetry's suppressed scope says the same to others, but it is lost where spans of `tracing` bring the context along that
/// they were made in, as those of a connection do.
#[must_use]
pub(crate) struct Apart {
    quiet: bool,
    polled: Option<Box<Live>>,
    /// Goes after what was polled is back.
    _scope: Hidden,
}

impl Apart {
    pub(crate) fn enter() -> Self {
        Self {
            quiet: QUIET.replace(true),
            polled: context::replace(None),
            _scope: Hidden::all(),
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(context::replace(self.polled.take()));
        QUIET.set(self.quiet);
    }
}
