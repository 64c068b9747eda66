//! What is shown, and what no longer is.

use crate::scripted::Script;
use crate::{Rig, builder, eventually, ms, quick};
use obs_core::metrics::{Data, Temporality};
use obs_core::semconv::{self, Stability};
use obs_gpu::metrics::{FURTHER, METRICS};
use obs_gpu::{LinkReading, Quantity, Reading, Throttle, Tier};

#[test]
fn everything_has_the_unit_and_the_kind_of_its_row() {
    let script = Script::of(1);
    script.device(0, |device| {
        for quantity in Quantity::ALL {
            device.values.insert(*quantity, Reading::Value(1));
        }
        let mut link = LinkReading::new(3);
        link.up = Some(true);
        link.speed = Reading::Value(25_000_000_000);
        link.sent = Reading::Value(10);
        link.received = Reading::Value(20);
        link.replays = Reading::Value(1);
        link.recoveries = Reading::Value(0);
        link.crc_errors = Reading::Unsupported;
        device.links.push(link);
    });
    let rig = Rig::with(script, quick());
    let gpu = rig.gpu(0);
    eventually("read", || {
        gpu.read_at(Quantity::EccCorrected).is_some() && !gpu.links().is_empty()
    });
    let shown = rig.shown();
    for row in METRICS {
        let labels: Vec<_> = row
            .attributes
            .iter()
            .map(|(key, value)| (key.as_str(), *value))
            .collect();
        let value = shown
            .value(row.name, &labels)
            .unwrap_or_else(|| panic!("no {}", row.name));
        let one = if row.whole {
            1.0
        } else {
            row.quantity.unit().in_metrics(1)
        };
        assert_eq!(value, one, "{} {labels:?}", row.name);
        let metric = shown.metric(row.name).expect("shown");
        assert_eq!(metric.unit, row.unit, "{}", row.name);
        let kind = match &metric.data {
            Data::Gauge { .. } => "gauge",
            Data::Sum {
                monotonic: true, ..
            } => "counter",
            Data::Sum { .. } => "updowncounter",
            _ => "histogram",
        };
        assert_eq!(kind, row.shape.as_str(), "{}", row.name);
        // A unit that a row says is the quantity's.
        if !matches!(
            row.unit,
            "{error}" | "{row}" | "{page}" | "{lane}" | "{bank}"
        ) {
            assert_eq!(row.unit, row.quantity.unit().ucum(), "{}", row.name);
        }
    }
    let (link, receive) = (("obs.gpu.link", "3"), ("network.io.direction", "receive"));
    assert_eq!(shown.value("obs.gpu.link.io", &[link, receive]), Some(20.0));
    assert_eq!(shown.value("obs.gpu.link.up", &[link]), Some(1.0));
    assert_eq!(shown.value("obs.gpu.link.speed", &[link]), Some(25e9));
    let replays = [link, ("error.type", "nvlink_replay"), ("hw.type", "gpu")];
    assert_eq!(shown.value("hw.errors", &replays), Some(1.0));
    let crc = [link, ("error.type", "nvlink_crc")];
    assert_eq!(shown.value("hw.errors", &crc), None);
}

#[test]
fn every_quantity_is_shown_once_and_every_name_is_in_the_vocabulary() {
    for quantity in Quantity::ALL {
        let rows = METRICS
            .iter()
            .filter(|row| row.quantity == *quantity)
            .count();
        // Its bits are one series each.
        let expect = usize::from(*quantity != Quantity::ThrottleReasons);
        assert_eq!(rows, expect, "{quantity:?}");
    }
    let names = METRICS
        .iter()
        .map(|row| row.name)
        .chain(FURTHER.iter().map(|row| row.name));
    for name in names {
        let expect = if name.starts_with("hw.") {
            Stability::Development
        } else {
            Stability::Ours
        };
        assert_eq!(semconv::stability(name), Some(expect), "{name}");
    }
}

#[test]
fn the_values_are_those_of_the_device() {
    let rig = Rig::of(1);
    rig.read(0);
    let shown = rig.shown();
    let id = ("hw.id", "GPU-00000000");
    let model = ("hw.model", "NVIDIA H100 80GB HBM3");
    let driver = ("hw.driver_version", "580.95.05");
    let general = ("hw.gpu.task", "general");
    let utilization = [
        id,
        model,
        driver,
        general,
        ("hw.vendor", "NVIDIA"),
        ("hw.name", "GPU 0"),
    ];
    assert_eq!(shown.value("hw.gpu.utilization", &utilization), Some(0.37));
    assert_eq!(
        shown.value("hw.gpu.memory.utilization", &[id, model]),
        Some(0.25)
    );
    assert_eq!(
        shown.value("hw.power", &[id, ("hw.type", "gpu")]),
        Some(412.5)
    );
    assert_eq!(
        shown.value("hw.energy", &[id, ("hw.type", "gpu")]),
        Some(1.0)
    );
    assert_eq!(
        shown.value("hw.temperature", &[id, ("hw.sensor_location", "gpu")]),
        Some(54.0)
    );
    assert_eq!(
        shown.value("hw.errors", &[id, ("error.type", "corrected")]),
        Some(3.0)
    );
    let throttled =
        |reason| shown.value("obs.gpu.throttled", &[("obs.gpu.throttle.reason", reason)]);
    assert_eq!(
        (throttled("power"), throttled("thermal_hardware")),
        (Some(1.0), Some(0.0))
    );
    // A bit that has no name yet.
    assert_eq!(throttled("other"), Some(1.0));
    assert_eq!(
        shown.points("obs.gpu.throttled").len(),
        Throttle::NAMED.len() + 1
    );
    // What it does not have.
    assert_eq!(shown.points("hw.fan.speed_ratio"), []);
    assert_eq!(
        shown.value("obs.gpu.processes", &[("obs.gpu.process.kind", "compute")]),
        Some(1.0)
    );
    let names = || {
        let shown = rig.shown();
        let calls = shown.metric("obs.gpu.call.duration");
        let Some(Data::Histogram { points, .. }) = calls.map(|metric| &metric.data) else {
            panic!("{calls:?}")
        };
        let name = |attributes: &obs_core::metrics::PointAttributes| {
            attributes[0].1.to_text().into_owned()
        };
        points
            .iter()
            .map(|point| name(&point.attributes))
            .collect::<Vec<_>>()
    };
    for name in ["list", "open", "fast", "second", "slow", "register"] {
        eventually(name, || names().iter().any(|known| known == name));
    }
    // One that waits is as long as it may be.
    assert!(!names().iter().any(|known| known == "wait"));
}

#[test]
fn what_is_too_old_is_left_out_and_its_age_is_told() {
    let rig = Rig::of(1);
    let gpu = rig.read(0);
    let settings = quick();
    // Three periods and the deadline.
    assert_eq!(
        Tier::ALL.map(|tier| settings.too_old(tier)),
        [ms(30 + 150), ms(60 + 150), ms(120 + 150)]
    );
    rig.script.device(0, |device| device.stalls = true);
    eventually("late", || rig.told.has("not answering 0"));
    std::thread::sleep(settings.too_old(Tier::Slow));
    let shown = rig.shown();
    for name in [
        "hw.power",
        "hw.temperature",
        "hw.energy",
        "obs.gpu.processes",
        "obs.gpu.throttled",
    ] {
        assert_eq!(shown.points(name), [], "{name}");
    }
    assert!(
        shown
            .value("hw.errors", &[("error.type", "corrected")])
            .is_none()
    );
    let age = shown.value("obs.gpu.sample.age", &[("obs.gpu.tier", "fast")]);
    let least = settings.too_old(Tier::Slow).as_secs_f64();
    assert!(age > Some(least), "{age:?}");
    assert_eq!(shown.value("obs.gpu.devices", &[]), Some(1.0));
    // It is told to whoever holds the device, with its moment.
    let sample = gpu.sample().expect("the last one");
    assert!(
        rig.telemetry
            .between(sample.at(), rig.telemetry.now())
            .as_secs_f64()
            > least
    );
}

#[test]
fn no_scrape_asks_the_driver() {
    let settings = quick()
        .with_period(Tier::Fast, ms(60_000))
        .with_period(Tier::Second, ms(60_000))
        .with_discovery(ms(60_000), ms(60_000));
    let rig = Rig::with(Script::of(1), settings.with_period(Tier::Slow, ms(60_000)));
    rig.read(0);
    let done = || {
        let of_device =
            |device: &mut crate::scripted::Device| (device.reads, device.opened, device.registered);
        (rig.script.device(0, of_device), rig.script.world().searches)
    };
    eventually("registered", || done().0.2 == 1);
    let before = done();
    assert_eq!(before, (([1; 3], 1, 1), 1));
    for _ in 0..20 {
        assert!(rig.telemetry.prometheus().contains("hw_power_watts{"));
        assert_eq!(rig.shown().value("hw.power", &[]), Some(412.5));
    }
    assert_eq!(done(), before);
}

#[test]
fn a_reader_of_deltas_gets_what_was_added() {
    let rig = Rig::of(1);
    let gpu = rig.gpu(0);
    let reader = rig.telemetry.reader(Temporality::Delta);
    let delta = || crate::Shown(reader.collect()).value("hw.energy", &[]);
    eventually("read", || {
        gpu.readings().value(Quantity::Energy) == Some(1_000)
    });
    delta();
    rig.script.set(0, Quantity::Energy, Reading::Value(4_000));
    eventually("read", || {
        gpu.readings().value(Quantity::Energy) == Some(4_000)
    });
    assert_eq!(delta(), Some(3.0));
}

#[test]
fn what_was_shown_is_taken_back_with_the_monitor() {
    let telemetry = builder().build().expect("usable");
    let script = Script::of(1);
    let rig = Rig::on(telemetry, script, quick());
    eventually("shown", || !rig.shown().points("hw.power").is_empty());
    let Rig { ref script, .. } = rig;
    let other = obs_gpu::GpuMonitor::new(&telemetry, script.clone(), quick()).expect("threads");
    eventually("read", || {
        other
            .gpus()
            .first()
            .is_some_and(|gpu| gpu.sample().is_some())
    });
    let gpu = other.gpus().remove(0);
    drop(other);
    eventually("taken back", || rig.shown().points("hw.power").len() == 1);
    let last = gpu.sample().map(|sample| sample.at());
    assert!(last.is_some());
}

#[test]
fn the_ring_has_what_was_and_the_rate_of_nvlink_is_of_the_last_second() {
    let rig = Rig::of(1);
    let gpu = rig.gpu(0);
    let began = rig.telemetry.now();
    for step in 1..40_i64 {
        rig.script
            .set(0, Quantity::NvlinkSent, Reading::Value(step << 20));
        std::thread::sleep(ms(5));
    }
    eventually("rated", || {
        gpu.sample()
            .is_some_and(|sample| sample.nvlink_rate().is_some())
    });
    let (mut many, mut last) = (0, None);
    gpu.history(began, rig.telemetry.now(), |sample| {
        assert!(last.replace(sample.at()) < Some(sample.at()));
        assert_eq!(
            (sample.utilization(), sample.power()),
            (Some(370_000), Some(412_500))
        );
        assert_eq!(sample.dram_active().unwrap_or(250_000), 250_000);
        many += 1;
    });
    assert!(many > 3, "{many}");
    assert_eq!(gpu.sample().expect("one").sm_clock_ratio(), Some(500_000));
    assert!(gpu.history_bytes() <= 160_000);
}

#[test]
fn links_are_shown_one_by_one_unless_nobody_wants_that() {
    let script = Script::of(1);
    script.device(0, |device| {
        let mut link = LinkReading::new(0);
        link.sent = Reading::Value(10);
        device.links.push(link);
    });
    let rig = Rig::with(script.clone(), quick());
    let gpu = rig.read(0);
    eventually("links", || !gpu.links().is_empty());
    eventually("shown", || {
        !rig.shown().points("obs.gpu.link.io").is_empty()
    });
    let rig = Rig::with(script, quick().with_links(false));
    let gpu = rig.read(0);
    eventually("links", || !gpu.links().is_empty());
    let shown = rig.shown();
    assert!(shown.points("obs.gpu.link.io").is_empty());
    assert!(!shown.points("obs.gpu.nvlink.io").is_empty());
}
