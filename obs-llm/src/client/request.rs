//! The body of a request: scanned as it passes, delayed by nothing, changed in nothing.

use super::asked::Asked;
use crate::wire::{RequestScanner, Wire};
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of a request that a model may be asked by. Layers that retry clone a request before they send it: the clone of a
    /// body of which nothing was sent is read anew as it passes, in the place of the one before.
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
    wire: Wire,
    asked: Asked,
    sent: bool,
}

impl<B> RequestBody<B> {
    pub(crate) fn unobserved(inner: B) -> Self {
        Self { inner, scan: None }
    }

    pub(crate) fn scanned(inner: B, wire: Wire, asked: Asked) -> Self {
        let scan = Scan {
            scanner: RequestScanner::new(wire),
            wire,
            asked,
            sent: false,
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

impl<B: Clone> Clone for RequestBody<B> {
    fn clone(&self) -> Self {
        let inner = self.inner.clone();
        match &self.scan {
            Some(scan) if !scan.sent => Self::scanned(inner, scan.wire, scan.asked.clone()),
            _ => Self::unobserved(inner),
        }
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
        if !std::mem::replace(&mut self.sent, true) {
            // Of an attempt before, which may have said half of it.
            self.asked.forget();
        }
        // What is read from it is not taken from it: only the first piece is seen of data in several.
        self.asked.gather(|sink| scanner.feed(data.chunk(), sink));
    }
}
