//! The handle in whose scope this thread works: what is current there, without the record itself.
//!
//! A handle's scope hides the operation that is polled around it, and an operation that is polled inside the scope hides the
//! handle: the innermost of the two is the current one.

use crate::context;
use crate::engine::live::Flags;
use crate::engine::live::Live;
use crate::handle::OpRef;
use crate::thread;
use opentelemetry::{Context, ContextGuard};
use std::cell::Cell;
use std::mem::ManuallyDrop;

thread_local! {
    /// By value and without a destructor, as what is polled: empty whenever no scope is on the stack.
    static SCOPE: ManuallyDrop<Cell<Option<OpRef>>> = const { ManuallyDrop::new(Cell::new(None)) };
}

/// The handle whose scope this is, unless an operation is polled inside it: those who ask have looked for one.
#[cold]
pub(crate) fn handle() -> Option<OpRef> {
    if !thread::is_scoped() {
        return None;
    }
    SCOPE.with(|cell| {
        let handle = cell.take();
        let found = handle.clone();
        cell.set(handle);
        found
    })
}

/// Runs `work` with it, if there is one.
#[cold]
#[inline(never)]
pub(crate) fn with_handle(work: impl FnOnce(&OpRef)) {
    if let Some(handle) = handle() {
        work(&handle);
    }
}

/// A thread works in the scope of a handle while this lives. Guards go in the reverse order of their making.
#[must_use]
pub(crate) struct InScope {
    /// What others see of it; goes first.
    context: Option<ContextGuard>,
    /// What was polled around it, and the scope around it.
    outside: Option<Outside>,
}

struct Outside {
    polled: Option<Box<Live>>,
    scope: Option<OpRef>,
}

impl InScope {
    pub(crate) fn enter(handle: &OpRef, context: Option<Context>) -> Self {
        let context = context.filter(|_| thread::sees_otel());
        Self {
            context: context.map(Context::attach),
            // What is polled here keeps its record: there is more to be had from it than from a handle.
            outside: (!is_polled(handle)).then(|| Outside {
                polled: context::replace(None),
                scope: replace(Some(handle.clone())),
            }),
        }
    }
}

impl Drop for InScope {
    fn drop(&mut self) {
        drop(self.context.take());
        if let Some(outside) = self.outside.take() {
            drop(replace(outside.scope));
            drop(context::replace(outside.polled));
        }
    }
}

/// Whether the operation polled here, innermost, is the one behind the handle.
fn is_polled(handle: &OpRef) -> bool {
    context::peek(|current| {
        current.is_some_and(|live| {
            let shared = live
                .shared
                .as_ref()
                .filter(|_| live.flags.has(Flags::SHARED));
            shared.is_some_and(|shared| std::sync::Arc::ptr_eq(shared, &handle.0))
        })
    })
}

fn replace(handle: Option<OpRef>) -> Option<OpRef> {
    thread::set_scoped(handle.is_some());
    SCOPE.with(|cell| cell.replace(handle))
}

/// No scope at all, while user code looks at an operation that it was lent: inside of that nothing is current.
pub(crate) struct Hidden(Option<OpRef>);

impl Hidden {
    #[inline(always)]
    pub(crate) fn all() -> Self {
        Self(if thread::is_scoped() {
            replace(None)
        } else {
            None
        })
    }
}

impl Drop for Hidden {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            drop(replace(Some(handle)));
        }
    }
}
