//! A body that keeps its request in flight.

use super::GpuPass;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A response's body with the pass of its request, which it lets go of when it has ended, failed or is dropped.
    #[derive(Debug)]
    pub struct GpuGateBody<B> {
        // Dropped first: what it holds of the device is let go of while the pass is out.
        #[pin]
        inner: B,
        pass: GpuPass,
    }
}

impl<B: Body> GpuGateBody<B> {
    #[inline]
    pub(super) fn new(inner: B, pass: GpuPass) -> Self {
        // Nobody polls one that is over.
        let pass = match inner.is_end_stream() {
            true => GpuPass::none(),
            false => pass,
        };
        Self { inner, pass }
    }
}

impl<B> GpuGateBody<B> {
    /// The body inside.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The body inside.
    pub fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// The body inside; its request is in flight no longer.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B: Body + Default> Default for GpuGateBody<B> {
    /// One of no request.
    fn default() -> Self {
        Self::new(B::default(), GpuPass::none())
    }
}

impl<B: Body> Body for GpuGateBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        // A body whose end is known is not asked again after its last frame.
        if !matches!(&frame, Some(Ok(_))) || this.inner.is_end_stream() {
            *this.pass = GpuPass::none();
        }
        Poll::Ready(frame)
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
