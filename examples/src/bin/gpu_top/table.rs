//! What people read: a line for each device, and what is known against it.

use obs_gpu::explain::{FabricWindow, HostWindow};
use obs_gpu::{
    DeviceInfo, GateState, GpuState, HealthReport, HealthState, Owner, Quantity, Readings, Throttle,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One device, as far as it is known now.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) info: Arc<DeviceInfo>,
    pub(crate) state: GpuState,
    /// Without what is too old.
    pub(crate) readings: Readings,
    pub(crate) health: HealthReport,
    /// For how long it has been so.
    pub(crate) since: Duration,
    pub(crate) gate: GateState,
    /// Bytes by whose they are.
    pub(crate) memory: BTreeMap<Owner, u64>,
}

/// Columns, and whether numbers stand in them: those are flush right.
const COLUMNS: [(&str, bool); 12] = [
    ("GPU", false),
    ("model", false),
    ("util", true),
    ("HBM", true),
    ("memory GiB", true),
    ("power W", true),
    ("°C", true),
    ("SM MHz", true),
    ("throttled by", false),
    ("health", false),
    ("gate", false),
    ("used by", false),
];

/// What is absent, which is not zero.
const ABSENT: &str = "-";

/// The table, and below it why any of them is not well.
pub(crate) fn lines(devices: &[Device]) -> Vec<String> {
    if devices.is_empty() {
        return vec!["no device yet".to_owned()];
    }
    let rows: Vec<[String; COLUMNS.len()]> = devices.iter().map(Device::row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.fold(COLUMNS[column].0.chars().count(), usize::max)
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).zip(COLUMNS);
        let cells = cells.map(|((cell, &width), (_, is_number))| match is_number {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&COLUMNS.map(|(name, _)| name.to_owned()))];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.extend(devices.iter().filter_map(Device::against));
    lines
}

impl Device {
    fn row(&self) -> [String; COLUMNS.len()] {
        [
            self.name(),
            self.model(),
            self.share(Quantity::Utilization),
            self.share(Quantity::DramActive),
            self.of(Quantity::MemoryUsed, Quantity::MemoryTotal, |bytes| {
                format!("{:.1}", gib(bytes as u64))
            }),
            self.of(Quantity::Power, Quantity::PowerLimit, |milliwatts| {
                format!("{:.0}", milliwatts as f64 / 1e3)
            }),
            self.of(Quantity::Temperature, Quantity::MemoryTemperature, |of| {
                format!("{:.0}", of as f64 / 1e3)
            }),
            self.number(Quantity::SmClock, |hertz| {
                format!("{:.0}", hertz as f64 / 1e6)
            }),
            self.throttled(),
            self.health.state.to_string(),
            self.gate.to_string(),
            self.users(),
        ]
    }

    /// `0`, and `0.1` for part 1 of it.
    fn name(&self) -> String {
        let index = self.info.index;
        match &self.info.mig {
            None => index.to_string(),
            Some(part) => format!("{index}.{}", part.gpu_instance),
        }
    }

    /// All of them are NVIDIA's.
    fn model(&self) -> String {
        let model = self.info.model.as_deref().unwrap_or(ABSENT);
        model.strip_prefix("NVIDIA ").unwrap_or(model).to_owned()
    }

    fn number(&self, quantity: Quantity, show: impl Fn(i64) -> String) -> String {
        let value = self.readings.value(quantity);
        value.map_or_else(|| ABSENT.to_owned(), show)
    }

    fn share(&self, quantity: Quantity) -> String {
        self.number(quantity, |millionths| {
            format!("{:.0}%", millionths as f64 / 1e4)
        })
    }

    /// `540/700`
    fn of(&self, one: Quantity, other: Quantity, show: impl Fn(i64) -> String) -> String {
        match (self.number(one, &show), self.number(other, &show)) {
            (one, other) if one == ABSENT && other == ABSENT => one,
            (one, other) => format!("{one}/{other}"),
        }
    }

    /// That nothing runs is seen elsewhere.
    fn throttled(&self) -> String {
        let Some(bits) = self.readings.value(Quantity::ThrottleReasons) else {
            return ABSENT.to_owned();
        };
        let reasons = Throttle(bits.cast_unsigned());
        let named = Throttle::NAMED
            .iter()
            .filter(|(reason, _)| *reason != Throttle::IDLE && reasons.any_of(*reason));
        let mut names: Vec<&str> = named.map(|(_, name)| *name).collect();
        if reasons.has_others() {
            names.push("other");
        }
        match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(","),
        }
    }

    /// The two who have most of its memory, and how many others there are.
    fn users(&self) -> String {
        let mut users: Vec<(u64, &Owner)> = { self.memory.iter() }
            .filter(|(owner, bytes)| **bytes > 0 && **owner != Owner::Idle)
            .map(|(owner, bytes)| (*bytes, owner))
            .collect();
        if users.is_empty() {
            return ABSENT.to_owned();
        }
        users.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        let first = users.iter().take(2);
        let mut shown: Vec<String> = first
            .map(|(bytes, owner)| format!("{} {:.1} GiB", name(owner), gib(*bytes)))
            .collect();
        if users.len() > 2 {
            shown.push(format!("{} more", users.len() - 2));
        }
        shown.join(", ")
    }

    /// Why it is not well, where it is not.
    fn against(&self) -> Option<String> {
        let unreadable = match self.state {
            GpuState::Answering => None,
            GpuState::NotAnswering { .. } => Some("it does not answer".to_owned()),
            GpuState::Lost { code } => Some(format!("it is gone (code {code})")),
            _ => Some("it is not in the driver's list".to_owned()),
        };
        if unreadable.is_none() && self.health.state == HealthState::Ok {
            return None;
        }
        let evidence = self.health.evidence.iter().map(ToString::to_string);
        let reasons: Vec<String> = evidence.chain(unreadable).collect();
        Some(format!(
            "GPU {}: {} for {:.0} s: {}",
            self.name(),
            self.health.state,
            self.since.as_secs_f64(),
            reasons.join("; ")
        ))
    }
}

/// What a user of a device is called.
fn name(owner: &Owner) -> String {
    let called = |model: &Option<Box<str>>, task: &Option<Box<str>>| match (model, task) {
        (Some(model), Some(task)) => Some(format!("{model}/{task}")),
        (one, other) => one.as_ref().or(other.as_ref()).map(ToString::to_string),
    };
    let known = match owner {
        Owner::Claim { model, task } => called(model, task),
        Owner::Process(of) => called(&of.model, &of.task).or_else(|| {
            let named = of.service.as_ref().or(of.pod.as_ref());
            named.or(of.container.as_ref()).map(ToString::to_string)
        }),
        _ => None,
    };
    known.unwrap_or_else(|| owner.kind().to_owned())
}

/// What the host made others wait for, since the round before.
pub(crate) fn host(window: Option<HostWindow>) -> String {
    let Some(window) = window else {
        return format!("host: {ABSENT}");
    };
    let share = |of: Option<f64>| of.map_or(ABSENT.to_owned(), |of| format!("{:.0}%", of * 1e2));
    format!(
        "host: waited for a CPU {}, not allowed to run {}, waited for memory {}, for disks {}",
        share(window.cpu),
        share(window.throttled),
        share(window.memory),
        share(window.io)
    )
}

/// What links to other machines did since then.
pub(crate) fn fabric(window: Option<FabricWindow>) -> String {
    let Some(window) = window else {
        return format!("fabric: {ABSENT}");
    };
    let retries = window.retries.map(|retries| format!("{retries:.0}"));
    format!(
        "fabric: {} links down, {} packets sent again in a second",
        window.links_down,
        retries.unwrap_or(ABSENT.to_owned())
    )
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / (1_u64 << 30) as f64
}

#[cfg(test)]
mod tests;
