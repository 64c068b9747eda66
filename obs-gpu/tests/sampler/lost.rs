//! Devices that are lost, reset, panic; events.

use crate::scripted::Script;
use crate::{Rig, eventually, ms, quick};
use obs_gpu::{Event, GpuState, Quantity, Reading, SourceError};

const ENERGY: &str = "hw.energy";

#[test]
fn a_lost_device_has_no_values_and_not_zero() {
    let rig = Rig::of(2);
    let gpu = rig.gpu(0);
    let other = rig.gpu(1);
    eventually("read", || rig.shown().points("hw.power").len() == 2);
    rig.script
        .device(0, |device| device.error = Some(SourceError::Lost(15)));
    rig.becomes(&gpu, "lost", |state| state == GpuState::Lost { code: 15 });
    let readings = gpu.readings();
    assert_eq!(readings.get(Quantity::Power), Reading::Failed(15));
    assert_eq!(readings.get(Quantity::Temperature), Reading::Failed(15));
    let id = [("hw.id", "GPU-00000000")];
    let shown = rig.shown();
    assert_eq!(shown.value("hw.power", &id), None);
    assert_eq!(shown.value("obs.gpu.answering", &id), Some(0.0));
    assert_eq!(
        shown.value("hw.power", &[("hw.id", "GPU-00000001")]),
        Some(412.5)
    );
    assert_eq!(other.state(), GpuState::Answering);
    // It is asked again, less and less often, and told once.
    let opened = rig.script.device(0, |device| device.opened);
    eventually("asked again", || {
        rig.script.device(0, |device| device.opened) > opened + 3
    });
    let told = rig.told.lines();
    assert_eq!(
        told.iter().filter(|line| *line == "lost 15 0").count(),
        1,
        "{told:?}"
    );
}

#[test]
fn a_device_that_was_reset_counts_anew() {
    let rig = Rig::of(1);
    let gpu = rig.gpu(0);
    rig.script.set(0, Quantity::Energy, Reading::Value(500_000));
    eventually("read", || rig.shown().value(ENERGY, &[]) == Some(500.0));
    let before = rig.shown();
    let before = before.point(ENERGY, &[]).expect("shown");
    rig.script
        .device(0, |device| device.error = Some(SourceError::Lost(15)));
    rig.becomes(&gpu, "lost", |state| matches!(state, GpuState::Lost { .. }));
    rig.script.set(0, Quantity::Energy, Reading::Value(2_000));
    rig.script.device(0, |device| device.error = None);
    rig.becomes(&gpu, "back", |state| state == GpuState::Answering);
    eventually("told", || rig.told.has("returned 0"));
    eventually("read", || rig.shown().value(ENERGY, &[]) == Some(2.0));
    let after = rig.shown();
    let after = after.point(ENERGY, &[]).expect("shown");
    assert!(after.start_unix_nanos > before.start_unix_nanos);
    assert!(
        after.start_unix_nanos >= before.unix_nanos,
        "two streams do not overlap"
    );
    assert!(after.unix_nanos >= after.start_unix_nanos);
    // The start stays from one page to the next.
    let again = rig.shown();
    let again = again.point(ENERGY, &[]).expect("shown");
    assert_eq!(again.start_unix_nanos, after.start_unix_nanos);
}

#[test]
fn a_reset_that_nobody_saw_is_seen_by_the_counters() {
    let rig = Rig::of(1);
    let gpu = rig.gpu(0);
    eventually("read", || {
        gpu.readings().value(Quantity::Energy) == Some(1_000)
    });
    let opened = rig.script.device(0, |device| device.opened);
    rig.script.set(0, Quantity::Energy, Reading::Value(3));
    eventually("told", || rig.told.has("returned 0"));
    // Whoever knows what it does not have asks once more.
    eventually("opened", || {
        rig.script.device(0, |device| device.opened) == opened + 1
    });
    assert!(!rig.told.has("lost 15 0"));
}

#[test]
fn what_fails_for_once_is_absent_for_once() {
    let rig = Rig::of(1);
    let gpu = rig.gpu(0);
    rig.script.set(0, Quantity::Power, Reading::Failed(999));
    eventually("failed", || {
        gpu.readings().get(Quantity::Power) == Reading::Failed(999)
    });
    let shown = rig.shown();
    assert_eq!(shown.value("hw.power", &[]), None);
    assert_eq!(
        shown.value("hw.gpu.utilization", &[("hw.gpu.task", "general")]),
        Some(0.37)
    );
    assert_eq!(gpu.state(), GpuState::Answering);
    rig.script.set(0, Quantity::Power, Reading::Value(0));
    eventually("read", || {
        gpu.readings().get(Quantity::Power) == Reading::Value(0)
    });
    assert_eq!(rig.shown().value("hw.power", &[]), Some(0.0));
    // A sweep that fails as a whole fails for that tier, and the device is there.
    rig.script
        .device(0, |device| device.error = Some(SourceError::Failed(999)));
    eventually("failed", || {
        gpu.readings().get(Quantity::Temperature) == Reading::Failed(999)
    });
    assert_eq!(gpu.state(), GpuState::Answering);
}

#[test]
fn a_source_that_panics_is_contained_and_asked_again() {
    let rig = Rig::of(2);
    let gpu = rig.gpu(0);
    rig.script.device(0, |device| device.panics = true);
    eventually("counted", || rig.telemetry.counts().panics > 1);
    // A call that unwinds is out no longer: it is no hang.
    assert_eq!(gpu.state(), GpuState::Answering);
    rig.script.change(|world| {
        world
            .devices
            .values_mut()
            .for_each(|device| device.panics = false);
    });
    let last = gpu.sample().map(|sample| sample.at());
    eventually("read", || gpu.sample().map(|sample| sample.at()) > last);
}

#[test]
fn who_waits_for_events_survives_every_error() {
    let rig = Rig::of(1);
    rig.gpu(0);
    let xid = |code| Event::Xid {
        code,
        gpu_instance: None,
    };
    rig.script.report(0, xid(63));
    eventually("told", || rig.told.has(&format!("{:?} 0", xid(63))));
    for error in [
        SourceError::Lost(15),
        SourceError::Failed(999),
        SourceError::Absent,
    ] {
        let registered = rig.script.device(0, |device| {
            device.event_error = Some(error);
            device.registered
        });
        eventually("asked again", || {
            rig.script.device(0, |device| device.registered) > registered + 2
        });
        rig.script.device(0, |device| device.event_error = None);
        let (SourceError::Lost(code) | SourceError::Failed(code)) = error else {
            continue;
        };
        let event = xid(code as u64);
        rig.script.report(0, event);
        eventually("told", || rig.told.has(&format!("{event:?} 0")));
    }
}

#[test]
fn it_waits_longer_after_each_error_up_to_the_most() {
    let script = Script::of(1);
    script.device(0, |device| {
        device.event_error = Some(SourceError::Failed(999))
    });
    let rig = Rig::with(script, quick().with_back_off(ms(20), ms(400)));
    rig.gpu(0);
    std::thread::sleep(ms(700));
    // 20, 40, 80, 160, 320, 400 ms: at most six in that time, where each of 20 ms would be 35.
    let registered = rig.script.device(0, |device| device.registered);
    assert!((1..=7).contains(&registered), "{registered}");
}

#[test]
fn a_device_that_reports_nothing_is_asked_for_it_once() {
    let script = Script::of(1);
    script.device(0, |device| {
        device.event_error = Some(SourceError::Unsupported)
    });
    let rig = Rig::with(script, quick());
    rig.gpu(0);
    eventually("read", || {
        rig.script.device(0, |device| device.reads[2] > 4)
    });
    assert_eq!(rig.script.device(0, |device| device.registered), 1);
    // After a reset it may have what it did not have before.
    rig.script.device(0, |device| {
        device.event_error = None;
        device.error = Some(SourceError::Lost(15));
    });
    eventually("lost", || rig.told.has("lost 15 0"));
    rig.script.device(0, |device| device.error = None);
    eventually("asked once more", || {
        rig.script.device(0, |device| device.registered) == 2
    });
}

#[test]
fn faults_are_counted_by_number_with_the_time_of_the_last() {
    let rig = Rig::of(1);
    rig.gpu(0);
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("after it").as_secs_f64()
    };
    let mut before_last = 0.0;
    for code in [79, 31, 79] {
        // The last one comes after a while.
        std::thread::sleep(ms(50));
        before_last = now();
        rig.script.report(
            0,
            Event::Xid {
                code,
                gpu_instance: None,
            },
        );
    }
    let labels = |code| {
        [
            ("error.type", code),
            ("hw.type", "gpu"),
            ("hw.id", "GPU-00000000"),
        ]
    };
    eventually("counted", || {
        rig.shown().value("hw.errors", &labels("xid_79")) == Some(2.0)
    });
    let shown = rig.shown();
    assert_eq!(shown.value("hw.errors", &labels("xid_31")), Some(1.0));
    let time = shown.value("obs.gpu.error.time", &[("error.type", "xid_79")]);
    // Ours is the telemetry's clock, which is set by the system's once.
    let expected = before_last - 0.025..=now() + 0.025;
    assert!(
        time.is_some_and(|time| expected.contains(&time)),
        "{time:?} {expected:?}"
    );
}

#[test]
fn events_are_asked_for_at_once_when_a_device_is_back() {
    let script = Script::of(1);
    // Longer than the test waits.
    let rig = Rig::with(script, quick().with_back_off(ms(300), ms(60_000)));
    let gpu = rig.read(0);
    eventually("registered", || {
        rig.script.device(0, |device| device.registered) == 1
    });
    rig.script.device(0, |device| {
        device.error = Some(SourceError::Lost(15));
        device.event_error = Some(SourceError::Lost(15));
    });
    rig.becomes(&gpu, "lost", |state| state == GpuState::Lost { code: 15 });
    // It has failed more than once: the next pause is longer than the device's first.
    eventually("asked again", || {
        rig.script.device(0, |device| device.registered) >= 3
    });
    rig.script.device(0, |device| {
        (device.error, device.event_error) = (None, None)
    });
    rig.becomes(&gpu, "back", |state| state == GpuState::Answering);
    let back = rig.telemetry.now();
    let xid = Event::Xid {
        code: 63,
        gpu_instance: None,
    };
    rig.script.report(0, xid);
    eventually("told", || rig.told.has(&format!("{xid:?} 0")));
    let took = rig.telemetry.between(back, rig.telemetry.now());
    assert!(took < ms(900), "{took:?}");
}
