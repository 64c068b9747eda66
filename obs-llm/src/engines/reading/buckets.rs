//! The buckets of a page, which count everything up to a limit, as OTLP has them: each by itself.

use super::Anomaly;

/// What the samples of one histogram say.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    /// Limits, and how many values are not above each.
    upto: Vec<(f64, f64)>,
    pub(crate) sum: Option<f64>,
    /// A bucket whose limit is no number.
    broken: bool,
}

/// A histogram, in the units and with the limits of its source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Buckets {
    pub(crate) bounds: Vec<f64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}

/// Buckets beyond these are nobody's.
const MAX_BUCKETS: usize = 1_000;

/// The greatest number up to which a count in floating point is a whole number for sure.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Raw {
    pub(crate) fn add(&mut self, limit: Option<f64>, count: f64) {
        match limit {
            Some(limit) if !limit.is_nan() && self.upto.len() < MAX_BUCKETS => {
                self.upto.push((limit, count));
            }
            _ => self.broken = true,
        }
    }

    /// `None` where it is no histogram: a bucket is missing, or the counts run backwards.
    fn buckets(mut self) -> Option<Buckets> {
        let sum = self.sum.filter(|sum| sum.is_finite())?;
        if self.broken {
            return None;
        }
        self.upto.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (last, _) = self.upto.last()?;
        // Without it nobody knows how many are above the others.
        if *last != f64::INFINITY {
            return None;
        }
        let mut counts = Vec::with_capacity(self.upto.len());
        let mut before = 0.0;
        for (_, upto) in &self.upto {
            if *upto < before || *upto > EXACT || upto.fract() != 0.0 {
                return None;
            }
            counts.push((upto - before) as u64);
            before = *upto;
        }
        let mut bounds: Vec<f64> = self.upto.into_iter().map(|(limit, _)| limit).collect();
        bounds.pop();
        let finite = bounds.iter().all(|bound| bound.is_finite());
        finite.then_some(Buckets {
            bounds,
            counts,
            sum,
        })
    }
}

/// The sum of histograms that differ in labels that nobody asks for. `per`: how many of their units make one.
pub(crate) fn merged(parts: impl Iterator<Item = Raw>, per: f64) -> Result<Buckets, Anomaly> {
    let mut all: Option<Buckets> = None;
    for part in parts {
        let part = part.buckets().ok_or(Anomaly::BrokenHistogram)?;
        match &mut all {
            None => all = Some(part),
            Some(all) if all.bounds == part.bounds => {
                all.sum += part.sum;
                for (sum, count) in all.counts.iter_mut().zip(part.counts) {
                    *sum = sum.saturating_add(count);
                }
            }
            Some(_) => return Err(Anomaly::ConflictingBuckets),
        }
    }
    let mut all = all.ok_or(Anomaly::BrokenHistogram)?;
    all.sum /= per;
    all.bounds.iter_mut().for_each(|bound| *bound /= per);
    Ok(all)
}
