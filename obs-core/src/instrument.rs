//! Futures that carry an operation.

use crate::handle::OpRef;
use crate::operation::Operation;
use crate::outcome::Outcome;
use crate::scope::InScope;
use opentelemetry::Context;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

pin_project! {
    /// A future during which an operation is current, and with which it ends.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Instrumented<F, C> {
        #[pin]
        inner: Option<F>,
        operation: Operation,
        classify: C,
    }

    impl<F, C> PinnedDrop for Instrumented<F, C> {
        /// What the future's destructors do is the operation's, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.operation.is_recording() {
                let entered = this.operation.enter();
                this.inner.set(None);
                entered.leave();
            }
        }
    }
}

impl Operation {
    /// Runs `future` as this operation: current in each poll, ended with what `classify` makes of the output. Dropped
    /// before its end it is cancelled, unwinding it is panicked.
    pub fn instrument<F, C>(self, future: F, classify: C) -> Instrumented<F, C>
    where
        F: Future,
        C: FnMut(&F::Output) -> Outcome,
    {
        Instrumented {
            inner: Some(future),
            operation: self,
            classify,
        }
    }
}

impl<F, C> Future for Instrumented<F, C>
where
    F: Future,
    C: FnMut(&F::Output) -> Outcome,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Pending;
        };
        let entered = this.operation.enter();
        let polled = inner.poll(cx);
        entered.leave();
        let output = ready!(polled);
        this.operation.end_in_place((this.classify)(&output));
        Poll::Ready(output)
    }
}

pin_project! {
    /// A future polled within an operation that somebody else owns: see [`OpRef::wrap`](crate::OpRef::wrap).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Within<F> {
        #[pin]
        inner: Option<F>,
        within: Option<(OpRef, Option<Context>)>,
    }

    impl<F> PinnedDrop for Within<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _scope = this.within.as_ref().map(enter);
            this.inner.set(None);
        }
    }
}

fn enter((handle, context): &(OpRef, Option<Context>)) -> InScope {
    InScope::enter(handle, Option::clone(context))
}

impl<F: Future> Within<F> {
    pub(crate) fn new(handle: Option<OpRef>, inner: F) -> Self {
        let within = handle.map(|handle| {
            let context = handle.context();
            (handle, context)
        });
        Self {
            inner: Some(inner),
            within,
        }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Pending;
        };
        let _scope = this.within.as_ref().map(enter);
        inner.poll(cx)
    }
}
