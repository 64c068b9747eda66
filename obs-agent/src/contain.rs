//! Panics of handlers, which must not reach what is observed.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
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
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// What a handler keeps of a run. Whoever is the last to hold it, in the middle of whatever, is let alone by its destructor.
#[derive(Clone, Default)]
pub(crate) struct Kept(Option<Arc<dyn Any + Send + Sync>>);

impl Kept {
    pub(crate) fn new<T: Any + Send + Sync>(kept: Arc<T>) -> Self {
        Self(Some(kept))
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// It, if it is of this type.
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_deref()?.downcast_ref()
    }
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        if let Some(kept) = self.0.take() {
            contained(|| drop(kept));
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&!self.is_none()).finish()
    }
}
