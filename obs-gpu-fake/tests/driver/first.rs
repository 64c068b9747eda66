//! Handles, readings, counters, fields, events, stalls and losses.

use crate::{S, field, millis, open};
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::event::XidError;
use nvml_wrapper::error::NvmlError;
use obs_gpu_fake::{Count, Fake};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_device_is_found_and_read() {
    let fake = Fake::start("gpus = H100*2; clock = virtual; driver = 580.95.05").unwrap();
    let nvml = open(&fake);
    assert_eq!(nvml.sys_driver_version().unwrap(), "580.95.05");
    assert_eq!(nvml.device_count().unwrap(), 2);
    let gpu = nvml.device_by_index(1).unwrap();
    let uuid = gpu.uuid().unwrap();
    assert_eq!(
        nvml.device_by_uuid(uuid.as_str()).unwrap().index().unwrap(),
        1
    );
    assert_ne!(uuid, nvml.device_by_index(0).unwrap().uuid().unwrap());
    assert_eq!(gpu.name().unwrap(), "NVIDIA H100 80GB HBM3");
    let memory = gpu.memory_info().unwrap();
    assert_eq!(memory.total, memory.used + memory.free + memory.reserved);
    assert_eq!(gpu.max_clock_info(Clock::SM).unwrap(), 1980);

    fake.push("+0 1 util=93; +0 1 util.memory=61; +0 1 memory.used=40GiB; +0 1 temperature=66")
        .unwrap();
    let rates = gpu.utilization_rates().unwrap();
    assert_eq!((rates.gpu, rates.memory), (93, 61));
    assert_eq!(gpu.memory_info().unwrap().used, 40 << 30);
    assert_eq!(gpu.temperature(TemperatureSensor::Gpu).unwrap(), 66);
    assert_eq!(
        nvml.device_by_index(0)
            .unwrap()
            .utilization_rates()
            .unwrap()
            .gpu,
        0
    );
    assert_eq!(fake.calls("nvmlDeviceGetUtilizationRates", Some(1)), 1);
    assert_eq!(fake.calls("nvmlDeviceGetUtilizationRates", None), 2);
    assert!(matches!(
        nvml.device_by_index(2),
        Err(NvmlError::InvalidArg)
    ));
}

#[test]
fn energy_is_the_sum_of_power() {
    let fake = Fake::start("clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    fake.push("0 0 power=300_000; 2000 0 power=300_000->700_000/4000")
        .unwrap();
    fake.advance(2 * S);
    assert_eq!(gpu.total_energy_consumption().unwrap(), 600_000);
    assert_eq!(gpu.power_usage().unwrap(), 300_000);
    fake.advance(4 * S);
    assert_eq!(
        gpu.total_energy_consumption().unwrap(),
        600_000 + 4 * 500_000
    );
    // Instant, and the second before.
    assert_eq!(field(&gpu, 186).unwrap(), 700_000);
    assert_eq!(field(&gpu, 185).unwrap(), 650_000);
    assert_eq!(gpu.power_usage().unwrap(), 650_000);
    assert_eq!(field(&gpu, 83).unwrap(), 2_600_000);
}

#[test]
fn a_fault_wakes_whoever_waits() {
    let fake = Fake::start("clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let set = nvml.create_event_set().unwrap();
    let set = gpu
        .register_events(EventTypes::CRITICAL_XID_ERROR, set)
        .unwrap();
    assert!(matches!(set.wait(20), Err(NvmlError::Timeout)));
    fake.push("5000 0 xid=79").unwrap();
    assert!(matches!(set.wait(20), Err(NvmlError::Timeout)), "not yet");
    thread::scope(|scope| {
        let waiter = scope.spawn(move || set.wait(10_000).map(|event| event.event_data));
        assert!(fake.until(Count::Listening, 1, 10 * S));
        fake.advance(5 * S);
        assert!(matches!(
            waiter.join().unwrap(),
            Ok(Some(XidError::Value(79)))
        ));
    });
    assert_eq!(fake.count(Count::EventSets), 0, "freed");
}

#[test]
fn faults_that_were_not_asked_for_yet() {
    #[track_caller]
    fn check(setting: &str, expect: [u64; 3]) {
        let fake = Fake::start(&format!("clock = virtual; {setting}")).unwrap();
        let nvml = open(&fake);
        let gpu = nvml.device_by_index(0).unwrap();
        fake.push("+0 0 xid=31").unwrap();
        let set = crate::listen(&nvml, &gpu);
        fake.push("+0 0 xid=48; +0 0 xid=63; +0 0 xid=94").unwrap();
        assert_eq!(
            crate::xids(&set),
            expect,
            "{setting}; what came before is gone"
        );
    }
    check("", [48, 63, 94]);
    check("xids = each", [48, 63, 94]);
    check("xids = last", [94, 94, 94]);
}

#[test]
fn unknown_events_and_devices() {
    let fake = Fake::start("gpus = A100*2; clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let register = |bits| {
        let set = nvml.create_event_set().unwrap();
        let refused = gpu.register_events(EventTypes::from_bits_retain(bits), set);
        refused.map(drop).map_err(|refused| refused.error)
    };
    assert!(register(0x8).is_ok());
    assert!(
        matches!(register(0x8008), Err(NvmlError::NotSupported)),
        "its driver has none"
    );
    assert!(
        matches!(register(0x20), Err(NvmlError::InvalidArg)),
        "nobody has"
    );
    let by_uuid = |uuid| nvml.device_by_uuid(uuid).map(drop);
    assert!(matches!(by_uuid("GPU-none"), Err(NvmlError::NotFound)));
    fake.push("+0 1 lost").unwrap();
    assert!(
        matches!(by_uuid("GPU-none"), Err(NvmlError::GpuLost)),
        "it may be that one"
    );
    assert!(by_uuid(&gpu.uuid().unwrap()).is_ok());
}

#[test]
fn one_device_hangs_and_the_other_answers() {
    let fake = Fake::start("gpus = H100*2; clock = virtual").unwrap();
    let nvml = open(&fake);
    let (stuck, other) = (
        nvml.device_by_index(0).unwrap(),
        nvml.device_by_index(1).unwrap(),
    );
    fake.push("+0 0 stall:nvmlDeviceGetPowerUsage=1500; +0 0 power=123_000; +0 0 power.window=0")
        .unwrap();
    thread::scope(|scope| {
        let caller = scope.spawn(|| stuck.power_usage());
        assert!(fake.until(Count::Stalled, 1, 10 * S));
        assert!(other.power_usage().is_ok());
        fake.advance(Duration::from_millis(1499));
        assert_eq!(fake.count(Count::Stalled), 1);
        fake.advance(Duration::from_millis(1));
        assert_eq!(caller.join().unwrap().unwrap(), 123_000);
    });
    fake.push("+0 0 stall:*=forever").unwrap();
    thread::scope(|scope| {
        let caller = scope.spawn(|| stuck.utilization_rates());
        assert!(fake.until(Count::Stalled, 1, 10 * S));
        fake.push("+0 0 stall:*=0").unwrap();
        assert!(caller.join().unwrap().is_ok());
    });
}

#[test]
fn a_stall_of_real_time_takes_it() {
    let fake = Fake::start("clock = real; 0 0 stall:nvmlDeviceGetPowerUsage=80").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let began = Instant::now();
    gpu.power_usage().unwrap();
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[test]
fn a_lost_device_says_so_and_its_neighbour_works() {
    let fake = Fake::start(
        "gpus = H100*2; clock = virtual; 1000 1 lost; 2000 0 remove; 3000 * lost=0; 3000 0 add",
    )
    .unwrap();
    let nvml = open(&fake);
    let (first, second) = (
        nvml.device_by_index(0).unwrap(),
        nvml.device_by_index(1).unwrap(),
    );
    fake.advance(S);
    assert!(matches!(second.uuid(), Err(NvmlError::GpuLost)));
    assert!(matches!(
        second.utilization_rates(),
        Err(NvmlError::GpuLost)
    ));
    assert!(matches!(nvml.device_by_index(1), Err(NvmlError::GpuLost)));
    assert!(first.utilization_rates().is_ok());
    assert_eq!(nvml.device_count().unwrap(), 2, "it is listed still");
    fake.advance(S);
    assert_eq!(nvml.device_count().unwrap(), 1);
    assert!(
        matches!(nvml.device_by_index(0), Err(NvmlError::GpuLost)),
        "the lost one is the first now"
    );
    fake.advance(S);
    assert!(first.uuid().is_ok() && second.uuid().is_ok());
}

#[test]
fn codes_are_those_of_the_script() {
    let fake = Fake::start("clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    fake.push("+0 0 err:*=999; +0 0 err:nvmlDeviceGetName=0; +0 0 err:nvmlDeviceGetTemperature=13")
        .unwrap();
    assert!(matches!(gpu.power_usage(), Err(NvmlError::Unknown)));
    assert!(matches!(
        gpu.temperature(TemperatureSensor::Gpu),
        Err(NvmlError::FunctionNotFound)
    ));
    assert!(gpu.name().is_ok());
    fake.push("+0 0 err:*=0; +0 0 power=!4").unwrap();
    assert!(matches!(gpu.power_usage(), Err(NvmlError::NoPermission)));
    assert!(
        matches!(gpu.fan_speed(0), Err(NvmlError::NotSupported)),
        "it has none"
    );
    fake.push("+0 0 fi:82=!3; +0 0 fi:186=42").unwrap();
    assert!(matches!(field(&gpu, 82), Err(NvmlError::NotSupported)));
    assert_eq!(field(&gpu, 186).unwrap(), 42);
}

#[test]
fn wrong_scripts_are_refused_with_their_place() {
    #[track_caller]
    fn check(script: &str, statement: usize) {
        let error = obs_gpu_fake::check(script).unwrap_err();
        assert_eq!(error.statement, statement, "{error}");
    }
    check("gpus = H100\n0 0 utl=5", 2);
    check("clock = sundial", 1);
    check("0 0 err:nvmlDeviceGetNmae=3", 1);
    check("0 0 util", 1);
    check("0 0 throttle=0->4/100", 1);
    check("0 0 energy.rate=5; x 0 lost", 2);
    check("0 5 lost", 0);
    check("gpus = K80", 0);
    check("gpus = H100*64 H100", 1);
    check("0 0 power=2_000_000_000_000_000_000", 1);
    check("0 0 gpm:1=inf", 1);
    check("0 0 stall:nvmlInit_v2=5", 1);
    check("0 driver util=5", 1);
    check("0 0 util+=5", 1);
    check("0 0 util=5~5/0", 1);
    check("latency nvmlDeviceGetName 5 4 6", 1);
    check("scenario = S15", 0);
    let fake = Fake::start("clock = virtual").unwrap();
    let refused = fake
        .push("+0 0 util=5; +0 0 utl=6")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("statement 2"), "{refused}");
    let nvml = open(&fake);
    assert_eq!(
        nvml.device_by_index(0)
            .unwrap()
            .utilization_rates()
            .unwrap()
            .gpu,
        0,
        "none was added"
    );
}

#[test]
fn each_copy_is_a_driver_of_its_own() {
    let folder = std::env::temp_dir().join(format!("obs-gpu-fake-copy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let old = Fake::install(
        &folder,
        &["nvmlDeviceGetMemoryInfo_v2"],
        "gpus = A100*3; clock = virtual",
    )
    .unwrap();
    let shared = Fake::start("gpus = H100; clock = virtual").unwrap();
    let (nvml, other) = (open(&old), open(&shared));
    assert_eq!(
        (nvml.device_count().unwrap(), other.device_count().unwrap()),
        (3, 1)
    );
    let gpu = nvml.device_by_index(0).unwrap();
    assert!(matches!(
        gpu.memory_info(),
        Err(NvmlError::FailedToLoadSymbol(_))
    ));
    assert!(gpu.uuid().is_ok());
    assert!(other.device_by_index(0).unwrap().memory_info().is_ok());
    let none = Fake::install(&folder, &["nvmlNoSuchCall"], "");
    assert!(none.unwrap_err().to_string().contains("nvmlNoSuchCall"));
    // The loader would take the old image for it.
    let again = Fake::install(&folder, &[], "").unwrap_err().to_string();
    assert!(again.contains("another folder"), "{again}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn real_time_brings_events_by_itself() {
    let fake = Fake::start("clock = real; 60 0 xid=31").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let set = crate::listen(&nvml, &gpu);
    let event = set.wait(10_000).unwrap();
    assert!(matches!(event.event_data, Some(XidError::Value(31))));
    assert!(fake.now() >= Duration::from_millis(60));
}

#[test]
fn a_new_world_lets_go_of_all_who_wait() {
    let fake = Fake::start("clock = virtual").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let set = crate::listen(&nvml, &gpu);
    fake.push("+0 0 stall:nvmlDeviceGetName=forever").unwrap();
    thread::scope(|scope| {
        let stuck = scope.spawn(|| gpu.name());
        let waiter = scope.spawn(move || set.wait(u32::MAX).map(drop));
        assert!(fake.until(Count::Stalled, 1, 10 * S) && fake.until(Count::Listening, 1, 10 * S));
        fake.reset("gpus = L40S; clock = virtual").unwrap();
        assert_eq!(stuck.join().unwrap().unwrap(), "NVIDIA L40S");
        assert!(matches!(
            waiter.join().unwrap(),
            Err(NvmlError::Uninitialized)
        ));
    });
    assert_eq!(
        (fake.count(Count::Stalled), fake.count(Count::Listening)),
        (0, 0)
    );
    assert_eq!(fake.now(), Duration::ZERO);
}

#[test]
fn a_fake_goes_to_another_thread() {
    let fake = Fake::start("clock = virtual").unwrap();
    let moved = thread::spawn(move || fake.advance(S));
    moved.join().unwrap();
    // Its turn is over: the next one begins.
    assert_eq!(
        Fake::start("clock = virtual").unwrap().now(),
        Duration::ZERO
    );
}

#[test]
fn the_library_is_begun_and_ended_as_often() {
    let fake = Fake::start("clock = virtual").unwrap();
    let before = fake.count(Count::Initialised);
    let (first, second) = (open(&fake), open(&fake));
    assert_eq!(fake.count(Count::Initialised), before + 2);
    first.shutdown().unwrap();
    assert!(second.device_count().is_ok());
    second.shutdown().unwrap();
    assert_eq!(fake.count(Count::Initialised), before);
}

#[test]
fn the_driver_itself_fails_and_hangs() {
    let fake = Fake::start("clock = virtual; 0 driver err:nvmlInit_v2=18").unwrap();
    let init = || Nvml::builder().lib_path(fake.library().as_os_str()).init();
    assert!(matches!(init(), Err(NvmlError::LibRmVersionMismatch)));
    fake.push("+0 driver err:nvmlInit_v2=0").unwrap();
    let nvml = init().unwrap();
    fake.push("+0 driver version=600.1; +0 driver stall:nvmlDeviceGetCount_v2=500")
        .unwrap();
    assert_eq!(nvml.sys_driver_version().unwrap(), "600.1");
    thread::scope(|scope| {
        let caller = scope.spawn(|| nvml.device_count());
        assert!(fake.until(Count::Stalled, 1, 10 * S));
        fake.advance(S);
        assert_eq!(caller.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn many_threads_and_new_worlds() {
    let script = "gpus = H100*4; clock = virtual; 0 * util=50~10/10; 0 * nvlink.tx.rate=5";
    let fake = Fake::start(script).unwrap();
    let nvml = open(&fake);
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    thread::scope(|scope| {
        for index in 0..4 {
            let (nvml, is_done) = (&nvml, &is_done);
            scope.spawn(move || {
                while !is_done() {
                    let Ok(gpu) = nvml.device_by_index(index) else {
                        continue;
                    };
                    let _ = (
                        gpu.utilization_rates(),
                        gpu.total_energy_consumption(),
                        field(&gpu, 138),
                    );
                    let Ok(set) = nvml.create_event_set() else {
                        continue;
                    };
                    if let Ok(set) = gpu.register_events(EventTypes::CRITICAL_XID_ERROR, set) {
                        let _ = set.wait(1);
                    }
                }
            });
        }
        for n in 0..300 {
            fake.push(&format!(
                "+1 * xid={n}; +2 1 lost; +3 1 lost=0; +4 2 stall:*=2; +5 * util=5"
            ))
            .unwrap();
            fake.advance(millis(10));
            if n % 50 == 49 {
                fake.reset(script).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        // Whoever hangs by a clock that stands still is let go.
        fake.reset(script).unwrap();
    });
    assert_eq!(
        (fake.count(Count::Stalled), fake.count(Count::Listening)),
        (0, 0)
    );
    assert!(nvml.device_by_index(3).unwrap().utilization_rates().is_ok());
}

/// By the real clock, with nobody else there who would look at it when it is due.
#[test]
fn a_step_that_is_pushed_while_somebody_waits_is_on_time() {
    let fake = Fake::start("").unwrap();
    let nvml = open(&fake);
    let gpu = nvml.device_by_index(0).unwrap();
    let set = crate::listen(&nvml, &gpu);
    thread::scope(|scope| {
        let waiter = scope.spawn(move || set.wait(20_000).map(|event| event.event_data));
        assert!(fake.until(Count::Listening, 1, 10 * S));
        fake.push("+20 0 xid=31").unwrap();
        let began = Instant::now();
        let event = waiter.join().unwrap();
        assert!(matches!(event, Ok(Some(XidError::Value(31)))));
        assert!(began.elapsed() < 5 * S, "{:?}", began.elapsed());
    });
    fake.push("+0 0 stall:nvmlDeviceGetName=forever").unwrap();
    thread::scope(|scope| {
        let stuck = scope.spawn(|| gpu.name());
        assert!(fake.until(Count::Stalled, 1, 10 * S));
        fake.push("+20 0 stall:nvmlDeviceGetName=0").unwrap();
        let began = Instant::now();
        // Not by asking, which would look at what is due.
        while !stuck.is_finished() && began.elapsed() < 5 * S {
            thread::sleep(millis(5));
        }
        let freed = stuck.is_finished();
        let _ = fake.now();
        assert!(stuck.join().unwrap().is_ok() && freed);
    });
}
