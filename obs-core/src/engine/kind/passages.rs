//! A stage that one operation goes through many times: a stream's messages. Each passage is recorded when it is over.

use super::Kind;
use crate::label::Labels;
use crate::moment::Moment;

impl Kind {
    /// Records one passage through a stage, its index in [`Descriptor::stages`](crate::Descriptor::stages), whose events do
    /// not tell it: they are stamped once per operation, and recorded at its end. `labels` are those that are known by
    /// now; there is no error among them. Nothing is recorded for a stage that there is not. No level is looked at.
    #[inline]
    pub fn record_stage(&self, labels: Labels, stage: usize, from: Moment, to: Moment) {
        let Some(hot) = self.stages.get(stage) else {
            return;
        };
        let ticks = to.to_bits().saturating_sub(from.to_bits());
        self.engine.with_local(|local| {
            let owned = local.owned;
            let slot = local.series(&self.set, labels).1;
            if let Some(cells) = &slot.cells {
                hot.histogram.record(cells, ticks, owned);
            }
            if self.set.exponentials > 0 {
                let series = slot.series;
                // In the order in which they were registered: the duration stands before the stages.
                let index = usize::from(self.duration.is_some()) + stage;
                let metric = self.set.metrics.get(index);
                let cells = local.shard.exponential(series, self.set.exponentials);
                if let (Some(cells), Some(exponential)) =
                    (cells, metric.and_then(|metric| metric.exponential.as_ref()))
                {
                    let seconds = ticks as f64 / self.set.ticks_per_second;
                    exponential.record(cells, seconds, owned);
                }
            }
        });
    }
}
