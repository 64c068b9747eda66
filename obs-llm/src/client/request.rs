//! The body of a request: scanned as it passes, delayed by nothing, changed in nothing.

use super::asked::{Asked, Noting, Read};
use super::pieces;
use crate::content::Keeping;
use crate::wire::{RequestScanner, Wire};
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of a request that a model may be asked by. It is looked at until its document is over.
    ///
    /// Clones, for layers that retry, are bodies of further attempts: what they say is what the first one said.
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
    /// Where its content is told.
    keeping: Option<Keeping>,
    attempt: u32,
}

impl<B> RequestBody<B> {
    pub(crate) fn unobserved(inner: B) -> Self {
        Self { inner, scan: None }
    }

    pub(crate) fn scanned(inner: B, wire: Wire, asked: Asked, keeping: Option<Keeping>) -> Self {
        let scan = Some(Scan::new(wire, asked, keeping));
        Self { inner, scan }
    }

    /// The body inside.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Reads all of it at once, if `data` has it or nobody wants it. Whether it needs to be looked at no more.
    #[cfg(feature = "reqwest")]
    pub(super) fn read_at_once(
        &mut self,
        data: impl for<'a> FnOnce(&'a B) -> Option<&'a [u8]>,
    ) -> bool {
        let Some(scan) = &mut self.scan else {
            return true;
        };
        let data = data(&self.inner);
        if let Some(data) = data {
            scan.read(&data);
        }
        data.is_some()
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn into_inner(self) -> B {
        self.inner
    }
}

/// The clone of a body that has not been read is the body of a further attempt.
impl<B: Clone> Clone for RequestBody<B> {
    fn clone(&self) -> Self {
        let begins = self.scan.as_ref().filter(|scan| scan.attempt == 0);
        Self {
            inner: self.inner.clone(),
            scan: begins.map(|scan| Scan::new(scan.wire, scan.asked.clone(), scan.keeping.clone())),
        }
    }
}

/// A body that is not looked into: for layers that send on without one, as those that follow redirects do.
impl<B: Default> Default for RequestBody<B> {
    fn default() -> Self {
        Self::unobserved(B::default())
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
        if let (Poll::Ready(Some(Ok(frame))), Some(scan)) = (&polled, this.scan.as_mut())
            && let Some(data) = frame.data_ref()
            && !scan.read(data)
        {
            *this.scan = None;
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
    fn new(wire: Wire, asked: Asked, keeping: Option<Keeping>) -> Self {
        Self {
            scanner: RequestScanner::new(wire),
            wire,
            asked,
            keeping,
            attempt: 0,
        }
    }

    /// Whether there is more to be read.
    fn read(&mut self, data: &impl Buf) -> bool {
        let scanner = &mut self.scanner;
        let (keeping, begins) = (&self.keeping, self.attempt == 0);
        let scan = |sink: &mut Noting<'_>| {
            if let Some(keeping) = keeping.as_ref().filter(|_| begins) {
                keeping.restart();
            }
            let read = pieces::each(data, |piece| {
                scanner.feed(piece, sink);
                if let Some(keeping) = keeping {
                    keeping.push(piece, 0);
                }
                Ok(())
            });
            match read {
                Err(_) => {
                    if let Some(keeping) = keeping {
                        keeping.push(&[], data.remaining());
                    }
                    Read::Gap
                }
                Ok(()) if scanner.is_over() => Read::Whole,
                Ok(()) => Read::Further,
            }
        };
        self.asked.note(&mut self.attempt, scan)
    }
}
