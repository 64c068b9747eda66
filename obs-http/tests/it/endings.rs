//! The layer through every ending, driven by hand: at each level, in each context mode, with and without a head decision.

use obs_core::{ContextMode, StatsLevel, Telemetry};
use obs_http::{HTTP_SERVER, HttpServerLayer};
use obs_testing::endings::ScriptedBody;
use obs_testing::{Capture, Ending, Endings};
use std::time::Duration;
use tower::Layer;

const DEADLINE: Duration = Duration::from_secs(5);

fn endings() -> Endings {
    Endings::of(&HTTP_SERVER).with_deadline(DEADLINE)
}

#[track_caller]
fn check(capture: &Capture, set: impl Fn(HttpServerLayer) -> HttpServerLayer) {
    let layer = set(HttpServerLayer::new(capture.telemetry()).with_deadline(DEADLINE));
    endings().check(capture, |inner| layer.layer(inner));
}

#[test]
fn every_ending_at_each_level_and_in_each_context_mode() {
    for level in [StatsLevel::Base, StatsLevel::Detailed] {
        for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
            let capture = crate::support::capturing()
                .with_level(level)
                .with_context_mode(mode)
                .build();
            check(&capture, |layer| layer);
        }
    }
}

#[test]
fn every_ending_with_the_operation_not_current_in_the_body() {
    check(&crate::support::capture(), |layer| {
        layer.with_current_in_body(false)
    });
}

#[test]
fn every_ending_with_a_collector_thread() {
    check(&crate::support::capturing().threaded().build(), |layer| {
        layer
    });
}

crate::ours_only! {
    #[test]
    fn errors_are_kept_when_the_head_leaves_everything_out() {
        for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
            let capture = crate::support::capturing()
                .with_sampler(obs_core::sampling::HeadSampler::always_off())
                .with_context_mode(mode)
                .build();
            let layer = HttpServerLayer::new(capture.telemetry()).with_deadline(DEADLINE);
            endings()
                .with_errors_only()
                .check(&capture, |inner| layer.layer(inner));
        }
    }
}

#[test]
fn a_head_request_is_over_with_its_head() {
    let capture = crate::support::capture();
    let layer = HttpServerLayer::new(capture.telemetry()).with_deadline(DEADLINE);
    let head = || {
        let mut request = http::Request::new(ScriptedBody::empty());
        *request.method_mut() = http::Method::HEAD;
        request
    };
    // What the driver does to the body of an answer to HEAD, hyper never does: the exchange has ended by then.
    let over = [
        Ending::BodyError,
        Ending::PanicInBody,
        Ending::BodyDroppedUnpolled,
        Ending::DroppedMidBody,
        Ending::TimedOutMidBody,
    ];
    let endings = over
        .iter()
        .fold(endings().with_request(head), |endings, over| {
            endings.expecting(*over, obs_core::End::Answered, None)
        });
    endings
        .with_bodies_apart()
        .check(&capture, |inner| layer.layer(inner));
}

#[test]
fn disabled_records_nothing_and_changes_nothing() {
    let capture = crate::support::capturing()
        .with_level(StatsLevel::Disabled)
        .build();
    let layer = HttpServerLayer::new(capture.telemetry()).with_deadline(DEADLINE);
    endings().check_untouched(&capture, |inner| layer.layer(inner));
    assert_eq!(capture.points().names().len(), 0);
}

#[test]
fn a_filtered_request_records_nothing_and_changes_nothing() {
    let capture = crate::support::capture();
    let layer =
        HttpServerLayer::new(capture.telemetry()).with_filter(|head| head.uri.path() != "/");
    endings().check_untouched(&capture, |inner| layer.layer(inner));
}

#[test]
fn a_noop_telemetry_changes_nothing() {
    let capture = crate::support::capture();
    let layer = HttpServerLayer::new(&Telemetry::noop());
    endings().check_untouched(&capture, |inner| layer.layer(inner));
}

#[test]
fn after_shutdown_nothing_is_recorded() {
    let capture = crate::support::capture();
    let layer = HttpServerLayer::new(capture.telemetry());
    capture
        .telemetry()
        .shutdown(Duration::from_secs(5))
        .expect("nothing is under way");
    endings().check_untouched(&capture, |inner| layer.layer(inner));
}

/// A service that never answers, with a destructor that starts an operation of its own.
mod given_up {

    use obs_core::{Descriptor, Labels, Outcome, Parent, Scope, Telemetry, otel::trace::SpanKind};

    static CLEAN_UP: Descriptor = Descriptor {
        name: "clean.up",
        span_kind: SpanKind::Internal,
        scope: &Scope {
            name: "tests",
            version: "",
            schema_url: "",
        },
        labels: &[],
        method: None,
        errors: &[],
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, name| name.push_str("clean up"),
    };

    struct CleansUp(Telemetry);

    impl Drop for CleansUp {
        fn drop(&mut self) {
            self.0
                .kind(&CLEAN_UP)
                .start(Labels::NONE, Parent::Current)
                .end(Outcome::ANSWERED);
        }
    }

    #[test]
    fn what_a_cancelled_handlers_destructors_do_is_part_of_its_exchange() {
        use obs_core::ContextMode::{Full, IdsOnly, Off};
        use std::pin::pin;
        use std::task::{Context, Waker};
        use tower::{Layer, Service, service_fn};
        for mode in [Full, IdsOnly, Off] {
            let capture = crate::support::capturing().with_context_mode(mode).build();
            let telemetry = *capture.telemetry();
            let layer = obs_http::HttpServerLayer::new(&telemetry);
            let mut service = layer.layer(service_fn(move |_: http::Request<String>| async move {
                let _cleans_up = CleansUp(telemetry);
                std::future::pending::<()>().await;
                Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
            }));
            {
                let mut answer = pin!(service.call(http::Request::new(String::new())));
                let mut context = Context::from_waker(Waker::noop());
                assert!(answer.as_mut().poll(&mut context).is_pending());
            }
            let records = capture.records();
            let of = |name: &str| records.iter().find(|record| record.name == name).unwrap();
            assert_eq!(
                of("clean up").parent_span_id,
                Some(of("GET").span_id),
                "{mode:?}"
            );
            assert_eq!(of("GET").outcome, Outcome::CANCELLED, "{mode:?}");
        }
    }
}
