//! The future: the call is current in each poll, and goes on into the body.

use super::asked::Asked;
use super::body::{Reader, ResponseBody};
use super::coding::Coding;
use super::failure::is_timeout;
use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::descriptor::SERVICE_ERROR;
use crate::wire::{Framing, ResponseSink, Wire, usage_of_bedrock_headers};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Body;
use obs_core::{Outcome, current};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How an answer is to be read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) wire: Wire,
    pub(crate) asked: Asked,
    pub(crate) framing: Option<Framing>,
}

pin_project! {
    /// Work that a call is current in, while it is asked for. Dropped before the call is [taken](Asking::take), it is cancelled.
    #[derive(Debug)]
    pub(crate) struct Asking<F> {
        #[pin]
        inner: Option<F>,
        observed: Option<(LlmCall, Reading)>,
    }

    impl<F> PinnedDrop for Asking<F> {
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

impl<F> Asking<F> {
    pub(crate) fn new(inner: F, observed: Option<(LlmCall, Reading)>) -> Self {
        Self {
            inner: Some(inner),
            observed,
        }
    }

    /// The call, for whoever has the answer.
    #[inline(always)]
    pub(crate) fn take(self: Pin<&mut Self>) -> Option<(LlmCall, Reading)> {
        self.project().observed.take()
    }
}

impl<F: Future> Future for Asking<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // It is there until the drop.
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Pending;
        };
        let Some((call, _)) = this.observed else {
            return inner.poll(cx);
        };
        let entered = call.enter();
        let polled = inner.poll(cx);
        entered.leave();
        polled
    }
}

pin_project! {
    /// The future of the answer of an observed client. Dropped before it is ready, the call is cancelled.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        asking: Asking<F>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) fn observed(inner: F, call: LlmCall, reading: Reading) -> Self {
        let asking = Asking::new(inner, Some((call, reading)));
        Self { asking }
    }

    pub(crate) fn unobserved(inner: F) -> Self {
        let asking = Asking::new(inner, None);
        Self { asking }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
    E: 'static,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut asking = self.project().asking;
        let Poll::Ready(answered) = asking.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        let Some((mut call, reading)) = asking.take() else {
            return Poll::Ready(answered.map(|response| response.map(ResponseBody::unobserved)));
        };
        Poll::Ready(match answered {
            Ok(response) => Ok(at_head(response, call, reading)),
            Err(error) => {
                reading.asked.tell(&mut call);
                match is_timeout(&error) {
                    true => call.end_with(Outcome::TIMED_OUT),
                    false => call.fail(SERVICE_ERROR),
                }
                Err(error)
            }
        })
    }
}

/// From here on the body has the call.
#[inline(never)]
pub(crate) fn at_head<R: Body>(
    response: Response<R>,
    mut call: LlmCall,
    reading: Reading,
) -> Response<ResponseBody<R>> {
    let is_all = reading.asked.tell(&mut call);
    let (status, headers) = (response.status(), response.headers());
    let is_error = status.is_client_error() || status.is_server_error();
    call.set_status(status.as_u16());
    if is_error {
        tell_exception(headers, &mut call);
    }
    let kind = kind(headers);
    let framing = framing(kind, &reading, !is_error && call.streams());
    if framing != Framing::Json && status.is_success() {
        call.set_streams();
    }
    if reading.wire == Wire::BedrockInvoke {
        tell_tokens(headers, &mut call);
    }
    // A page of a proxy's is no error of the provider's.
    let is_read = !is_error || is_json(kind);
    let reader = match Coding::of(headers) {
        _ if !is_read => None,
        Ok(coding) => {
            let scanner = call.scanner(reading.wire, framing);
            Some(Reader::new(coding, scanner))
        }
        Err(_) => {
            call.count_anomaly(Anomaly::Unreadable);
            None
        }
    };
    let asked = (!is_all).then_some(reading.asked);
    // Nothing is polled within it from here on.
    call.withdraw();
    response.map(|inner| ResponseBody::observed(inner, call, reader, asked))
}

/// What Amazon calls an error stands in the head, and mostly there alone: `ThrottlingException:http://…`, or behind a namespace
/// (restJson1 of its Smithy specification).
#[cold]
fn tell_exception(headers: &HeaderMap, call: &mut LlmCall) {
    let kind = headers.get("x-amzn-errortype").map(HeaderValue::to_str);
    let Some(Ok(kind)) = kind else { return };
    let kind = kind.split_once(':').map_or(kind, |(kind, _)| kind);
    let name = kind.rsplit_once('#').map_or(kind, |(_, name)| name);
    call.error(name.trim());
}

/// Tokens that stand in the head of an answer.
#[cold]
fn tell_tokens(headers: &HeaderMap, call: &mut LlmCall) {
    let usage = usage_of_bedrock_headers(|name| headers.get(name)?.to_str().ok());
    if !usage.is_empty() {
        call.usage(&usage);
    }
}

/// Its type, without parameters.
fn kind(headers: &HeaderMap) -> &[u8] {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.map_or(&[][..], HeaderValue::as_bytes);
    let end = memchr::memchr(b';', kind).unwrap_or(kind.len());
    kind[..end].trim_ascii()
}

/// Whether the answer says that it is JSON, or says nothing.
fn is_json(kind: &[u8]) -> bool {
    let is = |name: &[u8]| kind.eq_ignore_ascii_case(name);
    let end = kind.len().checked_sub(b"+json".len());
    let suffix = end.and_then(|end| kind.get(end..));
    kind.is_empty()
        || is(b"application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
        || is(b"application/x-amz-json-1.1")
}

/// How the answer is divided: its type says it, else what was asked for.
fn framing(kind: &[u8], reading: &Reading, streams: bool) -> Framing {
    let is = |name: &[u8]| kind.eq_ignore_ascii_case(name);
    if is(b"text/event-stream") {
        Framing::EventStream
    } else if !kind.is_empty() && is_json(kind) {
        Framing::Json
    } else if is(b"application/x-ndjson") || is(b"application/jsonl") || is(b"application/ndjson") {
        Framing::Lines
    } else if is(b"application/vnd.amazon.eventstream") {
        Framing::AmazonEventStream
    } else {
        match reading.framing {
            Some(framing) if streams => framing,
            _ => Framing::Json,
        }
    }
}
