//! Functions that a layer is given may panic: the request does not notice, and it is counted.

use crate::support::ask::{Ask, Yes, ask, build, get};
use crate::support::{ACTIVE, DURATION, layer};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use obs_core::propagation::baggage::Allow;
use obs_core::{End, ErrorType, Outcome};
use obs_http::{Classify, HttpServerLayer};
use obs_testing::CapturedRecord;
use std::convert::Infallible;
use std::panic::{panic_any, resume_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use tower::{Layer, Service, service_fn};

/// What is recorded of a request whose answer arrives as if nothing had been; panics are counted.
#[track_caller]
fn survives(
    request: http::request::Builder,
    set: impl FnOnce(HttpServerLayer) -> HttpServerLayer,
) -> CapturedRecord {
    let capture = crate::support::capture();
    let head = ask(set(layer(&capture)).layer(Yes), build(request));
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(capture.telemetry().counts().panics, 1);
    assert_eq!((capture.count(DURATION), capture.in_flight(ACTIVE)), (1, 0));
    capture.record()
}

/// Without the message of the hook.
fn thrown<T>() -> T {
    resume_unwind(Box::new("on purpose"))
}

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn where_trust_panics_the_caller_is_a_stranger() {
    let request = get("/").header("traceparent", TRACEPARENT);
    let record = survives(request, |layer| layer.with_trust_by(|_| thrown()));
    assert_eq!((record.parent_span_id, record.links.len()), (None, 1));

    let request = get("/").header("baggage", "tenant=acme");
    let record = survives(request, |layer| {
        layer
            .with_trust_by(|_| thrown())
            .with_baggage(Allow::names(["tenant"]))
    });
    assert_eq!(record.attr("tenant"), None);
}

#[test]
fn where_a_filter_panics_the_request_is_observed() {
    survives(get("/"), |layer| layer.with_filter(|_| thrown()));
}

#[test]
fn where_a_route_panics_there_is_none() {
    let record = survives(get("/items/7"), |layer| layer.with_route(|_| thrown()));
    assert_eq!(
        (record.name.as_str(), record.attr("http.route")),
        ("GET", None)
    );
}

#[derive(Clone)]
struct Panics;

impl<E> Classify<E> for Panics {
    fn classify_status(&self, _: StatusCode) -> Outcome {
        thrown()
    }

    fn classify_error(&self, _: &E) -> Outcome {
        thrown()
    }
}

#[test]
fn where_a_classification_panics_the_conventions_rule_stands() {
    for (status, end, error) in [
        (200, End::Answered, None),
        (404, End::Answered, None),
        (503, End::Failed, Some("503")),
    ] {
        let capture = crate::support::capture();
        let answer = service_fn(move |_: Ask| async move {
            let mut response = Response::new(Full::new(Bytes::from_static(b"said")));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            Ok::<_, Infallible>(response)
        });
        let layer = layer(&capture).with_classify(Panics);
        let head = ask(layer.layer(answer), build(get("/")));
        assert_eq!(head.status.as_u16(), status);
        let record = capture.record();
        assert_eq!((record.outcome.end(), record.error_type()), (end, error));
        assert_eq!(capture.telemetry().counts().panics, 1);
    }
}

#[test]
fn where_the_classification_of_an_error_panics_it_is_a_failure_all_the_same() {
    let capture = crate::support::capture();
    let fails = service_fn(|_: Ask| async { Err::<Response<Full<Bytes>>, _>("no") });
    let mut service = layer(&capture).with_classify(Panics).layer(fails);
    let mut answered = pin!(service.call(build(get("/"))));
    let polled = answered
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, std::task::Poll::Ready(Err("no"))));
    let record = capture.record();
    assert_eq!(record.outcome.end(), End::Failed);
    assert_eq!(record.error_type(), Some("service_error"));
    assert_eq!(capture.telemetry().counts().panics, 1);
    assert_eq!((capture.count(DURATION), capture.in_flight(ACTIVE)), (1, 0));
}

/// Throws when what was thrown is dropped.
struct ThrowsAgain(u32);

impl Drop for ThrowsAgain {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(ThrowsAgain(self.0 - 1));
        }
    }
}

#[test]
fn what_was_thrown_may_throw_when_it_is_dropped() {
    let filter = |_: obs_http::RequestHead<'_>| -> bool { resume_unwind(Box::new(ThrowsAgain(3))) };
    // Unless it is caught it would end the harness, and not only this test.
    let survived = std::panic::catch_unwind(|| {
        survives(get("/"), |layer| layer.with_filter(filter));
    });
    let survived = survived.map_err(std::mem::forget);
    assert!(survived.is_ok(), "it came through");
}

#[test]
fn a_classification_that_does_not_panic_is_asked_once_and_believed() {
    #[derive(Clone)]
    struct Teapots;
    impl<E> Classify<E> for Teapots {
        fn classify_status(&self, status: StatusCode) -> Outcome {
            Outcome::failed(ErrorType::code(status.as_u16()))
        }

        fn classify_error(&self, _: &E) -> Outcome {
            Outcome::ANSWERED
        }
    }
    let capture = crate::support::capture();
    ask(
        layer(&capture).with_classify(Teapots).layer(Yes),
        build(get("/")),
    );
    assert_eq!(capture.record().error_type(), Some("200"));
    assert_eq!(capture.telemetry().counts().panics, 0);
}
