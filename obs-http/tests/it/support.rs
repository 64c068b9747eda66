//! What the tests over sockets share: a service with one path per behaviour, a server, and what must hold afterwards.

pub(crate) mod app;
pub(crate) mod ask;
pub(crate) mod client;
pub(crate) mod server;

use obs_core::End;
use obs_core::sampling::HeadSampler;
use obs_http::{HTTP_SERVER, HttpServerLayer};
use obs_testing::{Capture, CaptureBuilder, CapturedRecord};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longer than anything here takes; reaching it is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const DURATION: &str = "http.server.request.duration";
pub(crate) const HEAD_DURATION: &str = "obs.http.server.head.duration";
pub(crate) const ACTIVE: &str = "http.server.active_requests";

/// Whether this test is the one that goes over the recorder of an SDK's provider.
pub(crate) fn over_sdk() -> bool {
    env!("CARGO_CRATE_NAME").ends_with("_sdk")
}

/// A capture over the recorder of this test.
pub(crate) fn capturing() -> CaptureBuilder {
    let builder = Capture::builder();
    match over_sdk() {
        true => builder.with_sdk_recorder(SdkTracerProvider::builder()),
        false => builder,
    }
}

pub(crate) fn capture() -> Capture {
    capturing().build()
}

/// One whose head decision leaves new traces out.
pub(crate) fn leaving_out() -> CaptureBuilder {
    match over_sdk() {
        true => Capture::builder()
            .with_sdk_recorder(SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff)),
        false => Capture::builder().with_sampler(HeadSampler::always_off()),
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "{what} never came ({caller})");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Waits until as many requests are under way.
#[track_caller]
pub(crate) fn running(capture: &Capture, requests: i64) -> impl Future<Output = ()> {
    until("the request", move || capture.in_flight(ACTIVE) == requests)
}

pub(crate) fn layer(capture: &Capture) -> HttpServerLayer {
    HttpServerLayer::new(capture.telemetry())
}

/// Waits for the end of the only exchange, and gives its record. One record, one point, nobody in flight.
#[track_caller]
pub(crate) fn over(
    capture: &Capture,
    end: End,
    error: Option<&'static str>,
) -> impl Future<Output = CapturedRecord> {
    let caller = std::panic::Location::caller();
    async move {
        until("the end", || capture.count(DURATION) > 0).await;
        assert_eq!(capture.count(DURATION), 1, "durations ({caller})");
        assert_eq!(capture.in_flight(ACTIVE), 0, "in flight ({caller})");
        let mut records = capture.records();
        assert_eq!(records.len(), 1, "records ({caller}): {records:#?}");
        let record = records.remove(0);
        assert_eq!(record.descriptor, HTTP_SERVER.name);
        assert_eq!(
            (record.outcome.end(), record.error_type()),
            (end, error),
            "how it ended ({caller}): {record:#?}"
        );
        record
    }
}
