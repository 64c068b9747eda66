//! Streams that carry a call.

use crate::call::LlmCall;
use crate::descriptor::{BODY_ERROR, INCOMPLETE};
use crate::wire::{Framing, ResponseScanner, Wire};
use futures_core::Stream;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Who tells a call what an item of a stream says. Closures do: `|item: &Chunk, call: &mut LlmCall| …`.
pub trait Observe<T> {
    /// An item has come. A chunk with content is told by [`LlmCall::chunk`] or
    /// [`ResponseSink::content`](crate::wire::ResponseSink::content).
    fn observe(&mut self, item: &T, call: &mut LlmCall);

    /// The stream is over, and unless this says otherwise the answer with it. Who knows how its format ends tells one that did
    /// not: [`set_error`](LlmCall::set_error) with [`INCOMPLETE`](crate::INCOMPLETE).
    fn over(&mut self, call: &mut LlmCall) {
        let _ = call;
    }
}

impl<T, F: FnMut(&T, &mut LlmCall)> Observe<T> for F {
    fn observe(&mut self, item: &T, call: &mut LlmCall) {
        self(item, call);
    }
}

pin_project! {
    /// A stream of chunks of an answer, passed on untouched as they are asked for. The call ends with it: when it is over, when
    /// what ends the answer by its format has been seen, or when it is dropped, with what is known by then.
    ///
    /// It holds the call, whatever passes; a chunk costs no allocation.
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct InstrumentedStream<S, O> {
        #[pin]
        inner: S,
        call: LlmCall,
        observe: O,
    }
}

impl<S, O> InstrumentedStream<S, O> {
    /// Of chunks that `observe` understands. Chunks of a stream have times, whatever the request said.
    pub fn new(inner: S, mut call: LlmCall, observe: O) -> Self {
        call.set_streams();
        call.withdraw();
        Self {
            inner,
            call,
            observe,
        }
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The stream inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The call.
    pub fn call_mut(&mut self) -> &mut LlmCall {
        &mut self.call
    }
}

impl<S> InstrumentedStream<S, Bytes> {
    /// Of bytes, as an HTTP client library gives them: `Result`s of anything that is bytes.
    pub fn of_bytes(inner: S, mut call: LlmCall, wire: Wire, framing: Framing) -> Self {
        call.set_wire(wire);
        let scanner = call.scanner(wire, framing);
        Self::new(inner, call, Bytes { scanner })
    }
}

impl<S: Stream, O: Observe<S::Item>> Stream for InstrumentedStream<S, O> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        if !this.call.is_recording() {
            return this.inner.poll_next(cx);
        }
        let polled = match EndUnwinding::run(this.call, |_| this.inner.poll_next(cx)) {
            Poll::Ready(polled) => polled,
            Poll::Pending => return Poll::Pending,
        };
        match &polled {
            Some(item) => {
                EndUnwinding::run(this.call, |call| this.observe.observe(item, call));
                if !this.call.is_complete() {
                    return Poll::Ready(polled);
                }
            }
            None => EndUnwinding::run(this.call, |call| this.observe.over(call)),
        }
        let outcome = this.call.outcome();
        this.call.end_in_place(outcome);
        Poll::Ready(polled)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

/// Ends the call as panicked if it is dropped: only what unwinds does, the stream or who observes it.
struct EndUnwinding<'a>(&'a mut LlmCall);

impl<'a> EndUnwinding<'a> {
    #[inline(always)]
    fn run<R>(call: &'a mut LlmCall, work: impl FnOnce(&mut LlmCall) -> R) -> R {
        let unwinding = Self(call);
        let done = work(unwinding.0);
        std::mem::forget(unwinding);
        done
    }
}

impl Drop for EndUnwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.end_in_place(obs_core::Outcome::PANICKED);
    }
}

/// Reads the bytes of an answer.
#[derive(Debug)]
pub struct Bytes {
    scanner: ResponseScanner,
}

impl<B: AsRef<[u8]>, E> Observe<Result<B, E>> for Bytes {
    fn observe(&mut self, item: &Result<B, E>, call: &mut LlmCall) {
        match item {
            Ok(bytes) => call.read(&mut self.scanner, bytes.as_ref()),
            Err(_) => {
                call.set_error(BODY_ERROR);
                let outcome = call.outcome();
                call.end_in_place(outcome);
            }
        }
    }

    fn over(&mut self, call: &mut LlmCall) {
        self.scanner.end(call);
        if !call.is_all_there() {
            call.set_error(INCOMPLETE);
        }
    }
}
