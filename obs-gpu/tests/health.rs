//! What is told of health: metrics, events, parts of devices, and how long a fault takes to the gate.

use obs_core::otel::Value;
use obs_core::{Body, LogEvent, Severity};
use obs_gpu::GateState::{Draining, Isolated, Serving};
use obs_gpu::{
    Calls, Cause, DeviceId, DeviceInfo, Event, GpuDevice, GpuEvents, GpuHealth, GpuListener,
    GpuMonitor, GpuProcess, GpuSettings, GpuSource, HealthSettings, HealthState, LinkReading,
    MigInstance, Quantity, Reading, Readings, SourceError, Tier, Verdict, XidCatalogue,
};
use obs_testing::{Capture, eventually};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

fn id(name: &str) -> DeviceId {
    DeviceId::new(name)
}

fn of(code: u64) -> Event {
    let gpu_instance = None;
    Event::Xid { code, gpu_instance }
}

/// A device on a clock that stands still until moved.
struct One {
    capture: Capture,
    health: GpuHealth,
    device: DeviceId,
}

impl One {
    fn new() -> Self {
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

    fn xid(&self, code: u64) {
        let now = self.capture.telemetry().now();
        self.health.event(&self.device, of(code), now);
    }

    fn wait(&self, millis: u64) -> &Self {
        self.capture.clock().advance(Duration::from_millis(millis));
        self
    }

    /// Which states are shown as 1, which as 0.
    fn shown(&self, device: &str) -> Vec<(&'static str, f64)> {
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

fn part(name: &str, instance: u32) -> DeviceInfo {
    let mut info = DeviceInfo::new(id(name), 1, "nvidia");
    info.mig = Some(MigInstance {
        parent: id("GPU-0"),
        gpu_instance: instance,
        compute_instance: Some(0),
    });
    info
}

#[test]
fn parts_have_the_faults_of_the_whole_and_none_of_each_others() {
    let one = One::new();
    let now = || one.capture.telemetry().now();
    // Against the whole before a part is found.
    one.xid(92);
    one.health.found(&part("MIG-1", 1));
    one.health.found(&part("MIG-2", 2));
    one.health.found(&part("MIG-2", 2));
    let is = || {
        let devices = ["GPU-0", "MIG-1", "MIG-2"].map(id);
        devices.map(|device| {
            let report = one.health.report(&device);
            assert_eq!(one.health.gate(&device).state(), report.gate);
            assert_eq!(
                one.shown(device.as_str())
                    .iter()
                    .find(|(_, shown)| *shown == 1.0),
                Some(&(report.state.as_str(), 1.0))
            );
            report.gate
        })
    };
    assert_eq!(is(), [Serving; 3]);
    assert_eq!(one.health.report(&id("MIG-1")).state, HealthState::Degraded);
    let of_one = Event::Xid {
        code: 62,
        gpu_instance: Some(1),
    };
    one.health.event(&one.device, of_one, now());
    assert_eq!(is(), [Draining, Draining, Serving]);
    one.health.not_answering(&one.device, now(), now());
    assert_eq!(is(), [Isolated; 3]);
    let report = one.health.report(&id("MIG-2"));
    assert_eq!(report.cause(), Some(Cause::NotAnswering));
    one.health.reappeared(&one.device, now());
    assert_eq!(is(), [Serving; 3]);
    // Its own stay its own.
    one.health
        .failed(&id("MIG-2"), SourceError::Lost(15), now());
    assert_eq!(is(), [Serving, Serving, Isolated]);
    // One that went has no part in it.
    one.health.forget(&id("MIG-1"));
    one.health.reappeared(&one.device, now());
    one.xid(79);
    assert_eq!(one.health.gate(&id("MIG-2")).state(), Isolated);
    assert_eq!(
        one.shown("MIG-1")
            .iter()
            .map(|(_, shown)| shown)
            .sum::<f64>(),
        0.0
    );
}

#[test]
fn a_part_that_went_on_purpose_takes_no_work_until_one_of_its_name_is_there() {
    let one = One::new();
    // A layer has it from the start.
    let gate = one.health.gate(&id("MIG-1"));
    assert!(gate.is_serving());
    let told = Arc::<Mutex<Vec<_>>>::default();
    let into = told.clone();
    one.health.gates().on_change(move |change| {
        into.lock().expect("no panic").push(change.to);
    });
    one.health.found(&part("MIG-1", 1));
    one.health.forget(&id("MIG-1"));
    assert_eq!(gate.state(), Isolated);
    assert_eq!(
        gate.enter().expect_err("it is gone").cause(),
        Some(Cause::Lost)
    );
    // To ask is not to find.
    assert_eq!(one.health.gate(&id("MIG-1")).state(), Isolated);
    assert_eq!(one.health.report(&id("MIG-1")).state, HealthState::Ok);
    assert_eq!(gate.state(), Isolated);
    assert_eq!(
        one.shown("MIG-1")
            .iter()
            .map(|(_, shown)| shown)
            .sum::<f64>(),
        0.0
    );
    one.health.found(&part("MIG-1", 1));
    assert!(gate.is_serving());
    assert_eq!(*told.lock().expect("no panic"), [Isolated, Serving]);
    // It was nobody's fault.
    assert_eq!(one.capture.log_events().len(), 0);
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

/// One device that does as it is told.
#[derive(Clone, Debug)]
struct Told {
    events: Arc<Mutex<Option<mpsc::Receiver<Event>>>>,
    /// While it is locked calls do not come back.
    stall: Arc<Mutex<()>>,
    lost: Arc<AtomicBool>,
    listed: Arc<AtomicBool>,
}

impl Told {
    fn new() -> (Self, mpsc::Sender<Event>) {
        let (send, receive) = mpsc::channel();
        let this = Self {
            events: Arc::new(Mutex::new(Some(receive))),
            stall: Arc::default(),
            lost: Arc::default(),
            listed: Arc::new(AtomicBool::new(true)),
        };
        (this, send)
    }

    fn call(&self) -> Result<(), SourceError> {
        drop(self.stall.lock());
        match self.lost.load(Ordering::SeqCst) {
            true => Err(SourceError::Lost(15)),
            false => Ok(()),
        }
    }
}

impl GpuSource for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn devices(&self, _: &mut Calls) -> Result<Vec<DeviceInfo>, SourceError> {
        let listed = self.listed.load(Ordering::SeqCst);
        let device = || DeviceInfo::new(id("GPU-0"), 0, "nvidia");
        Ok(listed.then(device).into_iter().collect())
    }

    fn open(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuDevice>, SourceError> {
        Ok(Box::new(self.clone()))
    }

    fn events(&self, _: &DeviceId, _: &mut Calls) -> Result<Box<dyn GpuEvents>, SourceError> {
        Ok(Box::new(self.clone()))
    }
}

impl GpuDevice for Told {
    fn read(
        &mut self,
        tier: Tier,
        into: &mut Readings,
        calls: &mut Calls,
    ) -> Result<(), SourceError> {
        calls.time("read", || self.call())?;
        for quantity in Quantity::ALL
            .iter()
            .filter(|quantity| quantity.tier() == tier)
        {
            into.set(*quantity, Reading::Unsupported);
        }
        Ok(())
    }

    fn links(&mut self, _: &mut Vec<LinkReading>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }

    fn processes(&mut self, _: &mut Vec<GpuProcess>, _: &mut Calls) -> Result<(), SourceError> {
        Ok(())
    }
}

impl GpuEvents for Told {
    fn wait(&mut self, at_most: Duration, calls: &mut Calls) -> Result<Option<Event>, SourceError> {
        calls.wait("wait", at_most, || {
            let events = self.events.lock().expect("no panic");
            let event = events.as_ref().map(|events| events.recv_timeout(at_most));
            Ok(event.and_then(Result::ok))
        })
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_millis(60);

/// A monitor that tells health, with threads of its own.
fn monitored() -> (Capture, GpuHealth, GpuMonitor, Told, mpsc::Sender<Event>) {
    let capture = Capture::builder().with_real_clock().threaded().build();
    let health = GpuHealth::new(capture.telemetry(), HealthSettings::new());
    let (source, events) = Told::new();
    let listener: Arc<dyn GpuListener> = Arc::new(health.clone());
    let settings = GpuSettings::new()
        .with_period(Tier::Fast, Duration::from_millis(20))
        .with_period(Tier::Second, Duration::from_millis(40))
        .with_deadline(DEADLINE)
        .with_discovery(Duration::from_millis(30), Duration::from_millis(30))
        .with_back_off(Duration::from_millis(20), Duration::from_millis(20))
        // Whatever else this machine does: how long calls take is no matter here.
        .without_budget()
        .with_listener(listener);
    let monitor = GpuMonitor::new(capture.telemetry(), source.clone(), settings);
    let monitor = monitor.expect("threads");
    let is_read = || monitor.gpus().iter().any(|gpu| gpu.sample().is_some());
    assert!(eventually(PATIENCE, is_read));
    (capture, health, monitor, source, events)
}

/// How long until it is so, seen by a thread that does nothing else.
fn until(is: impl Fn() -> bool, since: Instant) -> Duration {
    while !is() {
        assert!(since.elapsed() < PATIENCE, "it never was");
        std::thread::yield_now();
    }
    since.elapsed()
}

/// Of several: other work on the machine may hold up one, and not each.
fn least(times: &[Duration]) -> Duration {
    times.iter().min().copied().expect("there are some")
}

#[test]
fn from_an_xid_to_a_closed_gate_it_is_less_than_ten_milliseconds() {
    let (capture, health, _monitor, _source, events) = monitored();
    let gate = health.gate(&id("GPU-0"));
    let times = (0..25).map(|_| {
        assert!(gate.is_serving());
        let since = Instant::now();
        events.send(of(79)).expect("somebody waits");
        let took = until(|| gate.state() == Isolated, since);
        health.clear(gate.device(), capture.telemetry().now());
        took
    });
    let times: Vec<_> = times.collect();
    assert!(least(&times) < Duration::from_millis(10), "{times:?}");
}

#[test]
fn from_a_hang_to_a_closed_gate_it_is_the_deadline_and_less_than_ten_milliseconds() {
    let (capture, health, monitor, source, _events) = monitored();
    let gate = health.gate(&id("GPU-0"));
    let times = (0..7).map(|_| {
        assert!(gate.is_serving());
        let stall = source.stall.lock().expect("no panic");
        let closed = until(|| gate.state() == Isolated, Instant::now());
        let report = gate.report().expect("it hangs");
        let hang = report.evidence[0].clone();
        assert_eq!(hang.cause, Cause::NotAnswering);
        // From when the call was made, by the monitor's own clock.
        let found = capture.telemetry().between(hang.since, hang.last);
        assert!(
            found >= DEADLINE && closed >= found - DEADLINE,
            "{found:?} {closed:?}"
        );
        drop(stall);
        // It answers, and stays isolated.
        let read = capture.telemetry().now();
        let gpu = || monitor.gpus().remove(0);
        until(
            || gpu().sample().is_some_and(|sample| sample.at() > read),
            Instant::now(),
        );
        assert_eq!(gate.state(), Isolated);
        health.clear(gate.device(), capture.telemetry().now());
        found - DEADLINE
    });
    let times: Vec<_> = times.collect();
    assert!(least(&times) < Duration::from_millis(10), "{times:?}");
}

#[test]
fn a_device_that_is_lost_is_isolated_until_it_is_back() {
    let (_capture, health, _monitor, source, _events) = monitored();
    let gate = health.gate(&id("GPU-0"));
    source.lost.store(true, Ordering::SeqCst);
    until(|| gate.state() == Isolated, Instant::now());
    let report = gate.report().expect("it is lost");
    assert_eq!(
        (report.cause(), report.evidence[0].code),
        (Some(Cause::Lost), Some(15))
    );
    source.lost.store(false, Ordering::SeqCst);
    until(|| gate.is_serving(), Instant::now());
}

#[test]
fn a_device_that_is_no_longer_listed_is_isolated_until_it_is() {
    let (_capture, health, _monitor, source, _events) = monitored();
    let gate = health.gate(&id("GPU-0"));
    source.listed.store(false, Ordering::SeqCst);
    until(|| gate.state() == Isolated, Instant::now());
    assert_eq!(
        gate.report().and_then(|report| report.cause()),
        Some(Cause::Lost)
    );
    source.listed.store(true, Ordering::SeqCst);
    until(|| gate.is_serving(), Instant::now());
}

#[test]
fn faults_that_are_silent_to_routing_leave_the_gate_open_and_the_device_readable() {
    // S4, through the monitor.
    let (capture, health, _monitor, _source, events) = monitored();
    let gate = health.gate(&id("GPU-0"));
    for code in [94, 13, 45, 45, 13] {
        events.send(of(code)).expect("somebody waits");
    }
    let seen = || {
        let by = capture
            .points()
            .sum_by("obs.gpu.xid.verdicts", "obs.gpu.xid.verdict");
        by.get("app") == Some(&5.0)
    };
    assert!(eventually(PATIENCE, seen), "all are counted");
    assert!(gate.is_serving() && gate.enter().is_ok());
    assert_eq!(health.report(gate.device()).state, HealthState::Ok);
}
