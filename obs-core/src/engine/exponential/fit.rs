//! From counts to the buckets of a point: the scale is lowered until they are few enough. Two neighbours become one then,
//! which is exact: the limits of a scale are among those of the one above it.

use super::Counted;
use crate::aggregation::ExponentialHistogram;
use crate::metrics::{ExponentialBuckets, IndexedBuckets};
use std::collections::BTreeMap;

impl Counted {
    /// The buckets of a point. None of them is lost for a later merge: what fits at a scale together fits there alone.
    pub(crate) fn buckets(&self, scale: i32, most: ExponentialHistogram) -> ExponentialBuckets {
        let ends = [&self.positive, &self.negative].map(|side| {
            let first = side.first_key_value().map(|(index, _)| *index);
            first.zip(side.last_key_value().map(|(index, _)| *index))
        });
        let lower = steps(scale, ends, most);
        let dense = |side: &BTreeMap<i32, u64>| {
            let counts = side.iter().map(|(index, count)| (index >> lower, *count));
            IndexedBuckets::of(counts)
        };
        ExponentialBuckets {
            scale: scale - lower,
            zero_count: self.zeros,
            positive: dense(&self.positive),
            negative: dense(&self.negative),
        }
    }
}

/// Lowers the scale until a stream's limits hold.
pub(crate) fn fit(buckets: &mut ExponentialBuckets, most: ExponentialHistogram) {
    let ends = [&buckets.positive, &buckets.negative].map(IndexedBuckets::ends);
    let lower = steps(buckets.scale, ends, most);
    lower_by(buckets, lower);
}

/// Adds the counts of one to another, within what the stream of both allows.
pub(crate) fn merge(
    into: &mut ExponentialBuckets,
    mut from: ExponentialBuckets,
    most: ExponentialHistogram,
) {
    let scale = into.scale.min(from.scale);
    let both = |a: Option<(i32, i32)>, b: Option<(i32, i32)>| match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    };
    for buckets in [&mut *into, &mut from] {
        lower_by(buckets, buckets.scale - scale);
    }
    // Before they are put side by side: a sparse pair far apart would be long.
    let ends = [
        both(into.positive.ends(), from.positive.ends()),
        both(into.negative.ends(), from.negative.ends()),
    ];
    let lower = steps(scale, ends, most);
    for buckets in [&mut *into, &mut from] {
        lower_by(buckets, lower);
    }
    into.zero_count = into.zero_count.wrapping_add(from.zero_count);
    into.positive = into.positive.plus(&from.positive);
    into.negative = into.negative.plus(&from.negative);
}

/// By how much a scale is to be lowered, so that neither side has too many buckets between its ends.
fn steps(scale: i32, ends: [Option<(i32, i32)>; 2], most: ExponentialHistogram) -> i32 {
    let mut lower = (scale - most.max_scale).max(0);
    let too_long = |lower: i32| {
        let size = |(first, last): (i32, i32)| (last >> lower) - (first >> lower) + 1;
        let mut sizes = ends.iter().flatten().map(|ends| size(*ends));
        sizes.any(|size| size > most.max_size.max(2) as i32)
    };
    // From there on all indexes are 0 or -1.
    while lower < 31 && too_long(lower) {
        lower += 1;
    }
    lower
}

fn lower_by(buckets: &mut ExponentialBuckets, steps: i32) {
    if steps > 0 {
        buckets.scale -= steps;
        for side in [&mut buckets.positive, &mut buckets.negative] {
            let counts = side.each().map(|(index, count)| (index >> steps, count));
            *side = IndexedBuckets::of(counts);
        }
    }
}

impl IndexedBuckets {
    /// From counts in the order of their indexes, of which some may be equal.
    fn of(counts: impl Iterator<Item = (i32, u64)>) -> Self {
        let mut buckets = Self::default();
        for (index, count) in counts {
            if buckets.counts.is_empty() {
                buckets.offset = index;
            }
            let at = index.wrapping_sub(buckets.offset) as usize;
            buckets.counts.resize(buckets.counts.len().max(at + 1), 0);
            if let Some(sum) = buckets.counts.get_mut(at) {
                *sum = sum.wrapping_add(count);
            }
        }
        buckets
    }

    /// The first and the last index.
    fn ends(&self) -> Option<(i32, i32)> {
        let last = self.counts.len().checked_sub(1)?;
        Some((self.offset, self.offset + last as i32))
    }

    fn each(&self) -> impl Iterator<Item = (i32, u64)> {
        (self.offset..).zip(self.counts.iter().copied())
    }

    fn plus(&self, other: &Self) -> Self {
        let mut sums = BTreeMap::<i32, u64>::new();
        for (index, count) in self.each().chain(other.each()) {
            let sum = sums.entry(index).or_default();
            *sum = sum.wrapping_add(count);
        }
        Self::of(sums.into_iter())
    }
}

#[cfg(test)]
mod tests;
