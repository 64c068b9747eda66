//! The body of a request: scanned as it passes, delayed by nothing, changed in nothing.

use super::asked::Asked;
use crate::content::Keeping;
use crate::wire::{RequestScanner, Wire};
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of a request that a model may be asked by.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        scan: Option<Scan>,
    }
}

#[derive(Debug)]
struct Scan {
    scanner: RequestScanner,
    asked: Asked,
    /// Where its content is told.
    keeping: Option<Keeping>,
}

impl<B> RequestBody<B> {
    pub(crate) fn unobserved(inner: B) -> Self {
        Self { inner, scan: None }
    }

    pub(crate) fn scanned(inner: B, wire: Wire, asked: Asked, keeping: Option<Keeping>) -> Self {
        let scan = Scan {
            scanner: RequestScanner::new(wire),
            asked,
            keeping,
        };
        Self {
            inner,
            scan: Some(scan),
        }
    }

    /// The body inside.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(scan)) = (&polled, this.scan)
            && let Some(data) = frame.data_ref()
        {
            scan.read(data);
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

impl Scan {
    fn read(&mut self, data: &impl Buf) {
        let scanner = &mut self.scanner;
        // What is read from it is not taken from it: only the first piece is seen of data in several.
        self.asked.gather(|sink| scanner.feed(data.chunk(), sink));
        if let Some(keeping) = &self.keeping {
            let seen = data.chunk();
            keeping.push(seen, data.remaining() - seen.len());
        }
    }
}
