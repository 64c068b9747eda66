//! What is told of health: metrics, events, parts of devices, and how long a fault takes to the gate.

mod monitored;
mod parts;

use obs_core::otel::Value;
use obs_core::{Body, LogEvent, Severity};
use obs_gpu::GateState::{Draining, Isolated};
use obs_gpu::{
    Cause, DeviceId, DeviceInfo, Event, GpuHealth, HealthSettings, HealthState, Quantity, Reading,
    Readings, Tier, Verdict, XidCatalogue,
};
use obs_testing::Capture;
use std::time::Duration;

pub(crate) fn id(name: &str) -> DeviceId {
    DeviceId::new(name)
}

pub(crate) fn of(code: u64) -> Event {
    let gpu_instance = None;
    Event::Xid { code, gpu_instance }
}

/// A device on a clock that stands still until moved.
pub(crate) struct One {
    pub(crate) capture: Capture,
    pub(crate) health: GpuHealth,
    pub(crate) device: DeviceId,
}

impl One {
    pub(crate) fn new() -> Self {
        let capture = Capture::new();
        let health = GpuHealth::new(capture.telemetry(), HealthSettings::new());
        let device = id("GPU-0");
        health.found(&DeviceInfo::new(device.clone(), 0, "nvidia"));
        Self {
            capture,
            health,
            device,
        }
    }

    pub(crate) fn xid(&self, code: u64) {
        let now = self.capture.telemetry().now();
        self.health.event(&self.device, of(code), now);
    }

    pub(crate) fn wait(&self, millis: u64) -> &Self {
        self.capture.clock().advance(Duration::from_millis(millis));
        self
    }

    /// Which states are shown as 1, which as 0.
    pub(crate) fn shown(&self, device: &str) -> Vec<(&'static str, f64)> {
        let points = self.capture.points();
        let states = HealthState::ALL.map(HealthState::as_str);
        let shown = |state: &'static str| {
            let labels = [
                ("hw.id", device.into()),
                ("hw.type", "gpu".into()),
                ("hw.state", state.into()),
            ];
            let point = points.sum("hw.status", &labels)?;
            assert!(!point.monotonic);
            Some((state, point.as_f64()))
        };
        states.into_iter().filter_map(shown).collect()
    }
}

#[test]
fn a_device_is_in_one_state_and_all_are_shown() {
    let one = One::new();
    let only = |is: &str| {
        HealthState::ALL.map(|state| (state.as_str(), f64::from(u8::from(state.as_str() == is))))
    };
    assert_eq!(one.shown("GPU-0"), only("ok"));
    one.xid(63);
    assert_eq!(one.shown("GPU-0"), only("degraded"));
    one.xid(48);
    assert_eq!(one.shown("GPU-0"), only("predicted_failure"));
    one.xid(79);
    assert_eq!(one.shown("GPU-0"), only("failed"));
    one.health
        .reappeared(&one.device, one.capture.telemetry().now());
    assert_eq!(one.shown("GPU-0"), only("ok"));
    assert_eq!(one.shown("GPU-1"), []);
    one.health.forget(&one.device);
    assert_eq!(one.shown("GPU-0"), only("none of them"));
}

#[test]
fn xids_are_counted_by_what_is_made_of_them_the_silent_ones_too() {
    let one = One::new();
    for code in [13, 45, 45, 43, 63, 48, 79, 4_711] {
        one.xid(code);
    }
    let by = one
        .capture
        .points()
        .sum_by("obs.gpu.xid.verdicts", "obs.gpu.xid.verdict");
    let by: Vec<_> = by
        .iter()
        .map(|(verdict, times)| (verdict.as_str(), *times))
        .collect();
    assert_eq!(
        by,
        [
            ("app", 3.0),
            ("degraded", 2.0),
            ("drain", 1.0),
            ("isolate", 1.0),
            ("note", 1.0)
        ]
    );
}

fn attribute(event: &LogEvent, key: &str) -> Option<Value> {
    let found = event
        .attributes
        .iter()
        .find(|pair| pair.key.as_str() == key);
    found.map(|pair| pair.value.clone())
}

#[track_caller]
fn says(event: &LogEvent, expected: &[(&str, Value)]) {
    for (key, value) in expected {
        assert_eq!(
            attribute(event, key).as_ref(),
            Some(value),
            "{key} of {event:#?}"
        );
    }
}

fn body(event: &LogEvent, key: &str) -> Option<Body> {
    let Body::Map(body) = &event.body else {
        panic!("the evidence is a map: {event:#?}");
    };
    let found = body.iter().find(|(known, _)| known == key);
    found.map(|(_, value)| value.clone())
}

#[test]
fn each_change_is_an_event_that_says_everything_by_itself() {
    let one = One::new();
    one.wait(2_500).xid(62);
    // No change of state or gate, no event.
    one.wait(100).xid(62);
    one.xid(13);
    one.wait(1_400)
        .health
        .reappeared(&one.device, one.capture.telemetry().now());
    let events = one.capture.log_events();
    let names: Vec<_> = events
        .iter()
        .map(|event| (event.name, event.severity))
        .collect();
    assert_eq!(
        names,
        [
            ("obs.gpu.health", Severity::Error),
            ("obs.gpu.health", Severity::Info)
        ]
    );
    let text = |text: &'static str| Value::from(text);
    says(
        &events[0],
        &[
            ("hw.id", text("GPU-0")),
            ("hw.type", text("gpu")),
            ("hw.state", text("predicted_failure")),
            ("obs.gpu.health.previous", text("ok")),
            ("obs.gpu.health.previous.duration", Value::F64(2.5)),
            ("obs.gpu.health.cause", text("xid")),
            ("obs.gpu.health.code", Value::I64(62)),
            ("obs.gpu.gate.state", text("draining")),
            ("obs.gpu.gate.previous", text("serving")),
        ],
    );
    let evidence = Body::Text("XID 62 (power controller halted)".into());
    assert_eq!(body(&events[0], "evidence"), Some(evidence));
    assert_eq!(body(&events[0], "latched"), Some(Body::Bool(true)));
    assert_eq!(body(&events[0], "times"), Some(Body::I64(1)));
    says(
        &events[1],
        &[
            ("hw.state", text("ok")),
            ("obs.gpu.health.previous", text("predicted_failure")),
            ("obs.gpu.health.previous.duration", Value::F64(1.5)),
            ("obs.gpu.gate.state", text("serving")),
            // What it was by.
            ("obs.gpu.health.code", Value::I64(62)),
        ],
    );
    assert_eq!(body(&events[1], "times"), Some(Body::I64(2)));
    assert_eq!(body(&events[1], "seconds"), Some(Body::F64(1.5)));
    assert_eq!(events[1].unix_nanos - events[0].unix_nanos, 1_500_000_000);
    assert_eq!(events[0].trace_id, None, "it is of no request");
}

#[test]
fn how_grave_a_change_is() {
    for (code, severity) in [
        (63, Severity::Warn),
        (48, Severity::Error),
        (79, Severity::Error),
    ] {
        let one = One::new();
        one.xid(code);
        assert_eq!(one.capture.log_events()[0].severity, severity);
    }
}

#[test]
fn what_was_read_is_in_the_event() {
    let one = One::new();
    let mut readings = Readings::new();
    for (seconds, count) in [(0, 100), (10, 177_100)] {
        one.wait(seconds * 1_000);
        readings.set(Quantity::EccCorrected, Reading::Value(count));
        let now = one.capture.telemetry().now();
        one.health.readings(&one.device, Tier::Slow, &readings, now);
    }
    let event = one.capture.log_events().remove(0);
    let text = |text: &str| Some(Body::Text(text.into()));
    assert_eq!(
        body(&event, "evidence"),
        text("corrected bit errors a second: 17700 of at most 1000")
    );
    assert_eq!(body(&event, "value"), Some(Body::F64(17_700.0)));
    assert_eq!(body(&event, "limit"), Some(Body::F64(1_000.0)));
    assert_eq!(body(&event, "read"), text("EccCorrected"));
    assert_eq!(attribute(&event, "obs.gpu.health.code"), None);
}

#[test]
fn somebody_is_told_to_read_what_the_driver_asks_for() {
    let one = One::new();
    let now = one.capture.telemetry().now();
    assert!(one.health.event(&one.device, of(154), now));
    assert!(one.health.event(&one.device, Event::RecoveryAction, now));
    assert!(!one.health.event(&one.device, of(79), now));
}

#[test]
fn settings_of_a_service_are_heard() {
    let capture = Capture::new();
    let settings = HealthSettings::new()
        .with_catalogue(XidCatalogue::new().with(13, Verdict::Isolate))
        .with_verdict(Cause::Lost, Verdict::Drain);
    let health = GpuHealth::new(capture.telemetry(), settings);
    let now = capture.telemetry().now();
    health.vanished(&id("GPU-0"), now);
    assert_eq!(health.gate(&id("GPU-0")).state(), Draining);
    health.event(&id("GPU-0"), of(13), now);
    assert_eq!(health.gate(&id("GPU-0")).state(), Isolated);
}
