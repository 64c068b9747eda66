//! Histograms of durations as the hot path sees them: limits in ticks, the bucket by leading zeros and a step or two.

use super::cells::Cells;

/// Where one histogram's cells are, and how a duration finds its bucket.
#[derive(Clone, Debug)]
pub(crate) struct TickHistogram {
    /// The sum's cell; the buckets' follow.
    offset: usize,
    /// Upper limits, inclusive, and then one that nothing passes.
    limits: Box<[u64]>,
    /// For each number of leading zeros the first bucket that a value with so many can be in.
    first: [u8; 65],
}

impl TickHistogram {
    pub(crate) fn new(offset: usize, bounds: &[f64], ticks_per_second: f64) -> Self {
        let limits: Vec<u64> = bounds
            .iter()
            .map(|bound| limit(*bound, ticks_per_second))
            .collect();
        let mut first = [0; 65];
        for (zeros, first) in first.iter_mut().enumerate() {
            let least = 1_u64
                .checked_shl(63_u32.wrapping_sub(zeros as u32))
                .unwrap_or(0);
            *first = limits.partition_point(|limit| *limit < least).min(255) as u8;
        }
        Self {
            offset,
            limits: limits.into_iter().chain([u64::MAX]).collect(),
            first,
        }
    }

    /// The number of the bucket that a duration counts in.
    #[inline(always)]
    pub(crate) fn bucket(&self, ticks: u64) -> usize {
        let mut bucket = usize::from(self.first[ticks.leading_zeros() as usize]);
        while self.limits.get(bucket).is_some_and(|limit| *limit < ticks) {
            bucket += 1;
        }
        bucket
    }

    /// The cell of the bucket that a duration counts in.
    #[inline(always)]
    pub(crate) fn cell(&self, ticks: u64) -> usize {
        self.offset + 1 + self.bucket(ticks)
    }

    /// Several durations: their sum, and how many in each bucket.
    pub(crate) fn record_many(&self, cells: &Cells, ticks: u64, counts: &[u8], owned: bool) {
        cells.add(self.offset, ticks, owned);
        for (bucket, count) in counts.iter().enumerate().take(self.limits.len()) {
            if *count > 0 {
                cells.add(self.offset + 1 + bucket, u64::from(*count), owned);
            }
        }
    }

    /// So many of the same ticks, which are so many all together.
    pub(crate) fn record_times(
        &self,
        cells: &Cells,
        (ticks, all): (u64, u64),
        times: u64,
        owned: bool,
    ) {
        cells.add(self.offset, all, owned);
        cells.add(self.cell(ticks), times, owned);
    }

    #[inline(always)]
    pub(crate) fn record(&self, cells: &Cells, ticks: u64, owned: bool) {
        cells.add(self.offset, ticks, owned);
        cells.add(self.cell(ticks), 1, owned);
    }
}

/// The most ticks that are no more than `bound` seconds, by the division that shows them as seconds: a duration of 290 ms
/// is not above 0.29, although their product may be a little less than a whole number of ticks.
fn limit(bound: f64, ticks_per_second: f64) -> u64 {
    let below = (bound * ticks_per_second) as u64;
    let above = below.saturating_add(1);
    if above as f64 / ticks_per_second <= bound {
        above
    } else {
        below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_of_exactly_the_bound_is_not_above_it() {
        for (rate, per_ms) in [(1e9, 1_000_000), (1e6, 1_000), (2.5e9, 2_500_000)] {
            for ms in 1..20_000 {
                assert_eq!(
                    limit(ms as f64 / 1e3, rate),
                    ms * per_ms,
                    "{ms} ms at {rate}"
                );
            }
        }
        for bound in [0.005, 0.29, 2.5] {
            let rate = 2_594_993_123.0;
            let limit = limit(bound, rate);
            assert!(limit as f64 / rate <= bound && (limit + 1) as f64 / rate > bound);
        }
    }

    #[test]
    fn the_bucket_is_the_first_whose_limit_is_not_passed() {
        let bounds = [0.005, 0.01, 0.025, 0.5, 1.0, 10.0];
        let histogram = TickHistogram::new(0, &bounds, 2_594_993_123.0);
        let limits = &histogram.limits[..bounds.len()];
        let near = limits
            .iter()
            .flat_map(|limit| [limit - 1, *limit, limit + 1]);
        let powers = (0..64).flat_map(|power| [(1_u64 << power) - 1, 1 << power]);
        for ticks in near.chain(powers).chain([0, u64::MAX]) {
            let expect = limits.partition_point(|limit| *limit < ticks);
            assert_eq!(histogram.bucket(ticks), expect, "{ticks}");
        }
    }
}
