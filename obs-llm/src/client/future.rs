//! The future: the call is current in each poll, and goes on into the body.

use super::asked::Asked;
use super::body::{Reader, ResponseBody};
use super::coding::Coding;
use crate::call::LlmCall;
use crate::descriptor::SERVICE_ERROR;
use crate::wire::{Framing, Wire};
use http::{HeaderMap, Response, header};
use http_body::Body;
use obs_core::current;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How an answer is to be read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) wire: Wire,
    pub(crate) asked: Asked,
    pub(crate) streams: Option<bool>,
    pub(crate) framing: Option<Framing>,
}

pin_project! {
    /// The future of the answer of an observed client. Dropped before it is ready, the call is cancelled.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Option<F>,
        observed: Option<(LlmCall, Reading)>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        /// What the destructors of a client that is given up do is part of the call, too.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some((call, reading)) = this.observed {
                reading.asked.tell(call);
                let entered = call.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn observed(inner: F, call: LlmCall, reading: Reading) -> Self {
        Self {
            inner: Some(inner),
            observed: Some((call, reading)),
        }
    }

    pub(crate) fn unobserved(inner: F) -> Self {
        Self {
            inner: Some(inner),
            observed: None,
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // It is there until the drop.
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Pending;
        };
        let Some((call, _)) = this.observed else {
            let polled = inner.poll(cx);
            return polled.map_ok(|response| response.map(ResponseBody::unobserved));
        };
        let entered = call.enter();
        let polled = inner.poll(cx);
        entered.leave();
        if polled.is_pending() {
            return Poll::Pending;
        }
        let Some((mut call, reading)) = this.observed.take() else {
            return Poll::Pending;
        };
        reading.asked.tell(&mut call);
        Poll::Ready(match polled {
            Poll::Ready(Ok(response)) => Ok(at_head(response, call, reading)),
            Poll::Ready(Err(error)) => {
                call.fail(SERVICE_ERROR);
                Err(error)
            }
            Poll::Pending => return Poll::Pending,
        })
    }
}

/// From here on the body has the call.
#[inline(never)]
fn at_head<R: Body>(
    response: Response<R>,
    mut call: LlmCall,
    reading: Reading,
) -> Response<ResponseBody<R>> {
    let status = response.status();
    call.set_status(status.as_u16());
    let framing = framing(response.headers(), &reading);
    if framing != Framing::Json && status.is_success() {
        call.set_streams();
    }
    // A page of a proxy's is no error of the provider's.
    let is_json = is_json(response.headers());
    let reader = (status.is_success() || is_json).then(|| Reader {
        coding: Coding::of(response.headers()),
        scanner: call.scanner(reading.wire, framing),
    });
    response.map(|inner| ResponseBody::observed(inner, call, reader, reading.asked))
}

/// Whether the answer says that it is JSON, or says nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = kind(headers);
    let has_suffix = kind.len() > 5 && kind[kind.len() - 5..].eq_ignore_ascii_case("+json");
    kind.is_empty() || has_suffix || kind.eq_ignore_ascii_case("application/json")
}

/// Its type, without parameters.
fn kind(headers: &HeaderMap) -> &str {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

/// How the answer is divided: its type says it, else what was asked for.
fn framing(headers: &HeaderMap, reading: &Reading) -> Framing {
    let kind = kind(headers);
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    if is("text/event-stream") {
        Framing::EventStream
    } else if is("application/x-ndjson") || is("application/jsonl") || is("application/ndjson") {
        Framing::Lines
    } else if is("application/vnd.amazon.eventstream") {
        Framing::AmazonEventStream
    } else if is("application/json") {
        Framing::Json
    } else {
        match (reading.streams, reading.framing) {
            (Some(true), Some(framing)) => framing,
            _ => Framing::Json,
        }
    }
}
