//! Quantiles of explicit buckets, and adding histograms up.

use super::HistogramPoint;

impl HistogramPoint {
    /// The `q`-quantile by linear interpolation inside the bucket that holds it, as Prometheus' `histogram_quantile` does:
    /// the first bucket begins at 0 if its bound is positive, and is answered with its bound if not; a quantile in the
    /// last bucket, which has no bound, is answered with the greatest bound.
    ///
    /// `None` without values, without bounds, with buckets that do not fit their bounds, or if `q` is not within 0 to 1.
    /// Unlike Prometheus (which divides zero by zero there), `q = 0` skips empty buckets.
    ///
    /// Source: <https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile>, classic histograms.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        if !(0.0..=1.0).contains(&q)
            || self.bounds.is_empty()
            || self.bucket_counts.len() != self.bounds.len() + 1
        {
            return None;
        }
        let total = self
            .bucket_counts
            .iter()
            .map(|count| u128::from(*count))
            .sum::<u128>() as f64;
        if total == 0.0 {
            return None;
        }
        let rank = q * total;
        let mut below = 0_u128;
        for (index, &count) in self.bucket_counts.iter().enumerate() {
            let reached = below + u128::from(count);
            if count > 0 && reached as f64 >= rank {
                return Some(self.within(index, (rank - below as f64) / count as f64));
            }
            below = reached;
        }
        // Only rounding of counts beyond 2⁵³ leads here.
        self.bounds.last().copied()
    }

    /// The value that `share` of the bucket's values do not exceed.
    fn within(&self, bucket: usize, share: f64) -> f64 {
        let Some(&upper) = self.bounds.get(bucket) else {
            return self.bounds[bucket - 1];
        };
        let lower = match bucket.checked_sub(1) {
            Some(before) => self.bounds[before],
            None if upper <= 0.0 => return upper,
            None => 0.0,
        };
        (lower + (upper - lower) * share.clamp(0.0, 1.0)).clamp(lower, upper)
    }

    /// Adds `other` into this point; `false`, and nothing is changed, if their bounds differ.
    ///
    /// Times widen to cover both. Sum, least and greatest stay known only if both sides know them.
    #[must_use = "false means nothing was added"]
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.bounds != other.bounds || self.bucket_counts.len() != other.bucket_counts.len() {
            return false;
        }
        for (mine, theirs) in self.bucket_counts.iter_mut().zip(&other.bucket_counts) {
            *mine = mine.saturating_add(*theirs);
        }
        // A point without values may leave out its extremes; it cannot move those of the other.
        let (mine_empty, other_empty) = (self.count == 0, other.count == 0);
        let pick = |mine: Option<f64>, theirs: Option<f64>, of: fn(f64, f64) -> f64| match (
            mine_empty,
            other_empty,
        ) {
            (_, true) => mine,
            (true, false) => theirs,
            (false, false) => mine.zip(theirs).map(|(a, b)| of(a, b)),
        };
        self.min = pick(self.min, other.min, f64::min);
        self.max = pick(self.max, other.max, f64::max);
        self.sum = self.sum.zip(other.sum).map(|(a, b)| a + b);
        self.count = self.count.saturating_add(other.count);
        self.start_ns = self.start_ns.min(other.start_ns);
        self.time_ns = self.time_ns.max(other.time_ns);
        self.exemplars.extend(other.exemplars.iter().cloned());
        true
    }
}
