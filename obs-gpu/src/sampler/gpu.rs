//! One device as others see it.

use super::board::{Board, Stamp};
use super::group::Hang;
use crate::device::{DeviceId, DeviceInfo};
use crate::lock::lock;
use crate::quantity::Quantity;
use crate::reading::Readings;
use crate::ring::Ring;
use crate::sample::Sample;
use crate::snapshot::Snapshot;
use crate::source::{GpuProcess, LinkReading};
use obs_core::Moment;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A device that is watched: what was read of it last. Nothing here asks the driver. Cloning counts a reference; what it says
/// stays, with its age, when nobody watches any more.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    id: DeviceId,
    info: Mutex<Arc<DeviceInfo>>,
    snapshot: Snapshot,
    ring: Ring,
    board: Mutex<Board>,
    listed: AtomicBool,
    /// The code with which it was lost; [`NOT_LOST`] where it is not.
    lost: AtomicI64,
    hang: Arc<Hang>,
}

const NOT_LOST: i64 = i64::MAX;

/// Whether a device can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GpuState {
    /// It can.
    Answering,
    /// A call that began then is not back at its deadline.
    NotAnswering {
        /// When it began.
        since: Moment,
    },
    /// It is gone, by the driver's word.
    Lost {
        /// The driver's code.
        code: i32,
    },
    /// It is not in the driver's list.
    Gone,
}

impl Gpu {
    pub(crate) fn new(info: DeviceInfo, hang: Arc<Hang>) -> Self {
        Self(Arc::new(Inner {
            id: info.id.clone(),
            info: Mutex::new(Arc::new(info)),
            snapshot: Snapshot::new(),
            ring: Ring::new(),
            board: Mutex::new(Board::new()),
            listed: AtomicBool::new(false),
            lost: AtomicI64::new(NOT_LOST),
            hang,
        }))
    }

    /// Which one it is.
    pub fn id(&self) -> &DeviceId {
        &self.0.id
    }

    /// What is known of it that does not change.
    pub fn info(&self) -> Arc<DeviceInfo> {
        lock(&self.0.info).clone()
    }

    /// The last sample; `None` before the first. It takes no lock and no memory and waits for nobody. How old it is says
    /// [`Sample::at`].
    #[inline]
    pub fn sample(&self) -> Option<Sample> {
        self.0.snapshot.last()
    }

    /// Shows each sample that the ring has from one moment to another, both included, in their order.
    pub fn history(&self, from: Moment, to: Moment, show: impl FnMut(Sample)) {
        self.0.ring.each(from, to, show);
    }

    /// Bytes of the ring.
    pub fn history_bytes(&self) -> usize {
        self.0.ring.bytes()
    }

    /// What was read last.
    pub fn readings(&self) -> Readings {
        lock(&self.0.board).readings.clone()
    }

    /// When a quantity was read last, or should have been.
    pub fn read_at(&self, quantity: Quantity) -> Option<Moment> {
        let stamp = lock(&self.0.board).read_at[quantity as usize];
        stamp.map(|stamp| stamp.at)
    }

    /// Whether what was read of a quantity is not too old to be shown. `age`: how long ago a moment was
    /// ([`Telemetry::between`](obs_core::Telemetry::between)). It may be as old as three of the intervals at which it is read now, and the
    /// deadline.
    pub fn is_fresh(&self, quantity: Quantity, age: impl FnOnce(Moment) -> Duration) -> bool {
        lock(&self.0.board).fresh(quantity, age).is_some()
    }

    /// How often each of what is read together is read now, by its name: the period of its tier, or as rarely as the
    /// [budget](crate::GpuSettings::with_budget) makes it. What does not change is not among them; of a lost device there is none.
    pub fn intervals(&self) -> Vec<(&'static str, Duration)> {
        lock(&self.0.board).intervals.clone()
    }

    /// Its links to others, as they were read last.
    pub fn links(&self) -> Vec<LinkReading> {
        lock(&self.0.board).links.clone()
    }

    /// When its links were read last.
    pub fn links_read_at(&self) -> Option<Moment> {
        lock(&self.0.board).links_read.map(|stamp| stamp.at)
    }

    /// When the processes were read last; `None` where they could not be.
    pub fn processes_read_at(&self) -> Option<Moment> {
        lock(&self.0.board).processes_read.map(|stamp| stamp.at)
    }

    /// The processes that use it, as they were read last; none where they could not be.
    pub fn processes(&self) -> Vec<GpuProcess> {
        lock(&self.0.board).processes.clone()
    }

    /// Whether it can be read. It takes no lock.
    pub fn state(&self) -> GpuState {
        if !self.0.listed.load(Ordering::Acquire) {
            return GpuState::Gone;
        }
        if let Some(since) = self.0.hang.since() {
            return GpuState::NotAnswering { since };
        }
        match self.0.lost.load(Ordering::Acquire) {
            NOT_LOST => GpuState::Answering,
            code => GpuState::Lost { code: code as i32 },
        }
    }

    pub(super) fn set_info(&self, info: DeviceInfo) {
        let mut known = lock(&self.0.info);
        if **known != info {
            *known = Arc::new(info);
        }
    }

    /// Says whether that is new.
    pub(super) fn set_listed(&self, listed: bool) -> bool {
        self.0.listed.swap(listed, Ordering::AcqRel) != listed
    }

    /// Says whether that is new.
    pub(super) fn set_lost(&self, code: Option<i32>) -> bool {
        let code = code.map_or(NOT_LOST, i64::from);
        (self.0.lost.swap(code, Ordering::AcqRel) == NOT_LOST) != (code == NOT_LOST)
    }

    /// Whether both are the same, and not only of one name.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn hang(&self) -> &Hang {
        &self.0.hang
    }

    pub(crate) fn board<T>(&self, with: impl FnOnce(&mut Board) -> T) -> T {
        with(&mut lock(&self.0.board))
    }

    /// Shows what the board has as the last sample. `keep`: in the ring as well.
    pub(super) fn publish(
        &self,
        board: &Board,
        now: Stamp,
        age: impl Fn(Moment) -> Duration,
        keep: bool,
    ) {
        let read = |quantity: Quantity| -> Option<u64> {
            board.fresh(quantity, &age)?;
            u64::try_from(board.readings.value(quantity)?).ok()
        };
        let ratio = |of: u64, whole: u64| (u128::from(of) * 1_000_000).checked_div(whole.into());
        let clock = read(Quantity::SmClock).zip(read(Quantity::SmClockMax));
        let clock = clock.and_then(|(clock, most)| u64::try_from(ratio(clock, most)?).ok());
        let nvlink = board.fresh(Quantity::NvlinkSent, &age);
        let sample = Sample::new(now.at)
            .with_utilization(read(Quantity::Utilization))
            .with_dram_active(read(Quantity::DramActive))
            .with_tensor_active(read(Quantity::TensorActive))
            .with_sm_clock_ratio(clock)
            .with_power(read(Quantity::Power))
            .with_memory_used(read(Quantity::MemoryUsed))
            .with_memory_total(read(Quantity::MemoryTotal))
            .with_energy(read(Quantity::Energy))
            .with_throttle(read(Quantity::ThrottleReasons).map(crate::sample::Throttle))
            .with_nvlink_rate(nvlink.and(board.nvlink_rate));
        self.0.snapshot.put(sample);
        if keep {
            self.0.ring.push(sample);
        }
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Gpu");
        shown.field("id", &self.0.id).field("state", &self.state());
        shown
            .field("sample", &self.sample())
            .finish_non_exhaustive()
    }
}
