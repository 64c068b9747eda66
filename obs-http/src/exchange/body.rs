//! The body: the exchange lasts as long as it does, and ends with it exactly once.

use super::future::Ahead;
use super::side::BodySide;
use crate::descriptor::RESPONSE_SIZE;
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use obs_core::{Operation, Outcome};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of an observed answer: passed through untouched. Dropped before its end, the exchange is cancelled.
    #[derive(Debug)]
    pub struct ResponseBody<B, X> {
        #[pin]
        pub(crate) inner: B,
        pub(crate) operation: Operation,
        pub(crate) sent: u64,
        pub(crate) ahead: Ahead,
        pub(crate) side: X,
    }
}

impl<B, X> ResponseBody<B, X> {
    #[inline(always)]
    pub(crate) fn unobserved(inner: B, side: X) -> Self {
        Self {
            inner,
            operation: Operation::disabled(),
            sent: 0,
            ahead: Ahead::NOTHING,
            side,
        }
    }

    /// The body inside.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The body inside.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }
}

/// A body that no exchange of ours hangs on: for layers outside that answer on their own, with a body of this type.
impl<B: Default, X: Default> Default for ResponseBody<B, X> {
    fn default() -> Self {
        Self::unobserved(B::default(), X::default())
    }
}

impl<B: Body, X: BodySide<B::Error>> Body for ResponseBody<B, X> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if !this.operation.is_recording() {
            return this.inner.poll_frame(cx);
        }
        this.operation.stamp(X::FIRST);
        let polled = if this.ahead.current {
            let entered = this.operation.enter();
            let polled = this.inner.as_mut().poll_frame(cx);
            entered.leave();
            polled
        } else {
            let unwinding = EndUnwinding(this.operation);
            let polled = this.inner.as_mut().poll_frame(cx);
            std::mem::forget(unwinding);
            polled
        };
        // Looked at where it lies, as in the future.
        let over = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) => {
                    if *this.sent == 0 {
                        this.operation.stamp(X::DATA);
                    }
                    *this.sent += data.remaining() as u64;
                    // hyper asks no further in these cases, so this is the last moment to end it.
                    this.ahead.bytes == *this.sent || this.inner.is_end_stream()
                }
                // Trailers: nothing follows them.
                None => true,
            },
            Poll::Ready(Some(Err(error))) => {
                this.ahead.outcome = this.side.of_broken(error);
                true
            }
            Poll::Ready(None) => true,
        };
        if over {
            end::<X, B::Error>(this.operation, this.ahead.outcome, *this.sent);
        }
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Ends the operation as panicked if it is dropped: only an unwinding poll does. What is current has a guard of its own.
struct EndUnwinding<'a>(&'a mut Operation);

impl Drop for EndUnwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.end_in_place(Outcome::PANICKED);
    }
}

#[inline(never)]
fn end<X: BodySide<E>, E>(operation: &mut Operation, outcome: Outcome, sent: u64) {
    if let Some(mut active) = operation.active() {
        active.set_measure(RESPONSE_SIZE, sent);
        active.stamp(X::LAST);
    }
    operation.end_in_place(outcome);
}
