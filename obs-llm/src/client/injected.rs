//! The body of a request that may have been rewritten, and how it is gathered.

use super::inject::INJECTION_LIMIT;
use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// What was gathered, then what was not.
    #[derive(Debug)]
    pub struct InjectedBody<B: Body> {
        ready: Bytes,
        // Data that would have been too much.
        beyond: Bytes,
        trailers: Option<HeaderMap>,
        error: Option<B::Error>,
        #[pin]
        rest: Rest<B>,
    }
}

pin_project! {
    /// What was not gathered.
    #[project = RestProjection]
    #[derive(Debug)]
    enum Rest<B> {
        Nothing,
        // Of a body that was not looked into.
        Here {
            #[pin]
            body: B,
        },
        // A body that has been polled cannot be moved, and so has a place of its own.
        Apart {
            body: Pin<Box<B>>,
        },
    }
}

/// Data of such a body.
#[derive(Debug)]
pub enum Data<D> {
    /// Gathered.
    Gathered(Bytes),
    /// As it came.
    Passed(D),
}

impl<B: Body> InjectedBody<B> {
    pub(super) fn untouched(body: B) -> Self {
        Self {
            ready: Bytes::new(),
            beyond: Bytes::new(),
            trailers: None,
            error: None,
            rest: Rest::Here { body },
        }
    }
}

/// For layers that retry within.
impl<B: Body + Clone> Clone for InjectedBody<B>
where
    B::Error: Clone,
{
    fn clone(&self) -> Self {
        Self {
            ready: self.ready.clone(),
            beyond: self.beyond.clone(),
            trailers: self.trailers.clone(),
            error: self.error.clone(),
            rest: match &self.rest {
                Rest::Nothing => Rest::Nothing,
                Rest::Here { body } => Rest::Here { body: body.clone() },
                Rest::Apart { body } => Rest::Apart {
                    body: Box::pin(B::clone(body)),
                },
            },
        }
    }
}

/// For layers that send on without a body, as those that follow redirects do.
impl<B: Body + Default> Default for InjectedBody<B> {
    fn default() -> Self {
        Self::untouched(B::default())
    }
}

/// What there is of a body so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: BytesMut,
    beyond: Bytes,
    trailers: Option<HeaderMap>,
}

/// Gathers a body, until it is over, fails or is too long. The flag says whether all of it is there.
pub(super) fn gather<B: Body>(
    gathered: &mut Gathered,
    body: &mut Pin<Box<B>>,
    cx: &mut Context<'_>,
) -> Poll<(bool, Result<(), B::Error>)> {
    loop {
        let frame = match body.as_mut().poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready((true, Ok(()))),
            Poll::Ready(Some(Err(error))) => return Poll::Ready((false, Err(error))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        match frame.into_data() {
            Ok(mut data) => {
                // It goes on as it is, and is copied only where it is no `Bytes`.
                if gathered.bytes.len() + data.remaining() > INJECTION_LIMIT {
                    gathered.beyond = data.copy_to_bytes(data.remaining());
                    return Poll::Ready((false, Ok(())));
                }
                while data.has_remaining() {
                    let chunk = data.chunk();
                    gathered.bytes.extend_from_slice(chunk);
                    data.advance(chunk.len());
                }
            }
            Err(frame) => {
                gathered.trailers = frame.into_trailers().ok().or(gathered.trailers.take())
            }
        }
    }
}

impl Gathered {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// With so much in it as stands before `at`, then `more`, then what stands after.
    pub(super) fn insert(&mut self, at: usize, more: &[u8]) {
        let end = self.bytes.split_off(at);
        self.bytes.extend_from_slice(more);
        self.bytes.extend_from_slice(&end);
    }

    pub(super) fn into_body<B: Body>(
        self,
        error: Option<B::Error>,
        rest: Option<Pin<Box<B>>>,
    ) -> InjectedBody<B> {
        let rest = rest.map_or(Rest::Nothing, |body| Rest::Apart { body });
        InjectedBody {
            ready: self.bytes.freeze(),
            beyond: self.beyond,
            trailers: self.trailers,
            error,
            rest,
        }
    }
}

impl<B: Body> Body for InjectedBody<B> {
    type Data = Data<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let this = self.project();
        for ready in [this.ready, this.beyond] {
            if !ready.is_empty() {
                let ready = std::mem::take(ready);
                return Poll::Ready(Some(Ok(Frame::data(Data::Gathered(ready)))));
            }
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let polled = match this.rest.project() {
            RestProjection::Here { body } => body.poll_frame(cx),
            RestProjection::Apart { body } => body.as_mut().poll_frame(cx),
            RestProjection::Nothing => Poll::Ready(None),
        };
        if !matches!(polled, Poll::Ready(None)) {
            return polled.map_ok(|frame| frame.map_data(Data::Passed));
        }
        Poll::Ready(
            this.trailers
                .take()
                .map(|trailers| Ok(Frame::trailers(trailers))),
        )
    }

    fn is_end_stream(&self) -> bool {
        let rest = match &self.rest {
            Rest::Here { body } => body.is_end_stream(),
            Rest::Apart { body } => body.is_end_stream(),
            Rest::Nothing => true,
        };
        let ready = self.ready.is_empty() && self.beyond.is_empty();
        ready && self.trailers.is_none() && self.error.is_none() && rest
    }

    fn size_hint(&self) -> SizeHint {
        let ready = (self.ready.len() + self.beyond.len()) as u64;
        let rest = match &self.rest {
            Rest::Here { body } => body.size_hint(),
            Rest::Apart { body } => body.size_hint(),
            Rest::Nothing => SizeHint::with_exact(0),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(ready.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(ready)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<D: Buf> Buf for Data<D> {
    fn remaining(&self) -> usize {
        match self {
            Self::Gathered(bytes) => bytes.remaining(),
            Self::Passed(data) => data.remaining(),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes.chunk(),
            Self::Passed(data) => data.chunk(),
        }
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        match self {
            Self::Gathered(bytes) => bytes.chunks_vectored(into),
            Self::Passed(data) => data.chunks_vectored(into),
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Gathered(bytes) => bytes.advance(count),
            Self::Passed(data) => data.advance(count),
        }
    }
}
