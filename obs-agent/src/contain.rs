//! Panics of handlers, which must not reach what is observed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// What `work` gives, or nothing where it panicked, which is counted.
#[inline]
pub(crate) fn contain<R>(panics: &AtomicU64, work: impl FnOnce() -> R) -> Option<R> {
    let done = contained(work);
    if done.is_none() {
        panics.fetch_add(1, Ordering::Relaxed);
    }
    done
}

/// What `work` gives, or nothing where it panicked.
#[inline]
pub(crate) fn contained<R>(work: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// A payload may panic when it is dropped, and its payload again; in the end it is leaked.
#[cold]
fn discard(payload: Box<dyn std::any::Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
