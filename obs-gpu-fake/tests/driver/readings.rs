//! What is read over time: samples, GPM, processes, engines; and what each kind of device supports.

use crate::{S, field, millis, open};
use nvml_wrapper::enum_wrappers::device::{PcieUtilCounter, Sampling, TemperatureThreshold};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::enums::gpm::GpmMetricId;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::gpm::gpm_metrics_get;
use nvml_wrapper::structs::device::FieldId;
use obs_gpu_fake::{Count, Fake};
use std::time::{Duration, Instant};

#[test]
fn samples_are_those_that_are_new() {
    let fake = Fake::start("clock = virtual; 0 0 util=10; 1000 0 util=90").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let values = |since: Option<u64>| {
        let samples = gpu.samples(Sampling::GpuUtilization, since)?;
        let value = |value: &SampleValue| match value {
            SampleValue::U32(value) => *value,
            other => panic!("{other:?}"),
        };
        let last = samples.last().unwrap().timestamp;
        Ok::<_, NvmlError>((
            samples
                .iter()
                .map(|sample| value(&sample.value))
                .collect::<Vec<_>>(),
            last,
        ))
    };
    assert!(
        matches!(values(None), Err(NvmlError::NotFound)),
        "there is none yet"
    );
    fake.advance(millis(1010));
    let (first, seen) = values(None).unwrap();
    assert_eq!(first, [vec![10; 49], vec![90]].concat(), "each 20 ms");
    assert!(matches!(values(Some(seen)), Err(NvmlError::NotFound)));
    fake.advance(millis(50));
    assert_eq!(values(Some(seen)).unwrap().0, [90; 3]);
    fake.advance(60 * S);
    assert_eq!(
        values(Some(seen)).unwrap().0.len(),
        120,
        "older ones are gone"
    );
}

#[test]
fn counters_are_averaged_between_two_samples() {
    let fake = Fake::start("gpus = H100 A100; clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    assert!(gpu.gpm_support().unwrap());
    let old = nvml.device_by_index(1).unwrap();
    assert!(!old.gpm_support().unwrap());
    assert!(matches!(old.gpm_sample(), Err(NvmlError::NotSupported)));
    fake.push("0 0 gpm:5=20; 500 0 gpm:5=60.5; 0 0 gpm:10=33; 0 0 pcie.tx.rate=2_097_152; 0 0 nvlink.rx.rate=1_048_576").unwrap();
    let first = gpu.gpm_sample().unwrap();
    fake.advance(S);
    let second = gpu.gpm_sample().unwrap();
    let ids = [
        GpmMetricId::AnyTensorUtil,
        GpmMetricId::DramBwUtil,
        GpmMetricId::PcieTxPerSec,
        GpmMetricId::NvlinkTotalRxPerSec,
        GpmMetricId::NvlinkL3RxPerSec,
        GpmMetricId::NvlinkL3TxPerSec,
    ];
    let read: Vec<f64> = gpm_metrics_get(&nvml, &first, &second, &ids)
        .unwrap()
        .into_iter()
        .map(|one| one.unwrap().value)
        .collect();
    // Percent, and mebibytes per second.
    assert_eq!(read, [40.25, 33.0, 2.0, 18.0, 1.0, 0.0]);
    let unknown = gpm_metrics_get(&nvml, &first, &second, &[GpmMetricId::Nvjpg0Util]).unwrap();
    assert!(matches!(unknown[0], Err(NvmlError::NotSupported)));

    assert!(matches!(
        gpm_metrics_get(&nvml, &second, &first, &ids),
        Err(NvmlError::InvalidArg)
    ));
    fake.advance(millis(99));
    let third = gpu.gpm_sample().unwrap();
    assert!(
        matches!(
            gpm_metrics_get(&nvml, &second, &third, &ids),
            Err(NvmlError::InvalidArg)
        ),
        "too near"
    );
    assert_eq!(fake.count(Count::GpmSamples), 3);
    drop((first, second, third));
    assert_eq!(fake.count(Count::GpmSamples), 0);
}

#[test]
fn parts_have_counters_of_their_own() {
    let fake = Fake::start("scenario = S11; clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let busy = |instance| {
        let first = gpu.gpm_mig_sample(instance).unwrap();
        fake.advance(S);
        let second = gpu.gpm_mig_sample(instance).unwrap();
        let mut read = gpm_metrics_get(&nvml, &first, &second, &[GpmMetricId::SmUtil]).unwrap();
        read.remove(0).unwrap().value
    };
    assert_eq!((busy(1), busy(5)), (60.0, 20.0));
    assert!(matches!(gpu.gpm_mig_sample(2), Err(NvmlError::InvalidArg)));
}

#[test]
fn processes_with_their_kinds_and_shares() {
    let fake = Fake::start("clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    assert_eq!(gpu.running_compute_processes().unwrap(), []);
    assert!(
        matches!(
            gpu.process_utilization_stats(None),
            Err(NvmlError::NotFound)
        ),
        "idle"
    );
    fake.push("0 0 process:1=1GiB; 0 0 process:2=2GiB; 0 0 process:2.kind=graphics; 0 0 process:3.memory=unavailable; 0 0 process:4=4GiB; 0 0 process:4.kind=mps; 0 0 process:1.sm=25").unwrap();
    let compute = gpu.running_compute_processes().unwrap();
    assert_eq!(
        compute.iter().map(|one| one.pid).collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(compute[0].used_gpu_memory, UsedGpuMemory::Used(1 << 30));
    assert_eq!(compute[1].used_gpu_memory, UsedGpuMemory::Unavailable);
    assert_eq!(compute[0].gpu_instance_id, None);
    assert_eq!(gpu.running_graphics_processes().unwrap()[0].pid, 2);
    assert_eq!(gpu.mps_running_compute_processes().unwrap()[0].pid, 4);
    fake.advance(S);
    let shares = gpu.process_utilization_stats(None).unwrap();
    assert_eq!(
        shares
            .iter()
            .map(|one| (one.pid, one.sm_util))
            .collect::<Vec<_>>(),
        [(1, 25)]
    );
    assert!(matches!(
        gpu.process_utilization_stats(shares[0].timestamp),
        Err(NvmlError::NotFound)
    ));
    fake.push("+0 0 process:1=gone").unwrap();
    assert_eq!(gpu.running_compute_processes().unwrap().len(), 1);
}

#[test]
fn one_call_takes_twenty_milliseconds() {
    let fake =
        Fake::start("clock = virtual; 0 0 pcie.tx.rate=1_024_000; 0 0 pcie.rx.rate=0").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    fake.advance(S);
    let began = Instant::now();
    assert_eq!(
        gpu.pcie_throughput(PcieUtilCounter::Send).unwrap(),
        1000,
        "KiB per second"
    );
    assert!(began.elapsed() >= Duration::from_millis(20));
    assert_eq!(field(&gpu, 197).unwrap(), 1_024_000);
}

#[test]
fn latencies_are_replayed() {
    let fake =
        Fake::start("clock = virtual; seed = 5; latency nvmlDeviceGetPowerUsage 300 2000 5000")
            .unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let took: Vec<Duration> = (0..200)
        .map(|_| {
            let began = Instant::now();
            gpu.power_usage().unwrap();
            began.elapsed()
        })
        .collect();
    let micros = Duration::from_micros;
    assert!(
        took.iter().all(|took| *took >= micros(240)),
        "the faster half is near the middle"
    );
    // A fuller machine makes calls longer, never shorter: only lower bounds can be held to.
    let longer = |than| took.iter().filter(|took| **took >= micros(than)).count();
    assert!(longer(300) >= 80, "{} of 200", longer(300));
    assert!(took.iter().any(|took| *took >= micros(1500)));
    fake.reset("clock = virtual; latency nvmlDeviceGetFieldValues 3000 3000 3000")
        .unwrap();
    let ids = [186, 82, 83].map(FieldId);
    let read = gpu.field_values_for(&ids).unwrap();
    assert!(
        read.into_iter().all(|one| one.unwrap().latency == 1000),
        "shared by three"
    );
    let others = (0..50).map(|_| {
        let began = Instant::now();
        gpu.utilization_rates().unwrap();
        began.elapsed()
    });
    assert!(
        others.min().unwrap() < micros(240),
        "another call has no latency"
    );
}

#[test]
fn what_is_asked_for_by_a_number_has_a_latency_of_its_own() {
    let script = "clock = virtual; driver = 580.95.05; latency field:83 4000 4000 4000
        latency field:252 2000 2000 2000; latency gpm:1 3000 3000 3000";
    let fake = Fake::start(script).unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let least = |ask: &dyn Fn()| {
        let took = (0..20).map(|_| {
            let began = Instant::now();
            ask();
            began.elapsed()
        });
        took.min().unwrap()
    };
    // A fuller machine makes calls longer, never shorter.
    let fields = |ids: &[u32]| {
        let ids: Vec<_> = ids.iter().copied().map(FieldId).collect();
        let read = gpu.field_values_for(&ids).unwrap();
        (least(&|| drop(gpu.field_values_for(&ids).unwrap())), read)
    };
    let (dear, read) = fields(&[83, 186]);
    assert!(dear >= millis(4), "{dear:?}");
    let shared = read.into_iter().all(|one| one.unwrap().latency == 2000);
    assert!(shared, "by two");
    // By its number in older drivers, whatever this one has for it.
    assert!(fields(&[252]).0 >= millis(2) && fields(&[252, 83]).0 >= millis(6));
    assert!(fields(&[186]).0 < millis(1));
    let before = gpu.gpm_sample().unwrap();
    fake.advance(S);
    let after = gpu.gpm_sample().unwrap();
    let counter = |of| least(&|| drop(gpm_metrics_get(&nvml, &before, &after, &[of]).unwrap()));
    assert!(counter(GpmMetricId::GraphicsUtil) >= millis(3));
    assert!(counter(GpmMetricId::SmUtil) < millis(1));
}

#[test]
fn each_kind_of_device_supports_what_it_does() {
    let fake = Fake::start("gpus = A100 B200 H100 H200 L40S; clock = virtual").unwrap();
    let nvml = open(&fake);
    #[rustfmt::skip]
    let expect = [
        // name, bytes, GPM, memory's temperature, average power, threshold, MIG, links
        ("NVIDIA A100-SXM4-40GB", 42_949_672_960, false, true, false, true, true, 12),
        ("NVIDIA B200", 183_359 << 20, true, true, true, false, true, 18),
        ("NVIDIA H100 80GB HBM3", 85_520_809_984, true, true, true, true, true, 18),
        ("NVIDIA H200", 150_754_820_096, true, true, true, false, true, 18),
        ("NVIDIA L40S", 48_305_799_168, false, false, true, false, false, 0),
    ];
    for (index, expect) in expect.into_iter().enumerate() {
        let gpu = nvml.device_by_index(index as u32).unwrap();
        let links = (0..18).filter(|link| gpu.link_wrapper_for(*link).is_active().is_ok());
        let has = (
            &*gpu.name().unwrap(),
            gpu.memory_info().unwrap().total,
            gpu.gpm_support().unwrap(),
            field(&gpu, 82).is_ok(),
            field(&gpu, 185).is_ok(),
            gpu.temperature_threshold(TemperatureThreshold::Slowdown)
                .is_ok(),
            gpu.mig_mode().is_ok(),
            links.count(),
        );
        assert_eq!(has, expect);
        assert!(field(&gpu, 186).unwrap() > 0);
        assert!(
            matches!(gpu.fan_speed(0), Err(NvmlError::NotSupported)),
            "none has a fan of its own"
        );
    }
}
