//! Metrics for other crates and for services: handles bound at set-up, recorded without a look-up.

use super::Engine;
use super::cells::Cells;
use super::local::Local;
use super::metric_set::{Metric, MetricSet, Shape, bucket};
use super::shard::Shard;
use crate::attributes::Key;
use crate::descriptor::Scope;
use crate::fork::Kept;
use crate::label::{Label, LabelId, Labels, Space};
use crate::semconv::network::SERVER_ADDRESS;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// What an instrument is.
///
/// Input that makes no sense is put right and [warned about](crate::Telemetry::warnings): without a name nothing is
/// recorded, of labels beyond the eighth and of those that are there twice or have no key nothing is exported, and the
/// boundaries of a histogram are sorted, each once, without those that are not finite.
#[derive(Clone, Copy, Debug)]
pub struct Instrument {
    /// Its name.
    pub name: &'static str,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// What it says.
    pub description: &'static str,
    /// Its labels, at most eight.
    pub labels: &'static [Label],
    /// Who emits it.
    pub scope: &'static Scope,
}

/// Instruments of one telemetry.
#[derive(Default)]
pub(crate) struct Instruments {
    sets: Kept<Vec<&'static MetricSet>>,
}

impl std::fmt::Debug for Instruments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}

impl Instruments {
    pub(crate) fn each_set(&self, visit: &mut impl FnMut(&MetricSet)) {
        // Listed first: a collection takes its time, and whoever registers one meanwhile must not wait for it.
        let sets = self.sets.read().clone();
        sets.into_iter().for_each(visit);
    }
}

impl Engine {
    /// The group of cells of an instrument; the same instrument again is the same group.
    ///
    /// Registered otherwise than before, under the same name and scope, it follows `metrics/sdk.md` of the specification,
    /// §"Duplicate instrument registration": somebody is warned, and both work and are exported. Boundaries are advice
    /// there and identify nothing: those that came first are used.
    pub(crate) fn instrument(&'static self, instrument: &Instrument, mut shape: Shape) -> Handle {
        let mut sets = self.instruments.sets.write();
        // Under the lock that `silence` lists the sets under: either it lists this one, or this is true.
        if self.is_shut_down() || !self.check_instrument(instrument, &mut shape) {
            return Handle::inert(self);
        }
        let keys: Vec<Key> = instrument.labels.iter().map(|label| label.key).collect();
        let shown = self.view(instrument.scope, instrument.name, Some(&keys), &mut shape);
        if { shown.streams.as_ref() }.is_some_and(|streams| streams.is_empty()) {
            return Handle::inert(self);
        }
        let mut name = instrument.name;
        let mut conflict = None;
        for set in sets.iter().copied() {
            match Registered::compare(set, instrument, &shape) {
                Registered::Same => return Handle { engine: self, set },
                Registered::WithOther("boundaries", _) => {
                    self.warn_of_conflict(name, "boundaries", "the first are used");
                    return Handle { engine: self, set };
                }
                // Names are the same whatever their case, and the first one is exported.
                Registered::WithOther(what, first) => (name, conflict) = (first, Some(what)),
                Registered::Not => {}
            }
        }
        if let Some(what) = conflict {
            self.warn_of_conflict(name, what, "both are exported");
        }
        let labels = &instrument.labels[..instrument.labels.len().min(8)];
        let own = std::ptr::eq(instrument.scope, &crate::setup::SCOPE);
        let space = |label: &Label| match own && label.key != SERVER_ADDRESS {
            true => Space::new(*label, &[]).of_ours(),
            false => Space::new(*label, &[]),
        };
        let spaces = labels.iter().map(space).collect();
        let mut set = MetricSet::empty(self, self.next_set_id(), instrument.scope, spaces);
        // What a telemetry says about itself is a closed set, and must have room.
        if own {
            set.max_series = u32::MAX;
        }
        set.push(
            (name, instrument.unit, instrument.description),
            shape,
            shown,
        );
        set.plain = AtomicBool::new(set.exponentials == 0);
        self.warn_if_recorded(&set);
        let set: &'static MetricSet = Box::leak(Box::new(set));
        sets.push(set);
        Handle { engine: self, set }
    }

    /// The group of a metric whose label sets are met as they come, exported as views have it. `None` after shutdown.
    #[cfg(feature = "metrics")]
    pub(crate) fn whole_set(
        &self,
        scope: &'static Scope,
        name: &'static str,
        (shape, shown): (Shape, super::views::Shown),
        whole: super::recorded::Whole,
    ) -> Option<&'static MetricSet> {
        let mut sets = self.instruments.sets.write();
        // Under this lock for the same reason as above.
        if self.is_shut_down() {
            return None;
        }
        let mut set = MetricSet {
            whole: Some(whole),
            ..MetricSet::empty(self, self.next_set_id(), scope, [].into())
        };
        set.push((name, "", ""), shape, shown);
        set.plain = AtomicBool::new(set.exponentials == 0);
        let set: &'static MetricSet = Box::leak(Box::new(set));
        sets.push(set);
        Some(set)
    }

    /// From now on instruments record nothing.
    pub(crate) fn silence(&self) {
        self.instruments.each_set(&mut |set| {
            set.off.store(true, Ordering::Relaxed);
            set.plain.store(false, Ordering::Relaxed);
        });
    }

    /// Counts each, says it once.
    #[cold]
    fn warn_of_conflict(&self, name: &str, what: &str, then: &str) {
        self.counts.instrument_conflicts.add(1);
        let warning = format!("instrument `{name}` is registered again with other {what}; {then}");
        self.diagnostics.warn(warning);
    }
}

/// What a group of cells is to an instrument that is registered.
enum Registered {
    Not,
    Same,
    /// What differs, and the name it has.
    WithOther(&'static str, &'static str),
}

impl Registered {
    fn compare(set: &MetricSet, instrument: &Instrument, shape: &Shape) -> Self {
        let Some(known) = set.metrics.first() else {
            return Self::Not;
        };
        let scope = |scope: &Scope| (scope.name, scope.version, scope.schema_url);
        if !known.name.eq_ignore_ascii_case(instrument.name)
            || scope(set.scope) != scope(instrument.scope)
            // Handles of instruments have no way to its cells.
            || set.whole.is_some()
        {
            return Self::Not;
        }
        let (spaces, labels) = (&set.spaces, instrument.labels);
        let pairs = spaces.iter().zip(labels);
        let differs = if std::mem::discriminant(&known.shape) != std::mem::discriminant(shape) {
            "kind"
        } else if known.unit != instrument.unit {
            "unit"
        } else if known.description != instrument.description {
            "description"
        } else if spaces.len() != labels.len().min(8) || { pairs }
            .any(|(space, label)| space.key() != label.key)
        {
            "labels"
        } else if known.shape.bounds() != shape.bounds() {
            "boundaries"
        } else {
            return Self::Same;
        };
        Self::WithOther(differs, known.name)
    }
}

/// A group of cells that handles of instruments share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    engine: &'static Engine,
    set: &'static MetricSet,
}

impl Handle {
    /// One that records nothing, and stands in no telemetry's list.
    fn inert(engine: &'static Engine) -> Self {
        static INERT: LazyLock<MetricSet> = LazyLock::new(|| MetricSet {
            id: 0,
            scope: &crate::setup::SCOPE,
            spaces: [].into(),
            whole: None,
            metrics: Vec::new(),
            cells: 0,
            exponentials: 0,
            max_series: 0,
            series: AtomicU32::new(0),
            full: AtomicBool::new(true),
            off: AtomicBool::new(true),
            plain: AtomicBool::new(false),
            overflowed: AtomicU64::new(0),
            started: AtomicU64::new(0),
            ticks_per_second: 1.0,
        });
        Self {
            engine,
            set: &INERT,
        }
    }

    fn labels(&self, values: &[&str]) -> Labels {
        let labels = self.set.spaces.iter().zip(values).enumerate();
        labels.fold(Labels::NONE, |labels, (index, (space, value))| {
            let key = space.key().as_str();
            let taken = |other: &Space| other.key().as_str() == key;
            let unusable = key.is_empty() || self.set.spaces[..index].iter().any(taken);
            let id = if value.is_empty() || unusable {
                LabelId::ABSENT
            } else {
                self.engine.with_local(|local| local.intern(space, value))
            };
            labels.with(index, id)
        })
    }

    /// Whether there is room for these values beside those that the labels have.
    #[cfg(feature = "tokio")]
    pub(crate) fn fits(&self, values: &[&str]) -> bool {
        let labels = self.labels(values);
        (0..values.len()).all(|index| labels.get(index) != LabelId::OVERFLOW)
    }

    fn bind(&self, values: &[&str]) -> Bound {
        let series = if self.set.is_off() {
            0
        } else {
            self.engine.registry.series(self.set, self.labels(values))
        };
        Bound {
            handle: *self,
            series,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    handle: Handle,
    series: u32,
}

impl Bound {
    #[inline(always)]
    fn write(&self, write: impl FnOnce(&MetricSet, &Cells, &Local)) {
        if !self.handle.set.is_off() {
            self.write_always(write);
        }
    }

    #[inline(always)]
    fn write_always(&self, write: impl FnOnce(&MetricSet, &Cells, &Local)) {
        let set = self.handle.set;
        self.handle.engine.with_local(|local| {
            if let Some(cells) = local.shard.cells(self.series, set.cells) {
                write(set, cells, local);
            }
        });
    }

    /// Values that are set live in one place, not one per thread.
    fn place(&self, value: u64) {
        if !self.handle.set.is_off() {
            self.place_always(value);
        }
    }

    fn place_always(&self, value: u64) {
        if self.handle.set.cells == 0 {
            return;
        }
        let shard: Arc<Shard> = self.handle.engine.common_shard();
        if let Some(cells) = shard.cells(self.series, self.handle.set.cells) {
            cells.set(0, value);
        }
    }
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident, $bound:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(pub(crate) Handle);

        impl $name {
            /// Binds label values, in the order of the instrument's labels; an empty one is absent. For set-up: the
            /// bound handle is what a hot path holds.
            pub fn bind(&self, values: &[&str]) -> $bound {
                $bound(self.0.bind(values))
            }
        }

        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $bound(Bound);
    )*};
}

handles! {
    /// A counter: only grows.
    Counter, BoundCounter;
    /// A value as it is.
    Gauge, BoundGauge;
    /// A counter in floating point, mirrored from elsewhere.
    FloatCounter, BoundFloatCounter;
    /// A whole sum that goes up and down, mirrored from elsewhere.
    UpDownCounter, BoundUpDownCounter;
    /// A whole sum that goes up and down by what is added, from any thread: what waits, what is held.
    Tally, BoundTally;
    /// A histogram of values: explicit boundaries, and [exponential buckets](crate::HistogramAggregation) where asked for.
    ValueHistogram, BoundHistogram;
}

impl BoundCounter {
    /// Adds.
    #[inline]
    pub fn add(&self, by: u64) {
        self.0
            .write(|_, cells, local| cells.add(0, by, local.owned));
    }

    /// Sets the total, for a counter that is mirrored from elsewhere; a smaller one than before is a restart there.
    /// Use either this or [`add`](Self::add) on one series.
    pub fn set_absolute(&self, total: u64) {
        self.0.place(total);
    }

    /// The same, after shutdown too: for what is told about the end.
    pub(crate) fn mirror(&self, total: u64) {
        self.0.place_always(total);
    }
}

impl BoundTally {
    /// Adds; what is taken away is negative. It may be taken away by another thread than it was added by: the sum is right, and
    /// never shown as less than none.
    #[inline]
    pub fn add(&self, by: i64) {
        self.0
            .write(|_, cells, local| cells.add(0, by.cast_unsigned(), local.owned));
    }
}

impl BoundGauge {
    /// Sets.
    pub fn set(&self, value: f64) {
        self.0.place(value.to_bits());
    }
}

impl BoundFloatCounter {
    /// Sets the total; a smaller one than before is a restart there. One that is negative or not finite is not set.
    pub fn set_absolute(&self, total: f64) {
        if total.is_finite() && total >= 0.0 {
            // `-0.0` has other bits than `0.0`.
            self.0.place(total.abs().to_bits());
        }
    }
}

impl BoundUpDownCounter {
    /// Sets the sum.
    pub fn set_absolute(&self, sum: i64) {
        self.0.place(sum as u64);
    }

    /// The same, after shutdown too: for what is told about the end.
    pub(crate) fn mirror(&self, sum: i64) {
        self.0.place_always(sum as u64);
    }
}

impl BoundHistogram {
    /// Records a value, in the instrument's unit. A value that is not finite is not recorded.
    #[inline]
    pub fn record(&self, value: f64) {
        if !value.is_finite() {
            return;
        }
        if !self.0.handle.set.plain.load(Ordering::Relaxed) {
            return self.record_otherwise(value);
        }
        self.0.write_always(|set, cells, local| {
            add(set.metrics.first(), cells, value, local.owned);
        });
    }

    /// In exponential buckets too, or not at all.
    #[inline(never)]
    fn record_otherwise(&self, value: f64) {
        self.0.write(|set, cells, local| {
            let metric = set.metrics.first();
            add(metric, cells, value, local.owned);
            if let Some(exponential) = metric.and_then(|metric| metric.exponential.as_ref())
                && let Some(grown) = local.shard.exponential(self.0.series, set.exponentials)
            {
                exponential.record(grown, value, local.owned);
            }
        });
    }
}

/// A value into the explicit buckets of a histogram.
#[inline(always)]
fn add(metric: Option<&Metric>, cells: &Cells, value: f64, owned: bool) {
    if let Some(Shape::Values { bounds }) = metric.map(|metric| &metric.shape) {
        cells.add_f64(0, value, owned);
        cells.add(1 + bucket(bounds, value), 1, owned);
    }
}
