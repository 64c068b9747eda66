//! A run within an agent's, which two may tell: the hook that begins it, and the handler that serves what it is of.

use crate::handlers::Run;
use crate::run::RunRef;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A run that is ended once, by whoever comes first.
#[derive(Clone)]
pub(super) struct Child(Arc<Shared>);

struct Shared {
    reference: Option<RunRef>,
    run: Mutex<Option<Run>>,
    /// Its handler tells it.
    is_taken: AtomicBool,
    /// Its output has begun to come in pieces.
    is_streamed: AtomicBool,
}

impl Child {
    pub(super) fn new(run: Run) -> Self {
        Self(Arc::new(Shared {
            reference: run.reference().cloned(),
            run: Mutex::new(Some(run)),
            is_taken: AtomicBool::new(false),
            is_streamed: AtomicBool::new(false),
        }))
    }

    /// It, or where nobody is told of it what is around it.
    pub(super) fn reference(&self) -> Option<&RunRef> {
        self.0.reference.as_ref()
    }

    /// From now on its handler tells it, who sees more of it than the hook does. Says whether it is the first that wants to.
    pub(super) fn take_over(&self) -> bool {
        !self.0.is_taken.swap(true, Ordering::Relaxed)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.0.is_taken.load(Ordering::Relaxed)
    }

    /// Tells pieces of its output, unless it has ended.
    pub(super) fn stream(&self, tell: impl FnOnce(&mut Run)) {
        let mut run = self.0.run.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(run) = run.as_mut() else {
            return;
        };
        if !self.0.is_streamed.swap(true, Ordering::Relaxed) {
            run.begin_output();
        }
        tell(run);
    }

    pub(super) fn is_streamed(&self) -> bool {
        self.0.is_streamed.load(Ordering::Relaxed)
    }

    /// It, to be ended, unless that was done.
    pub(super) fn take(&self) -> Option<Run> {
        let mut run = self.0.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.take()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.0.reference).finish()
    }
}

/// Ends it where it is dropped: who served it was given up, or unwinds.
#[derive(Debug)]
pub(super) struct GivenUp(pub(super) Child);

impl Drop for GivenUp {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
