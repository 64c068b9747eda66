//! A call that is polled: its operation is current, and what its request carries is in the task's metainfo.

use crate::kitex::Outgoing;
use obs_core::{Operation, current};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    pub(crate) struct Polled<'a, F> {
        #[pin]
        inner: Option<F>,
        operation: &'a mut Operation,
        outgoing: Option<&'a mut Outgoing>,
    }

    impl<F> PinnedDrop for Polled<'_, F> {
        /// What the destructors of a service that is given up do is part of the call, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() && this.operation.is_recording() {
                let entered = this.operation.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

impl<'a, F> Polled<'a, F> {
    pub(crate) fn new(
        inner: F,
        operation: &'a mut Operation,
        outgoing: Option<&'a mut Outgoing>,
    ) -> Self {
        Self {
            inner: Some(inner),
            operation,
            outgoing,
        }
    }
}

impl<F: Future> Future for Polled<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let entered = this.operation.enter();
        let lent = this.outgoing.as_mut().map(|outgoing| outgoing.lend());
        let polled = inner.poll(cx);
        drop(lent);
        if polled.is_ready() {
            this.inner.set(None);
        }
        entered.leave();
        polled
    }
}
