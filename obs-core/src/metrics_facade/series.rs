//! What a recording writes to: the cells of one series.

use crate::engine::Engine;
use crate::engine::cells::Cells;
use crate::engine::metric_set::{MetricSet, bucket};
use ::metrics::{CounterFn, GaugeFn, HistogramFn};

/// One series of one telemetry, for any thread.
#[derive(Debug)]
pub(super) struct Series {
    engine: &'static Engine,
    to: To,
}

#[derive(Debug)]
enum To {
    /// Each thread has cells of its own, which are added up.
    Added(&'static MetricSet, u32),
    /// A value that is set is in one place.
    Placed(&'static MetricSet, Cells),
    Nowhere,
    /// Nowhere, and counted.
    Refused,
}

impl Series {
    /// One that is there from now on, at 0, as exporters of the `metrics` crate show it.
    pub(super) fn counter(engine: &'static Engine, set: &'static MetricSet, series: u32) -> Self {
        let added = Self::histogram(engine, set, series);
        added.add(|_, _| ());
        added
    }

    pub(super) fn gauge(engine: &'static Engine, set: &'static MetricSet, series: u32) -> Self {
        let cells = engine.common_cells(series, set.cells);
        let to = cells.map_or(To::Nowhere, |cells| To::Placed(set, cells));
        Self { engine, to }
    }

    /// One that shows nothing before its first value.
    pub(super) fn histogram(engine: &'static Engine, set: &'static MetricSet, series: u32) -> Self {
        let to = To::Added(set, series);
        Self { engine, to }
    }

    pub(super) fn nowhere(engine: &'static Engine) -> Self {
        let to = To::Nowhere;
        Self { engine, to }
    }

    pub(super) fn refused(engine: &'static Engine) -> Self {
        let to = To::Refused;
        Self { engine, to }
    }

    /// Writes to this thread's cells; `write` is told whether they are its own.
    #[inline(always)]
    fn add(&self, write: impl FnOnce(&Cells, bool)) {
        match &self.to {
            To::Added(set, series) if !set.is_off() => self.engine.with_local(|local| {
                if let Some(cells) = local.shard.cells(*series, set.cells) {
                    write(cells, local.owned);
                }
            }),
            To::Refused => self.refuse(),
            _ => {}
        }
    }

    fn place(&self, write: impl FnOnce(&Cells)) {
        match &self.to {
            To::Placed(set, cells) if !set.is_off() => write(cells),
            To::Refused => self.refuse(),
            _ => {}
        }
    }

    #[cold]
    fn refuse(&self) {
        // One that is over has nothing to account for.
        if !self.engine.is_shut_down() {
            self.engine.counts.metrics_refused.add(1);
        }
    }

    /// The sum over all threads.
    fn total(&self, series: u32) -> u64 {
        let shards = self.engine.shards();
        let cells = shards.iter().filter_map(|shard| shard.touched(series));
        cells.fold(0, |sum: u64, cells| sum.wrapping_add(cells.read(0)))
    }
}

impl CounterFn for Series {
    #[inline]
    fn increment(&self, by: u64) {
        self.add(|cells, owned| cells.add(0, by, owned));
    }

    /// Adds what lacks to `total`; what is counted elsewhere meanwhile comes on top.
    fn absolute(&self, total: u64) {
        match self.to {
            To::Added(_, series) => {
                let _one = self.engine.recorded.totals.write();
                let lacks = total.saturating_sub(self.total(series));
                if lacks > 0 {
                    CounterFn::increment(self, lacks);
                }
            }
            _ => CounterFn::increment(self, 0),
        }
    }
}

impl GaugeFn for Series {
    fn increment(&self, by: f64) {
        self.place(|cells| cells.add_f64(0, by, false));
    }

    fn decrement(&self, by: f64) {
        self.place(|cells| cells.add_f64(0, -by, false));
    }

    fn set(&self, value: f64) {
        self.place(|cells| cells.set(0, value.to_bits()));
    }
}

impl HistogramFn for Series {
    #[inline]
    fn record(&self, value: f64) {
        self.record_many(value, 1);
    }

    #[inline]
    fn record_many(&self, value: f64, count: usize) {
        if !value.is_finite() {
            return self.refuse();
        }
        let To::Added(set, series) = self.to else {
            return self.add(|_, _| ());
        };
        let Some(metric) = set.metrics.first() else {
            return;
        };
        self.add(|cells, owned| {
            cells.add_f64(0, value * count as f64, owned);
            cells.add(
                1 + bucket(metric.shape.bounds(), value),
                count as u64,
                owned,
            );
        });
        if let Some(exponential) = &metric.exponential
            && !set.is_off()
        {
            self.engine.with_local(|local| {
                if let Some(grown) = local.shard.exponential(series, set.exponentials) {
                    exponential.record_many(grown, (value, count as u64), local.owned);
                }
            });
        }
    }
}
