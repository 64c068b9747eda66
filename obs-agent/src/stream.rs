//! Streams of a run, looked into as they pass.

use crate::contain::contained;
use crate::current::{Scope, within};
use crate::failure::RunError;
use crate::handlers::{InputTaps, Run};
use crate::output::{Item, Output};
use crate::run::RunRef;
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What an item of a stream says, told by whoever knows its type.
pub struct Tap<'a> {
    run: &'a mut Run,
}

impl Tap<'_> {
    /// A piece.
    #[inline]
    pub fn item(&mut self, item: &Item<'_>) {
        self.run.item(item);
    }

    /// The output is whole with this item, also where nobody reads on.
    pub fn complete(&mut self, output: &Output<'_>) {
        self.run.end_in_place(output);
    }

    /// The run fails with this item.
    pub fn fail(&mut self, error: &RunError<'_>) {
        self.run.fail_in_place(error);
    }
}

impl fmt::Debug for Tap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.run).finish()
    }
}

pin_project! {
    /// The output of a run as a stream, passed on item by item as it is asked for: nothing is copied or read ahead. The run ends with
    /// it: when it is over, when an item says so, or when it is dropped. It is the current one in each poll, also after its end; where
    /// nobody is told of it, what is around it is.
    #[must_use = "streams do nothing unless polled"]
    pub struct ObservedStream<S, F> {
        #[pin]
        inner: Option<S>,
        scope: Option<Scope>,
        run: Run,
        observe: F,
    }

    impl<S, F> PinnedDrop for ObservedStream<S, F> {
        /// The source goes first, within the run; then the run is told.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            within(this.scope.as_ref(), || this.inner.set(None));
        }
    }
}

impl Run {
    /// Its output is `stream`, of whose items `observe` tells what they say. An error among them ends the run where
    /// [`Tap::fail`] is told of it; what comes after it passes untouched.
    pub fn stream_with<S, F>(mut self, stream: S, observe: F) -> ObservedStream<S, F>
    where
        S: Stream,
        F: FnMut(&S::Item, &mut Tap<'_>),
    {
        self.begin_output();
        ObservedStream {
            inner: Some(stream),
            scope: self.reference().map(RunRef::scope),
            run: self,
            observe,
        }
    }
}

impl<S, F> ObservedStream<S, F> {
    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The stream inside.
    pub fn get_ref(&self) -> Option<&S> {
        self.inner.as_ref()
    }
}

impl<S, F> Stream for ObservedStream<S, F>
where
    S: Stream,
    F: FnMut(&S::Item, &mut Tap<'_>),
{
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let item = ready!(within(this.scope.as_ref(), || inner.poll_next(cx)));
        if !this.run.is_told() {
            return Poll::Ready(item);
        }
        match &item {
            Some(item) => {
                let mut tap = Tap { run: this.run };
                let observe = this.observe;
                if contained(|| observe(item, &mut tap)).is_none() {
                    // Who cannot read the items knows nothing of how they end.
                    this.run
                        .fail_in_place(&RunError::failed("observer_panicked"));
                }
            }
            None => this.run.end_in_place(&Output::Streamed),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => (0, Some(0)),
        }
    }
}

impl<S, F> fmt::Debug for ObservedStream<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedStream")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The input of a run as a stream, looked into as the run reads it. It can go anywhere: it does not hold the run.
    #[must_use = "streams do nothing unless polled"]
    pub struct ObservedInput<S, F> {
        #[pin]
        inner: S,
        taps: InputTaps,
        observe: F,
    }
}

impl InputTaps {
    /// The input is `stream`, of whose items `observe` tells what they say.
    pub fn stream_with<S, F>(self, stream: S, observe: F) -> ObservedInput<S, F>
    where
        S: Stream,
        F: FnMut(&S::Item, &mut InputTaps),
    {
        ObservedInput {
            inner: stream,
            taps: self,
            observe,
        }
    }
}

impl<S, F> Stream for ObservedInput<S, F>
where
    S: Stream,
    F: FnMut(&S::Item, &mut InputTaps),
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let item = ready!(this.inner.poll_next(cx));
        match &item {
            Some(item) if !this.taps.is_empty() => {
                let observe = this.observe;
                if contained(|| observe(item, this.taps)).is_none() {
                    this.taps.close();
                }
            }
            Some(_) => {}
            None => this.taps.close(),
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<S, F> fmt::Debug for ObservedInput<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedInput")
            .field("taps", &self.taps)
            .finish_non_exhaustive()
    }
}
