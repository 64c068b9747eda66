//! One ending, poll by poll, with the eyes of a server: what came out, in order.

use super::{Ending, ScriptedBody};
use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tower_service::Service;

/// What a server sees of a service. Two services that behave alike are seen alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Pending,
    Status(u16),
    Error,
    Panic,
    /// Before each poll of the body: its size hint and whether it says that it is over.
    Body {
        lower: u64,
        upper: Option<u64>,
        over: bool,
    },
    Data(Vec<u8>),
    Trailers,
    End,
}

/// How far an exchange is when the driver looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Head,
    Body,
}

/// Drives `service` to `ending`. `running` is called where the exchange is under way, `late` where its deadline is to
/// pass.
pub(super) fn drive<S, R>(
    ending: Ending,
    mut service: S,
    request: Request<ScriptedBody>,
    running: impl Fn(Stage),
    late: impl Fn(),
) -> Vec<Seen>
where
    S: Service<Request<ScriptedBody>, Response = Response<R>>,
    R: Body,
{
    let mut seen = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    match service.poll_ready(&mut context) {
        Poll::Ready(Ok(())) => {}
        Poll::Ready(Err(_)) => return vec![Seen::Error],
        Poll::Pending => panic!("the wrapped service is not ready, though the scripted one is"),
    }
    let Some(future) = caught(|| service.call(request)) else {
        return vec![Seen::Panic];
    };
    running(Stage::Head);
    // In a box and not pinned to the stack: a test must be able to drop it at any point.
    let mut future = Box::pin(future);
    if ending == Ending::DroppedUnpolled {
        return seen;
    }
    let response = loop {
        match caught(|| future.as_mut().poll(&mut context)) {
            Some(Poll::Pending) => {
                seen.push(Seen::Pending);
                running(Stage::Head);
                match ending {
                    Ending::TimedOut => late(),
                    Ending::DroppedPending => {}
                    _ => continue,
                }
                return seen;
            }
            Some(Poll::Ready(Ok(response))) => break response,
            Some(Poll::Ready(Err(_))) => {
                seen.push(Seen::Error);
                return seen;
            }
            None => {
                seen.push(Seen::Panic);
                return seen;
            }
        }
    };
    drop(future);
    seen.push(Seen::Status(response.status().as_u16()));
    body(ending, response.into_body(), &mut seen, running, late);
    seen
}

fn body<R: Body>(
    ending: Ending,
    body: R,
    seen: &mut Vec<Seen>,
    running: impl Fn(Stage),
    late: impl Fn(),
) {
    let mut body = pin!(body);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let hint = body.size_hint();
        seen.push(Seen::Body {
            lower: hint.lower(),
            upper: hint.upper(),
            over: body.is_end_stream(),
        });
        if ending == Ending::BodyDroppedUnpolled {
            return running(Stage::Body);
        }
        // A server asks a body that is over for nothing, and one of known length for no more than that.
        if body.is_end_stream() {
            return;
        }
        running(Stage::Body);
        match caught(|| poll(body.as_mut(), &mut context)) {
            None => return seen.push(Seen::Panic),
            Some(Seen::Pending) => seen.push(Seen::Pending),
            Some(last @ (Seen::End | Seen::Error | Seen::Trailers)) => return seen.push(last),
            Some(other) => seen.push(other),
        }
        let begun = seen.iter().any(|seen| matches!(seen, Seen::Data(_)));
        if begun && matches!(ending, Ending::DroppedMidBody | Ending::TimedOutMidBody) {
            running(Stage::Body);
            if ending == Ending::TimedOutMidBody {
                late();
            }
            return;
        }
    }
}

fn poll<R: Body>(body: Pin<&mut R>, context: &mut Context<'_>) -> Seen {
    match body.poll_frame(context) {
        Poll::Pending => Seen::Pending,
        Poll::Ready(None) => Seen::End,
        Poll::Ready(Some(Err(_))) => Seen::Error,
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(mut data) => Seen::Data(data.copy_to_bytes(data.remaining()).to_vec()),
            Err(_) => Seen::Trailers,
        },
    }
}

/// `None` if it panicked.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
