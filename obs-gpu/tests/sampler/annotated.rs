//! What calls are told of the devices that they ran on.

use crate::scripted::{self, Script};
use crate::{Rig, ms};
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::gen_ai;
use obs_core::{Descriptor, Kind, Labels, Milestone, Operation, Outcome, Parent, Scope, Telemetry};
use obs_core::{Label, Values};
use obs_gpu::explain::{Cause, Phase};
use obs_gpu::host::HostSettings;
use obs_gpu::{Attribution, Claims, DeviceId, GpuContext, GpuSettings, Quantity, Reading};
use obs_testing::Capture;
use std::fs;
use std::sync::Arc;

static SCOPE: Scope = Scope {
    name: "test",
    version: "",
    schema_url: "",
};

/// What a crate that knows nothing of devices says of its calls.
static CALL: Descriptor = Descriptor {
    name: "test.call",
    span_kind: SpanKind::Client,
    scope: &SCOPE,
    labels: &[Label {
        key: gen_ai::REQUEST_MODEL,
        values: Values::Open { cap: 8 },
    }],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("call"),
};

pub(crate) struct Called {
    pub(crate) capture: Capture,
    pub(crate) rig: Rig,
    pub(crate) claims: Claims,
    pub(crate) kind: &'static Kind,
    pub(crate) context: GpuContext,
}

pub(crate) fn device(index: u32) -> DeviceId {
    DeviceId::new(scripted::uuid(index))
}

impl Called {
    pub(crate) fn new(with: impl FnOnce(GpuContext) -> GpuContext) -> Self {
        Self::with_all(|context, _, _| with(context))
    }

    /// With the books of claims, and the telemetry.
    pub(crate) fn with_all(
        with: impl FnOnce(GpuContext, &Arc<Attribution>, &Telemetry) -> GpuContext,
    ) -> Self {
        let capture = Capture::new();
        let telemetry = *capture.telemetry();
        let claims = Claims::new();
        let books = Attribution::with_proc(&telemetry, &claims, "/nowhere");
        let context = GpuContext::by_claims(&telemetry, &claims);
        let context = with(context, &books, &telemetry);
        assert!(telemetry.annotate(context.clone()));
        let settings = GpuSettings::new()
            .with_listener(books)
            .with_listener(context.listener());
        let rig = Rig::on(telemetry, Script::of(2), settings);
        let called = Self {
            kind: telemetry.kind(&CALL),
            capture,
            rig,
            claims,
            context,
        };
        called.after(0);
        called
    }

    /// So many milliseconds later devices are read.
    pub(crate) fn after(&self, millis: u64) {
        self.capture.clock().advance(ms(millis));
        let _ = self.capture.points();
    }

    pub(crate) fn set(&self, index: u32, quantity: Quantity, value: i64) {
        self.rig.script.set(index, quantity, Reading::Value(value));
    }

    pub(crate) fn start(&self, model: &str) -> Operation {
        let labels = Labels::NONE.with(0, self.kind.label(0, model));
        self.kind.start(labels, Parent::Root)
    }

    pub(crate) fn reaches(&self, operation: &mut Operation, milestone: Milestone) {
        let mut active = operation.active().expect("recording");
        self.kind.annotate(|| milestone, &mut active);
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match self.capture.record().attr(name)? {
            obs_testing::AttrValue::Double(value) => Some(*value),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_call_is_told_how_the_device_was_then() {
    let called = Called::new(|context| context.with_health(|_| Some("degraded")));
    let claim = called.claims.claim(&device(0)).model("a").hold();
    called.set(0, Quantity::Utilization, 100_000);
    called.after(1000);
    let mut call = called.start("a");
    let started = called.kind.now();
    called.set(0, Quantity::Utilization, 900_000);
    called.after(250);
    let first = called.kind.now();
    called.reaches(
        &mut call,
        Milestone::FirstOutput {
            at: first,
            slow: false,
        },
    );
    called.set(0, Quantity::Power, 700_000);
    called.after(250);
    called.capture.clock().advance(ms(100));
    let at = called.kind.now();
    let ending = Milestone::Ending {
        at,
        first_output: Some(first),
        slow: false,
    };
    called.reaches(&mut call, ending);
    call.end(Outcome::ANSWERED);
    let record = called.capture.record();
    assert_eq!(record.text("hw.id"), Some("GPU-00000000"));
    assert_eq!(called.number("obs.gpu.start.utilization"), Some(0.1));
    assert_eq!(called.number("obs.gpu.start.sample_age"), Some(0.0));
    assert_eq!(called.number("obs.gpu.first_output.utilization"), Some(0.9));
    assert_eq!(
        called.number("obs.gpu.start.memory.utilization"),
        Some(0.25)
    );
    assert_eq!(called.number("obs.gpu.start.power"), Some(412.5));
    assert_eq!(called.number("obs.gpu.end.power"), Some(700.0));
    assert_eq!(called.number("obs.gpu.end.sm_clock_ratio"), Some(0.5));
    let age = called.number("obs.gpu.end.sample_age").expect("told");
    assert!((age - 0.1).abs() < 1e-6, "{age}");
    assert_eq!(record.text("obs.gpu.end.throttle"), Some("power,other"));
    assert_eq!(record.text("obs.gpu.end.health"), Some("degraded"));
    assert!(record.attr("obs.gpu.slow.output.cause").is_none());
    let _ = (started, claim);
}

#[test]
fn what_is_too_old_is_left_out_and_its_age_is_not() {
    let called = Called::new(|context| context);
    let _claim = called.claims.claim(&device(0)).model("a").hold();
    called.after(1000);
    // Nobody reads meanwhile.
    called.capture.clock().advance(ms(800));
    let mut call = called.start("a");
    let at = called.kind.now();
    called.reaches(
        &mut call,
        Milestone::Ending {
            at,
            first_output: None,
            slow: false,
        },
    );
    call.end(Outcome::ANSWERED);
    let age = called.number("obs.gpu.start.sample_age").expect("told");
    assert!((age - 0.8).abs() < 1e-6, "{age}");
    assert_eq!(called.number("obs.gpu.start.utilization"), None);
    assert_eq!(called.number("obs.gpu.end.power"), None);
}

#[test]
fn a_model_over_several_devices_waits_for_the_slowest() {
    let called = Called::new(|context| context);
    let _claim = called
        .claims
        .claim(&device(0))
        .and(&device(1))
        .model("a")
        .hold();
    called.set(1, Quantity::SmClock, 495_000_000);
    called.set(1, Quantity::MemoryUsed, 60 << 30);
    called.after(1000);
    let mut call = called.start("a");
    let at = called.kind.now();
    called.reaches(&mut call, Milestone::FirstOutput { at, slow: false });
    call.end(Outcome::ANSWERED);
    assert_eq!(
        called.number("obs.gpu.first_output.sm_clock_ratio"),
        Some(0.25)
    );
    assert_eq!(
        called.number("obs.gpu.first_output.memory.utilization"),
        Some(0.75)
    );
    assert_eq!(called.number("obs.gpu.first_output.power"), Some(825.0));
    let ids = format!("{:?}", called.capture.record().attr("hw.id"));
    assert!(
        ids.contains("GPU-00000000") && ids.contains("GPU-00000001"),
        "{ids}"
    );
}

#[test]
fn calls_of_other_models_are_told_nothing() {
    let called = Called::new(|context| context);
    let claim = called.claims.claim(&device(0)).model("a").hold();
    let tells = |model: &str| {
        let mut call = called.start(model);
        let at = called.kind.now();
        called.reaches(&mut call, Milestone::FirstOutput { at, slow: true });
        call.end(Outcome::ANSWERED);
        let records = called.capture.take_records();
        records[0].attr("hw.id").is_some()
    };
    assert!(!tells("b"));
    assert!(tells("a"));
    drop(claim);
    assert!(!tells("a"));
}

#[test]
fn a_slow_first_output_has_a_cause() {
    let called = Called::new(|context| context);
    let _claim = called.claims.claim(&device(0)).model("a").hold();
    called.after(1000);
    let mut call = called.start("a");
    let started = called.kind.now();
    called.set(0, Quantity::ThrottleReasons, 0x40);
    called.set(0, Quantity::SmClock, 700_000_000);
    (0..8).for_each(|_| called.after(250));
    let first = called.kind.now();
    called.reaches(
        &mut call,
        Milestone::FirstOutput {
            at: first,
            slow: true,
        },
    );
    called.set(0, Quantity::ThrottleReasons, 0);
    called.set(0, Quantity::SmClock, 1_980_000_000);
    called.after(250);
    (0..8).for_each(|_| called.after(250));
    let at = called.kind.now();
    called.reaches(
        &mut call,
        Milestone::Ending {
            at,
            first_output: Some(first),
            slow: true,
        },
    );
    call.end(Outcome::ANSWERED);
    let record = called.capture.record();
    assert_eq!(
        record.text("obs.gpu.slow.first_output.cause"),
        Some("thermal_throttle")
    );
    let said = record
        .text("obs.gpu.slow.first_output.evidence")
        .expect("evidence");
    assert!(said.contains("clock_ratio 0.354 (0.900)"), "{said}");
    // What followed was slow for no reason that is known: it is not made up of what was before.
    assert_eq!(record.text("obs.gpu.slow.output.cause"), Some("unknown"));
    assert!(record.attr("obs.gpu.slow.output.evidence").is_none());
    // Whoever asks later is told the same.
    let verdict = called
        .context
        .explain(&device(0), Phase::FirstOutput, started, first);
    assert_eq!(verdict.expect("watched").cause, Cause::ThermalThrottle);
}

#[test]
fn the_host_is_a_cause_too() {
    let proc = tempfile::tempdir().expect("a directory");
    let pressure = |micros: u64| {
        fs::create_dir_all(proc.path().join("pressure")).expect("a directory");
        let text = format!("some avg10=0.00 avg60=0.00 avg300=0.00 total={micros}\n");
        fs::write(proc.path().join("pressure/cpu"), text).expect("a file");
    };
    pressure(0);
    let settings = HostSettings::new()
        .with_proc(proc.path())
        .with_cgroup(proc.path());
    let called = Called::new(|context| context.with_host(&settings));
    let _claim = called.claims.claim(&device(0)).model("a").hold();
    called.after(1000);
    let mut call = called.start("a");
    pressure(900_000);
    called.after(1000);
    let at = called.kind.now();
    called.reaches(&mut call, Milestone::FirstOutput { at, slow: true });
    call.end(Outcome::ANSWERED);
    let record = called.capture.record();
    assert_eq!(record.text("obs.gpu.slow.first_output.cause"), Some("host"));
    let said = record
        .text("obs.gpu.slow.first_output.evidence")
        .expect("evidence");
    assert!(said.starts_with("cpu_pressure 0.9"), "{said}");
}
