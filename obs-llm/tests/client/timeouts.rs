//! Who has waited long enough within the layer: the call timed out, whatever the error is wrapped in.

use crate::answers::{CHAT, layer};
use crate::support::{Frames, request};
use http::{Request, Response};
use obs_core::End;
use obs_llm::client::RequestBody;
use obs_testing::Capture;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;
use tower::timeout::Timeout;
use tower::util::service_fn;
use tower::{Layer, ServiceExt};

const URL: &str = "https://api.openai.com/v1/chat/completions";

/// An error around another, which says nothing of it.
#[derive(Debug)]
struct Around<E>(E);

impl<E> fmt::Display for Around<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it failed")
    }
}

impl<E: Error + 'static> Error for Around<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// One that bites its tail.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it has no words")
    }
}

impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

/// How a call ends whose service fails with this.
#[track_caller]
fn check<E: fmt::Debug + Send + 'static>(error: E, end: End, kind: &str) {
    let capture = Capture::new();
    let mut error = Some(error);
    let fails = service_fn(move |_: Request<RequestBody<Frames>>| {
        let error = error.take().expect("asked once");
        std::future::ready(Err::<Response<Frames>, E>(error))
    });
    let asking = layer(&capture).layer(fails).oneshot(request(URL, CHAT));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = std::pin::pin!(asking).poll(&mut context);
    assert!(polled.is_ready());
    let record = capture.record();
    assert_eq!(record.outcome.end(), end, "{record:#?}");
    assert_eq!(record.error_type(), Some(kind));
}

type Boxed = Box<dyn Error + Send + Sync>;

#[tokio::test]
async fn a_timeout_of_towers_is_the_calls() {
    let capture = Capture::new();
    let waits = service_fn(|_: Request<RequestBody<Frames>>| {
        std::future::pending::<Result<Response<Frames>, Boxed>>()
    });
    let waits = Timeout::new(waits, Duration::from_millis(1));
    let answer = layer(&capture)
        .layer(waits)
        .oneshot(request(URL, CHAT))
        .await;
    answer.expect_err("nobody answers");
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::TimedOut);
    assert_eq!(record.error_type(), Some("timeout"));
}

#[test]
fn so_are_those_of_others_however_deep_they_are() {
    let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
    check(timed_out(), End::TimedOut, "timeout");
    check(io::Error::other(timed_out()), End::TimedOut, "timeout");
    check::<Boxed>(
        Box::new(Around(Around(timed_out()))),
        End::TimedOut,
        "timeout",
    );
    let elapsed = tower::timeout::error::Elapsed::new();
    check::<Boxed>(Box::new(Around(elapsed)), End::TimedOut, "timeout");
    let boxed: Box<dyn Error + Send> = Box::new(Around(timed_out()));
    check(boxed, End::TimedOut, "timeout");
}

#[tokio::test]
async fn and_tokios() {
    let elapsed = tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await;
    let elapsed = elapsed.expect_err("nothing comes");
    check::<Boxed>(Box::new(elapsed), End::TimedOut, "timeout");
}

#[test]
fn what_else_fails_has_failed() {
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    check(reset(), End::Failed, "service_error");
    check::<Boxed>(Box::new(Around(reset())), End::Failed, "service_error");
    check::<Boxed>(Box::new(Endless), End::Failed, "service_error");
    // Of a type that nobody knows here nothing is known.
    check("request timed out", End::Failed, "service_error");
}
