//! The future of a response: the operation is current in each poll, and goes on into the body.

use super::body::{ResponseBody, of_http};
use super::ending::{Call, Origin};
use super::scope;
use super::settings::Role;
use crate::attempts;
use crate::descriptor::BODY_ERROR;
use crate::failure;
use crate::frames::Frames;
use crate::metadata::{self, capture};
use crate::status::Code;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use obs_core::{Event, Outcome, StatsLevel, current};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

pin_project! {
    /// The future of an observed call's response. Dropped before it is ready, the call is cancelled.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        pub(crate) inner: Option<F>,
        // Until it goes on into the body, and where the call is observed.
        pub(crate) call: Option<Call>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        /// What the destructors of a service that is given up do is part of the call, too.
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(call) = this.call {
                let is_attempt = call.common.is_some_and(|common| common.role == Role::Client);
                let has_lost = is_attempt && attempts::has_lost();
                let entered = call.operation.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
                if has_lost {
                    attempts::decided(|| drop(this.call.take()));
                }
            }
        }
    }
}

impl<F> ResponseFuture<F> {
    /// Asks the service inside, with the operation current. The call is whole by then: it may unwind.
    #[inline(always)]
    pub(crate) fn start(mut call: Call, ask: impl FnOnce() -> F) -> Self {
        let entered = call.operation.enter();
        let inner = ask();
        entered.leave();
        Self {
            inner: Some(inner),
            call: Some(call),
        }
    }

    /// Passed on as if we were not there.
    #[inline(always)]
    pub(crate) fn unobserved(inner: F) -> Self {
        Self {
            inner: Some(inner),
            call: None,
        }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes>,
    E: 'static,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // It is there until it is ready, or dropped.
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let Some(call) = this.call else {
            let polled = inner.poll(cx);
            return polled.map_ok(|response| response.map(ResponseBody::unobserved));
        };
        let role = call.common.map(|common| common.role);
        let entered = call.operation.enter();
        let (polled, is_decided) = match role {
            Some(Role::Logical) => attempts::around(|| inner.poll(cx)),
            _ => {
                let flow = call.flow.as_ref();
                (scope::handler(flow, || inner.poll(cx)), false)
            }
        };
        entered.leave();
        match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => {
                // No messages and no trailers.
                let status = response.status();
                let whole = response.body().is_end_stream().then_some(status);
                at_head(call, response.headers(), whole, status);
            }
            Poll::Ready(Err(error)) => failed(call, error),
        }
        match role {
            Some(Role::Client) => attempts::answered(),
            Some(Role::Logical) if is_decided => attempts::decided(|| this.inner.set(None)),
            Some(Role::Logical) => current::giving_up(|| this.inner.set(None)),
            _ => {}
        }
        let call = this.call.take().unwrap_or(const { Call::unobserved() });
        polled.map_ok(|response| {
            let status = response.status();
            let current = call.common.is_some_and(|common| common.current_in_body);
            response.map(|inner| ResponseBody {
                inner: Some(inner),
                call,
                frames: Frames::default(),
                status,
                current,
                seen_over: AtomicBool::new(false),
            })
        })
    }
}

#[cold]
#[inline(never)]
pub(crate) fn failed<E: 'static>(call: &mut Call, error: &E) {
    let server = call
        .common
        .is_some_and(|common| common.role == Role::Server);
    let chain = failure::chain(error);
    let end = match server {
        true => {
            call.hand_over();
            call.operation.stamp(Event::SERVER_HANDLE_FINISH);
            failure::of_server(chain)
        }
        false => {
            let mut end = failure::of_client(chain);
            if call.flow.as_ref().is_some_and(|flow| flow.has_failed()) {
                // An encoder, mostly. What came of it is a stream that was reset by us.
                end.outcome = Outcome::failed(BODY_ERROR);
                end.origin = None;
            }
            // The end of a stream that was open, and seen to end: a timeout here only stopped to look.
            if end.origin != Some(Origin::Deadline)
                && call.flow.as_ref().is_some_and(|flow| flow.has_begun())
            {
                call.operation.stamp(Event::STREAM_FINISH);
            }
            end
        }
    };
    call.end_failed(end);
}

/// The head of the response is there. `whole` is its HTTP status, where there is no more to come.
#[inline(always)]
pub(crate) fn at_head(
    call: &mut Call,
    metadata: &HeaderMap,
    whole: Option<StatusCode>,
    status: StatusCode,
) {
    let Some(common) = call.common else { return };
    let server = common.role == Role::Server;
    match &call.flow {
        Some(flow) if !flow.is_detailed() => {}
        Some(_) if server => call.hand_over(),
        Some(flow) => call.answered_early = !flow.is_over(),
        // A call around attempts: it is they that wait.
        None => call.answered_early = true,
    }
    let Some(mut active) = call.operation.active() else {
        return;
    };
    if active.level() == StatsLevel::Detailed {
        // Around the attempts there is no request that is over.
        let waited = !call.answered_early && common.role != Role::Logical;
        active.stamp_all(match (server, waited) {
            (true, _) => &[Event::SERVER_HANDLE_FINISH],
            (false, true) => &[Event::WAIT_READ_FINISH, Event::STREAM_RECV_HEADER],
            (false, false) => &[Event::STREAM_RECV_HEADER],
        });
    }
    if !common.response_metadata.is_empty() {
        capture(&mut active, metadata, &common.response_metadata);
    }
    let code = metadata::status(metadata).or_else(|| whole.map(of_http));
    // A page is no answer, which a front may have for any path.
    if call.unknown.is_some() && status == StatusCode::OK && metadata::is_grpc(metadata) {
        call.name_method(code);
    }
    match code {
        // No server of gRPC's says so before its messages, but tonic reads them.
        Some(Code::OK) if whole.is_none() => call.said_ok = true,
        // The whole answer: its body, if anybody gave it one, is never read.
        Some(code) => {
            call.operation.stamp(Event::STREAM_FINISH);
            call.end_with(code);
        }
        None => {}
    }
}
