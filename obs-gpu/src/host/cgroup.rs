//! The control group that this process is in, in either version.

use super::pressure;
use crate::files::Root;
use crate::metrics::Shape;
use crate::points::{Points, Shown};
use obs_core::semconv::{container, obs, process};

const CPU_TIME: Shown = Shown {
    name: container::CPU_TIME,
    unit: "s",
    description: "Total CPU time consumed.",
    shape: Shape::Counter,
};
const MEMORY_USAGE: Shown = Shown {
    name: container::MEMORY_USAGE,
    unit: "By",
    description: "Memory usage of the container.",
    shape: Shape::UpDownCounter,
};
const WORKING_SET: Shown = Shown {
    name: container::MEMORY_WORKING_SET,
    unit: "By",
    description: "Container memory working set.",
    shape: Shape::UpDownCounter,
};
const AVAILABLE: Shown = Shown {
    name: container::MEMORY_AVAILABLE,
    unit: "By",
    description: "Container memory available.",
    shape: Shape::UpDownCounter,
};
const RSS: Shown = Shown {
    name: container::MEMORY_RSS,
    unit: "By",
    description: "Container memory RSS.",
    shape: Shape::UpDownCounter,
};
const OOM_KILLS: Shown = Shown {
    name: obs::CONTAINER_OOM_KILLS,
    unit: "{process}",
    description: "Processes of the control group that were killed as it had no memory left.",
    shape: Shape::Counter,
};
const CPU_LIMIT: Shown = Shown {
    name: obs::CONTAINER_CPU_LIMIT,
    unit: "{cpu}",
    description: "Processors that the control group may use.",
    shape: Shape::UpDownCounter,
};
const THROTTLED_TIME: Shown = Shown {
    name: obs::CONTAINER_THROTTLED_TIME,
    unit: "s",
    description: "Time for which tasks of the control group were not allowed to run.",
    shape: Shape::Counter,
};
const THROTTLED_PERIODS: Shown = Shown {
    name: obs::CONTAINER_THROTTLED_PERIODS,
    unit: "{period}",
    description: "Periods in which the control group used up its processor time.",
    shape: Shape::Counter,
};
const PRESSURE: Shown = Shown {
    name: obs::CONTAINER_PRESSURE_TIME,
    unit: "s",
    description: "Time in which some or all tasks of the control group waited for a resource.",
    shape: Shape::Counter,
};

/// More bytes than any machine has: version 1's way to say that there is no limit, rounded down to a page.
const UNLIMITED: u64 = 1 << 60;

/// Where the files of the group are.
#[derive(Debug)]
pub(super) enum Group {
    /// One hierarchy.
    Two(Root),
    /// One for each controller: of processors, of accounts of them, of memory.
    One {
        cpu: Root,
        accounts: Root,
        memory: Root,
    },
    /// None is to be seen.
    None,
}

impl Group {
    /// The group of this process, by what `/proc/self/cgroup` says. In a namespace of its own its path is `/`, and what is mounted
    /// is the group itself; a path that is not there is that of a host whose groups are not mounted, and then it is the root as well.
    pub(super) fn find(proc: &Root, mounted: &Root) -> Self {
        let Some(groups) = proc.read("self/cgroup") else {
            return Self::None;
        };
        let lines = || {
            groups.lines().filter_map(|line| {
                let mut fields = line.splitn(3, ':');
                let (number, controllers) = (fields.next()?, fields.next()?);
                Some((number, controllers, fields.next()?))
            })
        };
        let place = |root: Root, path: &str| {
            let within = root.within(path.trim_start_matches('/'));
            // One outside of the namespace is shown by its way there (`cgroup_namespaces(7)`), which leads out of what is mounted.
            let is_below = !path.split('/').any(|part| part == "..");
            if is_below && within.path().is_dir() {
                within
            } else {
                root
            }
        };
        if mounted.path().join("cgroup.controllers").is_file() {
            let own =
                lines().find(|(number, controllers, _)| *number == "0" && controllers.is_empty());
            return Self::Two(place(mounted.clone(), own.map_or("/", |(_, _, path)| path)));
        }
        let of = |controller: &str| {
            let line = lines().find(|(_, list, _)| list.split(',').any(|one| one == controller));
            let (_, list, path) = line?;
            // A hierarchy is mounted under the names of its controllers, mostly with one link for each.
            let root = [controller, list].map(|name| mounted.within(name));
            let root = root.into_iter().find(|root| root.path().is_dir())?;
            Some(place(root, path))
        };
        match (of("cpu"), of("cpuacct"), of("memory")) {
            (None, None, None) => Self::None,
            (cpu, accounts, memory) => {
                let nowhere = || mounted.within("nowhere");
                Self::One {
                    cpu: cpu.unwrap_or_else(nowhere),
                    accounts: accounts.unwrap_or_else(nowhere),
                    memory: memory.unwrap_or_else(nowhere),
                }
            }
        }
    }

    pub(super) fn read(&self, points: &mut Points<'_>) {
        match self {
            Self::Two(group) => two(group, points),
            Self::One {
                cpu,
                accounts,
                memory,
            } => one(cpu, accounts, memory, points),
            Self::None => {}
        }
    }

    /// For how long it was not allowed to run, in microseconds.
    pub(super) fn throttled(&self) -> Option<u64> {
        match self {
            Self::Two(group) => group.keyed("cpu.stat").get("throttled_usec"),
            Self::One { cpu, .. } => Some(cpu.keyed("cpu.stat").get("throttled_time")? / 1000),
            Self::None => None,
        }
    }

    /// For how long it waited for a resource, or the host did where the group does not say, in microseconds; true for the group.
    pub(super) fn pressure(
        &self,
        proc: &Root,
        resource: &str,
        pressure: &str,
    ) -> Option<(bool, u64)> {
        let own = match self {
            Self::Two(group) => group.read(format!("{resource}.pressure")),
            _ => None,
        };
        let is_own = own.is_some();
        let file = own.or_else(|| proc.within("pressure").read(resource))?;
        Some((is_own, pressure::total(&file, pressure)?))
    }
}

fn two(group: &Root, points: &mut Points<'_>) {
    let cpu = group.keyed("cpu.stat");
    let seconds = |key| Some(cpu.get(key)? as f64 / 1e6);
    for (mode, key) in [("user", "user_usec"), ("system", "system_usec")] {
        points.float(&CPU_TIME, &[(process::CPU_MODE, mode)], seconds(key));
    }
    points.float(&THROTTLED_TIME, &[], seconds("throttled_usec"));
    points.whole(&THROTTLED_PERIODS, &[], cpu.get("nr_throttled"));
    points.float(
        &CPU_LIMIT,
        &[],
        { group.read("cpu.max") }.and_then(|max| quota(&max)),
    );
    let stat = group.keyed("memory.stat");
    memory(
        group.number("memory.current"),
        stat.get("inactive_file"),
        group.number("memory.max"),
        points,
    );
    points.whole(&RSS, &[], stat.get("anon"));
    points.whole(
        &OOM_KILLS,
        &[],
        group.keyed("memory.events").get("oom_kill"),
    );
    for resource in pressure::RESOURCES {
        let file = group.read(format!("{resource}.pressure"));
        pressure::show(&PRESSURE, resource, file.as_deref(), points);
    }
}

fn one(cpu: &Root, accounts: &Root, memory_of: &Root, points: &mut Points<'_>) {
    let times = accounts.keyed("cpuacct.stat");
    for mode in ["user", "system"] {
        // In hundredths of a second, as everything that programs see.
        let seconds = times.get(mode).map(|ticks| ticks as f64 / 100.0);
        points.float(&CPU_TIME, &[(process::CPU_MODE, mode)], seconds);
    }
    let stat = cpu.keyed("cpu.stat");
    let throttled = stat.get("throttled_time").map(|nanos| nanos as f64 / 1e9);
    points.float(&THROTTLED_TIME, &[], throttled);
    points.whole(&THROTTLED_PERIODS, &[], stat.get("nr_throttled"));
    let limit = || {
        // -1 is no limit, and no number here.
        let quota = cpu.number("cpu.cfs_quota_us")? as f64;
        let period = cpu
            .number("cpu.cfs_period_us")
            .filter(|&period| period > 0)?;
        Some(quota / period as f64)
    };
    points.float(&CPU_LIMIT, &[], limit());
    let stat = memory_of.keyed("memory.stat");
    memory(
        memory_of.number("memory.usage_in_bytes"),
        stat.get("total_inactive_file"),
        { memory_of.number("memory.limit_in_bytes") }.filter(|&limit| limit < UNLIMITED),
        points,
    );
    points.whole(&RSS, &[], stat.get("total_rss"));
    points.whole(
        &OOM_KILLS,
        &[],
        memory_of.keyed("memory.oom_control").get("oom_kill"),
    );
}

/// The working set is what is left without what can be let go of at once, as cAdvisor and the kubelet have it.
fn memory(usage: Option<u64>, inactive: Option<u64>, limit: Option<u64>, points: &mut Points<'_>) {
    let working = match (usage, inactive) {
        (Some(usage), Some(inactive)) => Some(usage.saturating_sub(inactive)),
        _ => None,
    };
    points.whole(&MEMORY_USAGE, &[], usage);
    points.whole(&WORKING_SET, &[], working);
    let available = match (limit, working) {
        (Some(limit), Some(working)) => Some(limit.saturating_sub(working)),
        _ => None,
    };
    points.whole(&AVAILABLE, &[], available);
}

/// `max 100000` is no limit.
fn quota(max: &str) -> Option<f64> {
    let (quota, period) = max.trim().split_once(' ')?;
    let (quota, period) = (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?);
    (period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_quota_is_no_limit() {
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!(quota("150000 100000\n"), Some(1.5));
        assert_eq!(quota("150000 0"), None);
        assert_eq!(quota(""), None);
    }
}
