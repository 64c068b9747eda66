//! The host and its control group: recorded trees of both versions, and the machine that this runs on.

#[path = "../support/kernel.rs"]
mod kernel;

use kernel::{check, values, write};
use obs_gpu::host::{Host, HostSettings};
use obs_testing::Capture;
use std::collections::BTreeMap;

/// Of a machine with two processors, as `/proc` shows it; every number another one.
const PROC: &[(&str, &str)] = &[
    (
        "stat",
        "cpu  1000 20 300 40000 500 6 7 8 900 10\n\
         cpu0 500 10 150 20000 250 3 3 4 450 5\n\
         cpu1 500 10 150 20000 250 3 4 4 450 5\n\
         intr 12345 6 7\nctxt 999\nbtime 1700000000\nprocesses 4242\n",
    ),
    (
        "meminfo",
        "MemTotal:       131072000 kB\nMemFree:        11000000 kB\nMemAvailable:   61000000 kB\n\
         Buffers:          500000 kB\nCached:         52000000 kB\nSwapCached:            0 kB\n",
    ),
    (
        "diskstats",
        " 259       0 nvme0n1 1000 20 300000 4000 5000 60 700000 8000 1 9000 12000 0 0 0 0 10 11\n \
         259       1 nvme0n1p1 900 20 200000 3000 4000 50 600000 7000 0 8000 10000 0 0 0 0 0 0\n   \
         7       0 loop0 5 0 6 7 0 0 0 0 0 8 9 0 0 0 0 0 0\n \
         252       0 vda 11 0 8 13 14 0 16 17 0 18 19\n",
    ),
    (
        "net/dev",
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
         lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  \
         eth0:123456789 1000 3 4 0 0 0 0 987654321 2000 5 6 0 0 0 0\n",
    ),
    (
        "pressure/cpu",
        "some avg10=1.00 avg60=1.00 avg300=1.00 total=5000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    ),
    (
        "pressure/memory",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
    ),
];

const GROUP: &str = "kubepods.slice/pod7.slice/app.scope";

const TWO: &[(&str, &str)] = &[
    (
        "cpu.stat",
        "usage_usec 9000000\nuser_usec 6000000\nsystem_usec 3000000\nnr_periods 100\nnr_throttled 40\nthrottled_usec 2500000\n",
    ),
    ("cpu.max", "150000 100000\n"),
    ("memory.current", "4000000000\n"),
    ("memory.max", "8000000000\n"),
    (
        "memory.stat",
        "anon 2500000000\nfile 1400000000\ninactive_file 1000000000\n",
    ),
    ("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\n"),
    (
        "io.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=400000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=300000\n",
    ),
];

/// Roots of a `/proc` and of control groups.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(own: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("proc"), PROC);
        write(&root.path().join("proc"), &[("self/cgroup", own)]);
        Self(root)
    }

    /// With one hierarchy, in which this process is in a group.
    fn two() -> Self {
        let machine = Self::new(&format!("0::/{GROUP}\n"));
        write(
            &machine.groups(),
            &[("cgroup.controllers", "cpu memory io\n")],
        );
        write(&machine.groups().join(GROUP), TWO);
        machine
    }

    fn groups(&self) -> std::path::PathBuf {
        self.0.path().join("cgroup")
    }

    fn settings(&self) -> HostSettings {
        let proc = self.0.path().join("proc");
        HostSettings::new()
            .with_proc(proc)
            .with_cgroup(self.groups())
    }

    fn read(&self) -> BTreeMap<String, f64> {
        values(Host::new(&self.settings()).read(1_800_000_000_000_000_000))
    }
}

#[test]
fn a_machine_is_read_in_the_units_of_the_conventions() {
    let values = Machine::two().read();
    check(
        &values,
        &[
            ("system.cpu.time{user}", 10.0),
            ("system.cpu.time{nice}", 0.2),
            ("system.cpu.time{iowait}", 5.0),
            // Of hardware and of software.
            ("system.cpu.time{interrupt}", 0.13),
            ("system.cpu.time{steal}", 0.08),
            ("system.cpu.logical.count{}", 2.0),
            ("system.memory.limit{}", 131_072_000.0 * 1024.0),
            ("system.memory.usage{used}", 70_072_000.0 * 1024.0),
            ("system.memory.usage{free}", 11_000_000.0 * 1024.0),
            ("system.memory.usage{cached}", 52_000_000.0 * 1024.0),
            ("system.disk.io{nvme0n1,read}", 300_000.0 * 512.0),
            ("system.disk.io{nvme0n1,write}", 700_000.0 * 512.0),
            ("system.disk.operations{nvme0n1,read}", 1000.0),
            ("system.disk.operations{nvme0n1,write}", 5000.0),
            ("system.disk.operation_time{nvme0n1,read}", 4.0),
            ("system.disk.operation_time{nvme0n1,write}", 8.0),
            ("system.disk.io_time{nvme0n1}", 9.0),
            // Of a kernel before 4.18, with fewer fields.
            ("system.disk.io_time{vda}", 0.018),
            ("system.network.io{eth0,receive}", 123_456_789.0),
            ("system.network.io{eth0,transmit}", 987_654_321.0),
            ("system.network.errors{eth0,transmit}", 5.0),
            ("system.network.packet.dropped{eth0,receive}", 4.0),
            ("obs.host.pressure.time{cpu,some}", 5.0),
            ("obs.host.pressure.time{memory,full}", 1.0),
        ],
    );
    let without = |part: &str| assert!(!values.keys().any(|name| name.contains(part)), "{part}");
    ["nvme0n1p1", "loop0", "{lo,", "guest"]
        .into_iter()
        .for_each(without);
    // Nobody recorded it; and of a machine's processors all tasks cannot wait at once.
    without("obs.host.pressure.time{io");
    without("obs.host.pressure.time{cpu,full");
}

#[test]
fn a_group_of_version_two() {
    check(
        &Machine::two().read(),
        &[
            ("container.cpu.time{user}", 6.0),
            ("container.cpu.time{system}", 3.0),
            ("container.memory.usage{}", 4e9),
            ("container.memory.working_set{}", 3e9),
            ("container.memory.available{}", 5e9),
            ("container.memory.rss{}", 2.5e9),
            ("obs.container.memory.oom_kills{}", 1.0),
            ("obs.container.cpu.limit{}", 1.5),
            ("obs.container.cpu.throttled.time{}", 2.5),
            ("obs.container.cpu.throttled.periods{}", 40.0),
            ("obs.container.pressure.time{io,full}", 0.3),
        ],
    );
}

#[test]
fn a_group_of_version_one() {
    let machine = Machine::new(
        "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
    );
    let both = machine.groups().join("cpu,cpuacct/docker/abc");
    let memory = machine.groups().join("memory/docker/abc");
    write(
        &both,
        &[
            (
                "cpu.stat",
                "nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000\n",
            ),
            ("cpu.cfs_quota_us", "-1\n"),
            ("cpu.cfs_period_us", "100000\n"),
            ("cpuacct.stat", "user 600\nsystem 300\n"),
        ],
    );
    write(
        &memory,
        &[
            ("memory.usage_in_bytes", "4000000000\n"),
            ("memory.limit_in_bytes", "9223372036854771712\n"),
            (
                "memory.stat",
                "rss 1\ntotal_rss 2500000000\ntotal_inactive_file 1000000000\n",
            ),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            ),
        ],
    );
    let values = machine.read();
    check(
        &values,
        &[
            ("container.cpu.time{user}", 6.0),
            ("container.memory.working_set{}", 3e9),
            ("container.memory.rss{}", 2.5e9),
            ("obs.container.memory.oom_kills{}", 3.0),
            ("obs.container.cpu.throttled.time{}", 2.5),
        ],
    );
    // There is no limit, and none is made up.
    assert!(!values.contains_key("container.memory.available{}"));
    assert!(!values.contains_key("obs.container.cpu.limit{}"));
    write(&both, &[("cpu.cfs_quota_us", "50000\n")]);
    check(&machine.read(), &[("obs.container.cpu.limit{}", 0.5)]);
}

#[test]
fn nothing_is_made_up_of_nothing() {
    let root = tempfile::tempdir().unwrap();
    let settings = HostSettings::new()
        .with_proc(root.path())
        .with_cgroup(root.path());
    assert!(Host::new(&settings).read(1).is_empty());
    // Files with rubbish are files without.
    let rubbish: Vec<(&str, &str)> = PROC
        .iter()
        .map(|(name, _)| (*name, "cpu \u{0} : -1 x\ncpu0\n"))
        .collect();
    write(root.path(), &rubbish);
    let values = values(Host::new(&settings).read(1));
    assert_eq!(
        values.keys().collect::<Vec<_>>(),
        ["system.cpu.logical.count{}"]
    );
}

#[test]
fn what_waited_is_a_share_of_the_time_between() {
    let machine = Machine::two();
    let mut host = Host::new(&machine.settings());
    assert_eq!(host.waited(1_000_000_000), None);
    assert_eq!(host.waited(1_000_000_000), None);
    let own = machine.groups().join(GROUP);
    // In two seconds the group was held back for half of one, and waited a whole one for disks; the host one for processors.
    write(&own, &[("cpu.stat", "throttled_usec 3000000\n")]);
    write(
        &own,
        &[(
            "io.pressure",
            "some total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1300000\n",
        )],
    );
    write(
        &machine.0.path().join("proc"),
        &[(
            "pressure/cpu",
            "some avg10=1.00 avg60=1.00 avg300=1.00 total=6000000\n",
        )],
    );
    let waited = host.waited(3_000_000_000).unwrap();
    assert_eq!(waited.throttled, Some(0.25));
    assert_eq!(waited.io, Some(0.5));
    assert_eq!(waited.cpu, Some(0.5));
    assert_eq!(waited.memory, Some(0.0));
}

#[test]
fn the_machine_that_this_runs_on() {
    let capture = Capture::new();
    Host::observe(capture.telemetry(), &HostSettings::new());
    let points = capture.points();
    let count = |metric: &str| points.sums(metric, &[]).len();
    assert!(count("system.cpu.time") >= 4);
    assert_eq!(count("system.memory.limit"), 1);
    assert_eq!(count("system.memory.usage"), 4);
    let page = capture.telemetry().prometheus();
    let shown = page
        .lines()
        .find_map(|line| line.strip_prefix("system_memory_limit_bytes"));
    let shown: f64 = shown.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    // By a program that is none of ours.
    let free = std::process::Command::new("free").arg("-b").output();
    if let Ok(free) = free {
        let text = String::from_utf8(free.stdout).unwrap();
        let total = text
            .lines()
            .nth(1)
            .unwrap()
            .split_ascii_whitespace()
            .nth(1)
            .unwrap();
        assert_eq!(shown, total.parse::<f64>().unwrap());
    }
}

#[test]
fn a_group_that_is_not_below_what_is_mounted_is_not_looked_for_beside_it() {
    // As the kernel shows one that is outside of the namespace (`cgroup_namespaces(7)`).
    for own in ["0::/../other\n", "0::/../../..\n", "0::/..\n"] {
        let machine = Machine::new(own);
        write(
            &machine.groups(),
            &[("cgroup.controllers", "cpu memory io\n")],
        );
        write(&machine.groups(), TWO);
        // What is beside the mounted hierarchy is something else.
        write(
            &machine.0.path().join("other"),
            &[("memory.current", "7\n")],
        );
        check(
            &machine.read(),
            &[("container.memory.usage{}", 4_000_000_000.0)],
        );
    }
}

#[test]
fn what_the_host_waited_is_not_counted_on_from_what_the_group_did() {
    let machine = Machine::two();
    let host = [(
        "pressure/io",
        "some avg10=0.00 total=9000000\nfull avg10=0.00 total=8000000\n",
    )];
    write(&machine.0.path().join("proc"), &host);
    let mut waited = Host::new(&machine.settings());
    let second = 1_000_000_000;
    assert_eq!(waited.waited(second), None);
    // As it is where `cgroup.pressure` was set to 0.
    let own = machine.groups().join(GROUP).join("io.pressure");
    std::fs::remove_file(&own).unwrap();
    assert_eq!(waited.waited(2 * second).unwrap().io, None);
    // From then on it is the host's.
    assert_eq!(waited.waited(3 * second).unwrap().io, Some(0.0));
}
