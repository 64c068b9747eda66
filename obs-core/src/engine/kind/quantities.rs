//! Numbers that are recorded by hand, under labels of the kind.

use super::Kind;
use crate::engine::metric_set::bucket;
use crate::label::Labels;

/// Where a quantity's cells are.
#[derive(Debug)]
pub(super) struct Place {
    offset: usize,
    /// Of a counter there are none.
    bounds: Box<[f64]>,
}

impl Place {
    pub(super) fn of((offset, bounds): (usize, Box<[f64]>)) -> Self {
        Self { offset, bounds }
    }
}

impl Kind {
    /// Records `value` of a quantity, its index in [`Descriptor::quantities`](crate::Descriptor::quantities): a counter grows by
    /// its whole part, a histogram counts it. One that is negative or not finite is not recorded. `labels` are whose it is; an error is among them only if it was put there. Nothing is recorded
    /// for a quantity that there is not. No level is looked at.
    #[inline]
    pub fn record_quantity(&self, labels: Labels, quantity: usize, value: f64) {
        let Some(place) = self.quantities.get(quantity) else {
            return;
        };
        if !(value.is_finite() && value >= 0.0) {
            return;
        }
        self.engine.with_local(|local| {
            let owned = local.owned;
            let slot = local.series(&self.set, labels).1;
            if let Some(cells) = &slot.cells {
                if place.bounds.is_empty() {
                    cells.add(place.offset, value as u64, owned);
                } else {
                    cells.add_f64(place.offset, value, owned);
                    let bucket = bucket(&place.bounds, value);
                    cells.add(place.offset + 1 + bucket, 1, owned);
                }
            }
            if self.set.exponentials > 0 {
                let series = slot.series;
                // In the order in which they were registered: they are the last.
                let index = self.set.metrics.len() - self.quantities.len() + quantity;
                self.record_exponential_of(index, (value, 1), series, local);
            }
        });
    }
}
