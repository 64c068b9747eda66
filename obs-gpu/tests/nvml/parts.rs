//! Devices in parts.

use crate::{Rig, check, eventually, ms};
use obs_gpu::{Calls, GpuSource, GpuState, Quantity, Reading, Readings, Tier};

#[test]
fn parts_are_devices_with_a_parent() {
    let mut rig = Rig::new("scenario = S11");
    let infos = rig.source.devices(&mut rig.calls).expect("a driver");
    assert_eq!(infos.len(), 4);
    assert_eq!(infos[0].mig, None);
    let instances: Vec<_> = infos[1..]
        .iter()
        .map(|info| {
            let mig = info.mig.as_ref().expect("a part");
            assert_eq!(mig.parent, infos[0].id);
            assert!(info.id.as_str().starts_with("MIG-"), "{info:?}");
            (mig.gpu_instance, mig.compute_instance)
        })
        .collect();
    assert_eq!(instances, [(1, Some(0)), (5, Some(0)), (13, Some(0))]);
}

#[test]
fn a_part_says_what_it_has_and_the_whole_what_is_of_the_whole() {
    let mut rig = Rig::new("scenario = S11");
    rig.advance(ms(1_000));
    let part = rig.read_all(1);
    check(&part, Quantity::MemoryUsed, 30 << 30);
    // The driver does not say how busy a part is; its counters do, by the whole and its number there.
    assert_eq!(part.get(Quantity::Utilization), Reading::Unsupported);
    check(&part, Quantity::SmActive, 600_000);
    let second = rig.read_all(2);
    check(&second, Quantity::SmActive, 200_000);
    let whole = rig.read_all(0);
    check(&whole, Quantity::Power, 430_000);
    check(&whole, Quantity::MemoryUsed, 38 << 30);
}

#[test]
fn processes_say_on_which_part_they_are() {
    let mut rig = Rig::new("scenario = S11");
    let mut part = rig.open(1);
    let mut readings = Readings::new();
    rig.read(&mut part, Tier::Slow, &mut readings)
        .expect("it is there");
    let mut all = Vec::new();
    part.processes(&mut all, &mut Calls::unwatched())
        .expect("it says so");
    let read: Vec<_> = all
        .iter()
        .map(|process| (process.pid, process.gpu_instance))
        .collect();
    assert_eq!(read, [(4711, Some(1))]);
    assert_eq!(all[0].memory, Reading::Value(30 << 30));
}

#[test]
fn parts_come_and_go() {
    let mut rig = Rig::new("gpus = H100");
    assert_eq!(rig.ids().len(), 1);
    rig.push("+0 0 mig.mode=1; +0 0 mig:0=1,0,3,40GiB");
    let ids = rig.ids();
    assert_eq!(ids.len(), 2);
    let mut part = rig.open(1);
    let mut readings = Readings::new();
    rig.read(&mut part, Tier::Fast, &mut readings)
        .expect("it is there");
    rig.push("+0 0 mig.mode=0");
    assert_eq!(rig.ids().len(), 1);
}

#[test]
fn a_device_that_does_not_say_its_parts_has_those_that_it_had() {
    let mut rig = Rig::new("scenario = S11");
    let before = rig.ids();
    for (call, code) in [
        ("nvmlDeviceGetMigMode", 999),
        ("nvmlDeviceGetMigMode", 15),
        ("nvmlDeviceGetMaxMigDeviceCount", 999),
        ("nvmlDeviceGetMigDeviceHandleByIndex", 999),
        ("nvmlDeviceGetGpuInstanceId", 999),
    ] {
        rig.push(&format!("+0 0 err:{call}={code}"));
        assert_eq!(rig.ids(), before, "{call} {code}");
        rig.push(&format!("+0 0 err:{call}=0"));
    }
    // One that cannot be in parts says that it is in none.
    rig.push("+0 0 err:nvmlDeviceGetMigMode=3");
    assert_eq!(rig.ids(), before[..1]);
}

#[test]
fn a_call_that_hangs_while_a_part_is_opened_is_found() {
    for call in [
        "nvmlDeviceGetMaxMigDeviceCount",
        "nvmlDeviceGetMigDeviceHandleByIndex",
    ] {
        let end = crate::end::End::new("scenario = S11; clock = real");
        let read = || {
            let gpus = end.monitor.gpus();
            gpus.len() == 4 && gpus.iter().all(|gpu| gpu.sample().is_some())
        };
        eventually("all are read", read);
        let gpus = end.monitor.gpus();
        let lost = |gpu: &obs_gpu::Gpu| matches!(gpu.state(), GpuState::Lost { .. });
        end.push("+0 0 lost");
        eventually("all are lost", || gpus.iter().all(lost));
        end.push(&format!("+0 0 stall:{call}=forever; +0 0 lost=0"));
        let hangs = |gpu: &obs_gpu::Gpu| matches!(gpu.state(), GpuState::NotAnswering { .. });
        eventually(call, || gpus.iter().all(hangs));
    }
}
