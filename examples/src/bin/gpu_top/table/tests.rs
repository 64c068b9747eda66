use super::*;
use obs_core::Telemetry;
use obs_gpu::{DeviceId, Event, GpuHealth, HealthSettings, Reading};

/// One that says these.
fn device(readings: &[(Quantity, i64)]) -> Device {
    let telemetry = Telemetry::builder().manual().build().expect("built");
    let id = DeviceId::new("GPU-1");
    let mut info = DeviceInfo::new(id.clone(), 3, "NVIDIA");
    info.model = Some("NVIDIA H200".to_owned());
    let mut known = Readings::new();
    for (quantity, value) in readings {
        known.set(*quantity, Reading::Value(*value));
    }
    Device {
        info: Arc::new(info),
        state: GpuState::Answering,
        readings: known,
        health: GpuHealth::new(&telemetry, HealthSettings::new()).report(&id),
        since: Duration::from_secs(7),
        gate: GateState::Serving,
        memory: BTreeMap::new(),
    }
}

#[track_caller]
fn check(device: &Device, expect: [&str; COLUMNS.len()]) {
    assert_eq!(device.row(), expect);
}

#[test]
fn numbers_are_shown_in_the_units_that_people_read() {
    let device = device(&[
        (Quantity::Utilization, 850_000),
        (Quantity::DramActive, 554_000),
        (Quantity::MemoryUsed, 100 << 30),
        (Quantity::MemoryTotal, 150_754_820_096),
        (Quantity::Power, 540_400),
        (Quantity::PowerLimit, 700_000),
        (Quantity::Temperature, 50_000),
        (Quantity::MemoryTemperature, 42_000),
        (Quantity::SmClock, 1_980_000_000),
        (Quantity::ThrottleReasons, 0),
    ]);
    #[rustfmt::skip]
    check(&device, ["3", "H200", "85%", "55%", "100.0/140.4", "540/700", "50/42", "1980", "nothing", "ok", "serving", "-"]);
}

#[test]
fn what_is_absent_is_no_zero() {
    #[rustfmt::skip]
    check(&device(&[]), ["3", "H200", "-", "-", "-", "-", "-", "-", "-", "ok", "serving", "-"]);
    let some = device(&[
        (Quantity::Utilization, 0),
        (Quantity::MemoryTotal, 1 << 30),
        (Quantity::Temperature, 31_000),
    ]);
    #[rustfmt::skip]
    check(&some, ["3", "H200", "0%", "-", "-/1.0", "-", "31/-", "-", "-", "ok", "serving", "-"]);
}

#[test]
fn reasons_have_names_and_idleness_is_none() {
    let throttled =
        |bits: u64| device(&[(Quantity::ThrottleReasons, bits as i64)]).row()[8].clone();
    assert_eq!(throttled(0x1), "nothing");
    assert_eq!(throttled(0x1 | 0x4 | 0x40), "power,thermal_hardware");
    // One that only a later driver knows.
    assert_eq!(throttled(0x8000_0000), "other");
}

#[test]
fn users_are_named_by_what_is_known_of_them_the_greatest_first() {
    let claim = |model: Option<&str>, task: Option<&str>| Owner::Claim {
        model: model.map(Into::into),
        task: task.map(Into::into),
    };
    let mut device = device(&[]);
    device.memory = BTreeMap::from([
        (claim(Some("llama"), Some("chat")), 2 << 30),
        (Owner::Unattributed, 3 << 30),
        (Owner::Idle, 9 << 30),
        (claim(Some("gone"), None), 0),
    ]);
    assert_eq!(device.users(), "unattributed 3.0 GiB, llama/chat 2.0 GiB");
    device.memory.insert(claim(None, Some("embed")), 4 << 30);
    assert_eq!(
        device.users(),
        "embed 4.0 GiB, unattributed 3.0 GiB, 1 more"
    );
    device.memory = BTreeMap::from([(claim(None, None), 1 << 30)]);
    assert_eq!(device.users(), "claim 1.0 GiB");
}

#[test]
fn why_one_is_not_well_stands_below_the_table() {
    let telemetry = Telemetry::builder().manual().build().expect("built");
    let health = GpuHealth::new(&telemetry, HealthSettings::new());
    let mut ill = device(&[]);
    let id = ill.info.id.clone();
    let event = Event::Xid {
        code: 79,
        gpu_instance: None,
    };
    health.event(&id, event, telemetry.now());
    ill.health = health.report(&id);
    ill.gate = health.gate(&id).state();
    ill.state = GpuState::Lost { code: 15 };
    let lines = lines(&[device(&[]), ill]);
    assert_eq!(lines.len(), 4, "a head, two devices, one reason: {lines:?}");
    assert!(lines[2].contains("failed  isolated"), "{lines:?}");
    assert!(
        lines[3].starts_with("GPU 3: failed for 7 s: XID 79 "),
        "{lines:?}"
    );
    assert!(lines[3].ends_with("; it is gone (code 15)"), "{lines:?}");
}

#[test]
fn columns_stand_below_one_another() {
    let mut wide = device(&[(Quantity::Utilization, 1_000_000)]);
    Arc::make_mut(&mut wide.info).model = Some("NVIDIA H100 80GB HBM3 (simulated)".to_owned());
    let lines = lines(&[device(&[(Quantity::Utilization, 10_000)]), wide]);
    // Right of a column of numbers, left of one of words. Columns are of characters: a degree has two bytes.
    let start = |line: &str, word: &str| {
        let at = line.find(word).expect("it is there");
        line[..at].chars().count()
    };
    let end = |line: &str, word: &str| start(line, word) + word.len();
    assert_eq!(end(&lines[0], "util"), end(&lines[1], "1%"));
    assert_eq!(end(&lines[0], "util"), end(&lines[2], "100%"));
    assert_eq!(start(&lines[0], "health"), start(&lines[1], "ok"));
    assert_eq!(start(&lines[1], "ok"), start(&lines[2], "ok"));
}

#[test]
fn a_host_and_a_fabric_that_say_nothing_are_not_at_rest() {
    assert_eq!(host(None), "host: -");
    let window = HostWindow {
        cpu: Some(0.034),
        ..HostWindow::default()
    };
    assert_eq!(
        host(Some(window)),
        "host: waited for a CPU 3%, not allowed to run -, waited for memory -, for disks -"
    );
    assert_eq!(fabric(None), "fabric: -");
    let window = FabricWindow {
        links_down: 1,
        ..FabricWindow::default()
    };
    assert_eq!(
        fabric(Some(window)),
        "fabric: 1 links down, - packets sent again in a second"
    );
}
