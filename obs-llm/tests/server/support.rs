//! A server on a capture, and questions that several tests ask.

use obs_core::Parent;
use obs_core::semconv::{gen_ai, http, obs};
use obs_llm::{Dialect, InferenceRequest, LlmOperation, ModelServer, Provider};
use obs_testing::metrics::HistogramPoint;
use obs_testing::{AttrValue, Capture, CaptureBuilder};
use std::time::Duration;

pub(crate) const MODEL: &str = "tiny-llama";

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// By v1.41's names, whatever the environment of whoever runs the tests says.
pub(crate) fn server_of(capture: &Capture) -> ModelServer {
    ModelServer::new(capture.telemetry(), Provider::named("acme"), MODEL)
        .with_dialect(Dialect::V1_41)
}

pub(crate) struct Rig {
    pub(crate) capture: Capture,
    pub(crate) server: ModelServer,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder, |server| server)
    }

    pub(crate) fn with(
        build: impl FnOnce(CaptureBuilder) -> CaptureBuilder,
        set: impl FnOnce(ModelServer) -> ModelServer,
    ) -> Self {
        let capture = build(Capture::builder()).build();
        let server = set(server_of(&capture));
        Self { capture, server }
    }

    pub(crate) fn request(&self) -> InferenceRequest {
        self.server.request(LlmOperation::Chat, Parent::Root)
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.capture.clock().advance(ms(millis));
    }

    /// Scheduled at once, with its first token 20 ms later and so many in all, 10 ms from one to the next.
    pub(crate) fn decode(&self, request: &mut InferenceRequest, tokens: u32) {
        request.scheduled();
        request.prefilled(7);
        self.pass(20);
        for token in 0..tokens {
            if token > 0 {
                self.pass(10);
            }
            request.token();
        }
    }

    /// The only point of a histogram.
    #[track_caller]
    pub(crate) fn point(&self, name: &str) -> HistogramPoint {
        let found = self.capture.points().histogram(name, &[]);
        found.unwrap_or_else(|| panic!("no point of {name}"))
    }

    #[track_caller]
    pub(crate) fn stage(&self, stage: &str) -> Option<HistogramPoint> {
        let of = [(obs::STAGE.as_str(), AttrValue::from(stage))];
        let points = self.capture.points();
        points.histogram(obs::LLM_SERVER_STAGE_DURATION, &of)
    }

    pub(crate) fn active(&self) -> i64 {
        self.capture.in_flight(obs::LLM_SERVER_ACTIVE)
    }

    pub(crate) fn waiting(&self) -> i64 {
        self.capture.in_flight(obs::LLM_SERVER_WAITING)
    }

    /// A counter, all series added up.
    pub(crate) fn total(&self, counter: &str) -> i64 {
        self.capture.in_flight(counter)
    }

    /// How often something was out of the ordinary.
    pub(crate) fn anomalies(&self, what: &str) -> i64 {
        let points = self.capture.points();
        let found = points.sum(obs::LLM_ANOMALIES, &[(obs::ANOMALY.as_str(), what.into())]);
        found.map_or(0, |point| point.as_f64() as i64)
    }

    /// Durations by `error.type`; of those without one under `""`.
    pub(crate) fn durations(&self) -> Vec<(String, u64)> {
        let points = self.capture.points();
        let by = points.histogram_by(gen_ai::SERVER_REQUEST_DURATION, http::ERROR_TYPE.as_str());
        by.into_iter()
            .map(|(error, point)| (error, point.count))
            .collect()
    }
}

#[track_caller]
pub(crate) fn near(found: Option<f64>, seconds: f64) {
    let found = found.expect("a number");
    assert!((found - seconds).abs() < 1e-9, "{found} s, not {seconds} s");
}

pub(crate) fn texts(list: &[&str]) -> AttrValue {
    AttrValue::Array(list.iter().map(|text| (*text).into()).collect())
}
