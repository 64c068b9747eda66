//! The future: the operation is current in each poll, and goes on into the body.

use super::body::ResponseBody;
use super::carried::Carried;
use super::side::Side;
use crate::descriptor::{RESPONSE_SIZE, STATUS};
use crate::headers::captured::capture;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body::Body;
use obs_core::{LabelId, Outcome, current};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of an observed service's answer. Dropped before it is ready, the exchange is cancelled.
    #[derive(Debug)]
    pub struct ResponseFuture<F, X> {
        #[pin]
        pub(crate) inner: Option<F>,
        pub(crate) carried: Carried,
        pub(crate) side: X,
        pub(crate) asked: Asked,
        // Whether the side has something to look at in the first poll.
        pub(crate) looks: bool,
    }

    impl<F, X> PinnedDrop for ResponseFuture<F, X> {
        /// What the destructors of a service that is given up do is part of the exchange, too.
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.carried.is_recording() {
                let entered = this.carried.enter();
                current::giving_up(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

impl<F, X, R, E> Future for ResponseFuture<F, X>
where
    F: Future<Output = Result<Response<R>, E>>,
    X: Side<E>,
    R: Body,
{
    type Output = Result<Response<ResponseBody<R, X::Body>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // It is there until the drop.
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Pending;
        };
        if !this.carried.is_recording() {
            let polled = inner.poll(cx);
            return polled.map_ok(|response| {
                response.map(|inner| ResponseBody::unobserved(inner, this.side.body()))
            });
        }
        if *this.looks {
            *this.looks = false;
            this.side.look();
        }
        let entered = this.carried.enter();
        let polled = inner.poll(cx);
        entered.leave();
        // Looked at where it lies: moving an answer costs more than reading it.
        let ahead = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => at_head(response, this.carried, this.side, *this.asked),
            Poll::Ready(Err(error)) => failed(this.carried, this.side, error),
        };
        let carried = std::mem::replace(this.carried, Carried::disabled());
        polled.map_ok(|response| {
            response.map(|inner| ResponseBody {
                inner,
                carried,
                sent: 0,
                ahead,
                side: this.side.body(),
            })
        })
    }
}

/// What the request's method says of the answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// There may be one.
    Any,
    /// There is none.
    Head,
    /// There is none if the answer is 2xx: what follows is a tunnel and no HTTP (RFC 9110 §9.3.6). hyper 1.x drops the
    /// body of such an answer unpolled and hands the connection, or with HTTP/2 the stream, to `hyper::upgrade`. It makes
    /// no difference between CONNECT and the extended CONNECT of RFC 8441 (WebSockets), and neither does this layer: the
    /// exchange ends at the head, as at 101, and what goes through the tunnel is not part of it.
    Connect,
}

impl Asked {
    #[inline(always)]
    pub(crate) fn by(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Any,
        }
    }

    #[inline(always)]
    fn is_without_body(self, status: StatusCode) -> bool {
        match self {
            Self::Any => false,
            Self::Head => true,
            Self::Connect => status.is_success(),
        }
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
fn failed<X: Side<E>, E>(carried: &mut Carried, side: &X, error: &E) -> Ahead {
    if let Some(mut active) = carried.operation.active() {
        active.stamp_all(X::AT_ERROR);
    }
    carried.end(side.of_error(error));
    Ahead::NOTHING
}

#[inline(never)]
fn at_head<R: Body, X: Side<E>, E>(
    response: &Response<R>,
    carried: &mut Carried,
    side: &X,
    asked: Asked,
) -> Ahead {
    let status = response.status();
    let settings = side.common();
    let outcome = side.of_status(status);
    let mut ahead = Ahead {
        outcome,
        current: settings.current_in_body || carried.span.is_some(),
        ..Ahead::NOTHING
    };
    let Some(mut active) = carried.operation.active() else {
        return ahead;
    };
    active.stamp_all(X::AT_HEAD);
    active.set_label(STATUS, LabelId::number(status.as_u16()));
    side.at_head(&mut active, response, outcome);
    if !settings.response_headers.is_empty() {
        capture(&mut active, response.headers(), &settings.response_headers);
    }
    carried.span.answered(status);
    let body = response.body();
    // hyper drops a body at its announced length without asking for more.
    let announced =
        if asked.is_without_body(status) || is_without_body(status) || body.is_end_stream() {
            Some(0)
        } else {
            match body.size_hint().exact() {
                Some(exact) => Some(exact),
                None => content_length(response.headers()),
            }
        };
    // Bodies without a byte are never polled: the exchange is over with its head.
    if announced == Some(0) {
        if asked != Asked::Head && status != StatusCode::NOT_MODIFIED {
            active.set_measure(RESPONSE_SIZE, 0);
        }
        carried.end(outcome);
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
