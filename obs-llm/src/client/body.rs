//! The body of an answer: the call lasts as long as it does, and ends with it exactly once.

use super::asked::Asked;
use super::coding::{Coding, Unreadable};
use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::descriptor::{BODY_ERROR, INCOMPLETE};
use crate::wire::ResponseScanner;
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use obs_core::Outcome;
use pin_project_lite::pin_project;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of an answer, passed through untouched as it is asked for. Dropped before the end of the answer, the call is
    /// cancelled, with what is known by then.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        observed: Option<Observed>,
    }
}

#[derive(Debug)]
struct Observed {
    call: LlmCall,
    /// `None` is an answer that is not looked into, or no more.
    reader: Option<Reader>,
    asked: Asked,
}

/// Decodes an answer and scans it.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) coding: Coding,
    pub(crate) scanner: ResponseScanner,
}

impl<B> ResponseBody<B> {
    pub(crate) fn unobserved(inner: B) -> Self {
        Self {
            inner,
            observed: None,
        }
    }

    pub(crate) fn observed(inner: B, call: LlmCall, reader: Option<Reader>, asked: Asked) -> Self {
        let observed = Observed {
            call,
            reader,
            asked,
        };
        Self {
            inner,
            observed: Some(observed),
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

/// A body that no call hangs on: for layers outside that answer on their own, with a body of this type.
impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::unobserved(B::default())
    }
}

/// What a body's poll gives.
type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B> {
        let mut this = self.project();
        let Some(observed) = this.observed else {
            return this.inner.poll_frame(cx);
        };
        let unwinding = EndUnwinding(observed);
        let polled = this.inner.as_mut().poll_frame(cx);
        std::mem::forget(unwinding);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    observed.read(data);
                }
                if this.inner.is_end_stream() {
                    observed.over();
                }
            }
            Poll::Ready(Some(Err(_))) => observed.broken(),
            Poll::Ready(None) => observed.over(),
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

impl Observed {
    #[inline]
    fn read(&mut self, data: &impl Buf) {
        let Some(reader) = &mut self.reader else {
            return;
        };
        if !self.call.is_recording() {
            return;
        }
        let bytes = data.chunk();
        let read = match bytes.len() == data.remaining() {
            true => reader.read(bytes, &mut self.call),
            false => reader.read_pieces(data, &mut self.call),
        };
        if read.is_err() {
            self.unreadable();
        }
        // Clients of streams read no further.
        if self.call.is_complete() {
            self.end();
        }
    }

    /// From here on it is measured without being looked into.
    #[cold]
    fn unreadable(&mut self) {
        self.reader = None;
        self.call.count_anomaly(Anomaly::Unreadable);
    }

    #[inline(never)]
    fn over(&mut self) {
        if let (true, Some(reader)) = (self.call.is_recording(), &mut self.reader) {
            reader.scanner.end(&mut self.call);
            if !self.call.is_all_there() {
                self.call.set_error(INCOMPLETE);
            }
        }
        self.end();
    }

    #[cold]
    fn broken(&mut self) {
        self.call.set_error(BODY_ERROR);
        self.end();
    }

    fn end(&mut self) {
        // A body that was sent after the head of the answer.
        self.asked.tell(&mut self.call);
        let outcome = self.call.outcome();
        self.call.end_in_place(outcome);
    }
}

impl Reader {
    #[inline]
    fn read(&mut self, bytes: &[u8], call: &mut LlmCall) -> Result<(), Unreadable> {
        let scanner = &mut self.scanner;
        self.coding.feed(bytes, |bytes| call.read(scanner, bytes))
    }

    /// Data in several pieces is not taken from, so all of it has to be shown at once.
    #[cold]
    fn read_pieces(&mut self, data: &impl Buf, call: &mut LlmCall) -> Result<(), Unreadable> {
        let mut pieces = [IoSlice::new(&[]); 64];
        let count = data.chunks_vectored(&mut pieces);
        let pieces = pieces.get(..count).unwrap_or_default();
        let shown: usize = pieces.iter().map(|piece| piece.len()).sum();
        if shown < data.remaining() {
            return Err(Unreadable);
        }
        pieces.iter().try_for_each(|piece| self.read(piece, call))
    }
}

/// Ends the call as panicked if it is dropped: only an unwinding poll does.
struct EndUnwinding<'a>(&'a mut Observed);

impl Drop for EndUnwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.call.end_in_place(Outcome::PANICKED);
    }
}
