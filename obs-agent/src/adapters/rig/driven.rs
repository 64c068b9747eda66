//! What drives an agent's run, polled within that run.

use crate::current::{Scope, within};
use crate::run::RunRef;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

pin_project! {
    /// An agent's answer, or the stream of it, in whose polls the agent's run is the current one: see
    /// [`RigObserver::run`](super::RigObserver::run) and [`RigObserver::stream`](super::RigObserver::stream).
    #[must_use = "a run does nothing until it is polled"]
    pub struct Driven<D> {
        #[pin]
        inner: Option<D>,
        place: Arc<OnceLock<RunRef>>,
        // From when that is known.
        scope: Option<Scope>,
    }

    impl<D> PinnedDrop for Driven<D> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            scoped(this.place, this.scope, || this.inner.set(None));
        }
    }
}

impl<D> Driven<D> {
    pub(super) fn new(inner: D, place: Arc<OnceLock<RunRef>>) -> Self {
        Self {
            inner: Some(inner),
            place,
            scope: None,
        }
    }
}

fn scoped<R>(place: &OnceLock<RunRef>, scope: &mut Option<Scope>, work: impl FnOnce() -> R) -> R {
    if scope.is_none() {
        *scope = place.get().map(RunRef::scope);
    }
    within(scope.as_ref(), work)
}

impl<D: Future> Future for Driven<D> {
    type Output = D::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<D::Output> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => scoped(this.place, this.scope, || inner.poll(cx)),
            None => Poll::Pending,
        }
    }
}

impl<D: Stream> Stream for Driven<D> {
    type Item = D::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<D::Item>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => scoped(this.place, this.scope, || inner.poll_next(cx)),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<D> fmt::Debug for Driven<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driven")
            .field("run", &self.place.get())
            .finish_non_exhaustive()
    }
}
