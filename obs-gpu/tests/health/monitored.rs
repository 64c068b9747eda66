//! Told by a monitor: how long a fault takes to the gate.

use crate::{id, of};
use obs_gpu::GateState::Isolated;
use obs_gpu::{
    Calls, Cause, DeviceId, DeviceInfo, Event, GpuDevice, GpuEvents, GpuHealth, GpuListener,
    GpuMonitor, GpuProcess, GpuSettings, GpuSource, HealthSettings, HealthState, LinkReading,
    Quantity, Reading, Readings, SourceError, Tier,
};
use obs_testing::{Capture, eventually};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

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
