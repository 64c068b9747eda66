//! What a finished operation counts in exponential histograms, where any of its metrics is one.

use super::Kind;
use crate::engine::live::Live;
use crate::engine::local::Local;

impl Kind {
    #[inline(always)]
    pub(crate) fn grows(&self) -> bool {
        self.set.exponentials != 0
    }

    /// What [`record`](Self::record) is for the explicit ones.
    #[inline(never)]
    pub(crate) fn grow(&self, live: &Live, ticks: u64, local: &Local) {
        let histograms = self.set.exponentials;
        let Some(cells) = local.shard.exponential(live.series, histograms) else {
            return;
        };
        // In the order in which they were registered: duration, stages, measures.
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
            count(stage.took(live, ticks).map(seconds));
        }
        for index in 0..self.measures.len() {
            let measured = live.measured & (1 << index) != 0;
            count(measured.then(|| live.measures[index & 3] as f64));
        }
    }
}
