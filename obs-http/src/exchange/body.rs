//! The body: the exchange lasts as long as it does, and ends with it exactly once.

use super::carried::Carried;
use super::future::Ahead;
use super::side::BodySide;
use crate::descriptor::RESPONSE_SIZE;
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use obs_core::Outcome;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    #[project = Projected]
    /// The body of an observed answer: passed through untouched. Dropped before its end, the exchange is cancelled.
    #[derive(Debug)]
    pub struct ResponseBody<B, X> {
        #[pin]
        pub(crate) inner: B,
        pub(crate) carried: Carried,
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
            carried: Carried::disabled(),
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

/// What a body's poll gives.
type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

impl<B: Body, X: BodySide<B::Error>> Body for ResponseBody<B, X> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B> {
        let mut this = self.project();
        if !this.carried.is_recording() {
            this.inner.poll_frame(cx)
        } else if this.ahead.current {
            this.poll_current(cx)
        } else {
            this.poll_counted(cx)
        }
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

/// A frame is made where the caller wants it and looked at there: each of these has one result and one way out, or a chunk
/// would be moved twice.
impl<B: Body, X: BodySide<B::Error>> Projected<'_, B, X> {
    #[inline(always)]
    fn poll_current(&mut self, cx: &mut Context<'_>) -> Polled<B> {
        self.carried.operation.stamp(X::FIRST);
        let entered = self.carried.enter();
        let polled = self.inner.as_mut().poll_frame(cx);
        entered.leave();
        self.look_at(&polled);
        polled
    }

    #[inline(always)]
    fn poll_counted(&mut self, cx: &mut Context<'_>) -> Polled<B> {
        self.carried.operation.stamp(X::FIRST);
        let unwinding = EndUnwinding(self.carried);
        let polled = self.inner.as_mut().poll_frame(cx);
        std::mem::forget(unwinding);
        self.look_at(&polled);
        polled
    }

    /// Ends the operation where this frame is the last.
    #[inline(always)]
    fn look_at(&mut self, polled: &Polled<B>) {
        let outcome = match polled {
            Poll::Pending => return,
            Poll::Ready(Some(Ok(frame))) => {
                // Trailers: nothing follows them.
                if let Some(data) = frame.data_ref() {
                    if *self.sent == 0 {
                        self.carried.operation.stamp(X::DATA);
                    }
                    *self.sent += data.remaining() as u64;
                    // hyper asks no further in these cases, so this is the last moment to end it.
                    if self.ahead.bytes != *self.sent && !self.inner.is_end_stream() {
                        return;
                    }
                }
                self.ahead.outcome
            }
            Poll::Ready(Some(Err(error))) => self.side.of_broken(error),
            Poll::Ready(None) => self.ahead.outcome,
        };
        end::<X, B::Error>(self.carried, outcome, *self.sent);
    }
}

/// Apart from the body: a reference to the projection would keep it in memory.
#[inline(never)]
fn end<X: BodySide<E>, E>(carried: &mut Carried, outcome: Outcome, sent: u64) {
    if let Some(mut active) = carried.operation.active() {
        active.set_measure(RESPONSE_SIZE, sent);
        active.stamp(X::LAST);
    }
    carried.end(outcome);
}

/// Ends the operation as panicked if it is dropped: only an unwinding poll does. What is current has a guard of its own.
struct EndUnwinding<'a>(&'a mut Carried);

impl Drop for EndUnwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.end(Outcome::PANICKED);
    }
}
