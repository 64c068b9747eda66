//! What the driver shows in each scenario, at its moments.

use crate::{S, field, listen, millis, open, play, xids};
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{
    Clock, EccCounter, MemoryError, Sampling, TemperatureSensor,
};
use nvml_wrapper::enum_wrappers::nv_link::ErrorCounter;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use obs_gpu_fake::{Count, Fake};
use std::thread;

const CORRECTED: u32 = 3;
const UNCORRECTED: u32 = 4;
const UNCORRECTED_EVER: u32 = 6;
const RECOVERY: u32 = 230;

fn two(nvml: &Nvml) -> [Device<'_>; 2] {
    [0, 1].map(|index| nvml.device_by_index(index).unwrap())
}

#[test]
fn s1_off_the_bus() {
    let (fake, nvml) = play("S1");
    let [well, lost] = two(&nvml);
    let set = listen(&nvml, &lost);
    fake.advance(millis(4999));
    assert_eq!(lost.utilization_rates().unwrap().gpu, 80);
    assert_eq!(xids(&set), []);
    fake.advance(millis(1));
    assert_eq!(xids(&set), [79]);
    assert!(matches!(set.wait(0), Err(NvmlError::GpuLost)));
    assert!(matches!(lost.utilization_rates(), Err(NvmlError::GpuLost)));
    assert!(matches!(field(&lost, RECOVERY), Err(NvmlError::GpuLost)));
    assert!(matches!(nvml.device_by_index(1), Err(NvmlError::GpuLost)));
    assert_eq!(well.utilization_rates().unwrap().gpu, 80);
}

#[test]
fn s2_off_the_bus_in_silence() {
    let (fake, nvml) = play("S2");
    let [well, lost] = two(&nvml);
    let set = listen(&nvml, &lost);
    fake.advance(5 * S);
    assert_eq!(xids(&set), []);
    assert!(matches!(
        lost.total_energy_consumption(),
        Err(NvmlError::GpuLost)
    ));
    assert_eq!(nvml.device_count().unwrap(), 2);
    assert_eq!(well.total_energy_consumption().unwrap(), 2_500_000);
}

#[test]
fn s3_double_bit_error() {
    let (fake, nvml) = play("S3");
    let [well, ill] = two(&nvml);
    let set = listen(&nvml, &ill);
    let pending = |gpu: &Device<'_>| field(gpu, 144).unwrap();
    fake.advance(5 * S);
    assert_eq!(xids(&set), [48]);
    assert_eq!((field(&ill, UNCORRECTED).unwrap(), pending(&ill)), (1, 0));
    fake.advance(millis(10));
    assert_eq!(xids(&set), [63]);
    assert_eq!((field(&ill, 143).unwrap(), pending(&ill)), (1, 1));
    assert_eq!(field(&ill, RECOVERY).unwrap(), 0);
    fake.advance(millis(10));
    assert_eq!(xids(&set), [154]);
    assert_eq!(
        (
            field(&ill, RECOVERY).unwrap(),
            field(&well, RECOVERY).unwrap()
        ),
        (1, 0)
    );
    assert_eq!(field(&well, UNCORRECTED).unwrap(), 0);
}

#[test]
fn s4_contained() {
    let (fake, nvml) = play("S4");
    let [_, ill] = two(&nvml);
    let set = listen(&nvml, &ill);
    let pids = || -> Vec<u32> {
        let processes = ill.running_compute_processes().unwrap();
        processes.iter().map(|process| process.pid).collect()
    };
    assert_eq!(pids(), [4711, 4712]);
    fake.advance(5 * S);
    assert_eq!(xids(&set), [94]);
    fake.advance(millis(10));
    assert_eq!(xids(&set), [13, 45]);
    assert_eq!(pids(), [4712]);
    assert_eq!(field(&ill, RECOVERY).unwrap(), 0);
    assert_eq!(field(&ill, UNCORRECTED_EVER).unwrap(), 1);
}

#[test]
fn s5_uncontained() {
    let (fake, nvml) = play("S5");
    let [_, ill] = two(&nvml);
    let set = listen(&nvml, &ill);
    fake.advance(5 * S);
    assert_eq!(xids(&set), [95]);
    assert_eq!(field(&ill, RECOVERY).unwrap(), 0);
    fake.advance(millis(10));
    assert_eq!(xids(&set), [154]);
    assert_eq!(field(&ill, RECOVERY).unwrap(), 1);
    assert_eq!(ill.utilization_rates().unwrap().gpu, 80);
}

#[test]
fn s6_clocks_held_down() {
    let (fake, nvml) = play("S6");
    let [well, hot] = two(&nvml);
    let reasons = || hot.current_throttle_reasons().unwrap();
    let clock = || hot.clock_info(Clock::SM).unwrap();
    // By power, by heat as software and as hardware found.
    let held = |gpu: &Device<'_>| [74, 251, 252].map(|id| field(gpu, id).unwrap());
    fake.advance(6 * S);
    assert_eq!(reasons(), ThrottleReasons::SW_POWER_CAP);
    assert_eq!(clock(), (1980 + 1400) / 2);
    assert_eq!(held(&hot), [1_000_000_000, 0, 0]);
    fake.advance(10 * S);
    assert_eq!(reasons(), ThrottleReasons::SW_THERMAL_SLOWDOWN);
    assert_eq!(held(&hot), [10_000_000_000, 1_000_000_000, 0]);
    fake.advance(5 * S);
    assert_eq!(
        reasons(),
        ThrottleReasons::HW_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN
    );
    assert_eq!(clock(), 990);
    assert_eq!(hot.temperature(TemperatureSensor::Gpu).unwrap(), 88);
    fake.advance(5 * S);
    assert_eq!(reasons(), ThrottleReasons::empty());
    assert_eq!(clock(), 1980);
    assert_eq!(held(&hot), [10_000_000_000, 5_000_000_000, 5_000_000_000]);
    assert_eq!(held(&well), [0; 3]);
}

#[test]
fn s7_its_own_processor_hangs() {
    let (fake, nvml) = play("S7");
    let [well, hung] = two(&nvml);
    let set = listen(&nvml, &hung);
    fake.advance(5 * S);
    thread::scope(|scope| {
        let caller = scope.spawn(|| hung.power_usage());
        assert!(fake.until(Count::Stalled, 1, 10 * S));
        assert_eq!(well.utilization_rates().unwrap().gpu, 80);
        fake.advance(millis(44_999));
        assert_eq!(xids(&set), [], "nobody is told before");
        assert_eq!(fake.count(Count::Stalled), 1);
        fake.advance(millis(1));
        assert!(matches!(caller.join().unwrap(), Err(NvmlError::Unknown)));
    });
    assert_eq!(xids(&set), [119]);
    assert!(
        matches!(hung.power_usage(), Err(NvmlError::Unknown)),
        "at once"
    );
    assert!(well.power_usage().is_ok());
}

#[test]
fn s8_a_storm_of_corrected_errors() {
    let (fake, nvml) = play("S8");
    let [well, ill] = two(&nvml);
    let set = listen(&nvml, &ill);
    fake.advance(5 * S);
    let storm = set.wait(0).unwrap();
    assert!(
        storm.event_type.is_empty(),
        "a bit that the wrapper does not know"
    );
    fake.advance(S);
    assert_eq!(xids(&set), [92]);
    assert_eq!(field(&ill, CORRECTED).unwrap(), 17_700);
    fake.advance(S);
    for _ in 0..3 {
        thread::scope(|scope| {
            let caller = scope.spawn(|| field(&ill, CORRECTED));
            assert!(fake.until(Count::Stalled, 1, 10 * S));
            assert!(well.utilization_rates().is_ok());
            fake.advance(3 * S);
            assert!(caller.join().unwrap().is_ok());
        });
        fake.advance(7 * S);
    }
    assert_eq!(field(&ill, CORRECTED).unwrap(), 17_700 * (37 - 5));
}

#[test]
fn s9_reset() {
    let (fake, nvml) = play("S9");
    let [_, ill] = two(&nvml);
    let uuid = ill.uuid().unwrap();
    let ecc = |error, counter| ill.total_ecc_errors(error, counter).unwrap();
    fake.advance(7 * S);
    assert_eq!(field(&ill, RECOVERY).unwrap(), 1);
    assert_eq!(ecc(MemoryError::Corrected, EccCounter::Volatile), 12);
    assert_eq!(ill.total_energy_consumption().unwrap(), 3_500_000);
    fake.advance(4 * S);
    assert!(matches!(ill.uuid(), Err(NvmlError::GpuLost)));
    fake.advance(4 * S);
    assert_eq!(nvml.device_by_index(1).unwrap().uuid().unwrap(), uuid);
    assert_eq!(ill.total_energy_consumption().unwrap(), 0);
    assert_eq!(field(&ill, RECOVERY).unwrap(), 0);
    assert_eq!(ecc(MemoryError::Corrected, EccCounter::Volatile), 0);
    assert_eq!(ecc(MemoryError::Corrected, EccCounter::Aggregate), 12);
    assert_eq!(ecc(MemoryError::Uncorrected, EccCounter::Volatile), 0);
    assert_eq!(ecc(MemoryError::Uncorrected, EccCounter::Aggregate), 1);
    assert_eq!(ill.running_compute_processes().unwrap(), []);
    fake.advance(S);
    assert_eq!(ill.total_energy_consumption().unwrap(), 70_000);
}

#[test]
fn s10_a_driver_comes() {
    let fake = Fake::start("scenario = S10; clock = virtual").unwrap();
    let init = || {
        let path = fake.library().as_os_str();
        Nvml::builder().lib_path(path).init()
    };
    assert!(matches!(init(), Err(NvmlError::DriverNotLoaded)));
    fake.advance(millis(9999));
    assert!(matches!(init(), Err(NvmlError::DriverNotLoaded)));
    fake.advance(millis(1));
    assert_eq!(init().unwrap().device_count().unwrap(), 2);
}

#[test]
fn s11_in_parts() {
    let (fake, nvml) = play("S11");
    let whole = nvml.device_by_index(0).unwrap();
    assert!(whole.mig_mode().unwrap().current == 1);
    assert_eq!(whole.mig_device_count().unwrap(), 7, "places for so many");
    let rows = [142, 143, 144, 145].map(|id| field(&whole, id));
    assert!(
        rows.iter()
            .all(|read| matches!(read, Err(NvmlError::NotSupported))),
        "{rows:?}"
    );
    assert!(matches!(
        whole.utilization_rates(),
        Err(NvmlError::NotSupported)
    ));
    assert!(matches!(
        whole.samples(Sampling::GpuUtilization, None),
        Err(NvmlError::NotSupported)
    ));
    assert!(whole.power_usage().is_ok());
    let part = whole.mig_device_by_index(0).unwrap();
    assert_eq!(part.name().unwrap(), "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
    let uuid = part.uuid().unwrap();
    assert!(uuid.starts_with("MIG-"));
    let found = nvml.device_by_uuid(uuid.as_str()).unwrap();
    assert_eq!((found.uuid().unwrap(), found.index().unwrap()), (uuid, 0));
    assert!(part.mig_is_mig_device_handle().unwrap());
    assert_eq!(
        part.mig_parent_device().unwrap().uuid().unwrap(),
        whole.uuid().unwrap()
    );
    let memory = part.memory_info().unwrap();
    assert_eq!((memory.used >> 30, memory.total >> 30), (30, 40));
    assert!(matches!(part.power_usage(), Err(NvmlError::NotSupported)));
    let processes = part.running_compute_processes().unwrap();
    assert_eq!(processes.len(), 1);
    assert_eq!(
        (processes[0].pid, processes[0].gpu_instance_id),
        (4711, Some(1))
    );
    assert_eq!(processes[0].used_gpu_memory, UsedGpuMemory::Used(30 << 30));
    assert_eq!(whole.running_compute_processes().unwrap().len(), 2);
    assert!(matches!(
        whole.mig_device_by_index(3),
        Err(NvmlError::NotFound)
    ));

    let set = listen(&nvml, &whole);
    fake.advance(5 * S);
    assert_eq!(xids(&set), [94]);
    assert_eq!(part.running_compute_processes().unwrap(), []);
}

#[test]
fn s12_next_to_nothing_is_supported() {
    let (_fake, nvml) = play("S12");
    let gpu = nvml.device_by_index(0).unwrap();
    assert_eq!(
        nvml.device_by_uuid(gpu.uuid().unwrap())
            .unwrap()
            .name()
            .unwrap(),
        "NVIDIA L40S"
    );
    assert_eq!(gpu.utilization_rates().unwrap().gpu, 35);
    assert_eq!(gpu.power_usage().unwrap(), 24_000);
    assert_eq!(gpu.temperature(TemperatureSensor::Gpu).unwrap(), 52);
    let refused = [
        gpu.memory_info().map(drop),
        gpu.total_energy_consumption().map(drop),
        gpu.clock_info(Clock::SM).map(drop),
        gpu.enforced_power_limit().map(drop),
        gpu.gpm_support().map(drop),
        gpu.supported_event_types().map(drop),
        gpu.current_throttle_reasons().map(drop),
        field(&gpu, 186).map(drop),
        field(&gpu, RECOVERY).map(drop),
    ];
    for (n, result) in refused.into_iter().enumerate() {
        assert!(
            matches!(result, Err(NvmlError::NotSupported)),
            "{n}: {result:?}"
        );
    }
}

#[test]
fn s13_out_of_memory() {
    let (fake, nvml) = play("S13");
    let [_, full] = two(&nvml);
    let set = listen(&nvml, &full);
    let used = || full.memory_info().unwrap().used;
    let of_process = || {
        full.running_compute_processes().unwrap()[0]
            .used_gpu_memory
            .clone()
    };
    fake.advance(5 * S);
    assert_eq!(used(), 20 << 30);
    fake.advance(30 * S);
    assert_eq!(used(), ((20 << 30) + 85_018_542_080) / 2);
    assert_eq!(of_process(), UsedGpuMemory::Used(used()));
    fake.advance(millis(29_999));
    assert!(full.memory_info().unwrap().free < 2 << 20);
    fake.advance(millis(1));
    assert_eq!((used(), full.utilization_rates().unwrap().gpu), (0, 0));
    assert_eq!(full.running_compute_processes().unwrap(), []);
    assert_eq!(xids(&set), []);
}

#[test]
fn s14_a_link_goes_down() {
    let (fake, nvml) = play("S14");
    let [well, ill] = two(&nvml);
    let set = listen(&nvml, &ill);
    let (third, fourth) = (ill.link_wrapper_for(3), ill.link_wrapper_for(4));
    let replays = || third.error_counter(ErrorCounter::DlReplay).unwrap();
    fake.advance(10 * S - millis(1));
    assert!(third.is_active().unwrap());
    assert_eq!(xids(&set), []);
    fake.advance(millis(1));
    assert_eq!(xids(&set), [74]);
    assert!(!third.is_active().unwrap() && fourth.is_active().unwrap());
    assert_eq!(replays(), 1000);
    assert_eq!(third.error_counter(ErrorCounter::DlRecovery).unwrap(), 2);
    assert_eq!(fourth.error_counter(ErrorCounter::DlReplay).unwrap(), 0);
    fake.advance(S);
    assert_eq!(replays(), 1000);
    assert_eq!(
        [field(&ill, 52).unwrap(), field(&ill, 59).unwrap()],
        [1000, 2],
        "of all links"
    );
    assert_eq!(field(&well, 52).unwrap(), 0);
    assert!(
        open(&fake)
            .device_by_index(0)
            .unwrap()
            .link_wrapper_for(18)
            .is_active()
            .is_err()
    );
}

#[test]
fn serving_is_well_and_never_the_same() {
    let (fake, nvml) = play("serving");
    assert_eq!(nvml.device_count().unwrap(), 8);
    let gpus: Vec<_> = (0..8)
        .map(|index| nvml.device_by_index(index).unwrap())
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    let mut energy = vec![0; 8];
    for _ in 0..50 {
        fake.advance(S);
        for (gpu, before) in gpus.iter().zip(&mut energy) {
            let power = field(gpu, 186).unwrap();
            assert!((450_000..=630_000).contains(&power), "{power}");
            seen.insert(power);
            let now = gpu.total_energy_consumption().unwrap();
            assert!((450_000..=630_000).contains(&(now - *before)), "a second's");
            *before = now;
            assert!(gpu.utilization_rates().unwrap().gpu <= 100);
            assert!(gpu.process_utilization_stats(None).unwrap()[0].sm_util <= 100);
            assert_eq!(field(gpu, RECOVERY).unwrap(), 0);
        }
    }
    assert!(seen.len() > 350, "{} different ones of 400", seen.len());
}
