//! Functions of users on a request's path: what observes cannot fail what it observes.

use obs_core::Kind;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `asked` says, or `otherwise` if it panics, which is counted. Broken state behind it is its own: it is asked again.
#[inline]
pub(crate) fn or<T>(kind: &Kind, otherwise: T, asked: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(asked)) {
        Ok(said) => said,
        Err(panic) => {
            count(kind, panic);
            otherwise
        }
    }
}

#[cold]
#[inline(never)]
fn count(kind: &Kind, panic: Box<dyn std::any::Any + Send>) {
    kind.count_panic();
    // What was thrown can panic when it is dropped, and that one's payload is let go of unseen.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}
