//! A stage that one operation goes through many times: a stream's messages. Each passage is recorded when it is over.

use super::Kind;
use crate::label::Labels;
use crate::moment::Moment;

/// Passages through one stage that one operation has gathered and not recorded yet: a few dozen bytes, so that a stream that has
/// one every few milliseconds looks for the cells of its thread once in [`MOST`](Self::MOST) times.
///
/// What is gathered has to be [recorded](Kind::record_gathered) at the end of the operation, however it ends.
#[derive(Clone, Debug)]
pub struct Passages {
    ticks: u64,
    counts: [u8; Self::BUCKETS],
    /// How many more there is room for.
    room: u8,
}

impl Default for Passages {
    fn default() -> Self {
        Self {
            ticks: 0,
            counts: [0; Self::BUCKETS],
            room: Self::MOST,
        }
    }
}

impl Passages {
    /// So many are gathered at most.
    pub const MOST: u8 = 64;
    /// A histogram of more buckets is recorded at once.
    const BUCKETS: usize = 24;
}

impl Kind {
    /// Gathers one passage, as [`record_stage`](Self::record_stage) would record it, and records all of them when there are many.
    /// Views and exponential histograms see them one by one.
    #[inline(always)]
    pub fn gather_stage(
        &self,
        labels: impl FnOnce() -> Labels,
        stage: usize,
        (from, to): (Moment, Moment),
        gathered: &mut Passages,
    ) {
        let Some(hot) = self.stages.get(stage) else {
            return;
        };
        let ticks = to.to_bits().saturating_sub(from.to_bits());
        match gathered.counts.get_mut(hot.histogram.bucket(ticks)) {
            Some(count) if self.set.exponentials == 0 => {
                *count += 1;
                gathered.ticks += ticks;
                gathered.room -= 1;
                if gathered.room == 0 {
                    self.record_gathered(labels(), stage, gathered);
                }
            }
            _ => self.record_apart(labels(), stage, (from, to)),
        }
    }

    /// One that is not gathered.
    #[cold]
    #[inline(never)]
    fn record_apart(&self, labels: Labels, stage: usize, (from, to): (Moment, Moment)) {
        self.record_stage(labels, stage, from, to);
    }

    /// Records what is gathered, and empties it.
    #[cold]
    #[inline(never)]
    pub fn record_gathered(&self, labels: Labels, stage: usize, gathered: &mut Passages) {
        let Some(hot) = self
            .stages
            .get(stage)
            .filter(|_| gathered.room < Passages::MOST)
        else {
            return;
        };
        let gathered = std::mem::take(gathered);
        self.engine.with_local(|local| {
            let owned = local.owned;
            if let Some(cells) = &local.series(&self.set, labels).1.cells {
                hot.histogram
                    .record_many(cells, gathered.ticks, &gathered.counts, owned);
            }
        });
    }

    /// Records so many passages at once that took the same time, as [`record_stage`](Self::record_stage) would record each: what it
    /// costs does not depend on how many there are.
    #[cold]
    #[inline(never)]
    pub fn record_stages(
        &self,
        labels: Labels,
        stage: usize,
        (from, to): (Moment, Moment),
        times: u64,
    ) {
        let Some(hot) = self.stages.get(stage).filter(|_| times > 0) else {
            return;
        };
        let ticks = to.to_bits().saturating_sub(from.to_bits());
        self.engine.with_local(|local| {
            let owned = local.owned;
            let slot = local.series(&self.set, labels).1;
            if let Some(cells) = &slot.cells {
                let all = ticks.saturating_mul(times);
                hot.histogram
                    .record_times(cells, (ticks, all), times, owned);
            }
            if self.set.exponentials > 0 {
                let index = usize::from(self.duration.is_some()) + stage;
                let series = slot.series;
                self.record_exponential_of(index, (self.seconds(ticks), times), series, local);
            }
        });
    }

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
                // In the order in which they were registered: the duration stands before the stages.
                let index = usize::from(self.duration.is_some()) + stage;
                let series = slot.series;
                self.record_exponential_of(index, (self.seconds(ticks), 1), series, local);
            }
        });
    }
}
