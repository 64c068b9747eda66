//! The body of a response: the call lasts as long as it does, and ends with its trailers exactly once.

use super::ending::Call;
use crate::failure;
use crate::frames::Frames;
use crate::metadata;
use crate::status::Code;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use obs_core::{Event, Outcome, current};
use pin_project_lite::pin_project;
use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

pin_project! {
    #[project = Projected]
    /// The body of an observed response: passed through untouched. Dropped before its trailers, the call is cancelled.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        pub(crate) inner: Option<B>,
        pub(crate) call: Call,
        pub(crate) frames: Frames,
        // Of the head, for a body without trailers.
        pub(crate) status: StatusCode,
        pub(crate) current: bool,
        // It was asked whether anything is to come, and said no. Asking it ourselves after each message would take a lock of
        // HTTP/2's each time.
        pub(crate) seen_over: AtomicBool,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        /// What the destructors of a stream that is given up do is part of the call, too.
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if !this.call.is_recording() {
                return;
            }
            let server = this.call.is_server();
            if *this.seen_over.get_mut() {
                // Whoever read it saw that nothing more was to come, and did not ask for it.
                end_without_trailers(this.call, this.frames, *this.status, server);
            } else if !server && *this.status != StatusCode::OK {
                // Of a proxy, with a body that is no gRPC and that nobody reads: the head has said it all.
                this.call.end_with(of_http(*this.status));
            } else if *this.current {
                let entered = this.call.operation.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            } else {
                current::giving_up(|| this.inner.set(None));
            }
        }
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn unobserved(inner: B) -> Self {
        Self {
            inner: Some(inner),
            call: Call::unobserved(),
            frames: Frames::default(),
            status: StatusCode::OK,
            current: false,
            seen_over: AtomicBool::new(false),
        }
    }
}

/// A body that no call of ours hangs on: for layers outside that answer on their own.
impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::unobserved(B::default())
    }
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    #[inline]
    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if !this.call.is_recording() {
            return inner.poll_frame(cx);
        }
        let polled = if *this.current {
            this.call.operation.stamp(Event::WRITE_START);
            let entered = this.call.operation.enter();
            let polled = inner.as_mut().poll_frame(cx);
            entered.leave();
            polled
        } else {
            let unwinding = EndUnwinding(this.call);
            let polled = inner.as_mut().poll_frame(cx);
            std::mem::forget(unwinding);
            polled
        };
        let Poll::Ready(ready) = &polled else {
            return polled;
        };
        let data = match ready {
            Some(Ok(frame)) => frame.data_ref(),
            _ => None,
        };
        match data {
            Some(data) => count(this.call, this.frames, data, *this.status),
            None => end(this.call, this.frames, ready.as_ref(), *this.status),
        }
        polled
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        let is_over = self.inner.as_ref().is_none_or(Body::is_end_stream);
        if is_over {
            self.seen_over.store(true, Ordering::Relaxed);
        }
        is_over
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

/// Messages pass, or a part of one.
#[inline(always)]
fn count(call: &mut Call, frames: &mut Frames, data: &[u8], status: StatusCode) {
    let before = call.tally.messages;
    // The page of a proxy has no messages.
    if status == StatusCode::OK {
        frames.feed(data, &mut call.tally);
    }
    if before == 0 && call.is_detailed() {
        stamp_first(call);
    }
}

/// What comes first is stamped, and that until the first message is there.
#[inline(never)]
fn stamp_first(call: &mut Call) {
    let server = call.is_server();
    if !server {
        call.operation.stamp(Event::READ_START);
    }
    if call.tally.messages > 0 {
        call.operation.stamp(match server {
            true => Event::STREAM_SEND,
            false => Event::STREAM_RECV,
        });
    }
}

/// Nothing more comes: the trailers, the end without them, or an error.
#[inline(never)]
fn end<E: 'static>(
    call: &mut Call,
    frames: &Frames,
    last: Option<&Result<Frame<Bytes>, E>>,
    status: StatusCode,
) {
    let server = call.is_server();
    match last {
        Some(Ok(frame)) => {
            if let Some(trailers) = frame.trailers_ref() {
                end_with_trailers(call, frames, trailers, status, server);
            }
        }
        Some(Err(error)) => fail(call, frames, failure::chain(error), server),
        None => end_without_trailers(call, frames, status, server),
    }
}

/// The last moments of a body. What had no data was not read.
#[inline(always)]
fn stamp_last(call: &mut Call, frames: &Frames, server: bool) {
    if !call.is_detailed() {
        return;
    }
    let events: &[Event] = match server {
        true => &[Event::WRITE_FINISH, Event::STREAM_FINISH],
        false if frames.is_untouched(&call.tally) => &[Event::STREAM_FINISH],
        false => &[Event::READ_FINISH, Event::STREAM_FINISH],
    };
    if let Some(mut active) = call.operation.active() {
        active.stamp_all(events);
    }
}

#[inline(always)]
fn end_with_trailers(
    call: &mut Call,
    frames: &Frames,
    trailers: &HeaderMap,
    status: StatusCode,
    server: bool,
) {
    match metadata::status(trailers) {
        Some(code) if !call.said_ok => {
            stamp_last(call, frames, server);
            if !server && code == Code::OK && !frames.is_between() {
                // A part of a message, or none: OK is not what came of it.
                return call.end_as_no_grpc();
            }
            call.end_with_status(code);
        }
        _ => end_without_trailers(call, frames, status, server),
    }
}

/// The peer said no status after its messages: what it means is by the HTTP status, as gRPC has it.
#[cold]
#[inline(never)]
fn end_without_trailers(call: &mut Call, frames: &Frames, status: StatusCode, server: bool) {
    stamp_last(call, frames, server);
    if !server && call.tally.invalid {
        return call.end_as_no_grpc();
    }
    call.end_with(match call.said_ok {
        true => Code::OK,
        false => of_http(status),
    });
}

/// gRPC's mapping of HTTP statuses (doc/http-grpc-status-mapping.md).
pub(crate) fn of_http(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::INTERNAL,
        401 => Code::UNAUTHENTICATED,
        403 => Code::PERMISSION_DENIED,
        404 => Code::UNIMPLEMENTED,
        429 | 502 | 503 | 504 => Code::UNAVAILABLE,
        _ => Code::UNKNOWN,
    }
}

#[cold]
#[inline(never)]
fn fail(call: &mut Call, frames: &Frames, error: Option<&(dyn Error + 'static)>, server: bool) {
    stamp_last(call, frames, server);
    call.end_failed(failure::of_body(error, server));
}

/// Ends the call as panicked if it is dropped: only an unwinding poll does.
struct EndUnwinding<'a>(&'a mut Call);

impl Drop for EndUnwinding<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.end(None, Outcome::PANICKED, None);
    }
}
