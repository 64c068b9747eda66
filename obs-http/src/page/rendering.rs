//! An answer that another thread works on.

use http::{Response, StatusCode};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The future of a page. Dropped, it leaves the thread to finish for nobody.
#[derive(Debug)]
pub struct Rendering(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rendered: Option<Response<String>>,
    waiting: Option<Waker>,
}

impl Rendering {
    pub(super) fn of(render: impl FnOnce() -> Response<String> + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let finish = Finish(state.clone());
        // A scrape comes every few seconds: a thread for each is cheaper than one that waits for them.
        let spawned = std::thread::Builder::new()
            .name("obs-metrics-page".into())
            .spawn(move || {
                let rendered = render();
                lock(&finish.0).rendered = Some(rendered);
            });
        // Without a thread, the closure and what it was to finish with are gone, and that has answered.
        drop(spawned);
        Self(state)
    }
}

impl Future for Rendering {
    type Output = Result<Response<String>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.0);
        match state.rendered.take() {
            Some(rendered) => Poll::Ready(Ok(rendered)),
            None => {
                state.waiting = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Answers, whatever became of the thread.
struct Finish(Arc<Mutex<State>>);

impl Drop for Finish {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        if state.rendered.is_none() {
            let mut failed = Response::new("the page could not be rendered\n".to_owned());
            *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            state.rendered = Some(failed);
        }
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_runtime_goes_on_while_a_page_is_rendered() {
        let (ask, answer) = std::sync::mpsc::channel::<()>();
        let page = Rendering::of(move || {
            answer.recv_timeout(Duration::from_secs(20)).expect("asked");
            Response::new("page".to_owned())
        });
        // On the one thread of this runtime: it would never be sent if the page held it.
        let asks = async move { ask.send(()).unwrap() };
        let (page, ()) = tokio::join!(page, asks);
        assert_eq!(page.unwrap().body(), "page");
    }

    #[tokio::test]
    async fn a_page_that_cannot_be_rendered_is_an_answer_all_the_same() {
        let page = Rendering::of(|| std::panic::resume_unwind(Box::new("no page")));
        assert_eq!(
            page.await.unwrap().status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
