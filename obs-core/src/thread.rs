//! What this thread is in the middle of, in one byte: whether OpenTelemetry's context may be asked for here, and whether
//! somebody works in the scope of a handle.
//!
//! OpenTelemetry keeps its context in a thread-local with a destructor, and whoever asks for it afterwards panics: in
//! another thread-local's destructor that aborts the process. There is no `try_` of it. Destructors run in the reverse order
//! of first use, so a thread-local of ours that was touched after theirs goes before theirs: as long as ours is there, theirs
//! is. Once ours is gone, the thread is one without a context of OpenTelemetry.

use opentelemetry::Context;
use std::cell::Cell;
use std::panic::catch_unwind;

thread_local! {
    /// Without a destructor: it is there whatever else is gone.
    static STATE: Cell<u8> = const { Cell::new(0) };
    static SENTINEL: Sentinel = const { Sentinel };
}

/// OpenTelemetry's context is there.
const USABLE: u8 = 1;
/// It is gone, or about to be.
const GONE: u8 = 1 << 1;
/// A [handle's scope](crate::scope) is on the stack.
const SCOPED: u8 = 1 << 2;

struct Sentinel;

impl Drop for Sentinel {
    fn drop(&mut self) {
        STATE.set(STATE.get() & !USABLE | GONE);
    }
}

/// Whether OpenTelemetry's context may be asked for on this thread, now.
#[inline(always)]
pub(crate) fn sees_otel() -> bool {
    STATE.get() & USABLE != 0 || first_look()
}

/// Whether there is nothing to say of this thread but that it [sees](sees_otel) OpenTelemetry's context: both questions in
/// one.
#[inline(always)]
pub(crate) fn is_plain() -> bool {
    STATE.get() == USABLE
}

/// Whether a handle's scope is on the stack.
#[inline(always)]
pub(crate) fn is_scoped() -> bool {
    STATE.get() & SCOPED != 0
}

pub(crate) fn set_scoped(scoped: bool) {
    let state = STATE.get() & !SCOPED;
    STATE.set(if scoped { state | SCOPED } else { state });
}

/// Once for each thread, and at its end.
#[cold]
#[inline(never)]
fn first_look() -> bool {
    let state = STATE.get();
    if state & GONE != 0 {
        return false;
    }
    // Theirs first. Where somebody else had touched it before and it is gone by now this panics, which has to stay here.
    let usable =
        catch_unwind(|| Context::map_current(|_| ())).is_ok() && SENTINEL.try_with(|_| ()).is_ok();
    STATE.set(state | if usable { USABLE } else { GONE });
    usable
}
