//! A service whose every step is chance: it waits, starts children, hands out handles, answers, fails, panics.

use super::chance::Chance;
use super::{Shared, WORK};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use obs_core::otel::KeyValue;
use obs_core::{ErrorType, Labels, Operation, Outcome, Parent};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tower::Service;

pub(crate) struct Erratic {
    pub(crate) shared: Arc<Shared>,
    pub(crate) chance: Chance,
}

#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken by chance")
    }
}

impl std::error::Error for Broken {}

pub(crate) struct ErraticFuture {
    shared: Arc<Shared>,
    chance: Chance,
    /// A child that is open across polls, and goes with the future if nobody ends it.
    child: Option<Operation>,
}

pub(crate) struct ErraticBody {
    shared: Arc<Shared>,
    chance: Chance,
    frames: u64,
}

impl<B> Service<Request<B>> for Erratic {
    type Response = Response<ErraticBody>;
    type Error = Broken;
    type Future = ErraticFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> ErraticFuture {
        if self.chance.one_in(50) {
            unwind();
        }
        ErraticFuture {
            shared: Arc::clone(&self.shared),
            chance: self.chance.fork(),
            child: None,
        }
    }
}

impl Future for ErraticFuture {
    type Output = Result<Response<ErraticBody>, Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.shared.act(&mut this.chance);
        if this.child.is_none() && this.chance.one_in(4) {
            this.child = Some(this.shared.child());
        } else if this.chance.one_in(3)
            && let Some(child) = this.child.take()
        {
            child.end(outcome(&mut this.chance));
        }
        match this.chance.below(20) {
            0 => unwind(),
            1 => Poll::Ready(Err(Broken)),
            2..10 => {
                let mut response = Response::new(ErraticBody {
                    shared: Arc::clone(&this.shared),
                    chance: this.chance.fork(),
                    frames: this.chance.below(4),
                });
                if this.chance.one_in(5) {
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                }
                Poll::Ready(Ok(response))
            }
            _ => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Body for ErraticBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        this.shared.act(&mut this.chance);
        match this.chance.below(20) {
            0 => unwind(),
            1 => Poll::Ready(Some(Err(Broken))),
            2..5 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ if this.frames == 0 => Poll::Ready(None),
            _ => {
                this.frames -= 1;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))))
            }
        }
    }
}

impl Shared {
    fn child(&self) -> Operation {
        self.children.fetch_add(1, Ordering::Relaxed);
        let kind = self.telemetry.kind(&WORK);
        kind.start(Labels::NONE, Parent::Current)
    }

    /// Something small that code inside a handler does.
    fn act(self: &Arc<Self>, chance: &mut Chance) {
        match chance.below(12) {
            0 => self.child().end(outcome(chance)),
            1 => drop(self.child()),
            2 => {
                let handle = obs_core::current::handle();
                if let (Some(handle), true) = (handle, chance.one_in(8)) {
                    handle.set_attribute(KeyValue::new("seen", true));
                    self.shelf.lock().expect("no panic here").push(handle);
                }
            }
            3 => self.stray(chance),
            _ => {}
        }
    }

    /// A task of the exchange that goes its own way and may outlive it.
    fn stray(self: &Arc<Self>, chance: &mut Chance) {
        let Some(handle) = obs_core::current::handle() else {
            return;
        };
        let (shared, mut chance) = (Arc::clone(self), chance.fork());
        let work = handle.wrap(async move {
            let child = shared.child();
            for _ in 0..chance.below(4) {
                tokio::task::yield_now().await;
            }
            child.end(outcome(&mut chance));
        });
        let mut strays = self.strays.lock().expect("no panic here");
        while strays.try_join_next().is_some() {}
        strays.spawn(work);
    }
}

fn outcome(chance: &mut Chance) -> Outcome {
    match chance.below(5) {
        0 => Outcome::failed(ErrorType::own(0)),
        1 => Outcome::CANCELLED,
        _ => Outcome::ANSWERED,
    }
}

/// Without the hook's message: there are thousands of them.
fn unwind() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
