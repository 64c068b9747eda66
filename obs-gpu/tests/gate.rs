//! Gates: who is let through, who is told, who waits.

use obs_core::{Moment, Telemetry};
use obs_gpu::GateState::{Draining as Drains, Isolated, Serving};
use obs_gpu::{
    Cause, DeviceId, Draining, Event, GateChange, GateState, GpuGate, GpuGateSet, GpuHealth,
    HealthSettings, HealthState, LinkReading,
};
use obs_testing::Capture;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};

fn id(name: &str) -> DeviceId {
    DeviceId::new(name)
}

fn health(telemetry: &Telemetry) -> GpuHealth {
    GpuHealth::new(telemetry, HealthSettings::new())
}

fn xid(health: &GpuHealth, device: &DeviceId, code: u64, at: Moment) {
    let gpu_instance = None;
    health.event(device, Event::Xid { code, gpu_instance }, at);
}

/// A device with its gate.
struct One {
    capture: Capture,
    health: GpuHealth,
    device: DeviceId,
    gate: GpuGate,
}

impl One {
    fn new() -> Self {
        let capture = Capture::new();
        let health = health(capture.telemetry());
        let device = id("GPU-0");
        let gate = health.gate(&device);
        Self {
            capture,
            health,
            device,
            gate,
        }
    }

    fn xid(&self, code: u64) {
        xid(&self.health, &self.device, code, self.now());
    }

    fn now(&self) -> Moment {
        self.capture.telemetry().now()
    }
}

#[test]
fn a_gate_is_open_until_something_is_known() {
    let one = One::new();
    assert_eq!(one.gate.state(), Serving);
    assert!(one.gate.is_serving() && !one.gate.is_fabric_impaired());
    assert_eq!(one.gate.report(), None);
    assert_eq!(one.gate.held(), None);
    one.xid(48);
    assert_eq!(one.gate.state(), Drains);
    one.xid(79);
    assert_eq!(one.gate.state(), Isolated);
    let report = one.gate.report().expect("something is known");
    assert_eq!(report.state, HealthState::Failed);
    let codes: Vec<_> = report.evidence.iter().map(|known| known.code).collect();
    assert_eq!(codes, [Some(79), Some(48)]);
    assert_eq!(*report, one.health.report(&one.device));
    one.health.clear(&one.device, one.now());
    assert!(one.gate.is_serving());
}

#[test]
fn whoever_has_one_of_a_device_sees_the_same() {
    let one = One::new();
    let (cloned, looked_up) = (one.gate.clone(), one.health.gates().of(&one.device));
    let other = one.health.gate(&id("GPU-1"));
    one.xid(79);
    assert_eq!(
        [cloned.state(), looked_up.state(), other.state()],
        [Isolated, Isolated, Serving]
    );
    assert_eq!(one.health.gates().all().len(), 2);
}

#[test]
fn an_operator_holds_it_wherever_health_would_have_it() {
    let one = One::new();
    one.gate.hold(Drains, "new firmware tonight");
    assert_eq!(one.gate.state(), Drains);
    assert_eq!(
        one.gate.held(),
        Some((Drains, "new firmware tonight".into()))
    );
    let refused = one.gate.enter().expect_err("it drains");
    assert_eq!(refused.held(), Some("new firmware tonight"));
    assert_eq!((refused.health(), refused.cause()), (HealthState::Ok, None));
    assert_eq!(
        refused.to_string(),
        "GPU-0 is draining, held by an operator: new firmware tonight"
    );
    // Open, whatever is found.
    one.gate.hold(Serving, "the sensor is broken");
    one.xid(79);
    assert_eq!(one.gate.state(), Serving);
    assert_eq!(one.health.report(&one.device).gate, Isolated);
    one.gate.clear();
    assert_eq!(one.gate.state(), Isolated);
    // To hold is not to clear, and the other way round.
    one.gate.hold(Drains, "look at it");
    one.health.clear(&one.device, one.now());
    assert_eq!(one.gate.state(), Drains);
    one.gate.clear();
    assert_eq!(one.gate.state(), Serving);
}

#[test]
fn what_an_operator_does_is_an_event() {
    let one = One::new();
    one.gate.hold(Drains, "new firmware");
    one.gate.hold(Isolated, "smoke");
    one.gate.clear();
    // It was held no longer.
    one.gate.clear();
    let events = one.capture.log_events();
    let said = |event: &obs_core::LogEvent, key: &str| {
        let found = event
            .attributes
            .iter()
            .find(|pair| pair.key.as_str() == key);
        found.map(|pair| pair.value.as_str().into_owned())
    };
    let said: Vec<_> = { events.iter() }
        .map(|event| {
            assert_eq!(
                (event.name, said(event, "hw.id")),
                ("obs.gpu.gate", Some("GPU-0".into()))
            );
            [
                "obs.gpu.gate.previous",
                "obs.gpu.gate.state",
                "obs.gpu.gate.held",
            ]
            .map(|key| said(event, key).unwrap_or_default())
        })
        .collect();
    assert_eq!(
        said,
        [
            ["serving", "draining", "new firmware"],
            ["draining", "isolated", "smoke"],
            ["isolated", "serving", ""],
        ]
    );
}

#[test]
fn passes_count_while_they_are_out() {
    let one = One::new();
    let first = one.gate.enter().expect("it is open");
    let second = one.gate.enter().expect("it is open");
    assert_eq!(one.gate.in_flight(), 2);
    assert_eq!(first.gates()[0].device(), &one.device);
    one.xid(79);
    // What is in flight is not touched.
    assert_eq!(one.gate.in_flight(), 2);
    let refused = one.gate.enter().expect_err("it is closed");
    assert_eq!((refused.device(), refused.gate()), (&one.device, Isolated));
    assert_eq!(refused.health(), HealthState::Failed);
    assert_eq!(refused.cause(), Some(Cause::Xid));
    assert_eq!(refused.evidence().expect("there is some").code, Some(79));
    assert_eq!(
        refused.to_string(),
        "GPU-0 is isolated: XID 79 (fallen off the bus)"
    );
    assert_eq!(one.gate.in_flight(), 2);
    drop((first, second));
    assert_eq!(one.gate.in_flight(), 0);
}

#[test]
fn refusals_and_states_are_counted() {
    let one = One::new();
    let refusals = |state: &str| {
        let labels = [
            ("hw.id", "GPU-0".into()),
            ("obs.gpu.gate.state", state.into()),
        ];
        let points = one.capture.points();
        let status = points.sum("obs.gpu.gate.status", &labels);
        let refused = points.sum("obs.gpu.gate.refusals", &labels);
        (
            status.map(|point| point.as_f64()),
            refused.map_or(0.0, |point| point.as_f64()),
        )
    };
    assert_eq!(refusals("serving"), (Some(1.0), 0.0));
    one.xid(62);
    for _ in 0..3 {
        one.gate.enter().expect_err("it drains");
    }
    one.xid(95);
    one.gate.enter().expect_err("it is isolated");
    assert_eq!(refusals("serving"), (Some(0.0), 0.0));
    assert_eq!(refusals("draining"), (Some(0.0), 3.0));
    assert_eq!(refusals("isolated"), (Some(1.0), 1.0));
}

#[test]
fn work_on_several_devices_passes_all_of_them_or_none() {
    let capture = Capture::new();
    let health = health(capture.telemetry());
    let devices = ["GPU-0", "GPU-1", "GPU-2"].map(id);
    let set: GpuGateSet = devices.iter().map(|device| health.gate(device)).collect();
    let in_flight = || {
        { set.gates().iter() }
            .map(GpuGate::in_flight)
            .collect::<Vec<_>>()
    };
    let pass = set.enter(Draining::Refuse).expect("all are open");
    assert_eq!((in_flight(), pass.gates().len()), (vec![1, 1, 1], 3));
    xid(&health, &devices[2], 48, capture.telemetry().now());
    let refused = set.enter(Draining::Refuse).expect_err("one drains");
    assert_eq!((refused.device(), refused.gate()), (&devices[2], Drains));
    assert_eq!(in_flight(), [1, 1, 1]);
    drop(set.enter(Draining::Pass).expect("as it is asked for"));
    xid(&health, &devices[1], 79, capture.telemetry().now());
    let refused = set.enter(Draining::Pass).expect_err("one is isolated");
    assert_eq!(refused.device(), &devices[1]);
    drop(pass);
    assert_eq!(in_flight(), [0, 0, 0]);
    // Of none there is nothing to refuse.
    assert!(GpuGateSet::new([]).enter(Draining::Refuse).is_ok());
}

#[test]
fn links_at_fault_are_for_work_on_several_devices() {
    let capture = Capture::new();
    let health = health(capture.telemetry());
    let devices = ["GPU-0", "GPU-1"].map(id);
    let gates = devices.each_ref().map(|device| health.gate(device));
    let (alone, both) = (
        GpuGateSet::from(gates[0].clone()),
        GpuGateSet::new(gates.clone()),
    );
    let mut link = LinkReading::new(3);
    for up in [true, false] {
        link.up = Some(up);
        health.links(&devices[0], &[link], capture.telemetry().now());
    }
    assert!(gates[0].is_serving() && gates[0].is_fabric_impaired());
    assert!(alone.enter(Draining::Refuse).is_ok() && gates[0].enter().is_ok());
    // One that is given twice is one, and what passes it is in flight once.
    let twice = GpuGateSet::new([gates[0].clone(), health.gate(&devices[0])]);
    let pass = twice.enter(Draining::Refuse).expect("it is one device");
    assert_eq!((pass.gates().len(), gates[0].in_flight()), (1, 1));
    drop(pass);
    let refused = both
        .enter(Draining::Refuse)
        .expect_err("its links are at fault");
    assert_eq!((refused.device(), refused.gate()), (&devices[0], Drains));
    assert_eq!(refused.cause(), Some(Cause::LinkDown));
    assert!(both.enter(Draining::Pass).is_ok());
    assert_eq!(gates.map(|gate| gate.in_flight()), [0, 0]);
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(future: Pin<&mut impl Future<Output = ()>>, woken: &Arc<Woken>) -> Poll<()> {
    let waker = Waker::from(woken.clone());
    future.poll(&mut Context::from_waker(&waker))
}

#[test]
fn whoever_waits_for_it_to_be_empty_is_woken_by_the_last_one_out() {
    let one = One::new();
    let (first, second) = (one.gate.enter(), one.gate.enter());
    let woken = Arc::<Woken>::default();
    let mut drained = pin!(one.gate.drained());
    // An open gate is never drained.
    assert_eq!(poll(drained.as_mut(), &woken), Poll::Pending);
    one.xid(48);
    assert_eq!(poll(drained.as_mut(), &woken), Poll::Pending);
    drop(first);
    assert_eq!(
        (woken.times(), poll(drained.as_mut(), &woken)),
        (0, Poll::Pending)
    );
    drop(second);
    assert_eq!(
        (woken.times(), poll(drained.as_mut(), &woken)),
        (1, Poll::Ready(()))
    );
}

#[test]
fn an_empty_gate_is_drained_as_soon_as_it_closes_and_not_before() {
    let one = One::new();
    let woken = Arc::<Woken>::default();
    let mut drained = pin!(one.gate.drained());
    assert_eq!(poll(drained.as_mut(), &woken), Poll::Pending);
    one.gate.hold(Isolated, "test");
    assert_eq!(
        (woken.times(), poll(drained.as_mut(), &woken)),
        (1, Poll::Ready(()))
    );
    one.gate.clear();
    assert_eq!(poll(drained.as_mut(), &woken), Poll::Pending);
    assert_eq!(poll(pin!(one.gate.drained()), &woken), Poll::Pending);
}

#[test]
fn several_wait_and_one_that_gives_up_is_not_woken() {
    let one = One::new();
    let pass = one.gate.enter();
    one.gate.hold(Drains, "test");
    let woken = [(); 3].map(|()| Arc::<Woken>::default());
    let mut waiting = [(); 3].map(|()| Box::pin(one.gate.drained()));
    for (drained, woken) in waiting.iter_mut().zip(&woken) {
        assert_eq!(poll(drained.as_mut(), woken), Poll::Pending);
        // Polled again, it waits once.
        assert_eq!(poll(drained.as_mut(), woken), Poll::Pending);
    }
    let [first, given_up, mut last] = waiting;
    drop(given_up);
    drop(pass);
    assert_eq!(woken.each_ref().map(|woken| woken.times()), [1, 0, 1]);
    assert_eq!(poll(last.as_mut(), &woken[2]), Poll::Ready(()));
    drop(first);
}

/// What listeners are told.
fn told(health: &GpuHealth) -> Arc<Mutex<Vec<(String, GateState, GateState)>>> {
    let told = Arc::<Mutex<Vec<_>>>::default();
    let into = told.clone();
    health.gates().on_change(move |change: &GateChange| {
        let told = (change.device.to_string(), change.from, change.to);
        into.lock().expect("no panic").push(told);
    });
    told
}

#[test]
fn listeners_are_told_of_each_change_with_what_it_is_by() {
    let one = One::new();
    let told = told(&one.health);
    let by = Arc::<Mutex<Vec<_>>>::default();
    let into = by.clone();
    one.health.gates().on_change(move |change: &GateChange| {
        let cause = change.report.as_ref().and_then(|report| report.cause());
        into.lock()
            .expect("no panic")
            .push((cause, change.held.clone()));
    });
    one.xid(63);
    one.xid(48);
    one.xid(48);
    one.gate.hold(Drains, "as it is");
    one.gate.hold(Serving, "mine");
    one.gate.clear();
    one.health.clear(&one.device, one.now());
    let name = || "GPU-0".to_owned();
    assert_eq!(
        *told.lock().expect("no panic"),
        [
            (name(), Serving, Drains),
            (name(), Drains, Serving),
            (name(), Serving, Drains),
            (name(), Drains, Serving),
        ]
    );
    assert_eq!(
        *by.lock().expect("no panic"),
        [
            (Some(Cause::Xid), None),
            (Some(Cause::Xid), Some("mine".into())),
            (Some(Cause::Xid), None),
            (None, None),
        ]
    );
}

#[test]
fn a_listener_that_panics_is_contained_and_the_others_are_told() {
    let one = One::new();
    one.health.gates().on_change(|_| panic!("a listener"));
    let told = told(&one.health);
    one.xid(79);
    one.health.clear(&one.device, one.now());
    assert_eq!(told.lock().expect("no panic").len(), 2);
    assert_eq!(one.capture.telemetry().counts().panics, 2);
    assert!(one.gate.is_serving());
}

#[test]
fn a_listener_may_ask_and_hold_gates() {
    let one = One::new();
    let gate = one.gate.clone();
    let gates = one.health.gates().clone();
    let health = one.health.clone();
    one.health.gates().on_change(move |change: &GateChange| {
        assert_eq!(gate.state(), GateState::max(change.to, gate.state()));
        assert!(gate.report().is_some() && gates.all().len() == 1);
        assert_eq!(
            health.report(&change.device).state,
            HealthState::PredictedFailure
        );
        if change.to == Drains {
            gate.hold(Isolated, "our rule");
        }
    });
    let told = told(&one.health);
    one.xid(48);
    let told = told.lock().expect("no panic").clone();
    let steps: Vec<_> = told.iter().map(|(_, from, to)| (*from, *to)).collect();
    assert_eq!(steps, [(Serving, Drains), (Drains, Isolated)]);
    assert_eq!(one.capture.telemetry().counts().panics, 0);
}

#[test]
fn a_listener_that_hangs_holds_up_no_gate_and_no_reader() {
    let one = One::new();
    let (entered, entering) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    one.health.gates().on_change(move |change: &GateChange| {
        entered
            .send(change.device.clone())
            .expect("the test listens");
        let _ = released.lock().expect("no panic").recv();
    });
    let (health, device, now) = (one.health.clone(), one.device.clone(), one.now());
    let hung = std::thread::spawn(move || xid(&health, &device, 79, now));
    assert_eq!(entering.recv().expect("it is told"), one.device);
    assert_eq!(one.gate.state(), Isolated);
    // Another device, from another thread, while that one hangs.
    let other = id("GPU-1");
    xid(&one.health, &other, 95, one.now());
    assert_eq!(one.health.gate(&other).state(), Isolated);
    assert!(one.gate.enter().is_err() && one.gate.report().is_some());
    // It is told afterwards, and beyond a thousand nobody remembers.
    for _ in 0..600 {
        one.health.clear(&other, one.now());
        xid(&one.health, &other, 95, one.now());
    }
    assert_eq!(one.health.gates().missed_changes(), 201);
    drop(release);
    hung.join().expect("no panic");
    let rest: Vec<_> = entering.try_iter().collect();
    assert_eq!(
        (rest.len(), rest.iter().all(|device| *device == other)),
        (1_000, true)
    );
}

#[test]
fn nobody_is_let_in_once_it_was_closed_and_empty() {
    for _ in 0..200 {
        let one = One::new();
        let start = Arc::new(Barrier::new(4));
        let empty = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicUsize::new(0));
        let entering: Vec<_> = (0..3)
            .map(|_| {
                let (gate, start) = (one.gate.clone(), start.clone());
                let (empty, late) = (empty.clone(), late.clone());
                std::thread::spawn(move || {
                    start.wait();
                    for _ in 0..500 {
                        let was_empty = empty.load(Ordering::SeqCst);
                        if gate.enter().is_ok() && was_empty {
                            late.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        start.wait();
        one.gate.hold(Drains, "test");
        let woken = Arc::<Woken>::default();
        let mut drained = pin!(one.gate.drained());
        let mut seen = 0;
        while poll(drained.as_mut(), &woken).is_pending() {
            while woken.times() == seen {
                std::thread::yield_now();
            }
            seen = woken.times();
        }
        empty.store(true, Ordering::SeqCst);
        entering
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(late.load(Ordering::SeqCst), 0);
        assert_eq!(one.gate.in_flight(), 0);
    }
}

#[test]
fn of_many_who_tell_the_worst_stays_and_nobody_hears_it_open_again() {
    for _ in 0..50 {
        let one = One::new();
        let told = told(&one.health);
        let start = Arc::new(Barrier::new(4));
        let telling: Vec<_> = [[48, 62, 63], [13, 45, 46], [79, 92, 94], [119, 31, 74]]
            .map(|codes| {
                let (health, device) = (one.health.clone(), one.device.clone());
                let (start, now) = (start.clone(), one.now());
                std::thread::spawn(move || {
                    start.wait();
                    for code in codes {
                        xid(&health, &device, code, now);
                    }
                })
            })
            .into();
        telling
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(one.gate.state(), Isolated);
        let told = told.lock().expect("no panic").clone();
        let states: Vec<_> = told.iter().map(|(_, _, to)| *to).collect();
        assert!(
            states.windows(2).all(|pair| pair[0] < pair[1]),
            "{states:?}"
        );
        assert_eq!(states.last(), Some(&Isolated));
        let labels = [("hw.id", "GPU-0".into()), ("hw.state", "failed".into())];
        let shown = one.capture.points().sum("hw.status", &labels);
        assert_eq!(shown.map(|point| point.as_f64()), Some(1.0));
    }
}
