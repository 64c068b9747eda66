//! Which devices there are.

use crate::scripted::{Script, uuid};
use crate::{Rig, eventually, ms, quick};
use obs_core::{Clock, ManualClock};
use obs_gpu::{DeviceId, DeviceInfo, GpuState, MigInstance};

#[test]
fn a_driver_that_comes_later_is_found() {
    let script = Script::of(1);
    script.change(|world| world.absent = true);
    let rig = Rig::with(script, quick());
    eventually("looked for", || rig.script.world().searches > 2);
    assert!(rig.monitor.gpus().is_empty());
    assert_eq!(rig.shown().value("obs.gpu.devices", &[]), Some(0.0));
    rig.script.change(|world| world.absent = false);
    let gpu = rig.gpu(0);
    eventually("read", || gpu.sample().is_some());
    assert_eq!(rig.shown().value("obs.gpu.devices", &[]), Some(1.0));
}

#[test]
fn an_absent_driver_is_looked_for_less_often() {
    let script = Script::of(1);
    script.change(|world| world.absent = true);
    let rig = Rig::with(script, quick().with_discovery(ms(5), ms(400)));
    std::thread::sleep(ms(300));
    assert_eq!(rig.script.world().searches, 1);
}

#[test]
fn devices_that_go_are_gone_and_come_back_as_themselves() {
    let rig = Rig::of(2);
    let (gone, stays) = (rig.gpu(0), rig.gpu(1));
    eventually("read", || gone.sample().is_some());
    let first = rig.script.world().listed.remove(0);
    rig.becomes(&gone, "gone", |state| state == GpuState::Gone);
    eventually("told", || rig.told.has("gone 0"));
    assert_eq!(rig.monitor.gpus().len(), 1);
    let shown = rig.shown();
    assert_eq!(shown.value("obs.gpu.devices", &[]), Some(1.0));
    assert_eq!(shown.points("hw.power").len(), 1);
    assert_eq!(stays.state(), GpuState::Answering);
    // Nobody reads it.
    std::thread::sleep(ms(50));
    let reads = rig.script.device(0, |device| device.reads);
    std::thread::sleep(ms(100));
    assert_eq!(rig.script.device(0, |device| device.reads), reads);
    rig.script.change(|world| world.listed.insert(0, first));
    rig.becomes(&gone, "back", |state| state == GpuState::Answering);
    eventually("read", || {
        rig.script.device(0, |device| device.reads[0]) > reads[0] + 2
    });
    assert_eq!(
        rig.told
            .lines()
            .iter()
            .filter(|line| *line == "found 0")
            .count(),
        2
    );
    assert_eq!(rig.script.device(0, |device| device.most_inside), 1);
}

#[test]
fn a_device_is_known_by_its_uuid_and_not_by_its_place() {
    let rig = Rig::of(2);
    let gpu = rig.gpu(1);
    rig.script.change(|world| {
        world.listed.remove(0);
        world.listed[0].index = 0;
    });
    eventually("it moved up", || gpu.info().index == 0);
    assert_eq!(gpu.state(), GpuState::Answering);
    assert_eq!(gpu.id().as_str(), uuid(1));
    let name = [("hw.name", "GPU 0"), ("hw.id", &*uuid(1))];
    eventually("shown so", || {
        rig.shown().value("hw.power", &name).is_some()
    });
}

pub(crate) fn part(of: u32, number: u32) -> DeviceInfo {
    let mut info = DeviceInfo::new(DeviceId::new(format!("MIG-{of}-{number}")), of, "NVIDIA");
    info.mig = Some(MigInstance {
        parent: DeviceId::new(uuid(of)),
        gpu_instance: number,
        compute_instance: Some(0),
    });
    info
}

#[test]
fn parts_of_a_device_are_devices_with_a_parent_and_read_on_its_thread() {
    let rig = Rig::of(1);
    let whole = rig.gpu(0);
    rig.script.change(|world| {
        for number in [1, 2] {
            let info = part(0, number);
            world
                .devices
                .insert(info.id.as_str().into(), Default::default());
            world.listed.push(info);
        }
    });
    eventually("found", || rig.monitor.gpus().len() == 3);
    let parts: Vec<_> = rig.monitor.gpus().into_iter().skip(1).collect();
    eventually("read", || parts.iter().all(|gpu| gpu.sample().is_some()));
    let shown = rig.shown();
    let labels = [
        ("hw.id", "MIG-0-2"),
        ("hw.parent", &*uuid(0)),
        ("hw.name", "GPU 0 MIG 2.0"),
    ];
    assert_eq!(
        shown.value("hw.gpu.memory.usage", &labels),
        Some((20_u64 << 30) as f64)
    );
    assert_eq!(shown.value("obs.gpu.devices", &[]), Some(1.0));
    // One thread for all of them: what hangs one hangs all.
    rig.script.device(0, |device| device.stalls = true);
    let late = |state| matches!(state, GpuState::NotAnswering { .. });
    rig.becomes(&whole, "late", late);
    assert!(parts.iter().all(|part| late(part.state())));
    rig.script.device(0, |device| device.stalls = false);
    rig.becomes(&whole, "back", |state| state == GpuState::Answering);
    rig.script
        .change(|world| world.listed.retain(|info| info.id.as_str() != "MIG-0-1"));
    rig.becomes(&parts[0], "gone", |state| state == GpuState::Gone);
    assert_eq!(parts[1].state(), GpuState::Answering);
}

#[test]
fn nothing_is_left_of_a_monitor_that_is_dropped() {
    let script = Script::of(2);
    let telemetry = crate::builder().build().expect("usable");
    let monitor = obs_gpu::GpuMonitor::new(&telemetry, script.clone(), quick()).expect("threads");
    let read = |gpu: &obs_gpu::Gpu| gpu.sample().is_some();
    eventually("read", || {
        monitor.gpus().iter().filter(|gpu| read(gpu)).count() == 2
    });
    eventually("each thread has it", || script.held() > 4);
    drop(monitor);
    eventually("all ended", || script.held() == 1);
}

#[test]
fn a_telemetry_that_is_over_has_no_threads() {
    let script = Script::of(1);
    for telemetry in [
        obs_core::Telemetry::noop(),
        crate::builder().build().expect("usable"),
    ] {
        telemetry.shutdown(ms(5_000)).expect("nothing is lost");
        let monitor = obs_gpu::GpuMonitor::new(&telemetry, script.clone(), quick()).expect("none");
        std::thread::sleep(ms(50));
        assert!(monitor.gpus().is_empty());
    }
    assert_eq!((script.held(), script.world().searches), (1, 0));
}

#[test]
fn a_part_that_goes_and_comes_back_between_two_readings_is_read() {
    let clock = ManualClock::new();
    let telemetry = crate::builder()
        .manual()
        .with_clock(Clock::manual(&clock))
        .build();
    let telemetry = telemetry.expect("usable");
    // It is looked for more often than it is read.
    let settings = obs_gpu::GpuSettings::new()
        .with_period(obs_gpu::Tier::Fast, ms(5_000))
        .with_period(obs_gpu::Tier::Second, ms(5_000))
        .with_discovery(ms(1_000), ms(1_000));
    let rig = Rig::on(telemetry, Script::of(1), settings);
    let after = |time| {
        clock.advance(ms(time));
        rig.shown()
    };
    let listed = |is: bool| {
        rig.script.change(|world| {
            let info = part(0, 1);
            world.listed.retain(|known| known.id != info.id);
            if is {
                world.devices.entry(info.id.as_str().into()).or_default();
                world.listed.push(info);
            }
        });
    };
    listed(true);
    after(10_000);
    listed(false);
    after(1_000);
    assert_eq!(rig.monitor.gpus().len(), 1);
    listed(true);
    after(1_000);
    let shown = after(5_000);
    let part = rig.monitor.gpus().pop().expect("the part");
    assert!(part.sample().is_some());
    assert!(
        shown
            .value("hw.gpu.memory.usage", &[("hw.id", "MIG-0-1")])
            .is_some()
    );
}
