//! The page about GPUs is what the tables say, and what the devices of the fake library do.
#![cfg(target_os = "linux")]

use obs_core::semconv::stability;
use obs_core::setup::environment::Environment;
use obs_core::{Clock, ManualClock, Telemetry};
use obs_docs::page::{is_up_to_date, root};
use obs_gpu::metrics::{FURTHER, METRICS};
use obs_gpu::{
    Calls, GpuSettings, GpuSource, NvmlSource, Pace, Quantity, ReadGroup, Reading, Readings, Tier,
};
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
- Reading has a budget: half a percent of one core in calls of the driver's, over all devices, unless it is said otherwise
  (`GpuSettings::with_budget`, `without_budget`). What is dear is read less often than its period where it must be:
  `obs.gpu.read.interval` says how often ([what reading costs](#what-reading-costs)).
- What a device does not have is absent, and never zero. So is what failed, and what is older than three of the intervals at which it is
  read now and the deadline: then `obs.gpu.sample.age` says how old it is, and nothing repeats it as if it were new.
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

/// What is read together.
struct Group {
    group: ReadGroup,
    /// Calls that reading it makes, when it is known what the device does not have: of field values, for counters, and all.
    calls: [u64; 3],
    says: BTreeSet<Quantity>,
}

/// The groups of one H100 with 18 links.
fn groups() -> Vec<Group> {
    let rig = Rig::new("gpus = H100");
    let mut calls = Calls::unwatched();
    let mut infos = rig.source.devices(&mut calls).expect("a driver");
    let id = infos.remove(0).id;
    let mut device = rig.source.open(&id, &mut calls).expect("a device");
    let groups = device.groups().iter();
    let mut groups: Vec<Group> = groups
        .map(|group| Group {
            group: *group,
            calls: [0; 3],
            says: BTreeSet::new(),
        })
        .collect();
    let count = || {
        let counters = ["nvmlGpmSampleGet", "nvmlGpmMetricsGet"];
        let counters: u64 = counters.map(|name| rig.fake.calls(name, None)).iter().sum();
        let fields = rig.fake.calls("nvmlDeviceGetFieldValues", None);
        [fields, counters, rig.fake.calls("*", None)]
    };
    let mut known = BTreeSet::new();
    for _ in 0..4 {
        for of in &mut groups {
            let (before, mut readings) = (count(), Readings::new());
            device
                .read_group(&of.group, &mut readings, &mut calls)
                .expect("it is there");
            if of.group.name() == "slow" {
                device
                    .processes(&mut Vec::new(), &mut calls)
                    .expect("it says so");
            }
            let after = count();
            of.calls = std::array::from_fn(|at| after[at] - before[at]);
            let said = readings.iter();
            let said = said.filter(|(_, reading)| *reading != Reading::Unread);
            // What several say is the first one's.
            let new = said.filter(|(quantity, _)| known.insert(*quantity));
            of.says.extend(new.map(|(quantity, _)| quantity));
        }
        rig.advance(Duration::from_secs(1));
    }
    groups
}

/// Its name; what a budget stretches in italics.
fn named(group: &ReadGroup) -> String {
    match group.pace() {
        Pace::Stretches => format!("*{}*", group.name()),
        Pace::Keeps | Pace::Constant => group.name().to_owned(),
    }
}

fn period(every: Duration) -> String {
    match every.as_secs_f64() {
        seconds @ ..0.95 => format!("{:.0} ms", seconds * 1e3),
        seconds @ ..9.95 => format!("{} s", (seconds * 10.0).round() / 10.0),
        seconds => format!("{seconds:.0} s"),
    }
}

fn convention(name: &str) -> &'static str {
    stability(name).expect("a name of the vocabulary").as_str()
}

fn render() -> String {
    let mut page = HEAD.to_owned();
    let (supports, groups) = (supports(), groups());
    page.push_str("## Read of each device\n\n");
    let _ = writeln!(
        page,
        "Support is that of the profiles in `obs-gpu-fake/profiles`, which say where their numbers come from; *convention* is how far the \
         name can be relied on. Periods are what they are unless set otherwise; what is read with *groups in italics* is read less often where \
         the budget makes it.\n"
    );
    let _ = writeln!(
        page,
        "| metric | kind | unit | attributes | read by | with | every | {} | convention |",
        PROFILES.join(" | ")
    );
    let _ = writeln!(
        page,
        "|---|---|---|---|---|---|---|{}---|",
        "---|".repeat(PROFILES.len())
    );
    for row in METRICS {
        let attributes: Vec<_> = { row.attributes.iter() }
            .map(|(key, value)| format!("`{}` `{value}`", key.as_str()))
            .collect();
        let has = supports[&row.quantity]
            .iter()
            .map(|has| if *has { "●" } else { "–" });
        let with = groups.iter().find(|of| of.says.contains(&row.quantity));
        let with = with.expect("some group says it").group;
        let every = GpuSettings::new().without_budget();
        let every = every.intervals(&[(with, Duration::ZERO)], 1)[0];
        let _ = writeln!(
            page,
            "| `{}` | {} | `{}` | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.shape.as_str(),
            row.unit,
            attributes.join(", "),
            row.read_by,
            named(&with),
            period(every),
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
    costs(&mut page, &groups);
    dcgm(&mut page);
    page
}

const CALLS: &str = "
The calls themselves are counted: `obs.gpu.call.duration` (histogram, `s`, `obs.gpu.call`), `obs.gpu.calls.late` (counter, `obs.gpu.call`:
those that were not back at the deadline), `obs.gpu.sweeps.missed` (counter, `hw.id`: turns of the fast tier that the one before took).
";

/// How long reading each group took, on average, of an H100 at rest and under load, in microseconds; it had no links. By `gpu_check`, as
/// the rest of what was measured.
const MEASURED: &[(&str, f64, f64)] = &[
    ("fast", 78.8, 69.0),
    ("energy", 4739.0, 4963.0),
    ("second", 35.9, 30.8),
    ("counters", 267.0, 223.0),
    ("engine", 1871.0, 1675.0),
    ("throttle", 722.0, 758.0),
    ("margin", 991.0, 961.0),
    ("pcie", 396.0, 349.0),
    ("slow", 147.0, 135.0),
    ("pcie_errors", 1068.0, 991.0),
    ("process_time", 2640.0, 2154.0),
    ("limits", 3901.0, 4257.0),
];

/// So many devices alike, by such a share of a core.
const PLANS: [(u32, f64); 4] = [(1, 0.005), (8, 0.005), (8, 0.01), (8, 0.02)];

const COSTS: &str = "
## What reading costs

What is read together, by what it costs: calls of the driver's for one H100 with 18 links, once it is known what it does not have, and what
they took of one without links ([below](#measured-on-an-h100)). A batch asks for up to 64 field values.
`nvmlDeviceGetPcieThroughput`, which takes 20 ms each way, is never called. From what it took follows how often it is read of so many such
devices, with so much of one core in calls of the driver's (`GpuSettings::intervals`): a group that would take the share s of a core is read
√s times k more rarely, or at its own period where that is less than once, and k is as large as it must be for all devices
together. What is not in italics keeps its period for as long as that takes no more than seven eighths of the budget. What is measured on
the machine itself counts, and not this: the first reading of each group is forgotten, and from the second on it is stretched by the mean of
the last ones. A call that hangs is no cost: the watchdog tells of it. Calls of a real one take longer where they are made as rarely as
a monitor makes them, so that with eight the fast tier may be stretched a little, too.

";

fn costs(page: &mut String, groups: &[Group]) {
    page.push_str(COSTS);
    page.push_str("| read together | every | calls | of these batches of field values | for counters (GPM) | µs at rest | µs under load |");
    for (devices, share) in PLANS {
        let _ = write!(page, " {devices} such, {} % |", share * 100.0);
    }
    let _ = writeln!(
        page,
        "\n|---|---|---|---|---|---|---|{}",
        "---|".repeat(PLANS.len())
    );
    let measured = |of: &ReadGroup| MEASURED.iter().find(|(name, ..)| *name == of.name());
    let costs: Vec<_> = { groups.iter() }
        .map(|of| {
            let micros = measured(&of.group).map_or(0.0, |(_, rest, _)| *rest);
            (of.group, Duration::from_secs_f64(micros / 1e6))
        })
        .collect();
    let settings = GpuSettings::new();
    let plans = PLANS.map(|(devices, share)| {
        settings
            .clone()
            .with_budget(share)
            .intervals(&costs, devices)
    });
    let own = settings.clone().without_budget().intervals(&costs, 1);
    for (at, of) in groups.iter().enumerate() {
        let [fields, counters, all] = of.calls;
        let micros = match measured(&of.group) {
            Some((_, rest, load)) => format!("{rest} | {load}"),
            None => "– | –".to_owned(),
        };
        let (name, every) = (named(&of.group), period(own[at]));
        let _ = write!(
            page,
            "| {name} | {every} | {all} | {fields} | {counters} | {micros} |"
        );
        for plan in &plans {
            let _ = write!(page, " {} |", period(plan[at]));
        }
        page.push('\n');
    }
    page.push('\n');
    page.push_str(include_str!("measured/h100-580.md"));
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
        GpuSettings::new(),
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
