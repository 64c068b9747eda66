//! The future: the operation is current in each poll, and goes on into the body.

use super::body::ResponseBody;
use super::service::capture;
use super::settings::Settings;
use crate::classify::Classify;
use crate::descriptor::{RESPONSE_SIZE, STATUS};
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Body;
use obs_core::{Event, LabelId, Operation, Outcome};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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
        let entered = this.operation.enter();
        let polled = this.inner.poll(cx);
        entered.leave();
        match ready!(polled) {
            Ok(response) => {
                let (mut outcome, mut expected) = (Outcome::ANSWERED, None);
                if this.operation.is_recording() {
                    (outcome, expected) = at_head(
                        &response,
                        this.operation,
                        this.settings,
                        this.classify,
                        *this.head_only,
                    );
                }
                let operation = std::mem::replace(this.operation, Operation::disabled());
                let current = this.settings.current_in_body;
                let (parts, inner) = response.into_parts();
                let body = ResponseBody {
                    inner,
                    operation,
                    outcome,
                    sent: 0,
                    expected,
                    current,
                };
                Poll::Ready(Ok(Response::from_parts(parts, body)))
            }
            Err(error) => {
                if let Some(mut active) = this.operation.active() {
                    active.stamp(Event::SERVER_HANDLE_FINISH);
                }
                this.operation
                    .end_in_place(this.classify.classify_error(&error));
                Poll::Ready(Err(error))
            }
        }
    }
}

/// What is known at the head: the outcome unless the body fails, and at how many bytes the body is over.
#[inline(never)]
fn at_head<R: Body, C: Classify<E>, E>(
    response: &Response<R>,
    operation: &mut Operation,
    settings: &Settings,
    classify: &C,
    head_only: bool,
) -> (Outcome, Option<u64>) {
    let status = response.status();
    let outcome = classify.classify_status(status);
    let Some(mut active) = operation.active() else {
        return (outcome, None);
    };
    active.stamp_all(&[Event::RESPONSE_HEAD, Event::SERVER_HANDLE_FINISH]);
    active.set_label(STATUS, LabelId::number(status.as_u16()));
    if !settings.response_headers.is_empty() {
        capture(&mut active, response.headers(), &settings.response_headers);
    }
    let body = response.body();
    // hyper never polls these bodies, so the exchange is over with its head.
    if head_only || is_without_body(status) || body.is_end_stream() {
        if !head_only && status != StatusCode::NOT_MODIFIED {
            active.set_measure(RESPONSE_SIZE, 0);
        }
        operation.end_in_place(outcome);
        return (outcome, None);
    }
    // hyper drops a body at its announced length without asking for more.
    (
        outcome,
        body.size_hint()
            .exact()
            .or_else(|| content_length(response.headers())),
    )
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
