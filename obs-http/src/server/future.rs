//! The future: the operation is current in each poll, and goes on into the body.

use super::body::ResponseBody;
use super::service::capture;
use super::settings::Settings;
use crate::classify::{self, Classify};
use crate::descriptor::{RESPONSE_SIZE, STATUS};
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body;
use obs_core::{Event, LabelId, Operation, Outcome};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of an observed service's answer. Dropped before it is ready, the exchange is cancelled.
    #[derive(Debug)]
    pub struct ResponseFuture<F, C> {
        #[pin]
        pub(crate) inner: F,
        pub(crate) operation: Operation,
        pub(crate) settings: &'static Settings,
        pub(crate) classify: C,
        pub(crate) head_only: bool,
    }
}

impl<F, C, R, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<Response<R>, E>>,
    C: Classify<E>,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if !this.operation.is_recording() {
            let polled = this.inner.poll(cx);
            return polled.map_ok(|response| response.map(ResponseBody::unobserved));
        }
        let entered = this.operation.enter();
        let polled = this.inner.poll(cx);
        entered.leave();
        // Looked at where it lies: moving an answer costs more than reading it.
        let ahead = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => at_head(
                response,
                this.operation,
                this.settings,
                this.classify,
                *this.head_only,
            ),
            Poll::Ready(Err(error)) => failed(this.operation, this.settings, this.classify, error),
        };
        let operation = std::mem::replace(this.operation, Operation::disabled());
        polled.map_ok(|response| {
            response.map(|inner| ResponseBody {
                inner,
                operation,
                sent: 0,
                ahead,
            })
        })
    }
}

/// What the head says of the body: the outcome unless the body fails, and at how many bytes the body is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    /// `u64::MAX` is unknown.
    pub(crate) bytes: u64,
    pub(crate) outcome: Outcome,
    /// Whether the operation is current while the body is polled.
    pub(crate) current: bool,
}

impl Ahead {
    pub(crate) const NOTHING: Self = Self {
        bytes: u64::MAX,
        outcome: Outcome::ANSWERED,
        current: false,
    };
}

#[cold]
#[inline(never)]
fn failed<C: Classify<E>, E>(
    operation: &mut Operation,
    settings: &Settings,
    classify: &C,
    error: &E,
) -> Ahead {
    if let Some(mut active) = operation.active() {
        active.stamp(Event::SERVER_HANDLE_FINISH);
    }
    operation.end_in_place(classify::error(settings.kind, classify, error));
    Ahead::NOTHING
}

#[inline(never)]
fn at_head<R: Body, C: Classify<E>, E>(
    response: &Response<R>,
    operation: &mut Operation,
    settings: &Settings,
    classify: &C,
    head_only: bool,
) -> Ahead {
    let status = response.status();
    let outcome = classify::status(settings.kind, classify, status);
    let mut ahead = Ahead {
        outcome,
        current: settings.current_in_body,
        ..Ahead::NOTHING
    };
    let Some(mut active) = operation.active() else {
        return ahead;
    };
    active.stamp_all(&[Event::RESPONSE_HEAD, Event::SERVER_HANDLE_FINISH]);
    active.set_label(STATUS, LabelId::number(status.as_u16()));
    if !settings.response_headers.is_empty() {
        capture(&mut active, response.headers(), &settings.response_headers);
    }
    let body = response.body();
    // hyper drops a body at its announced length without asking for more.
    let announced = if head_only || is_without_body(status) || body.is_end_stream() {
        Some(0)
    } else {
        match body.size_hint().exact() {
            Some(exact) => Some(exact),
            None => content_length(response.headers()),
        }
    };
    // Bodies without a byte are never polled: the exchange is over with its head.
    if announced == Some(0) {
        if !head_only && status != StatusCode::NOT_MODIFIED {
            active.set_measure(RESPONSE_SIZE, 0);
        }
        operation.end_in_place(outcome);
        return ahead;
    }
    ahead.bytes = announced.unwrap_or(u64::MAX);
    ahead
}

/// 101 ends the exchange: what follows on the connection is no HTTP.
#[inline(always)]
fn is_without_body(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS
    )
}

#[cold]
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
