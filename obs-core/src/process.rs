//! This process as the kernel sees it, by the conventions for process metrics (v1.44.0).
//!
//! [`Telemetry::observe_process`](crate::Telemetry::observe_process) reads at each collection, in well under a millisecond:
//!
//! | metric | unit | kind | attribute | from | stability |
//! |---|---|---|---|---|---|
//! | `process.cpu.time` | s | counter | `cpu.mode`: `user`, `system` | `getrusage` | release candidate |
//! | `process.context_switches` | {context_switch} | counter | `process.context_switch.type`: `voluntary`, `involuntary` | `getrusage` | release candidate |
//! | `process.paging.faults` | {fault} | counter | `system.paging.fault.type`: `minor`, `major` | `getrusage` | release candidate |
//! | `process.memory.usage` | By | up-down counter | – | `/proc/self/status` | release candidate |
//! | `process.memory.virtual` | By | up-down counter | – | `/proc/self/status` | release candidate |
//! | `process.thread.count` | {thread} | up-down counter | – | `/proc/self/status` | release candidate |
//! | `process.disk.io` | By | counter | `disk.io.direction`: `read`, `write` | `/proc/self/io` | release candidate |
//! | `process.unix.file_descriptor.count` | {file_descriptor} | up-down counter | – | `/proc/self/fd` | release candidate |
//! | `process.uptime` | s | gauge | – | `/proc/self/stat`, `/proc/uptime` | release candidate |
//!
//! What cannot be read is absent, never zero: `/proc/self/io` may be forbidden in a container, and what comes from `/proc`
//! is there on Linux only. On systems that are no Unix there is nothing. All of it counts from the start of the process and
//! goes by the real clock, whichever the telemetry has.
//!
//! On the page for Prometheus `process_thread_count` and `process_unix_file_descriptor_count` have the names that
//! OpenTelemetry's rules give them; the linter of Prometheus would rather see no `_count` there.
//!
//! `process.disk.io` counts what reached a disk; what the page cache served is not in it. `process.cpu.utilization` is left
//! out: it is the rate of `process.cpu.time` over the processors, and readers that share one process would each reset the
//! other's interval.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux::Proc;
#[cfg(not(target_os = "linux"))]
use other::Proc;

use crate::engine::instruments::{
    BoundCounter, BoundFloatCounter, BoundGauge, BoundUpDownCounter, Instrument,
};
use crate::label::{Label, Values};
use crate::semconv::process as names;
use crate::setup::{SCOPE, Telemetry};

impl Telemetry {
    /// Observes this process: its processor time, memory, threads, files, faults and switches (see [`process`](self)).
    /// Once is enough; again it says the same.
    pub fn observe_process(&self) {
        if !self.is_shut_down() {
            let mut observed = Observed::new(self);
            self.observe(move || observed.read());
        }
    }
}

/// What `/proc` says, as far as it does.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    memory: Option<i64>,
    virtual_memory: Option<i64>,
    threads: Option<i64>,
    descriptors: Option<i64>,
    /// Bytes read and written.
    disk: Option<[u64; 2]>,
    uptime: Option<f64>,
}

/// What is counted since the start: user and system, voluntary and involuntary, minor and major.
#[derive(Debug, Default)]
struct Usage {
    cpu_time: [f64; 2],
    switches: [u64; 2],
    faults: [u64; 2],
}

struct Observed {
    proc: Proc,
    cpu_time: [BoundFloatCounter; 2],
    switches: [BoundCounter; 2],
    faults: [BoundCounter; 2],
    disk: [BoundCounter; 2],
    memory: BoundUpDownCounter,
    virtual_memory: BoundUpDownCounter,
    threads: BoundUpDownCounter,
    descriptors: BoundUpDownCounter,
    uptime: BoundGauge,
}

impl Observed {
    fn new(telemetry: &Telemetry) -> Self {
        let instrument = |name, unit, description, labels| Instrument {
            name,
            unit,
            description,
            labels,
            scope: &SCOPE,
        };
        let counter = |name, unit, description, labels: &'static [Label; 1], values: [&str; 2]| {
            let made = instrument(name, unit, description, labels);
            let counter = telemetry.absolute_counter(&made);
            values.map(|value| counter.bind(&[value]))
        };
        let level = |name, unit, description| {
            let made = instrument(name, unit, description, &[]);
            telemetry.absolute_up_down_counter(&made).bind(&[])
        };
        let cpu_time = telemetry.absolute_float_counter(&instrument(
            names::CPU_TIME,
            "s",
            "Total CPU seconds broken down by different CPU modes.",
            &MODE,
        ));
        let uptime = telemetry.gauge(&instrument(
            names::UPTIME,
            "s",
            "The time the process has been running.",
            &[],
        ));
        Self {
            proc: Proc::new(),
            cpu_time: MODES.map(|mode| cpu_time.bind(&[mode])),
            switches: counter(
                names::CONTEXT_SWITCHES,
                "{context_switch}",
                "Number of times the process has been context switched.",
                &SWITCH,
                SWITCHES,
            ),
            faults: counter(
                names::PAGING_FAULTS,
                "{fault}",
                "Number of page faults the process has made.",
                &FAULT,
                FAULTS,
            ),
            disk: counter(
                names::DISK_IO,
                "By",
                "Disk bytes transferred.",
                &DIRECTION,
                DIRECTIONS,
            ),
            memory: level(
                names::MEMORY_USAGE,
                "By",
                "The amount of physical memory in use.",
            ),
            virtual_memory: level(
                names::MEMORY_VIRTUAL,
                "By",
                "The amount of committed virtual memory.",
            ),
            threads: level(names::THREAD_COUNT, "{thread}", "Process threads count."),
            descriptors: level(
                names::UNIX_FILE_DESCRIPTOR_COUNT,
                "{file_descriptor}",
                "Number of UNIX file descriptors in use by the process.",
            ),
            uptime: uptime.bind(&[]),
        }
    }

    fn read(&mut self) {
        if let Some(usage) = usage() {
            for (counter, total) in self.cpu_time.iter().zip(usage.cpu_time) {
                counter.set_absolute(total);
            }
            set(&self.switches, usage.switches);
            set(&self.faults, usage.faults);
        }
        let reading = self.proc.read();
        if let Some(disk) = reading.disk {
            set(&self.disk, disk);
        }
        for (level, value) in [
            (&self.memory, reading.memory),
            (&self.virtual_memory, reading.virtual_memory),
            (&self.threads, reading.threads),
            (&self.descriptors, reading.descriptors),
        ] {
            if let Some(value) = value {
                level.set_absolute(value);
            }
        }
        if let Some(uptime) = reading.uptime {
            self.uptime.set(uptime);
        }
    }
}

fn set(counters: &[BoundCounter; 2], totals: [u64; 2]) {
    for (counter, total) in counters.iter().zip(totals) {
        counter.set_absolute(total);
    }
}

/// Of all threads that run or ran; `/proc` has switches of one thread only.
#[cfg(unix)]
fn usage() -> Option<Usage> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // It counts in words of the system's, which have a sign.
    let whole = |count| u64::try_from(count).unwrap_or(0);
    Some(Usage {
        cpu_time: [seconds(usage.user_time()), seconds(usage.system_time())],
        switches: [
            whole(usage.voluntary_context_switches()),
            whole(usage.involuntary_context_switches()),
        ],
        faults: [
            whole(usage.minor_page_faults()),
            whole(usage.major_page_faults()),
        ],
    })
}

#[cfg(not(unix))]
fn usage() -> Option<Usage> {
    None
}

const MODES: [&str; 2] = ["user", "system"];
static MODE: [Label; 1] = [Label {
    key: names::CPU_MODE,
    values: Values::Closed(&MODES),
}];
const SWITCHES: [&str; 2] = ["voluntary", "involuntary"];
static SWITCH: [Label; 1] = [Label {
    key: names::CONTEXT_SWITCH_TYPE,
    values: Values::Closed(&SWITCHES),
}];
const FAULTS: [&str; 2] = ["minor", "major"];
static FAULT: [Label; 1] = [Label {
    key: names::SYSTEM_PAGING_FAULT_TYPE,
    values: Values::Closed(&FAULTS),
}];
const DIRECTIONS: [&str; 2] = ["read", "write"];
static DIRECTION: [Label; 1] = [Label {
    key: names::DISK_IO_DIRECTION,
    values: Values::Closed(&DIRECTIONS),
}];
