//! The service at the centre: it does what the script of an ending says, and every part of it can be counted.

use super::Ending;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// The service under the layer under test. It is pending once before it answers.
#[derive(Clone, Debug)]
pub struct Scripted {
    ending: Ending,
    alive: Alive,
}

/// What a scripted service and its body fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptedError;

/// The future of a [`Scripted`] service.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ScriptedFuture {
    ending: Ending,
    polled: bool,
    alive: Alive,
}

/// The body of requests and answers under the driver.
#[derive(Debug)]
pub struct ScriptedBody {
    steps: VecDeque<Step>,
    /// Whether it says how long it is.
    sized: bool,
    _alive: Option<Alive>,
}

/// Counts what is left of a service: one per service, future and body.
pub(super) type Alive = Arc<()>;

#[derive(Clone, Debug)]
enum Step {
    Data(&'static [u8]),
    Trailers,
    Error,
    Panic,
    Pending,
}

const FIRST: &[u8] = b"first ";
const SECOND: &[u8] = b"second";

impl Scripted {
    pub(super) fn new(ending: Ending) -> (Self, Alive) {
        let alive = Alive::default();
        (
            Self {
                ending,
                alive: alive.clone(),
            },
            alive,
        )
    }
}

impl Service<Request<ScriptedBody>> for Scripted {
    type Response = Response<ScriptedBody>;
    type Error = ScriptedError;
    type Future = ScriptedFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ScriptedError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ScriptedBody>) -> ScriptedFuture {
        if self.ending == Ending::PanicInCall {
            unwind();
        }
        ScriptedFuture {
            ending: self.ending,
            polled: false,
            alive: self.alive.clone(),
        }
    }
}

impl Future for ScriptedFuture {
    type Output = Result<Response<ScriptedBody>, ScriptedError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.polled, true) {
            return Poll::Pending;
        }
        match self.ending {
            Ending::ServiceError => return Poll::Ready(Err(ScriptedError)),
            Ending::Panic => unwind(),
            _ => {}
        }
        let mut response = Response::new(ScriptedBody::of(self.ending, self.alive.clone()));
        if self.ending == Ending::ErrorStatus {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        Poll::Ready(Ok(response))
    }
}

impl ScriptedBody {
    /// A body with nothing in it, for requests.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            steps: VecDeque::new(),
            sized: true,
            _alive: None,
        }
    }

    fn of(ending: Ending, alive: Alive) -> Self {
        let last = match ending {
            Ending::BodyError => Step::Error,
            Ending::PanicInBody => Step::Panic,
            _ => Step::Data(SECOND),
        };
        let mut steps = VecDeque::from([Step::Data(FIRST), Step::Pending, last]);
        match ending {
            Ending::Trailers => steps.push_back(Step::Trailers),
            Ending::EmptyBody => steps.clear(),
            // Of the others, a body that is pending at its start is not like one that has a frame at once.
            Ending::KnownLength => {}
            _ => steps.push_front(Step::Pending),
        }
        Self {
            steps,
            sized: matches!(ending, Ending::KnownLength | Ending::EmptyBody),
            _alive: Some(alive),
        }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = ScriptedError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ScriptedError>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Pending) => return Poll::Pending,
            Some(Step::Data(data)) => Some(Ok(Frame::data(Bytes::from_static(data)))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Error) => Some(Err(ScriptedError)),
            Some(Step::Panic) => unwind(),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.sized && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.sized {
            return SizeHint::default();
        }
        let left = self.steps.iter().map(|step| match step {
            Step::Data(data) => data.len() as u64,
            _ => 0,
        });
        SizeHint::with_exact(left.sum())
    }
}

impl fmt::Display for ScriptedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scripted")
    }
}

impl std::error::Error for ScriptedError {}

/// A panic that does not print: the hook is for those that nobody expects.
fn unwind() -> ! {
    std::panic::resume_unwind(Box::new("scripted"))
}
