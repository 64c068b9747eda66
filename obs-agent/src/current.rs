//! The run in which this thread works, for runs that are told of no parent.

use crate::run::RunRef;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local! {
    /// By value and without a destructor, as what is polled: empty whenever no run is on the stack.
    static CURRENT: ManuallyDrop<Cell<Option<RunRef>>> = const { ManuallyDrop::new(Cell::new(None)) };
}

/// The run in which this is called. With the feature `tracing` also that of the span of `tracing` which is entered here, if that is
/// the inner one of the two.
pub fn run() -> Option<RunRef> {
    found().0
}

/// It, and whether it is polled here: then the operation that it is to its handlers is the current one, too.
pub(crate) fn found() -> (Option<RunRef>, bool) {
    let polled = polled();
    #[cfg(feature = "tracing")]
    if let Some(entered) = crate::normalise::entered(polled.as_ref()) {
        return (Some(entered), false);
    }
    (polled, true)
}

pub(crate) fn polled() -> Option<RunRef> {
    CURRENT.with(|current| {
        let run = current.take();
        let found = run.clone();
        current.set(run);
        found
    })
}

#[inline]
fn replace(run: Option<RunRef>) -> Option<RunRef> {
    CURRENT.with(|current| current.replace(run))
}

/// Restores what was around, also where something unwinds.
struct Restore {
    around: Option<RunRef>,
}

impl Restore {
    fn enter(run: &RunRef) -> Self {
        Self {
            around: replace(Some(run.clone())),
        }
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        replace(self.around.take());
    }
}

/// Marks the run if it is dropped: only what unwinds does that.
struct Unwinding<'a>(&'a RunRef);

impl Drop for Unwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.unwind();
    }
}

pub(crate) fn scope<R>(run: &RunRef, work: impl FnOnce() -> R) -> R {
    let restore = Restore::enter(run);
    let unwinding = Unwinding(run);
    let done = work();
    std::mem::forget(unwinding);
    drop(restore);
    done
}

/// A run to work in again and again, for what is polled more often than once: what OpenTelemetry is shown of it is made once, as of a
/// future that is [wrapped](RunRef::wrap).
#[cfg(feature = "stream")]
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    run: RunRef,
    shown: Option<obs_core::otel::Context>,
}

#[cfg(feature = "stream")]
impl Scope {
    pub(crate) fn of(run: &RunRef) -> Self {
        let operation = run.operation();
        Self {
            shown: operation.and_then(obs_core::OpRef::otel_context),
            run: run.clone(),
        }
    }

    pub(crate) fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let work = || scope(&self.run, work);
        match self.run.operation() {
            Some(operation) => operation.in_scope_shown(self.shown.as_ref(), work),
            None => work(),
        }
    }
}

/// In it, if there is one.
#[cfg(feature = "stream")]
pub(crate) fn within<R>(scope: Option<&Scope>, work: impl FnOnce() -> R) -> R {
    match scope {
        Some(scope) => scope.enter(work),
        None => work(),
    }
}

pin_project! {
    /// A future polled within a run: see [`RunRef::wrap`] and [`Run::wrap`](crate::Run::wrap).
    #[must_use = "futures do nothing unless polled"]
    pub struct Within<F> {
        // One of the two: with the operation that a handler made of the run, or without.
        #[pin]
        operated: Option<obs_core::Within<Scoped<F>>>,
        #[pin]
        bare: Option<Scoped<F>>,
    }
}

impl<F: Future> Within<F> {
    pub(crate) fn new(run: Option<RunRef>, future: F) -> Self {
        let operation = run.as_ref().and_then(RunRef::operation).cloned();
        let scoped = Scoped {
            future: Some(future),
            run,
        };
        match operation {
            Some(operation) => Self {
                operated: Some(operation.wrap(scoped)),
                bare: None,
            },
            None => Self {
                operated: None,
                bare: Some(scoped),
            },
        }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match (this.operated.as_pin_mut(), this.bare.as_pin_mut()) {
            (Some(operated), _) => operated.poll(cx),
            (None, Some(bare)) => bare.poll(cx),
            (None, None) => Poll::Pending,
        }
    }
}

impl<F> fmt::Debug for Within<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Within").finish_non_exhaustive()
    }
}

pin_project! {
    /// A future in whose polls the run is the current one.
    struct Scoped<F> {
        #[pin]
        future: Option<F>,
        run: Option<RunRef>,
    }

    impl<F> PinnedDrop for Scoped<F> {
        /// What the future's destructors do is the run's, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            match this.run {
                Some(run) => scope(run, || this.future.set(None)),
                None => this.future.set(None),
            }
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match (this.future.as_pin_mut(), this.run) {
            (Some(future), Some(run)) => scope(run, || future.poll(cx)),
            (Some(future), None) => future.poll(cx),
            (None, _) => Poll::Pending,
        }
    }
}
