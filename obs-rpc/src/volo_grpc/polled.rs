//! The future of an outgoing call, in each poll of which it is current.

use crate::call::ending::Call;
use obs_core::current;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// Dropped before it is ready, the call was given up: so Volo's own timeout does, outside of us.
    pub(crate) struct Polled<F> {
        #[pin]
        inner: Option<F>,
        call: Call,
    }

    impl<F> PinnedDrop for Polled<F> {
        /// What the destructors of a service that is given up do is part of the call, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.call.is_recording() {
                let entered = this.call.operation.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

impl<F> Polled<F> {
    /// Asks the service inside, with the operation current.
    pub(crate) fn start(mut call: Call, ask: impl FnOnce() -> F) -> Self {
        let entered = call.operation.enter();
        let inner = ask();
        entered.leave();
        Self {
            inner: Some(inner),
            call,
        }
    }
}

impl<F: Future> Future for Polled<F> {
    /// With the call, which goes on or has to be ended.
    type Output = (F::Output, Call);

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // It is there until the drop.
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Pending;
        };
        let entered = this.call.operation.enter();
        let polled = inner.poll(cx);
        entered.leave();
        polled.map(|output| (output, std::mem::replace(this.call, Call::unobserved())))
    }
}
