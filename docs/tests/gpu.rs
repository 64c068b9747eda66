//! The page about GPUs is what the tables say, and what the devices of the fake library do.
#![cfg(target_os = "linux")]

use obs_core::semconv::stability;
use obs_core::setup::environment::Environment;
use obs_core::{Clock, ManualClock, Telemetry};
use obs_docs::page::{is_up_to_date, root};
use obs_gpu::metrics::{FURTHER, METRICS};
use obs_gpu::{Calls, GpuSource, NvmlSource, Quantity, Readings, Tier};
use obs_gpu_fake::Fake;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::time::Duration;

const HEAD: &str = "\
<!-- Written by `OBS_WRITE=1 cargo test -p obs-docs --test gpu`, which fails where this is stale. -->
# GPUs

What `obs_gpu` shows of GPUs. This page is written from the table that the program makes its metrics by
(`obs_gpu::metrics::METRICS`), and from what it reads of the devices of `obs-gpu-fake`.

- Nothing here is read when somebody asks: threads read each device at its period, and everybody is shown what was read last.
- What a device does not have is absent, and never zero. So is what failed, and what is older than three of its periods and
  the deadline: then `obs.gpu.sample.age` says how old it is, and nothing repeats it as if it were new.
- A total counts since the driver was loaded; what was before the first reading is not known, and its start says so. After a reset it
  begins anew, with another start. Counters of PCIe's bytes may wrap in the driver: that is shown as a beginning, too.
- Attributes of all: `hw.id`, the UUID; `hw.name`, by the place in the driver's list; `hw.parent` for a part of a device (MIG), which
  is a device with what it has of its own. Metrics that begin with `hw.gpu.` have `hw.model`, `hw.vendor`, `hw.driver_version`
  and `hw.serial_number` as well.
- No metric has a process or a model as an attribute here.

";

/// What dcgm-exporter shows unless it is told otherwise (`etc/default-counters.csv`, 4.5.3-4.8.2), without what it shows as labels.
const DEFAULTS: &[&str] = &[
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_MEM_CLOCK",
    "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_MEM_COPY_UTIL",
    "DCGM_FI_DEV_ENC_UTIL",
    "DCGM_FI_DEV_DEC_UTIL",
    "DCGM_FI_DEV_XID_ERRORS",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_RESERVED",
    "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
    "DCGM_FI_DEV_VGPU_LICENSE_STATUS",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_PROF_DRAM_ACTIVE",
    "DCGM_FI_PROF_PCIE_TX_BYTES",
    "DCGM_FI_PROF_PCIE_RX_BYTES",
];

/// What there is instead of a metric of theirs that none of ours is.
const INSTEAD: &[(&str, &str)] = &[
    (
        "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
        "`rate()` of `obs.gpu.nvlink.io`, which tells both ways apart",
    ),
    (
        "DCGM_FI_DEV_XID_ERRORS",
        "`hw.errors` with `error.type` `xid_N`: each code is counted, where theirs is the last code; `obs.gpu.error.time` says when",
    ),
    (
        "DCGM_FI_PROF_PCIE_TX_BYTES",
        "`rate()` of `hw.gpu.io` with `network.io.direction` `transmit`: theirs is bytes per second",
    ),
    (
        "DCGM_FI_PROF_PCIE_RX_BYTES",
        "`rate()` of `hw.gpu.io` with `network.io.direction` `receive`",
    ),
    (
        "DCGM_FI_PROF_NVLINK_TX_BYTES, DCGM_FI_PROF_NVLINK_RX_BYTES",
        "`rate()` of `obs.gpu.nvlink.io`",
    ),
    (
        "DCGM_FI_DEV_VGPU_LICENSE_STATUS",
        "nothing: licences of virtual GPUs are not watched",
    ),
    (
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
        "`obs.gpu.throttled`, a series for each bit",
    ),
    (
        "DCGM_FI_DEV_NVLINK_BANDWIDTH_L0 and so on",
        "`rate()` of `obs.gpu.link.io`",
    ),
    (
        "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL and its like",
        "`sum()` of `hw.errors` with `error.type` `nvlink_replay`, `nvlink_recovery`, `nvlink_crc`",
    ),
    ("DCGM_FI_DRIVER_VERSION (a label)", "`hw.driver_version`"),
];

const PROFILES: [&str; 5] = ["A100", "L40S", "H100", "H200", "B200"];

/// The library on a clock that is moved here, and who reads it.
struct Rig {
    fake: Fake,
    source: NvmlSource,
    clock: ManualClock,
    telemetry: Telemetry,
}

impl Rig {
    fn new(script: &str) -> Self {
        let fake = Fake::start(&format!("clock = virtual; driver = 580.95.05; {script}"))
            .expect("a script");
        let clock = ManualClock::new();
        let builder = Telemetry::builder().with_environment(Environment::from_fn(|_| None));
        let builder = builder.manual().with_clock(Clock::manual(&clock));
        let telemetry = builder.build().expect("usable");
        let source = NvmlSource::with_library(&telemetry, fake.library());
        Self {
            fake,
            source,
            clock,
            telemetry,
        }
    }

    fn advance(&self, by: Duration) {
        self.fake.advance(by);
        self.clock.advance(by);
    }

    /// What each device has, after all of it was read twice.
    fn readings(&self) -> Vec<Readings> {
        let mut calls = Calls::unwatched();
        let infos = self.source.devices(&mut calls).expect("a driver");
        let mut devices: Vec<_> = infos
            .iter()
            .map(|info| self.source.open(&info.id, &mut calls).expect("a device"))
            .map(|device| (device, Readings::new()))
            .collect();
        for _ in 0..2 {
            for (device, readings) in &mut devices {
                for tier in Tier::ALL {
                    device
                        .read(tier, readings, &mut calls)
                        .expect("it is there");
                }
            }
            self.advance(Duration::from_secs(1));
        }
        devices.into_iter().map(|(_, readings)| readings).collect()
    }
}

/// Which profile has which quantity.
fn supports() -> BTreeMap<Quantity, Vec<bool>> {
    let rig = Rig::new(&format!("gpus = {}", PROFILES.join(" ")));
    let all = rig.readings();
    let of = |quantity: Quantity| {
        all.iter()
            .map(|readings| readings.value(quantity).is_some())
            .collect()
    };
    Quantity::ALL
        .iter()
        .map(|quantity| (*quantity, of(*quantity)))
        .collect()
}

/// Calls that one reading of a tier makes, when it is known what the device does not have.
fn cost() -> Vec<(Tier, Vec<u64>, u64)> {
    let names = [
        "nvmlDeviceGetFieldValues",
        "nvmlGpmSampleGet",
        "nvmlGpmMetricsGet",
    ];
    Tier::ALL
        .into_iter()
        .map(|tier| {
            let rig = Rig::new("gpus = H100");
            let mut calls = Calls::unwatched();
            let id = rig
                .source
                .devices(&mut calls)
                .expect("a driver")
                .remove(0)
                .id;
            let mut device = rig.source.open(&id, &mut calls).expect("a device");
            let mut readings = Readings::new();
            let mut made = (Vec::new(), 0);
            for _ in 0..4 {
                let count = |rig: &Rig| {
                    let named = names.map(|name| rig.fake.calls(name, None));
                    (named, rig.fake.calls("*", None))
                };
                let (named, all) = count(&rig);
                device
                    .read(tier, &mut readings, &mut calls)
                    .expect("it is there");
                if tier == Tier::Slow {
                    device
                        .processes(&mut Vec::new(), &mut calls)
                        .expect("it says so");
                }
                let (after, total) = count(&rig);
                let added = after
                    .iter()
                    .zip(named)
                    .map(|(after, before)| after - before);
                made = (added.collect(), total - all);
                rig.advance(Duration::from_secs(1));
            }
            (tier, made.0, made.1)
        })
        .collect()
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Fast => "250 ms",
        Tier::Second => "1 s",
        Tier::Slow => "10 s",
    }
}

fn convention(name: &str) -> &'static str {
    stability(name).expect("a name of the vocabulary").as_str()
}

fn render() -> String {
    let mut page = HEAD.to_owned();
    let supports = supports();
    page.push_str("## Read of each device\n\n");
    let _ = writeln!(
        page,
        "Support is that of the profiles in `obs-gpu-fake/profiles`, which say where their numbers come from; *convention* is how far the \
         name can be relied on. Periods are what they are unless set otherwise.\n"
    );
    let _ = writeln!(
        page,
        "| metric | kind | unit | attributes | read by | every | {} | convention |",
        PROFILES.join(" | ")
    );
    let _ = writeln!(
        page,
        "|---|---|---|---|---|---|{}---|",
        "---|".repeat(PROFILES.len())
    );
    for row in METRICS {
        let attributes: Vec<_> = { row.attributes.iter() }
            .map(|(key, value)| format!("`{}` `{value}`", key.as_str()))
            .collect();
        let has = supports[&row.quantity]
            .iter()
            .map(|has| if *has { "●" } else { "–" });
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {} | {} | {} | {} | {} |",
            row.name,
            row.shape.as_str(),
            row.unit,
            attributes.join(", "),
            row.read_by,
            tier(row.quantity.tier()),
            has.collect::<Vec<_>>().join(" | "),
            convention(row.name),
        );
    }
    page.push_str("\n## Made of more than that\n\n");
    page.push_str("| metric | kind | unit | attributes | what it says | made of | convention |\n|---|---|---|---|---|---|---|\n");
    for row in FURTHER {
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {} | {} | {} | {} |",
            row.name,
            row.shape.as_str(),
            row.unit,
            row.attributes,
            row.description,
            row.made_of,
            convention(row.name),
        );
    }
    page.push_str(CALLS);
    costs(&mut page);
    dcgm(&mut page);
    page
}

const CALLS: &str = "
The calls themselves are counted: `obs.gpu.call.duration` (histogram, `s`, `obs.gpu.call`), `obs.gpu.calls.late` (counter, `obs.gpu.call`:
those that were not back at the deadline), `obs.gpu.sweeps.missed` (counter, `hw.id`: turns of the fast tier that the one before took).
";

fn costs(page: &mut String) {
    page.push_str(
        "\n## What reading costs\n\nCalls of the driver's for one H100 with 18 links, once it is known what it does not have. A batch asks for up to 64 field \
         values. `nvmlDeviceGetPcieThroughput`, which takes 20 ms each way, is never called. How long calls take depends on driver and \
         device: `obs.gpu.call.duration` tells.\n\n| every | calls | of these batches of field values | counters (GPM) |\n|---|---|---|---|\n",
    );
    for (of, named, all) in cost() {
        let _ = writeln!(
            page,
            "| {} | {all} | {} | {} |",
            tier(of),
            named[0],
            named[1] + named[2]
        );
    }
}

fn dcgm(page: &mut String) {
    page.push_str(
        "\n## From dcgm-exporter\n\nTo have ours, theirs is multiplied. What is in *italics* it shows unless it is told otherwise.\n\n| theirs | times | ours | attributes |\n|---|---|---|---|\n",
    );
    let shown = |name: &str| match DEFAULTS.contains(&name) {
        true => format!("*{name}*"),
        false => name.to_owned(),
    };
    for row in METRICS {
        let Some((name, one)) = row.dcgm else {
            continue;
        };
        let times = match one {
            1.0 => "1".to_owned(),
            1_048_576.0 => "1 048 576".to_owned(),
            1e6 => "10⁶".to_owned(),
            1e-9 => "10⁻⁹".to_owned(),
            one => one.to_string(),
        };
        let attributes: Vec<_> = { row.attributes.iter() }
            .map(|(key, value)| format!("`{}` `{value}`", key.as_str()))
            .collect();
        let _ = writeln!(
            page,
            "| {} | {times} | `{}` | {} |",
            shown(name),
            row.name,
            attributes.join(", ")
        );
    }
    page.push_str("\n| theirs | instead |\n|---|---|\n");
    for (name, instead) in INSTEAD {
        let _ = writeln!(page, "| {} | {instead} |", shown(name));
    }
}

#[test]
fn the_page_is_what_the_tables_say() {
    let path = root().join("gpu.md");
    let is = fs::read_to_string(&path).unwrap_or_default();
    is_up_to_date(&path, &is, &render());
}

#[test]
fn whatever_dcgm_exporter_shows_by_default_is_accounted_for() {
    let ours: BTreeSet<_> = METRICS
        .iter()
        .filter_map(|row| row.dcgm)
        .map(|(name, _)| name)
        .collect();
    for name in DEFAULTS {
        let instead = INSTEAD.iter().any(|(theirs, _)| theirs == name);
        assert!(ours.contains(name) != instead, "{name}");
    }
}

/// Units and kinds are the conventions', and each point of a metric of theirs has what they require.
#[test]
fn metrics_of_the_conventions_are_as_they_want_them() {
    let facts = fs::read_to_string(root().join("conventions.tsv")).expect("it is checked in");
    let rows: Vec<Vec<&str>> = facts
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let mut compared = 0;
    let all = METRICS
        .iter()
        .map(|row| (row.name, row.unit, row.shape.as_str()));
    let all = all.chain(
        FURTHER
            .iter()
            .map(|row| (row.name, row.unit, row.shape.as_str())),
    );
    for (name, unit, shape) in all.filter(|(name, ..)| name.starts_with("hw.")) {
        let fact = rows.iter().find(|row| row[0] == "metric" && row[1] == name);
        let fact = fact.unwrap_or_else(|| panic!("{name} is no convention"));
        assert_eq!((fact[3], fact[4]), (shape, unit), "{name}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");

    let rig = Rig::new("gpus = H100 A100; 0 * fan=30");
    let monitor = obs_gpu::GpuMonitor::new(
        &rig.telemetry,
        NvmlSource::with_library(&rig.telemetry, rig.fake.library()),
        obs_gpu::GpuSettings::new(),
    );
    let _monitor = monitor.expect("no threads are needed");
    let reader = rig
        .telemetry
        .reader(obs_core::metrics::Temporality::Cumulative);
    reader.collect();
    rig.advance(Duration::from_secs(1));
    let mut seen = BTreeSet::new();
    for metric in reader
        .collect()
        .iter()
        .filter(|metric| metric.name.starts_with("hw."))
    {
        let required = rows
            .iter()
            .filter(|row| row[0] == "requirement" && row[1] == metric.name && row[3] == "required");
        let (obs_core::metrics::Data::Sum { points, .. }
        | obs_core::metrics::Data::Gauge { points }) = &metric.data
        else {
            panic!("{} is a histogram", metric.name)
        };
        for attribute in required.map(|row| row[2]) {
            for point in points {
                let has = point.attributes.iter().any(|(key, _)| key == attribute);
                assert!(has, "{} without {attribute}: {point:?}", metric.name);
            }
        }
        seen.insert(metric.name.to_string());
    }
    // All of them but what GPUs of this kind do not have.
    let names: BTreeSet<_> = METRICS
        .iter()
        .map(|row| row.name)
        .filter(|name| name.starts_with("hw."))
        .collect();
    let missing: Vec<_> = names.iter().filter(|name| !seen.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
