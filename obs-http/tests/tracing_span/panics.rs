//! Subscribers that panic: the exchange goes on, and its operation is as it was.

use crate::seen::Seen;
use crate::world::{Handler, ask, request};
use http::StatusCode;
use obs_core::Outcome;
use obs_http::{HttpServerLayer, tracing_span};
use obs_testing::Capture;
use tower::Layer as _;
use tracing::dispatcher::{Dispatch, with_default};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// Where it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    New,
    Record,
    Enter,
    Exit,
    Close,
}

struct Panics(At);

impl Panics {
    fn at(&self, at: At) {
        assert_ne!(self.0, at, "on purpose");
    }
}

impl<S: Subscriber> Layer<S> for Panics {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.at(At::New);
    }

    fn on_record(&self, _: &Id, _: &Record<'_>, _: Context<'_, S>) {
        self.at(At::Record);
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        self.at(At::Enter);
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        self.at(At::Exit);
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.at(At::Close);
    }
}

/// What became of the request, and how often the subscriber panicked.
#[track_caller]
fn check(at: At, panics: u64) {
    let (capture, seen) = (Capture::new(), Seen::default());
    let subscriber = tracing_subscriber::registry()
        .with(seen.clone())
        .with(Panics(at));
    with_default(&Dispatch::new(subscriber), || {
        let layer = HttpServerLayer::new(capture.telemetry()).with_tracing_span(Level::INFO);
        let status = ask(layer.layer(Handler(|| {})), request("/"));
        assert_eq!(status, StatusCode::OK, "{at:?}");
        assert!(Span::current().is_none(), "{at:?}: nothing is left entered");
    });
    let record = capture.record();
    assert_eq!(record.outcome, Outcome::ANSWERED, "{at:?}");
    assert_eq!(capture.telemetry().counts().panics, panics, "{at:?}");
    let target = seen.take().first().map(|span| span.target.clone());
    assert_eq!(target.as_deref(), Some(tracing_span::TARGET));
}

#[test]
fn a_subscriber_that_panics_fails_no_request() {
    check(At::New, 1);
    // The status.
    check(At::Record, 1);
    // The call, two polls and the body.
    check(At::Enter, 4);
    check(At::Exit, 4);
    check(At::Close, 1);
}

#[test]
fn a_panic_of_the_handler_is_its_own_and_the_span_closes() {
    let (capture, seen) = (Capture::new(), Seen::default());
    let dispatch = Dispatch::new(
        tracing_subscriber::registry()
            .with(seen.clone())
            .with(Panics(At::Exit)),
    );
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        with_default(&dispatch, || {
            let layer = HttpServerLayer::new(capture.telemetry()).with_tracing_span(Level::INFO);
            ask(
                layer.layer(Handler(|| panic!("the handler's"))),
                request("/"),
            );
        });
    }));
    let thrown = thrown.expect_err("the handler's own comes through");
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"the handler's"));
    assert_eq!(capture.record().outcome, Outcome::PANICKED);
    let span = seen.one();
    assert_eq!((span.closed, span.field("error.type")), (1, Some("panic")));
}
