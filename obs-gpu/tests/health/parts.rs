//! Parts of devices.

use crate::{One, id, of};
use obs_core::LogEvent;
use obs_gpu::GateState::{Draining, Isolated, Serving};
use obs_gpu::{
    Cause, DeviceInfo, Event, GateState, HealthState, MigInstance, Readings, SourceError, Tier,
};
use std::sync::{Arc, Mutex};

fn part(name: &str, instance: u32) -> DeviceInfo {
    let mut info = DeviceInfo::new(id(name), 1, "nvidia");
    info.mig = Some(MigInstance {
        parent: id("GPU-0"),
        gpu_instance: instance,
        compute_instance: Some(0),
    });
    info
}

fn attribute(event: &LogEvent, key: &str) -> Option<String> {
    let of = { event.attributes.iter() }.find(|pair| pair.key.as_str() == key)?;
    Some(of.value.as_str().into_owned())
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
    // Each change of each is an event.
    let events = one.capture.log_events();
    let said = |device: &str| -> Vec<String> {
        let of = |event: &&LogEvent| attribute(event, "hw.id").as_deref() == Some(device);
        let states = events.iter().filter(of);
        states
            .filter_map(|event| attribute(event, "hw.state"))
            .collect()
    };
    let all = ["degraded", "predicted_failure", "failed"];
    assert_eq!(said("GPU-0"), all);
    assert_eq!(said("MIG-1"), all);
    assert_eq!(said("MIG-2"), ["degraded", "failed"]);
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
fn who_was_reading_a_part_when_it_went_does_not_bring_it_back() {
    let one = One::new();
    let gate = one.health.gate(&id("MIG-1"));
    one.health.found(&part("MIG-1", 1));
    one.health.forget(&id("MIG-1"));
    let now = one.capture.telemetry().now();
    let readings = Readings::new();
    one.health
        .readings(&id("MIG-1"), Tier::Fast, &readings, now);
    one.health.failed(&id("MIG-1"), SourceError::Failed(2), now);
    one.health.event(&id("MIG-1"), of(79), now);
    one.health.tick(&id("MIG-1"), now);
    assert_eq!(gate.state(), Isolated);
    assert!(one.shown("MIG-1").iter().all(|(_, shown)| *shown == 0.0));
    one.health.found(&part("MIG-1", 1));
    assert!(gate.is_serving());
    assert_eq!(one.health.report(&id("MIG-1")).state, HealthState::Ok);
}

#[test]
fn a_part_that_went_is_isolated_also_where_an_operator_holds_it() {
    let one = One::new();
    one.health.found(&part("MIG-1", 1));
    let gate = one.health.gate(&id("MIG-1"));
    let shown = || -> Vec<f64> {
        let states = GateState::ALL.map(GateState::as_str);
        let points = one.capture.points();
        let value = |state: &'static str| {
            let labels = [
                ("hw.id", "MIG-1".into()),
                ("obs.gpu.gate.state", state.into()),
            ];
            let point = points.sum("obs.gpu.gate.status", &labels)?;
            Some(point.as_f64())
        };
        states.into_iter().filter_map(value).collect()
    };
    for (held, expect) in [(Serving, [1.0, 0.0, 0.0]), (Isolated, [0.0, 0.0, 1.0])] {
        gate.hold(held, "by hand");
        assert_eq!(shown(), expect);
        one.health.forget(&id("MIG-1"));
        assert_eq!(gate.state(), Isolated);
        assert_eq!(shown(), [0.0; 3]);
        // Held again meanwhile.
        gate.hold(held, "by hand");
        assert_eq!(gate.state(), Isolated);
        assert_eq!(shown(), [0.0; 3]);
        one.health.found(&part("MIG-1", 1));
        assert_eq!(gate.state(), held);
        assert_eq!(shown(), expect);
    }
}
