//! What is shown of devices: what was read last, at each collection, without asking anybody.

mod calls;
mod table;

pub(crate) use calls::CallMetrics;
pub use table::{FURTHER, FurtherMetric, GpuMetric, METRICS, Shape};

use crate::device::DeviceInfo;
use crate::page::Page;
use crate::quantity::{Nature, Quantity, Tier};
use crate::sampler::board::{Board, LinkTotals, Stamp};
use crate::sampler::{Gpu, GpuState, Shared};
use crate::source::ProcessKind;
use crate::{Reading, Throttle};
use obs_core::metrics::{Number, PointAttributes};
use obs_core::semconv::{SCHEMA_URL, http, hw, obs};
use obs_core::{Key, LabelValue, Moment, PointSource, Scope, Telemetry};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(crate) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: SCHEMA_URL,
};

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) calls: Arc<CallMetrics>,
}

impl Metrics {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        Self {
            calls: Arc::new(CallMetrics::new(telemetry)),
        }
    }

    /// A place for what is read.
    pub(crate) fn shown(&self, telemetry: &Telemetry) -> ShownGpus {
        ShownGpus(Some(telemetry.point_source()))
    }
}

/// What collections are shown of devices.
#[derive(Debug)]
pub(crate) struct ShownGpus(Option<PointSource>);

/// How long what is shown stands. The collection that asked for it has it at once; one that did not ask, as the observables were
/// slow, shows it again at most so long.
const STANDS: Duration = Duration::from_secs(2);

impl ShownGpus {
    /// Shows what was read last of each device, and leaves out what is too old.
    pub(crate) fn show(&mut self, shared: &Shared) {
        let Some(source) = &self.0 else {
            return;
        };
        let now = shared.stamp();
        let mut page = Page::default();
        let groups = shared.groups();
        let known = { groups.iter() }.filter(|group| group.gpu.state() != GpuState::Gone);
        let devices = known.count() as i64 + i64::from(shared.source.nameless());
        page.push(
            &table::DEVICES,
            Vec::new(),
            (now.unix, now.unix),
            Number::I64(devices),
        );
        for gpu in shared.gpus() {
            Device::new(shared, &gpu, now).show(&mut page);
        }
        source.show(page.into_metrics(), STANDS);
    }

    /// Takes it back for good.
    pub(crate) fn take_back(&mut self) {
        self.0 = None;
    }
}

/// One device on the page.
struct Device<'a> {
    shared: &'a Shared,
    gpu: &'a Gpu,
    now: Stamp,
    /// What all points have, and what those of `hw.gpu.*` have.
    common: PointAttributes,
    full: PointAttributes,
}

impl<'a> Device<'a> {
    fn new(shared: &'a Shared, gpu: &'a Gpu, now: Stamp) -> Self {
        let info = gpu.info();
        let common = common(&info);
        let mut full = common.clone();
        let mut add = |key: Key, value: Option<&str>| {
            full.extend(value.map(|value| text(key, value)));
        };
        add(hw::MODEL, info.model.as_deref());
        add(hw::VENDOR, Some(info.vendor));
        add(hw::DRIVER_VERSION, info.driver_version.as_deref());
        add(hw::SERIAL_NUMBER, info.serial_number.as_deref());
        Self {
            shared,
            gpu,
            now,
            common,
            full,
        }
    }

    fn show(&self, page: &mut Page) {
        self.gpu.board(|board| {
            self.quantities(board, page);
            self.memory_share(board, page);
            self.throttled(board, page);
            self.links(board, page);
            self.faults(board, page);
            self.processes(board, page);
            self.ages(board, page);
        });
        let answers = self.gpu.state() == GpuState::Answering;
        let times = (0, self.now.unix);
        page.push(
            &table::ANSWERING,
            self.common.clone(),
            times,
            Number::I64(answers.into()),
        );
    }

    /// When a quantity was read, if that is not too long ago.
    fn fresh(&self, board: &Board, quantity: Quantity) -> Option<Stamp> {
        board.fresh(quantity, |at| self.age(at))
    }

    fn age(&self, at: Moment) -> Duration {
        self.shared.telemetry.between(at, self.now.at)
    }

    fn with(&self, more: impl IntoIterator<Item = (Key, LabelValue)>) -> PointAttributes {
        let mut all = self.common.clone();
        all.extend(
            more.into_iter()
                .map(|(key, value)| (Cow::Borrowed(key.as_str()), value)),
        );
        all
    }

    fn quantities(&self, board: &Board, page: &mut Page) {
        for row in METRICS {
            let quantity = row.quantity;
            let stamp = self.fresh(board, quantity);
            let Some((stamp, value)) = stamp.zip(board.readings.value(quantity)) else {
                continue;
            };
            let base = if row.is_of_gpus() {
                &self.full
            } else {
                &self.common
            };
            let mut attributes = base.clone();
            let more = row.attributes.iter();
            attributes.extend(
                more.map(|(key, value)| (Cow::Borrowed(key.as_str()), LabelValue::Static(value))),
            );
            let since = match (quantity.nature(), row.shape) {
                (Nature::Total, _) => board.totals[quantity as usize].map(|total| total.since),
                (Nature::Level, Shape::Gauge) => Some(0),
                (Nature::Level, _) => board.began,
            };
            let times = (since.unwrap_or(stamp.unix).min(stamp.unix), stamp.unix);
            let value = match row.whole {
                true => Number::I64(value),
                false => Number::F64(quantity.unit().in_metrics(value)),
            };
            page.push(row, attributes, times, value);
        }
    }

    fn memory_share(&self, board: &Board, page: &mut Page) {
        let read = |quantity| board.readings.value(quantity);
        let both = read(Quantity::MemoryUsed).zip(read(Quantity::MemoryTotal));
        let Some((stamp, (used, total))) = self.fresh(board, Quantity::MemoryUsed).zip(both) else {
            return;
        };
        if total > 0 {
            let share = Number::F64(used as f64 / total as f64);
            page.push(
                &table::MEMORY_SHARE,
                self.full.clone(),
                (0, stamp.unix),
                share,
            );
        }
    }

    fn throttled(&self, board: &Board, page: &mut Page) {
        let bits = board.readings.value(Quantity::ThrottleReasons);
        let stamp = self.fresh(board, Quantity::ThrottleReasons);
        let Some((stamp, bits)) = stamp.zip(bits) else {
            return;
        };
        let reasons = Throttle(bits.cast_unsigned());
        let named = Throttle::NAMED.map(|(reason, name)| (name, reasons.any_of(reason)));
        for (name, holds) in named.into_iter().chain([("other", reasons.has_others())]) {
            let attributes = self.with([(obs::GPU_THROTTLE_REASON, LabelValue::Static(name))]);
            page.push(
                &table::THROTTLED,
                attributes,
                (0, stamp.unix),
                Number::I64(holds.into()),
            );
        }
    }

    fn links(&self, board: &Board, page: &mut Page) {
        let Some(stamp) = board.fresh_links(|at| self.age(at)) else {
            return;
        };
        if !self.shared.settings.links {
            return;
        }
        for (link, totals) in board.links.iter().zip(&board.link_totals) {
            let number = (obs::GPU_LINK, LabelValue::Number(link.link.into()));
            let now = (0, stamp.unix);
            if let Some(up) = link.up {
                page.push(
                    &table::LINK_UP,
                    self.with([number.clone()]),
                    now,
                    Number::I64(up.into()),
                );
            }
            if let Some(speed) = link.speed.value() {
                page.push(
                    &table::LINK_SPEED,
                    self.with([number.clone()]),
                    now,
                    Number::I64(speed),
                );
            }
            let readings = LinkTotals::of(link)
                .into_iter()
                .zip(totals.0)
                .zip(LINK_TOTALS);
            for ((reading, total), (of, key, value)) in readings {
                let (Reading::Value(_), Some(total)) = (reading, total) else {
                    continue;
                };
                let mut more = vec![number.clone(), (*key, LabelValue::Static(value))];
                if of.name == hw::ERRORS {
                    more.push((hw::TYPE, LabelValue::Static("gpu")));
                }
                let times = (total.since.min(stamp.unix), stamp.unix);
                page.push(*of, self.with(more), times, Number::I64(total.value));
            }
        }
    }

    fn faults(&self, board: &Board, page: &mut Page) {
        for fault in &board.faults {
            let name = fault
                .code
                .map_or("xid_other".into(), |code| format!("xid_{code}"));
            let name = (http::ERROR_TYPE, LabelValue::Text(name.into()));
            let gpu = (hw::TYPE, LabelValue::Static("gpu"));
            // What is counted here began with the first one: it is there since just before.
            let times = (fault.first.saturating_sub(1), self.now.unix);
            let times_seen = Number::I64(fault.times as i64);
            page.push(
                &table::ERRORS,
                self.with([gpu, name.clone()]),
                times,
                times_seen,
            );
            let seconds = Number::F64(fault.last as f64 / 1e9);
            page.push(
                &table::ERROR_TIME,
                self.with([name]),
                (0, self.now.unix),
                seconds,
            );
        }
    }

    fn processes(&self, board: &Board, page: &mut Page) {
        let Some(stamp) = board.fresh_processes(|at| self.age(at)) else {
            return;
        };
        for (kind, name) in KINDS {
            let many = board
                .processes
                .iter()
                .filter(|process| process.kind == kind)
                .count();
            let attributes = self.with([(obs::GPU_PROCESS_KIND, LabelValue::Static(name))]);
            let times = (
                board.began.unwrap_or(stamp.unix).min(stamp.unix),
                stamp.unix,
            );
            page.push(
                &table::PROCESSES,
                attributes,
                times,
                Number::I64(many as i64),
            );
        }
    }

    fn ages(&self, board: &Board, page: &mut Page) {
        for (tier, name) in Tier::ALL.into_iter().zip(["fast", "second", "slow"]) {
            let Some(stamp) = board.read[tier as usize] else {
                continue;
            };
            let attributes = self.with([(obs::GPU_TIER, LabelValue::Static(name))]);
            let age = Number::F64(self.age(stamp.at).as_secs_f64());
            page.push(&table::AGE, attributes, (0, self.now.unix), age);
        }
        for (name, interval) in &board.intervals {
            let attributes = self.with([(obs::GPU_READ_GROUP, LabelValue::Static(name))]);
            let interval = Number::F64(interval.as_secs_f64());
            page.push(&table::INTERVAL, attributes, (0, self.now.unix), interval);
        }
    }
}

const KINDS: [(ProcessKind, &str); 3] = [
    (ProcessKind::Compute, "compute"),
    (ProcessKind::Graphics, "graphics"),
    (ProcessKind::Mps, "mps"),
];

/// What the totals of a link are, in their order.
const LINK_TOTALS: &[(&FurtherMetric, Key, &str); 6] = &[
    (&table::LINK_IO, hw::IO_DIRECTION, "transmit"),
    (&table::LINK_IO, hw::IO_DIRECTION, "receive"),
    (&table::ERRORS, http::ERROR_TYPE, "nvlink_replay"),
    (&table::ERRORS, http::ERROR_TYPE, "nvlink_recovery"),
    (&table::ERRORS, http::ERROR_TYPE, "nvlink_crc"),
    (&table::ERRORS, http::ERROR_TYPE, "nvlink_receive"),
];

fn text(key: Key, value: &str) -> (Cow<'static, str>, LabelValue) {
    (key.as_str().into(), LabelValue::Text(value.into()))
}

/// What all points of a device have.
fn common(info: &DeviceInfo) -> PointAttributes {
    let name = match &info.mig {
        None => format!("GPU {}", info.index),
        Some(mig) => match mig.compute_instance {
            None => format!("GPU {} MIG {}", info.index, mig.gpu_instance),
            Some(compute) => format!("GPU {} MIG {}.{compute}", info.index, mig.gpu_instance),
        },
    };
    let mut all = vec![text(hw::ID, info.id.as_str()), text(hw::NAME, &name)];
    all.extend(
        info.mig
            .as_ref()
            .map(|mig| text(hw::PARENT, mig.parent.as_str())),
    );
    all
}
