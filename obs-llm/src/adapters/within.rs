//! Futures and streams that are part of a call: it is current in each poll, and while they are given up.

use crate::call::LlmCall;
use futures_core::Stream;
use obs_core::current;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A future that is part of a call, which it gives back with its result. Dropped before, the call is cancelled.
    #[derive(Debug)]
    pub(super) struct Within<F> {
        #[pin]
        inner: Option<F>,
        call: Option<LlmCall>,
    }

    impl<F> PinnedDrop for Within<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(call) = this.call {
                let entered = call.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

impl<F> Within<F> {
    pub(super) fn new(inner: F, call: LlmCall) -> Self {
        Self {
            inner: Some(inner),
            call: Some(call),
        }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = (F::Output, LlmCall);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Both are there until it is ready.
        let (Some(inner), Some(call)) = (this.inner.as_pin_mut(), this.call.as_mut()) else {
            return Poll::Pending;
        };
        let entered = call.enter();
        let polled = inner.poll(cx);
        entered.leave();
        let Poll::Ready(output) = polled else {
            return Poll::Pending;
        };
        match this.call.take() {
            Some(call) => Poll::Ready((output, call)),
            None => Poll::Pending,
        }
    }
}

/// Who tells a call what its stream says.
pub(super) trait Watch<T> {
    /// There is an item.
    fn item(&mut self, item: &T, call: &mut LlmCall);

    /// There will be no more.
    fn over(&mut self, call: &mut LlmCall);

    /// There is none yet, or nobody waits for one any more; but something may have been seen on the way.
    fn meanwhile(&mut self, call: &mut LlmCall);
}

pin_project! {
    /// A stream that is part of a call, passed on untouched as it is asked for. Dropped before its watch has ended the call, that is
    /// cancelled, with what is known by then.
    #[derive(Debug)]
    pub(super) struct WithinStream<S, O: Watch<S::Item>> where S: Stream {
        #[pin]
        inner: Option<S>,
        watched: Option<(LlmCall, O)>,
    }

    impl<S: Stream, O: Watch<S::Item>> PinnedDrop for WithinStream<S, O> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some((call, watch)) = this.watched {
                watch.meanwhile(call);
                let entered = call.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

impl<S: Stream, O: Watch<S::Item>> WithinStream<S, O> {
    /// Of no call, where nothing is to be recorded.
    pub(super) fn new(inner: S, watched: Option<(LlmCall, O)>) -> Self {
        Self {
            inner: Some(inner),
            watched,
        }
    }
}

impl<S: Stream, O: Watch<S::Item>> Stream for WithinStream<S, O> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some((call, watch)) = this.watched else {
            return inner.poll_next(cx);
        };
        let entered = call.enter();
        let polled = inner.poll_next(cx);
        entered.leave();
        if call.is_recording() {
            match &polled {
                Poll::Pending => watch.meanwhile(call),
                Poll::Ready(Some(item)) => watch.item(item, call),
                Poll::Ready(None) => watch.over(call),
            }
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}
