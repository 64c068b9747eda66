//! The client's layer through every ending, driven by hand: as an attempt and as a call.

use obs_core::{ContextMode, Descriptor, End, StatsLevel, Telemetry};
use obs_http::client::Injection;
use obs_http::{HTTP_CALL, HTTP_CLIENT, HttpClientLayer};
use obs_testing::endings::ScriptedBody;
use obs_testing::{Ending, Endings};
use std::time::Duration;
use tower::Layer;

const DEADLINE: Duration = Duration::from_secs(5);

type Make = fn(&Telemetry) -> HttpClientLayer;
const BOTH: [(&Descriptor, Make); 2] = [
    (&HTTP_CLIENT, HttpClientLayer::new),
    (&HTTP_CALL, HttpClientLayer::calls),
];

fn endings(descriptor: &'static Descriptor) -> Endings {
    // Whoever has the head and drops the body has made no error.
    Endings::of(descriptor)
        .with_deadline(DEADLINE)
        .expecting(Ending::BodyDroppedUnpolled, End::Cancelled, None)
        .expecting(Ending::DroppedMidBody, End::Cancelled, None)
}

#[test]
fn every_ending_at_each_level_and_in_each_context_mode() {
    for (descriptor, make) in BOTH {
        for level in [StatsLevel::Base, StatsLevel::Detailed] {
            for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
                let capture = crate::support::capturing()
                    .with_level(level)
                    .with_context_mode(mode)
                    .build();
                let layer = make(capture.telemetry())
                    .with_deadline(DEADLINE)
                    .with_injection(Injection::everywhere());
                endings(descriptor).check(&capture, |inner| layer.layer(inner));
            }
        }
    }
}

#[test]
fn every_ending_with_a_collector_thread() {
    let capture = crate::support::capturing().threaded().build();
    let layer = HttpClientLayer::new(capture.telemetry()).with_deadline(DEADLINE);
    endings(&HTTP_CLIENT).check(&capture, |inner| layer.layer(inner));
}

crate::ours_only! {
    #[test]
    fn errors_are_kept_when_the_head_leaves_everything_out() {
        for (descriptor, make) in BOTH {
            let capture = crate::support::capturing()
                .with_sampler(obs_core::sampling::HeadSampler::always_off())
                .build();
            let layer = make(capture.telemetry()).with_deadline(DEADLINE);
            endings(descriptor)
                .with_errors_only()
                .check(&capture, |inner| layer.layer(inner));
        }
    }
}

#[test]
fn a_head_request_is_over_with_its_head() {
    let capture = crate::support::capture();
    let layer = HttpClientLayer::new(capture.telemetry()).with_deadline(DEADLINE);
    let head = || {
        let mut request = http::Request::new(ScriptedBody::empty());
        *request.method_mut() = http::Method::HEAD;
        request
    };
    let over = [
        Ending::BodyError,
        Ending::PanicInBody,
        Ending::BodyDroppedUnpolled,
        Ending::DroppedMidBody,
        Ending::TimedOutMidBody,
    ];
    let endings = over
        .iter()
        .fold(endings(&HTTP_CLIENT).with_request(head), |endings, over| {
            endings.expecting(*over, End::Answered, None)
        });
    endings
        .with_bodies_apart()
        .check(&capture, |inner| layer.layer(inner));
}

#[test]
fn switched_off_it_records_nothing_and_changes_nothing() {
    for (descriptor, make) in BOTH {
        let capture = crate::support::capturing()
            .with_level(StatsLevel::Disabled)
            .build();
        let layer = make(capture.telemetry());
        endings(descriptor).check_untouched(&capture, |inner| layer.layer(inner));
        assert_eq!(capture.points().names().len(), 0);
        let capture = crate::support::capture();
        let layer = make(capture.telemetry()).with_filter(|_| false);
        endings(descriptor).check_untouched(&capture, |inner| layer.layer(inner));
        let layer = make(&Telemetry::noop());
        endings(descriptor).check_untouched(&capture, |inner| layer.layer(inner));
        let layer = make(capture.telemetry());
        let deadline = Duration::from_secs(5);
        capture
            .telemetry()
            .shutdown(deadline)
            .expect("nothing runs");
        endings(descriptor).check_untouched(&capture, |inner| layer.layer(inner));
    }
}

#[test]
fn an_answer_that_was_an_error_stays_one_when_its_body_is_dropped() {
    let capture = crate::support::capture();
    let service = tower::service_fn(|_: http::Request<()>| async {
        let mut response = http::Response::new("busy".to_owned());
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        Ok::<_, std::convert::Infallible>(response)
    });
    // What a retry does with an answer that it does not want.
    let request = http::Request::get("http://localhost/").body(String::new());
    let request = request.expect("a request");
    let service = tower::util::MapRequest::new(service, |request: http::Request<String>| {
        request.map(|_| ())
    });
    let layer = HttpClientLayer::new(capture.telemetry()).with_deadline(DEADLINE);
    let client = layer.layer(service);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let response = runtime
        .expect("a runtime")
        .block_on(tower::ServiceExt::oneshot(client, request));
    capture.clock().advance(DEADLINE);
    drop(response);
    let record = capture.record();
    assert_eq!(
        (record.outcome.end(), record.error_type()),
        (End::Failed, Some("503"))
    );
}
