//! What all shards counted of one exponential histogram, at the scale at which they count.

use std::collections::BTreeMap;

/// Counts by index of bucket; of those that counted nothing there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    pub(super) zeros: u64,
    pub(super) positive: BTreeMap<i32, u64>,
    pub(super) negative: BTreeMap<i32, u64>,
}

impl Counted {
    pub(super) fn add_zeros(&mut self, count: u64) {
        self.zeros = self.zeros.wrapping_add(count);
    }

    pub(super) fn add(&mut self, index: i32, negative: bool, count: u64) {
        if count == 0 {
            return;
        }
        let side = if negative {
            &mut self.negative
        } else {
            &mut self.positive
        };
        let sum = side.entry(index).or_default();
        *sum = sum.wrapping_add(count);
    }

    /// What was counted since an earlier collection. Counts only grow.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let side = |now: &BTreeMap<i32, u64>, before: &BTreeMap<i32, u64>| {
            let new = now.iter().map(|(index, count)| {
                let before = before.get(index).copied().unwrap_or(0);
                (*index, count.wrapping_sub(before))
            });
            new.filter(|(_, count)| *count > 0).collect()
        };
        Self {
            zeros: self.zeros.wrapping_sub(before.zeros),
            positive: side(&self.positive, &before.positive),
            negative: side(&self.negative, &before.negative),
        }
    }
}
