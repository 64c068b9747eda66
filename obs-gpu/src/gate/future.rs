//! The answer of the service within, or the refusal.

use super::GpuPass;
use super::keep::Keep;
use pin_project_lite::pin_project;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A response that is on its way, or was refused.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, Response, Error, K> {
        #[pin]
        state: State<F, Response, Error>,
        keep: PhantomData<fn(K)>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = StateProjected]
    enum State<F, Response, Error> {
        Passed {
            // Dropped first: what it holds of the device is let go of while the pass is out.
            #[pin]
            inner: F,
            pass: GpuPass,
        },
        Refused {
            answer: Option<Result<Response, Error>>,
        },
    }
}

impl<F, Response, Error, K> ResponseFuture<F, Response, Error, K> {
    #[inline]
    pub(super) fn passed(inner: F, pass: GpuPass) -> Self {
        Self {
            state: State::Passed { inner, pass },
            keep: PhantomData,
        }
    }

    #[cold]
    pub(super) fn refused(answer: Result<Response, Error>) -> Self {
        let answer = Some(answer);
        Self {
            state: State::Refused { answer },
            keep: PhantomData,
        }
    }
}

impl<F, Response, Error, K> Future for ResponseFuture<F, Response, Error, K>
where
    F: Future<Output = Result<Response, Error>>,
    K: Keep<Response>,
{
    type Output = Result<K::Response, Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Written out: a response is large, and each step between would move it once more.
        match self.project().state.project() {
            StateProjected::Passed { inner, pass } => match inner.poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(response)) => Poll::Ready(Ok(K::keep(response, pass))),
                Poll::Ready(Err(error)) => {
                    *pass = GpuPass::none();
                    Poll::Ready(Err(error))
                }
            },
            StateProjected::Refused { answer } => match answer.take() {
                Some(answer) => {
                    let none = &mut GpuPass::none();
                    Poll::Ready(answer.map(|answer| K::keep(answer, none)))
                }
                // One that has answered was asked again.
                None => Poll::Pending,
            },
        }
    }
}
