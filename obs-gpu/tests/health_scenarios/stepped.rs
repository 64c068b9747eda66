//! On clocks that the test moves: what is when, to the step.

use crate::{Driver, both, ms};
use obs_gpu::GateState::{Draining, Isolated, Serving};
use obs_gpu::HealthState::{Degraded, Failed, Ok as Well, PredictedFailure};
use obs_gpu::{
    Cause, DeviceId, GateState, GpuHealth, GpuListener, GpuMonitor, GpuSettings, HealthSettings,
    HealthState, NvmlSource, Tier,
};
use obs_testing::Capture;
use std::sync::Arc;

const STEP: u64 = 250;

/// Devices that are read each time that the clock has moved by a step.
struct Played {
    driver: Driver,
    capture: Capture,
    health: GpuHealth,
    _monitor: GpuMonitor,
    ids: Vec<DeviceId>,
    now: u64,
    /// What the second device was, from when on.
    was: Vec<(u64, HealthState, GateState)>,
}

impl Played {
    fn new(scenario: &str) -> Self {
        Self::with(scenario, HealthSettings::new())
    }

    fn with(scenario: &str, settings: HealthSettings) -> Self {
        let driver = Driver::new(&format!("scenario = {scenario}; clock = virtual"));
        let capture = Capture::new();
        let health = GpuHealth::new(capture.telemetry(), settings);
        let listener: Arc<dyn GpuListener> = Arc::new(health.clone());
        let settings = GpuSettings::new()
            .with_period(Tier::Fast, ms(STEP))
            .with_period(Tier::Second, ms(1_000))
            .with_period(Tier::Slow, ms(10_000))
            .with_discovery(ms(1_000), ms(1_000))
            .with_back_off(ms(1_000), ms(1_000))
            .with_listener(listener);
        let source = NvmlSource::with_library(capture.telemetry(), driver.fake.library());
        let monitor = GpuMonitor::new(capture.telemetry(), source, settings);
        let mut this = Self {
            driver,
            capture,
            health,
            _monitor: monitor.expect("no threads are needed"),
            ids: Vec::new(),
            now: 0,
            was: Vec::new(),
        };
        this.step(0);
        let gpus = this._monitor.gpus();
        this.ids = gpus.iter().map(|gpu| gpu.id().clone()).collect();
        both(&this.ids);
        this.until(STEP);
        this
    }

    fn step(&mut self, millis: u64) {
        self.driver.fake.advance(ms(millis));
        self.capture.clock().advance(ms(millis));
        self.now += millis;
        // Devices are read inside of collections.
        let _ = self.capture.points();
        let Some([well, ill]) = self.ids.first_chunk() else {
            return;
        };
        let report = self.health.report(well);
        assert_eq!(report.state, Well, "{report:#?}");
        assert!(self.health.gate(well).is_serving());
        let report = self.health.report(ill);
        assert_eq!(self.health.gate(ill).state(), report.gate);
        let is = (report.state, report.gate);
        if self
            .was
            .last()
            .is_none_or(|(_, state, gate)| (*state, *gate) != is)
        {
            self.was.push((self.now, is.0, is.1));
        }
    }

    /// Plays to so many milliseconds.
    fn until(&mut self, millis: u64) -> &mut Self {
        while self.now < millis {
            self.step(STEP);
        }
        self
    }

    fn causes(&self) -> Vec<(Cause, Option<i64>)> {
        let report = self.health.report(&self.ids[1]);
        let evidence = report.evidence.iter();
        evidence.map(|known| (known.cause, known.code)).collect()
    }

    /// What it was from when on, after it was well at first.
    #[track_caller]
    fn expect(&self, expected: &[(u64, HealthState, GateState)]) {
        assert_eq!(self.was[0], (STEP, Well, Serving));
        assert_eq!(
            &self.was[1..],
            expected,
            "{:#?}",
            self.health.report(&self.ids[1])
        );
        // Each is an event, and none besides.
        let events = self.capture.log_events();
        let of = |event: &&obs_core::LogEvent| {
            let id = event
                .attributes
                .iter()
                .find(|pair| pair.key.as_str() == "hw.id");
            id.is_some_and(|pair| pair.value.as_str() == self.ids[1].as_str())
        };
        assert_eq!(events.iter().filter(of).count(), expected.len());
        assert_eq!(events.len(), expected.len());
    }
}

#[test]
fn s1_off_the_bus_and_says_so() {
    let mut played = Played::new("S1");
    played.until(30_000).expect(&[(5_000, Failed, Isolated)]);
    assert_eq!(
        played.causes(),
        [(Cause::Lost, Some(15)), (Cause::Xid, Some(79))]
    );
}

#[test]
fn s2_off_the_bus_in_silence() {
    let mut played = Played::new("S2");
    played.until(30_000);
    let found = played.was[1].0;
    // The next time that it is read.
    assert!((5_000..=5_250).contains(&found), "{found}");
    played.expect(&[(found, Failed, Isolated)]);
    assert_eq!(played.causes(), [(Cause::Lost, Some(15))]);
}

#[test]
fn s3_double_bit_error_and_what_the_driver_asks_for() {
    let mut played = Played::new("S3");
    played.until(30_000);
    // The fault drains it at once; what the driver asks for 20 ms later is read when it says so, not with the slow tier's next turn.
    let read = played.was[2].0;
    assert!((5_020..=5_500).contains(&read), "{read}");
    played.expect(&[
        (5_000, PredictedFailure, Draining),
        (read, Failed, Isolated),
    ]);
    // Of 63 and 154 the library says the last one's number twice: what 63 would have said is read.
    let causes = played.causes();
    assert_eq!(causes[0], (Cause::RecoveryAction, Some(1)));
    for known in [
        (Cause::Xid, Some(48)),
        (Cause::RemapPending, None),
        (Cause::EccUncorrected, None),
    ] {
        assert!(causes.contains(&known), "{causes:?}");
    }
}

#[test]
fn s4_contained_and_noise() {
    let mut played = Played::new("S4");
    played.until(40_000);
    // Nothing but what the counter says, which is worth a word.
    let read = played.was[1].0;
    assert!((10_000..=10_250).contains(&read), "{read}");
    played.expect(&[(read, Degraded, Serving)]);
    assert_eq!(played.causes(), [(Cause::EccUncorrected, None)]);
}

#[test]
fn s5_uncontained() {
    let mut played = Played::new("S5");
    played.until(30_000).expect(&[(5_000, Failed, Isolated)]);
    assert_eq!(played.causes()[0], (Cause::RecoveryAction, Some(1)));
    assert!(played.causes().contains(&(Cause::Xid, Some(95))));
}

#[test]
fn s6_held_down_by_power_and_then_by_heat() {
    let mut played = Played::new("S6");
    played.until(70_000);
    let (on, off) = (played.was[1].0, played.was[2].0);
    // Heat begins at 15 s and has to last 5 s; all is well from 25 s on, and has to be for 30 s.
    assert!((20_000..=22_250).contains(&on), "{on}");
    assert!((55_000..=57_250).contains(&off), "{off}");
    played.expect(&[(on, Degraded, Serving), (off, Well, Serving)]);
}

#[test]
fn s9_reset() {
    let mut played = Played::new("S9");
    played.until(60_000);
    let back = played.was[2].0;
    // It is tried again each second.
    assert!((15_000..=16_500).contains(&back), "{back}");
    played.expect(&[(5_000, Failed, Isolated), (back, Well, Serving)]);
    assert_eq!(played.causes(), []);
}

#[test]
fn s12_a_device_that_knows_nothing_is_well() {
    let driver = Driver::new("scenario = S12; clock = virtual");
    let capture = Capture::new();
    let health = GpuHealth::new(capture.telemetry(), HealthSettings::new());
    let settings = GpuSettings::new().with_listener(Arc::new(health.clone()));
    let source = NvmlSource::with_library(capture.telemetry(), driver.fake.library());
    let monitor = GpuMonitor::new(capture.telemetry(), source, settings).expect("no threads");
    for _ in 0..60 {
        driver.fake.advance(ms(1_000));
        capture.clock().advance(ms(1_000));
        let _ = capture.points();
    }
    let gpus = monitor.gpus();
    assert!(!gpus.is_empty());
    for gpu in gpus {
        let report = health.report(gpu.id());
        assert_eq!(report.state, Well, "{report:#?}");
        assert!(health.gate(gpu.id()).is_serving());
    }
}

#[test]
fn s14_a_link_that_fails() {
    let mut played = Played::new("S14");
    played.until(60_000).expect(&[(10_000, Degraded, Serving)]);
    let gate = played.health.gate(&played.ids[1]);
    assert!(gate.is_serving() && gate.is_fabric_impaired());
    assert_eq!(
        played.causes(),
        [(Cause::Xid, Some(74)), (Cause::LinkDown, None)]
    );
}

#[test]
fn an_operator_has_the_last_word() {
    let mut played = Played::new("S5");
    played.until(20_000);
    let now = played.capture.telemetry().now();
    played.health.clear(&played.ids[1].clone(), now);
    // What is asked for is the same as before.
    played.until(60_000);
    let is: Vec<_> = played.was.iter().map(|(_, state, _)| *state).collect();
    assert_eq!(is, [Well, Failed, Well]);
}

#[test]
fn a_driver_that_answers_with_errors_alone_is_no_device_that_is_well() {
    let mut played = Played::new("S1");
    played.until(1_000);
    played.driver.fake.push("+0 1 err:*=999").expect("steps");
    played.until(3_000);
    let found = played.was[1].0;
    played.driver.fake.push("+0 1 err:*=0").expect("steps");
    played.until(4_750);
    let back = played.was[2].0;
    assert!(found <= 2_000 && back <= 4_250, "{found} {back}");
    played.expect(&[(found, Degraded, Serving), (back, Well, Serving)]);
}

#[test]
fn s11_parts_and_a_fault_of_one_of_them() {
    let driver = Driver::new("scenario = S11; clock = virtual");
    let capture = Capture::new();
    let health = GpuHealth::new(capture.telemetry(), HealthSettings::new());
    let settings = GpuSettings::new()
        .with_discovery(ms(1_000), ms(1_000))
        .with_listener(Arc::new(health.clone()));
    let source = NvmlSource::with_library(capture.telemetry(), driver.fake.library());
    let monitor = GpuMonitor::new(capture.telemetry(), source, settings).expect("no threads");
    let play = |millis: u64| {
        for _ in 0..millis / 500 {
            driver.fake.advance(ms(500));
            capture.clock().advance(ms(500));
            let _ = capture.points();
        }
    };
    play(4_000);
    let ids: Vec<_> = monitor.gpus().iter().map(|gpu| gpu.id().clone()).collect();
    assert_eq!(ids.len(), 4, "the whole and three parts");
    // As they are held by whoever routes, all the while.
    let gates: Vec<_> = ids.iter().map(|id| health.gate(id)).collect();
    let is = || gates.iter().map(|gate| gate.state()).collect::<Vec<_>>();
    // The error is contained: its application's.
    play(20_000);
    assert_eq!(is(), [Serving; 4]);
    // One that takes a part with it.
    driver.fake.push("+0 0 xid:5=62").expect("steps");
    play(500);
    assert_eq!(is(), [Draining, Serving, Draining, Serving]);
    assert_eq!(health.report(&ids[2]).evidence[0].gpu_instance, Some(5));
    // Divided anew, twice: what is not there takes no work, and no part is blamed for it.
    driver.fake.push("+0 0 mig.mode=0").expect("steps");
    play(3_000);
    assert_eq!(is(), [Draining, Isolated, Isolated, Isolated]);
    assert_eq!(health.report(&ids[1]).state, Well);
    driver.fake.push("+0 0 mig.mode=1").expect("steps");
    play(3_000);
    assert_eq!(is(), [Draining, Serving, Draining, Serving]);
}
