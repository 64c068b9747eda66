//! The host and the control group that this process is in: what keeps a GPU waiting, seen by the kernel.
//!
//! | metric | unit | attributes | from |
//! |---|---|---|---|
//! | `system.cpu.time` | s | `cpu.mode` | `/proc/stat` |
//! | `system.cpu.logical.count` | {cpu} | – | `/proc/stat` |
//! | `system.memory.usage` | By | `system.memory.state` | `/proc/meminfo` |
//! | `system.memory.limit` | By | – | `/proc/meminfo` |
//! | `system.disk.io` | By | `system.device`, `disk.io.direction` | `/proc/diskstats` |
//! | `system.disk.operations` | {operation} | `system.device`, `disk.io.direction` | `/proc/diskstats` |
//! | `system.disk.io_time` | s | `system.device` | `/proc/diskstats` |
//! | `system.disk.operation_time` | s | `system.device`, `disk.io.direction` | `/proc/diskstats` |
//! | `system.network.io` | By | `network.interface.name`, `network.io.direction` | `/proc/net/dev` |
//! | `system.network.errors` | {error} | `network.interface.name`, `network.io.direction` | `/proc/net/dev` |
//! | `system.network.packet.dropped` | {packet} | `network.interface.name`, `network.io.direction` | `/proc/net/dev` |
//! | `obs.host.pressure.time` | s | `obs.host.resource`, `obs.host.pressure` | `/proc/pressure/*` |
//! | `container.cpu.time` | s | `cpu.mode` | `cpu.stat`, `cpuacct.stat` |
//! | `container.memory.usage` | By | – | `memory.current`, `memory.usage_in_bytes` |
//! | `container.memory.working_set` | By | – | the same without `inactive_file` |
//! | `container.memory.available` | By | – | the limit without the working set; absent without a limit |
//! | `container.memory.rss` | By | – | `anon`, `total_rss` of `memory.stat` |
//! | `obs.container.memory.oom_kills` | {process} | – | `memory.events`, `memory.oom_control` |
//! | `obs.container.cpu.limit` | {cpu} | – | `cpu.max`, `cpu.cfs_quota_us` |
//! | `obs.container.cpu.throttled.time` | s | – | `cpu.stat` |
//! | `obs.container.cpu.throttled.periods` | {period} | – | `cpu.stat` |
//! | `obs.container.pressure.time` | s | `obs.host.resource`, `obs.host.pressure` | `*.pressure` |
//!
//! What cannot be read is absent, never zero: version 1 of control groups has no pressure, a kernel may be built without it, and the
//! root group has no limits. Disks are whole ones: their parts are counted in them, and loops and memory disks are no hardware. The
//! interface to oneself is left out.
//!
//! Names and units of what the kernel says are those of its own documents (`proc_stat(5)`, `proc_meminfo(5)`, `iostats.rst`,
//! `cgroup-v2.rst`, `psi.rst`).

mod cgroup;
mod pressure;
mod system;

use crate::explain::HostWindow;
use crate::files::Root;
use crate::points::{Points, Since, observe};
use cgroup::Group;
use obs_core::Telemetry;
use obs_core::metrics::Metric;
use std::path::PathBuf;

/// Where the kernel says what.
#[derive(Clone, Debug)]
#[must_use]
pub struct HostSettings {
    proc: PathBuf,
    cgroup: PathBuf,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl HostSettings {
    /// `/proc` and `/sys/fs/cgroup`.
    pub fn new() -> Self {
        Self {
            proc: "/proc".into(),
            cgroup: "/sys/fs/cgroup".into(),
        }
    }

    /// Another `/proc`: the host's, where it is mounted in a container, or a recorded one.
    pub fn with_proc(mut self, root: impl Into<PathBuf>) -> Self {
        self.proc = root.into();
        self
    }

    /// Another root of control groups.
    pub fn with_cgroup(mut self, root: impl Into<PathBuf>) -> Self {
        self.cgroup = root.into();
        self
    }
}

/// Reads the host. It keeps what was counted when it was asked last.
#[derive(Debug)]
pub struct Host {
    proc: Root,
    group: Group,
    since: Since,
    counted: Option<Counted>,
}

/// What grows while something waits, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    at: u64,
    throttled: Option<u64>,
    /// Each with whose it is.
    cpu: Option<(bool, u64)>,
    memory: Option<(bool, u64)>,
    io: Option<(bool, u64)>,
}

impl Host {
    /// By the files that settings name.
    pub fn new(settings: &HostSettings) -> Self {
        let proc = Root::new(&settings.proc);
        Self {
            group: Group::find(&proc, &Root::new(&settings.cgroup)),
            proc,
            since: Since::default(),
            counted: None,
        }
    }

    /// Reads it at each collection of `telemetry`, in about a millisecond, for as long as that lives.
    pub fn observe(telemetry: &Telemetry, settings: &HostSettings) {
        let mut host = Self::new(settings);
        observe(telemetry, move |now| host.read(now));
    }

    /// What there is now; `now` in nanoseconds since the Unix epoch.
    pub fn read(&mut self, now: u64) -> Vec<Metric> {
        // Nothing that the kernel counts is older than it is.
        let booted = system::booted(&self.proc).unwrap_or(now).min(now);
        let mut points = Points::new(&mut self.since, (booted, now));
        system::read(&self.proc, &mut points);
        pressure::read(&self.proc, &mut points);
        self.group.read(&mut points);
        points.finish()
    }

    /// What waited since it was asked last; `now` in nanoseconds of a clock that does not go back.
    /// `None` at the first time, and where
    /// no time has passed.
    pub fn waited(&mut self, now: u64) -> Option<HostWindow> {
        let counted = Counted {
            at: now,
            throttled: self.group.throttled(),
            cpu: self.group.pressure(&self.proc, "cpu", "some"),
            memory: self.group.pressure(&self.proc, "memory", "full"),
            io: self.group.pressure(&self.proc, "io", "full"),
        };
        let before = self.counted.replace(counted)?;
        let passed = now.checked_sub(before.at).filter(|&passed| passed > 0)?;
        let share = |before: Option<u64>, after: Option<u64>| {
            let waited = after?.checked_sub(before?)? as f64 * 1e3;
            Some((waited / passed as f64).min(1.0))
        };
        let pressure = |before: Option<(bool, u64)>, after: Option<(bool, u64)>| {
            let ((was, before), (is, after)) = before.zip(after)?;
            share(Some(before), Some(after).filter(|_| was == is))
        };
        Some(HostWindow {
            throttled: share(before.throttled, counted.throttled),
            cpu: pressure(before.cpu, counted.cpu),
            memory: pressure(before.memory, counted.memory),
            io: pressure(before.io, counted.io),
        })
    }
}
