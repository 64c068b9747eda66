//! Where telemetry is at work on itself: what is logged there would become telemetry again.

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
#[cfg(feature = "tracing")]
pub(crate) fn is_quiet() -> bool {
    QUIET.get()
}
