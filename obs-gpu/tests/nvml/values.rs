//! Values: units, scopes, numbers of fields, what is not supported.

use crate::{Rig, check, ms};
use obs_gpu::{
    CallEdge, Calls, GpuDevice, GpuProcess, GpuSource, ProcessKind, Quantity, Reading, Readings,
    Tier,
};

#[test]
fn a_device_says_what_it_is() {
    let mut rig = Rig::new("gpus = H100 L40S; driver = 580.95.05");
    let devices = rig.source.devices(&mut rig.calls).expect("a driver");
    let models: Vec<_> = devices.iter().map(|info| info.model.as_deref()).collect();
    assert_eq!(models, [Some("NVIDIA H100 80GB HBM3"), Some("NVIDIA L40S")]);
    let first = &devices[0];
    assert!(first.id.as_str().starts_with("GPU-"), "{first:?}");
    assert_eq!((first.index, first.vendor), (0, "NVIDIA"));
    assert_eq!(first.driver_version.as_deref(), Some("580.95.05"));
    assert!(
        first
            .pci_bus_id
            .as_deref()
            .is_some_and(|id| id.ends_with(".0")),
        "{first:?}"
    );
    assert_eq!(first.mig, None);
}

#[test]
fn everything_is_in_the_unit_of_its_quantity() {
    let mut rig = Rig::new(
        "gpus = H100; driver = 580.95.05
         0 * memory.total=80GiB; 0 * memory.reserved=600MiB; 0 * temperature.slowdown=92; 0 * temperature.shutdown=95
         0 * util=93; 0 * util.memory=61; 0 * util.encoder=7; 0 * memory.used=40GiB
         0 * power=412_500; 0 * temperature=66; 0 * temperature.memory=81
         0 * clock.sm=1980; 0 * clock.memory=2619; 0 * throttle=0x1004
         0 * pcie.tx=1_000_000; 0 * pcie.rx=2_000_000
         0 * nvlink.tx:0=1_048_576; 0 * nvlink.tx:5=2_097_152; 0 * nvlink.rx:5=4_194_304
         0 * ecc.corrected=11; 0 * ecc.uncorrected=2; 0 * pcie.replay=5; 0 * recovery=1
         0 * throttle.thermal.hardware=7_000_000_000; 0 * remap.correctable=3; 0 * remap.pending=1
         0 * sram.corrected=7; 0 * sram.parity=2; 0 * sram.secded=1; 0 * sram.threshold=1
         0 * rows.max=500; 0 * rows.high=4; 0 * rows.none=1
         0 * gpm:10=55.5; 0 * gpm:5=12.25; 0 * gpm:2=80; 0 * gpm:3=40; 0 * gpm:1=99",
    );
    let readings = rig.read_all(0);
    for (quantity, expect) in [
        (Quantity::Utilization, 930_000),
        (Quantity::MemoryController, 610_000),
        (Quantity::Encoder, 70_000),
        (Quantity::Decoder, 0),
        (Quantity::MemoryUsed, 40 << 30),
        (Quantity::MemoryReserved, 629_145_600),
        (Quantity::MemoryTotal, 85_899_345_920),
        (
            Quantity::MemoryFree,
            85_899_345_920 - 629_145_600 - (40 << 30),
        ),
        (Quantity::Power, 412_500),
        (Quantity::PowerAverage, 412_500),
        (Quantity::PowerLimit, 700_000),
        (Quantity::Temperature, 66_000),
        (Quantity::MemoryTemperature, 81_000),
        (Quantity::TemperatureSlowdown, 92_000),
        (Quantity::TemperatureShutdown, 95_000),
        (Quantity::SmClock, 1_980_000_000),
        (Quantity::MemoryClock, 2_619_000_000),
        (Quantity::SmClockMax, 1_980_000_000),
        // A bit that has no name is kept.
        (Quantity::ThrottleReasons, 0x1004),
        (Quantity::PcieSent, 1_000_000),
        (Quantity::PcieReceived, 2_000_000),
        (Quantity::NvlinkSent, 3 << 20),
        (Quantity::NvlinkReceived, 4 << 20),
        (Quantity::EccCorrected, 11),
        (Quantity::EccUncorrected, 2),
        (Quantity::PcieReplays, 5),
        (Quantity::RecoveryAction, 1),
        (Quantity::ThrottleThermalHardware, 7_000_000_000),
        (Quantity::RemappedCorrectable, 3),
        (Quantity::RemapPending, 1),
        (Quantity::SramCorrected, 7),
        (Quantity::SramUncorrected, 3),
        (Quantity::SramThreshold, 1),
        (Quantity::BanksFull, 500),
        (Quantity::BanksHigh, 4),
        (Quantity::BanksNone, 1),
        (Quantity::PcieGeneration, 5),
        (Quantity::PcieWidth, 16),
        (Quantity::PerformanceState, 0),
        (Quantity::DramActive, 555_000),
        (Quantity::TensorActive, 122_500),
        (Quantity::SmActive, 800_000),
        (Quantity::SmOccupancy, 400_000),
        (Quantity::EngineActive, 990_000),
    ] {
        check(&readings, quantity, expect);
    }
    // Power for the second between the two readings, exactly.
    check(&readings, Quantity::Energy, 412_500);
    // It has no fan, and no pages that are given up: rows are.
    for quantity in [Quantity::FanSpeed, Quantity::RetiredPagesSingle] {
        assert_eq!(readings.get(quantity), Reading::Unsupported, "{quantity:?}");
    }
    assert!(
        readings
            .iter()
            .all(|(_, reading)| reading != Reading::Unread),
        "{readings:?}"
    );
}

#[test]
fn the_call_that_blocks_for_twenty_milliseconds_is_never_made() {
    let mut rig = Rig::new("gpus = H100");
    rig.read_all(0);
    assert_eq!(rig.fake.calls("nvmlDeviceGetPcieThroughput", None), 0);
    assert!(rig.fake.calls("nvmlDeviceGetFieldValues", None) > 0);
}

#[test]
fn numbers_of_fields_are_those_of_the_driver() {
    for driver in ["570.86.16", "580.65.06", "580.82.07", "590.44.01"] {
        let mut rig = Rig::new(&format!(
            "gpus = H100; driver = {driver}
             0 * throttle.thermal.software=1; 0 * throttle.thermal.hardware=2; 0 * throttle.power.brake=3"
        ));
        let readings = rig.read_all(0);
        check(&readings, Quantity::ThrottleThermalSoftware, 1);
        check(&readings, Quantity::ThrottleThermalHardware, 2);
        check(&readings, Quantity::ThrottlePowerBrake, 3);
    }
}

#[test]
fn what_is_not_supported_is_asked_for_once() {
    let mut rig = Rig::new("scenario = S12");
    let mut device = rig.open(0);
    let mut readings = Readings::new();
    let mut round = |rig: &mut Rig, device: &mut Box<dyn GpuDevice>| {
        for tier in Tier::ALL {
            rig.read(device, tier, &mut readings).expect("it is there");
        }
        rig.advance(ms(1_000));
        readings.clone()
    };
    round(&mut rig, &mut device);
    let calls = [
        "nvmlDeviceGetFanSpeed_v2",
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetMaxClockInfo",
        "nvmlDeviceGetFieldValues",
        "nvmlGpmQueryDeviceSupport",
        "nvmlDeviceGetTotalEnergyConsumption",
    ];
    let made = |rig: &Rig| calls.map(|call| rig.fake.calls(call, None));
    // What fields were asked in vain is asked for otherwise in the first round.
    let first = made(&rig);
    for _ in 0..5 {
        round(&mut rig, &mut device);
    }
    assert_eq!(made(&rig), first);
    let readings = round(&mut rig, &mut device);
    check(&readings, Quantity::Utilization, 350_000);
    check(&readings, Quantity::Temperature, 52_000);
    check(&readings, Quantity::Power, 24_000);
    let values = readings
        .iter()
        .filter(|(_, reading)| reading.value().is_some())
        .count();
    // How busy it is, with its memory; heat; power; its state.
    assert_eq!(values, 5, "{readings:?}");
    let rest = readings
        .iter()
        .filter(|(_, reading)| reading.value().is_none());
    rest.for_each(|(quantity, reading)| assert_eq!(reading, Reading::Unsupported, "{quantity:?}"));
    // Opened anew it is asked once more.
    let mut device = rig.open(0);
    round(&mut rig, &mut device);
    assert!(made(&rig)[0] > first[0]);
}

#[test]
fn an_older_driver_has_less_and_that_is_no_error() {
    let mut rig = Rig::without(
        "gpus = H100; 0 * memory.used=1GiB; 0 * throttle=4; 0 * temperature=30",
        &[
            "nvmlDeviceGetMemoryInfo_v2",
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlGpmQueryDeviceSupport",
            "nvmlDeviceGetMarginTemperature",
        ],
    );
    let readings = rig.read_all(0);
    // It counts as used what newer ones call reserved.
    assert!(
        readings
            .value(Quantity::MemoryUsed)
            .is_some_and(|used| used >= 1 << 30)
    );
    assert_eq!(readings.get(Quantity::MemoryReserved), Reading::Unsupported);
    check(&readings, Quantity::ThrottleReasons, 4);
    assert_eq!(readings.get(Quantity::TensorActive), Reading::Unsupported);
    assert_eq!(
        readings.get(Quantity::TemperatureMargin),
        Reading::Unsupported
    );
    check(&readings, Quantity::Temperature, 30_000);
}

#[test]
fn what_fails_for_once_is_asked_again() {
    let mut rig = Rig::new("gpus = H100; 0 * temperature=30; 0 * temperature.memory=38");
    let mut device = rig.open(0);
    let mut readings = Readings::new();
    rig.push("+0 0 err:nvmlDeviceGetTemperature=999; +0 0 err:nvmlDeviceGetFieldValues=999");
    rig.read(&mut device, Tier::Second, &mut readings)
        .expect("it is there");
    assert_eq!(readings.get(Quantity::Temperature), Reading::Failed(999));
    assert_eq!(
        readings.get(Quantity::MemoryTemperature),
        Reading::Failed(999)
    );
    check(&readings, Quantity::PowerLimit, 700_000);
    rig.push("+0 0 err:nvmlDeviceGetTemperature=0; +0 0 err:nvmlDeviceGetFieldValues=0");
    rig.read(&mut device, Tier::Second, &mut readings)
        .expect("it is there");
    check(&readings, Quantity::Temperature, 30_000);
    check(&readings, Quantity::MemoryTemperature, 38_000);
}

#[test]
fn counters_are_read_in_pairs_that_are_far_enough_apart() {
    let mut rig = Rig::new("gpus = H100; 0 * gpm:5=20; 1000 * gpm:5=60");
    let mut device = rig.open(0);
    let mut readings = Readings::new();
    let mut after = |rig: &mut Rig, time| {
        rig.advance(ms(time));
        rig.read(&mut device, Tier::Second, &mut readings)
            .expect("it is there");
        readings.get(Quantity::TensorActive)
    };
    assert_eq!(after(&mut rig, 0), Reading::Unread);
    // Too soon for the library: it would refuse, and is not asked.
    assert_eq!(after(&mut rig, 50), Reading::Unread);
    assert_eq!(after(&mut rig, 450), Reading::Value(200_000));
    assert_eq!(after(&mut rig, 100), Reading::Value(200_000));
    // From half a second to two: a third of it at 20 %, the rest at 60 %.
    let Reading::Value(mixed) = after(&mut rig, 1_400) else {
        panic!("no value");
    };
    assert!((460_000..=474_000).contains(&mixed), "{mixed}");
    assert_eq!(after(&mut rig, 1_000), Reading::Value(600_000));
    // One pair, and no more of them from round to round.
    assert_eq!(rig.fake.count(obs_gpu_fake::Count::GpmSamples), 2);
    drop(device);
    assert_eq!(rig.fake.count(obs_gpu_fake::Count::GpmSamples), 0);
}

#[test]
fn each_link_is_read_by_its_own_scope() {
    let mut rig = Rig::new(
        "gpus = H100; 0 * nvlink.tx:3=10_240; 0 * nvlink.rx:17=20_480; 0 * nvlink.state:5=0
         0 * nvlink.replay:3=4; 0 * nvlink.recovery:3=2; 0 * nvlink.crc:0=9",
    );
    let mut device = rig.open(0);
    let mut readings = Readings::new();
    rig.read(&mut device, Tier::Second, &mut readings)
        .expect("it is there");
    let mut links = Vec::new();
    device
        .links(&mut links, &mut Calls::unwatched())
        .expect("it says so");
    assert_eq!(links.len(), 18);
    let numbers: Vec<u32> = links.iter().map(|link| link.link).collect();
    assert_eq!(numbers, (0..18).collect::<Vec<_>>());
    assert_eq!(links[3].sent, Reading::Value(10_240));
    assert_eq!(links[0].sent, Reading::Value(0));
    assert_eq!(links[17].received, Reading::Value(20_480));
    assert_eq!((links[5].up, links[6].up), (Some(false), Some(true)));
    assert_eq!(links[0].speed, Reading::Value(26_562_000_000));
    assert_eq!(
        (links[3].replays, links[3].recoveries),
        (Reading::Value(4), Reading::Value(2))
    );
    assert_eq!(links[0].crc_errors, Reading::Value(9));
    // It is not counted there.
    assert_eq!(links[0].errors, Reading::Unsupported);
}

#[test]
fn newer_links_count_bytes_by_other_numbers() {
    let mut rig = Rig::new(
        "gpus = B200; 0 * nvlink.tx:3=10_001; 0 * nvlink.tx:4=5; 0 * nvlink.rx:17=20_003; 0 * nvlink.errors:2=6",
    );
    let readings = rig.read_all(0);
    // Nobody adds them up but us.
    check(&readings, Quantity::NvlinkSent, 10_006);
    check(&readings, Quantity::NvlinkReceived, 20_003);
    let mut device = rig.open(0);
    let mut links = Vec::new();
    let mut readings = Readings::new();
    rig.read(&mut device, Tier::Second, &mut readings)
        .expect("it is there");
    device
        .links(&mut links, &mut Calls::unwatched())
        .expect("it says so");
    assert_eq!(links[3].sent, Reading::Value(10_001));
    assert_eq!(links[2].errors, Reading::Value(6));
    assert_eq!(links[2].crc_errors, Reading::Unsupported);
}

#[test]
fn a_device_without_links_has_none() {
    let mut rig = Rig::new("gpus = L40S");
    let readings = rig.read_all(0);
    assert_eq!(readings.get(Quantity::NvlinkSent), Reading::Unsupported);
    let mut device = rig.open(0);
    let mut links = Vec::new();
    device
        .links(&mut links, &mut Calls::unwatched())
        .expect("it says so");
    assert!(links.is_empty());
}

#[test]
fn processes_are_told_with_what_they_have_and_do() {
    let mut rig = Rig::new(
        "gpus = H100; 0 0 process:4711=8GiB; 0 0 process:4711.sm=60; 0 0 process:4712=1GiB
         0 0 process:4712.memory=unavailable; 0 0 process:4713=2GiB; 0 0 process:4713.kind=mps
         0 0 process:4714=1GiB; 0 0 process:4714.sm=4_000",
    );
    rig.advance(ms(1_000));
    let mut device = rig.open(0);
    let mut read = |with_shares| {
        let (mut all, mut calls) = (Vec::new(), Calls::unwatched());
        if with_shares {
            device
                .read(Tier::Slow, &mut Readings::new(), &mut calls)
                .expect("it is there");
        }
        device.processes(&mut all, &mut calls).expect("it says so");
        all
    };
    // Their shares of its time belong to the slow tier.
    let unread = |process: &GpuProcess| process.utilization == Reading::Unread;
    assert!(read(false).iter().all(unread));
    let all = read(true);
    let row = |pid| {
        all.iter()
            .find(|process| process.pid == pid)
            .expect("a row")
    };
    assert_eq!(row(4711).memory, Reading::Value(8 << 30));
    assert_eq!(row(4711).utilization, Reading::Value(600_000));
    assert_eq!(row(4712).memory, Reading::Unsupported);
    assert_eq!(row(4712).utilization, Reading::Value(0));
    assert_eq!(row(4713).kind, ProcessKind::Mps);
    // What the driver says of it cannot be.
    assert_eq!(row(4714).utilization, Reading::Value(0));
    // What was said last stands until it is asked for again.
    assert_eq!(read(false), all);
    rig.push("+0 0 process:4711=gone");
    rig.advance(ms(1_000));
    let all = read(true);
    assert!(all.iter().all(|process| process.pid != 4711), "{all:?}");
    rig.push("+0 0 process:4712=gone; +0 0 process:4713=gone; +0 0 process:4714=gone");
    assert_eq!(read(true), []);
}

#[test]
fn a_fan_that_is_not_there_is_asked_for_once() {
    // As an H100 without one says it, with driver 580.159.04.
    let mut rig = Rig::new("gpus = H100; 0 0 err:nvmlDeviceGetFanSpeed_v2=2");
    let mut device = rig.open(0);
    let mut readings = Readings::new();
    for _ in 0..3 {
        rig.read(&mut device, Tier::Second, &mut readings)
            .expect("it is there");
        assert_eq!(readings.get(Quantity::FanSpeed), Reading::Unsupported);
    }
    assert_eq!(rig.fake.calls("nvmlDeviceGetFanSpeed_v2", None), 1);
}

/// The calls by which one of a device's groups is read, when it is known what the device does not have, and what it says.
fn read_group(
    rig: &mut Rig,
    device: &mut Box<dyn GpuDevice>,
    name: &str,
) -> (Vec<&'static str>, Readings) {
    let group = device.groups().iter().find(|group| group.name() == name);
    let group = *group.expect("a group");
    rig.advance(ms(200));
    let (tell, told) = std::sync::mpsc::channel();
    let mut calls = Calls::told(move |name, edge| {
        if edge == CallEdge::Begins {
            tell.send(name).expect("heard");
        }
    });
    let mut readings = Readings::new();
    device
        .read_group(&group, &mut readings, &mut calls)
        .expect("it is there");
    (told.try_iter().collect(), readings)
}

#[test]
fn what_is_dear_is_read_apart_from_what_is_not() {
    let mut rig = Rig::new("gpus = H100; driver = 580.95.05");
    let mut device = rig.open(0);
    for _ in 0..2 {
        let mut readings = Readings::new();
        for tier in Tier::ALL {
            rig.read(&mut device, tier, &mut readings)
                .expect("it is there");
        }
        rig.advance(ms(200));
    }
    let fields = "nvmlDeviceGetFieldValues";
    let (sample, metrics) = ("nvmlGpmSampleGet", "nvmlGpmMetricsGet");
    let clock = "nvmlDeviceGetClockInfo";
    for (name, calls, says) in [
        (
            "fast",
            &[
                "nvmlDeviceGetUtilizationRates",
                "nvmlDeviceGetMemoryInfo_v2",
                fields,
                clock,
                clock,
                "nvmlDeviceGetCurrentClocksEventReasons",
            ][..],
            Quantity::Power,
        ),
        ("energy", &[fields], Quantity::Energy),
        ("throttle", &[fields], Quantity::ThrottleThermalHardware),
        ("pcie", &[fields], Quantity::PcieSent),
        ("pcie_errors", &[fields], Quantity::PcieReplays),
        ("counters", &[sample, metrics], Quantity::DramActive),
        (
            "margin",
            &["nvmlDeviceGetMarginTemperature"],
            Quantity::TemperatureMargin,
        ),
        (
            "process_time",
            &["nvmlDeviceGetProcessUtilization"],
            Quantity::FanSpeed,
        ),
    ] {
        let (made, readings) = read_group(&mut rig, &mut device, name);
        assert_eq!(made, calls, "{name}");
        let said = readings.value(says).is_some();
        assert_eq!(said, name != "process_time", "{name}");
        // And nothing of the others.
        let others = [
            Quantity::Energy,
            Quantity::EngineActive,
            Quantity::PowerAverage,
        ];
        for other in others.into_iter().filter(|other| *other != says) {
            assert_eq!(readings.get(other), Reading::Unread, "{name}: {other:?}");
        }
    }
    // The dear one of the counters has samples of its own where the last are old, and says all of them then.
    let (made, readings) = read_group(&mut rig, &mut device, "engine");
    assert_eq!(made, [sample, metrics]);
    assert!(readings.value(Quantity::EngineActive).is_some());
    assert!(readings.value(Quantity::DramActive).is_some());
    // Else it is of those two that the others were of.
    let mut calls = Calls::unwatched();
    let mut readings = Readings::new();
    let before = rig.fake.calls(sample, None);
    rig.advance(ms(200));
    for group in device.groups() {
        if ["counters", "engine"].contains(&group.name()) {
            device
                .read_group(group, &mut readings, &mut calls)
                .expect("it is there");
        }
    }
    assert_eq!(rig.fake.calls(sample, None), before + 1);
    assert!(readings.value(Quantity::EngineActive).is_some());
}

#[test]
fn groups_are_all_of_a_tier_and_each_has_a_name_of_its_own() {
    let mut rig = Rig::new("gpus = H100; 0 0 fan=30");
    let by_tier = rig.read_all(0);
    let mut device = rig.open(0);
    let groups = device.groups();
    let mut names: Vec<_> = groups.iter().map(|group| group.name()).collect();
    let mut readings = Readings::new();
    for _ in 0..2 {
        for group in groups {
            device
                .read_group(group, &mut readings, &mut Calls::unwatched())
                .expect("it is there");
        }
        rig.advance(ms(1_000));
    }
    for (quantity, reading) in by_tier.iter() {
        let both = [reading, readings.get(quantity)];
        let values = both.map(|reading| reading.value().is_some());
        assert_eq!(values[0], values[1], "{quantity:?}: {both:?}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), groups.len());
}
