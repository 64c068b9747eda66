//! The body of an answer: the call lasts as long as it does, and ends with it exactly once.

use super::asked::Asked;
use super::coding::{Coding, Unreadable};
use super::pieces;
use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::descriptor::{BODY_ERROR, INCOMPLETE};
use crate::evaluation::CallId;
use crate::wire::ResponseScanner;
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use obs_core::Outcome;
use pin_project_lite::pin_project;
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
    /// `None` where the request has told all that it does.
    asked: Option<Asked>,
}

/// Decodes an answer and scans it.
#[derive(Debug)]
pub(crate) struct Reader {
    coding: Coding,
    scanner: ResponseScanner,
}

impl<B> ResponseBody<B> {
    pub(crate) fn unobserved(inner: B) -> Self {
        Self {
            inner,
            observed: None,
        }
    }

    /// What to [evaluate](crate::evaluation) its answer by, later: to be taken while the call runs. The answer's id is in it once
    /// that was read. `None` where nothing is recorded, and after the end.
    pub fn call_id(&mut self) -> Option<CallId> {
        self.observed.as_mut()?.call.id()
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

impl<B: Body> ResponseBody<B> {
    pub(crate) fn observed(
        inner: B,
        call: LlmCall,
        reader: Option<Reader>,
        asked: Option<Asked>,
    ) -> Self {
        let mut observed = Observed {
            call,
            reader,
            asked,
        };
        // Nobody asks a body for what it says is not there.
        if inner.is_end_stream() {
            observed.over();
        }
        let observed = Some(observed);
        Self { inner, observed }
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
        let unwinding = this.observed.as_mut().map(EndUnwinding);
        let polled = this.inner.as_mut().poll_frame(cx);
        std::mem::forget(unwinding);
        let Some(observed) = this.observed else {
            return polled;
        };
        // Most frames are data in one piece. Whoever has them in hand keeps them there: what is read is told, not the frame.
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && data.chunk().len() == data.remaining()
        {
            observed.read(data.chunk());
            if this.inner.is_end_stream() {
                observed.over();
            }
            return polled;
        }
        observed.see(polled, || this.inner.is_end_stream())
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
    /// What is no data in one piece.
    #[inline(never)]
    fn see<D: Buf, E>(
        &mut self,
        polled: Poll<Option<Result<Frame<D>, E>>>,
        is_over: impl FnOnce() -> bool,
    ) -> Poll<Option<Result<Frame<D>, E>>> {
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref();
                if let Some(data) = data {
                    let looked = pieces::each(data, |piece| self.look(piece));
                    self.looked(looked);
                }
                // Nothing follows trailers.
                if data.is_none() || is_over() {
                    self.over();
                }
            }
            Poll::Ready(Some(Err(_))) => self.broken(),
            Poll::Ready(None) => self.over(),
        }
        polled
    }

    /// All of a frame.
    #[inline(never)]
    fn read(&mut self, piece: &[u8]) {
        let looked = self.look(piece);
        self.looked(looked);
    }

    #[inline(always)]
    fn look(&mut self, piece: &[u8]) -> Result<(), Unreadable> {
        match &mut self.reader {
            Some(reader) if self.call.is_recording() => reader.read(piece, &mut self.call),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn looked(&mut self, looked: Result<(), Unreadable>) {
        if looked.is_err() {
            self.unreadable();
        }
        // Clients of streams read no further.
        if self.call.is_complete() && self.reader.is_some() {
            self.end();
        }
    }

    /// From here on it is measured without being looked into.
    #[cold]
    fn unreadable(&mut self) {
        self.reader = None;
        self.call.count_anomaly(Anomaly::Unreadable);
    }

    /// Nothing follows.
    #[inline(never)]
    fn over(&mut self) {
        if !self.call.is_recording() {
            return;
        }
        if let Some(reader) = &mut self.reader {
            // An error without a word is no document that was cut.
            if reader.scanner.has_begun || self.call.is_ok() {
                reader.scanner.end(&mut self.call);
            }
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

    #[inline(never)]
    fn end(&mut self) {
        // A body that was sent after the head of the answer.
        if let Some(asked) = self.asked.take() {
            asked.tell(&mut self.call);
        }
        let outcome = self.call.outcome();
        self.call.end_in_place(outcome);
        self.reader = None;
    }
}

/// What is known of the request by then is told by whoever drops the answer, too.
impl Drop for Observed {
    fn drop(&mut self) {
        if let (Some(asked), true) = (&self.asked, self.call.is_recording()) {
            asked.tell(&mut self.call);
        }
    }
}

impl Reader {
    pub(crate) fn new(coding: Coding, scanner: ResponseScanner) -> Self {
        Self { coding, scanner }
    }

    #[inline(always)]
    fn read(&mut self, bytes: &[u8], call: &mut LlmCall) -> Result<(), Unreadable> {
        let scanner = &mut self.scanner;
        match &mut self.coding {
            // Nearly all come so.
            Coding::Identity => {
                call.read(scanner, bytes);
                Ok(())
            }
            #[cfg(feature = "compression")]
            Coding::Coded(decoder) => decoder.feed(bytes, |bytes| call.read_coded(scanner, bytes)),
        }
    }
}

/// Ends the call as panicked if it is dropped: only an unwinding poll does.
struct EndUnwinding<'a>(&'a mut Observed);

impl Drop for EndUnwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        let Observed { call, asked, .. } = &mut *self.0;
        if let Some(asked) = asked.take() {
            asked.tell(call);
        }
        call.end_in_place(Outcome::PANICKED);
    }
}
