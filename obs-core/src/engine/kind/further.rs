//! What a finished operation counts beside its times: measures, and all of it in exponential histograms, where either is
//! asked for. Where neither is, one branch says so.

use super::Kind;
use crate::engine::live::Live;
use crate::engine::local::Local;
use crate::engine::metric_set::bucket;

impl Kind {
    /// After [`record`](Self::record).
    #[inline]
    pub(crate) fn record_further(&self, live: &Live, ticks: u64, local: &Local) {
        if self.further {
            self.record_measures(live, local);
            self.record_exponential(live, ticks, local);
        }
    }

    fn record_measures(&self, live: &Live, local: &Local) {
        if self.measures.is_empty() {
            return;
        }
        let Some(cells) = local.shard.cells(live.series, self.set.cells) else {
            return;
        };
        for (index, (offset, bounds)) in self.measures.iter().enumerate() {
            if let Some(value) = live.measure(index) {
                cells.add_f64(*offset, value, local.owned);
                cells.add(offset + 1 + bucket(bounds, value), 1, local.owned);
            }
        }
    }

    /// One value of one of its metrics, by the place in which that was registered.
    #[inline(never)]
    pub(super) fn record_exponential_of(
        &self,
        index: usize,
        times: (f64, u64),
        series: u32,
        local: &Local,
    ) {
        let metric = self.set.metrics.get(index);
        let cells = local.shard.exponential(series, self.set.exponentials);
        if let (Some(cells), Some(exponential)) =
            (cells, metric.and_then(|metric| metric.exponential.as_ref()))
        {
            exponential.record_many(cells, times, local.owned);
        }
    }

    #[inline(never)]
    fn record_exponential(&self, live: &Live, ticks: u64, local: &Local) {
        let histograms = self.set.exponentials;
        if histograms == 0 {
            return;
        }
        let Some(cells) = local.shard.exponential(live.series, histograms) else {
            return;
        };
        // In the order in which they were registered: duration, stages, measures; quantities follow.
        let mut metrics = self.set.metrics.iter();
        let mut count = |value: Option<f64>| {
            let exponential = metrics
                .next()
                .and_then(|metric| metric.exponential.as_ref());
            if let (Some(exponential), Some(value)) = (exponential, value) {
                exponential.record(cells, value, local.owned);
            }
        };
        // Divided, as the values of exemplars are.
        let seconds = |ticks: u64| ticks as f64 / self.set.ticks_per_second;
        if self.duration.is_some() {
            count(Some(seconds(ticks)));
        }
        for stage in &self.stages {
            let took = stage.took(live, ticks).filter(|_| !stage.by_hand);
            count(took.map(seconds));
        }
        for index in 0..self.measures.len() {
            count(live.measure(index));
        }
    }
}
