//! `/proc`: processors, memory, disks, interfaces.

use crate::files::Root;
use crate::metrics::Shape;
use crate::points::{Points, Shown};
use obs_core::Key;
use obs_core::semconv::{hw, process, system as names};

const CPU_TIME: Shown = Shown {
    name: names::CPU_TIME,
    unit: "s",
    description: "Seconds each logical CPU spent on each mode.",
    shape: Shape::Counter,
};
const CPU_COUNT: Shown = Shown {
    name: names::CPU_LOGICAL_COUNT,
    unit: "{cpu}",
    description: "Logical processor cores that the operating system manages.",
    shape: Shape::UpDownCounter,
};
const MEMORY_USAGE: Shown = Shown {
    name: names::MEMORY_USAGE,
    unit: "By",
    description: "Memory in use by state.",
    shape: Shape::UpDownCounter,
};
const MEMORY_LIMIT: Shown = Shown {
    name: names::MEMORY_LIMIT,
    unit: "By",
    description: "Total memory.",
    shape: Shape::UpDownCounter,
};
const DISK_IO: Shown = Shown {
    name: names::DISK_IO,
    unit: "By",
    description: "Disk bytes transferred.",
    shape: Shape::Counter,
};
const DISK_OPERATIONS: Shown = Shown {
    name: names::DISK_OPERATIONS,
    unit: "{operation}",
    description: "Disk operations.",
    shape: Shape::Counter,
};
const DISK_IO_TIME: Shown = Shown {
    name: names::DISK_IO_TIME,
    unit: "s",
    description: "Time disk spent activated.",
    shape: Shape::Counter,
};
const DISK_OPERATION_TIME: Shown = Shown {
    name: names::DISK_OPERATION_TIME,
    unit: "s",
    description: "Sum of the time each operation took to complete.",
    shape: Shape::Counter,
};
const NETWORK_IO: Shown = Shown {
    name: names::NETWORK_IO,
    unit: "By",
    description: "Bytes transmitted and received.",
    shape: Shape::Counter,
};
const NETWORK_ERRORS: Shown = Shown {
    name: names::NETWORK_ERRORS,
    unit: "{error}",
    description: "Network errors detected.",
    shape: Shape::Counter,
};
const NETWORK_DROPPED: Shown = Shown {
    name: names::NETWORK_PACKET_DROPPED,
    unit: "{packet}",
    description: "Packets that are dropped or discarded even though there was no error.",
    shape: Shape::Counter,
};

/// Modes in the order of `/proc/stat`. What guests run is counted as `user` and `nice`, too, and would count twice.
const MODES: [&str; 8] = [
    "user",
    "nice",
    "system",
    "idle",
    "iowait",
    "interrupt",
    "interrupt",
    "steal",
];

/// `USER_HZ`: a hundred a second in every kernel that programs see (`proc_stat(5)`, `time(7)`).
const TICKS: f64 = 100.0;

/// Sectors are of so many bytes, whatever the disk's own are (`iostats.rst`).
const SECTOR: u64 = 512;

pub(super) fn read(proc: &Root, points: &mut Points<'_>) {
    if let Some(stat) = proc.read("stat") {
        processors(&stat, points);
    }
    memory(proc, points);
    if let Some(disks) = proc.read("diskstats") {
        each_disk(&disks, points);
    }
    if let Some(interfaces) = proc.read("net/dev") {
        each_interface(&interfaces, points);
    }
}

/// When the kernel was started, in nanoseconds since the Unix epoch.
pub(super) fn booted(proc: &Root) -> Option<u64> {
    proc.keyed("stat").get("btime")?.checked_mul(1_000_000_000)
}

fn processors(stat: &str, points: &mut Points<'_>) {
    let fields = |line: &str| -> Vec<u64> {
        let fields = line.split_ascii_whitespace().skip(1);
        fields.map_while(|field| field.parse().ok()).collect()
    };
    if let Some(all) = stat.lines().find(|line| line.starts_with("cpu ")) {
        let ticks = fields(all);
        let mut modes: Vec<(&str, u64)> = Vec::with_capacity(MODES.len());
        for (mode, ticks) in MODES.into_iter().zip(ticks) {
            // Of two kinds of interrupts the convention knows one.
            match modes.iter_mut().find(|(known, _)| *known == mode) {
                Some((_, sum)) => *sum += ticks,
                None => modes.push((mode, ticks)),
            }
        }
        for (mode, ticks) in modes {
            points.float(
                &CPU_TIME,
                &[(process::CPU_MODE, mode)],
                Some(ticks as f64 / TICKS),
            );
        }
    }
    let is_one = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let count = stat.lines().filter(is_one).count();
    points.whole(&CPU_COUNT, &[], (count > 0).then_some(count as u64));
}

fn memory(proc: &Root, points: &mut Points<'_>) {
    let info = proc.keyed("meminfo");
    let bytes = |key| info.get(key)?.checked_mul(1024);
    let (total, free) = (bytes("MemTotal"), bytes("MemFree"));
    let (buffers, cached) = (bytes("Buffers"), bytes("Cached"));
    // As the convention has it; kernels before 3.14 do not say what is available.
    let used = match (total, bytes("MemAvailable")) {
        (Some(total), Some(available)) => total.checked_sub(available),
        (Some(total), None) => {
            let rest = [free, buffers, cached].into_iter().flatten().sum();
            total.checked_sub(rest)
        }
        _ => None,
    };
    points.whole(&MEMORY_LIMIT, &[], total);
    for (state, value) in [
        ("used", used),
        ("free", free),
        ("buffers", buffers),
        ("cached", cached),
    ] {
        points.whole(&MEMORY_USAGE, &[(names::MEMORY_STATE, state)], value);
    }
}

fn each_disk(disks: &str, points: &mut Points<'_>) {
    let all: Vec<Vec<&str>> = { disks.lines() }
        .map(|line| line.split_ascii_whitespace().collect())
        .collect();
    let names: Vec<&str> = all
        .iter()
        .filter_map(|fields| fields.get(2).copied())
        .collect();
    for fields in &all {
        let Some(&name) = fields.get(2) else { continue };
        if !is_disk(name, &names) {
            continue;
        }
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let seconds = |at| Some(field(at)? as f64 / 1e3);
        let disk = (names::DEVICE, name);
        // Major, minor, name; then from the fourth: reads, merged, sectors, milliseconds; the same of writes; in flight; busy.
        for (direction, first) in [("read", 3), ("write", 7)] {
            let labels = [disk, (process::DISK_IO_DIRECTION, direction)];
            let bytes = field(first + 2).and_then(|sectors| sectors.checked_mul(SECTOR));
            points.whole(&DISK_OPERATIONS, &labels, field(first));
            points.whole(&DISK_IO, &labels, bytes);
            points.float(&DISK_OPERATION_TIME, &labels, seconds(first + 3));
        }
        points.float(&DISK_IO_TIME, &[disk], seconds(12));
    }
}

/// Whether it is a whole disk: not a part of one that is listed, and not made of memory or of files.
fn is_disk(name: &str, all: &[&str]) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_part_of = |whole: &&str| {
        let Some(rest) = name.strip_prefix(*whole) else {
            return false;
        };
        match whole.ends_with(|c: char| c.is_ascii_digit()) {
            true => rest.strip_prefix('p').is_some_and(digits),
            false => digits(rest),
        }
    };
    let is_made = ["loop", "ram", "zram", "fd", "sr"]
        .iter()
        .any(|kind| name.strip_prefix(kind).is_some_and(digits));
    !is_made && !all.iter().any(is_part_of)
}

fn each_interface(interfaces: &str, points: &mut Points<'_>) {
    // Two lines of headings have no colon behind their first word.
    for (name, fields) in interfaces.lines().filter_map(|line| line.split_once(':')) {
        let name = name.trim();
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        if name == "lo" || fields.len() < 16 {
            continue;
        }
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        for (direction, first) in [("receive", 0), ("transmit", 8)] {
            let labels: [(Key, &str); 2] = [
                (names::NETWORK_INTERFACE_NAME, name),
                (hw::IO_DIRECTION, direction),
            ];
            points.whole(&NETWORK_IO, &labels, field(first));
            points.whole(&NETWORK_ERRORS, &labels, field(first + 2));
            points.whole(&NETWORK_DROPPED, &labels, field(first + 3));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: bool) {
        let all = [
            "sda",
            "sda1",
            "nvme0n1",
            "nvme0n1p2",
            "md0",
            "vdb",
            "dm-0",
            "loop3",
        ];
        assert_eq!(is_disk(name, &all), expect, "{name}");
    }

    #[test]
    fn parts_are_counted_in_their_disks() {
        check("sda", true);
        check("sda1", false);
        check("nvme0n1", true);
        check("nvme0n1p2", false);
        check("md0", true);
        check("dm-0", true);
        check("loop3", false);
        check("zram0", false);
        // A name that only begins like another.
        check("sdab", true);
    }
}
