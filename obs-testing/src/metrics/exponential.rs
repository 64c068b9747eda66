//! Exponential histograms: their buckets by limits, and adding them up.

use super::settle::Point;
use super::{Exemplar, Series, Temporality};
use std::collections::BTreeMap;

/// A point of a base-2 exponential histogram.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExponentialPoint {
    /// What it is a point of.
    pub series: Series,
    /// When counting began, nanoseconds of the Unix epoch; zero if not said.
    pub start_ns: u64,
    /// When the point was taken, nanoseconds of the Unix epoch.
    pub time_ns: u64,
    /// What it counts from.
    pub temporality: Temporality,
    /// How many values there were.
    pub count: u64,
    /// Their sum, if sent.
    pub sum: Option<f64>,
    /// The least of them, if sent.
    pub min: Option<f64>,
    /// The greatest of them, if sent.
    pub max: Option<f64>,
    /// Limits of buckets are powers of 2^(2^-scale).
    pub scale: i32,
    /// How many values count as zero.
    pub zero_count: u64,
    /// Values up to this one, of either sign, count as zero.
    pub zero_threshold: f64,
    /// Counts of values above zero, by index: bucket i has those above base^i, up to and with base^(i+1).
    pub positive: BTreeMap<i32, u64>,
    /// The same of values below zero, by what they are without the sign.
    pub negative: BTreeMap<i32, u64>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
}

impl ExponentialPoint {
    /// A point of no temporality, taken at time zero, with these counts of positive values; the sum is not known.
    #[must_use]
    pub fn new(series: Series, scale: i32, positive: BTreeMap<i32, u64>) -> Self {
        Self {
            series,
            start_ns: 0,
            time_ns: 0,
            temporality: Temporality::Unspecified,
            count: positive.values().sum(),
            sum: None,
            min: None,
            max: None,
            scale,
            zero_count: 0,
            zero_threshold: 0.0,
            positive,
            negative: BTreeMap::new(),
            exemplars: Vec::new(),
        }
    }

    /// The limits of the bucket of an index: above the first, up to and with the second.
    #[must_use]
    pub fn limits(&self, index: i32) -> (f64, f64) {
        let power = |index: i32| (f64::from(index) * f64::from(-self.scale).exp2()).exp2();
        (power(index), power(index.saturating_add(1)))
    }

    /// Adds `other` into this point, at the lesser scale of both.
    ///
    /// Times widen to cover both, and zero too. Sum, least and greatest stay known only if both sides know them.
    pub fn merge(&mut self, other: &Self) {
        let scale = self.scale.min(other.scale);
        let lowered = |of: &Self, side: &BTreeMap<i32, u64>, into: &mut BTreeMap<i32, u64>| {
            for (index, count) in side {
                let by = u32::try_from(of.scale - scale).unwrap_or(0).min(31);
                let sum = into.entry(index >> by).or_default();
                *sum = u64::saturating_add(*sum, *count);
            }
        };
        let (mut positive, mut negative) = (BTreeMap::new(), BTreeMap::new());
        for of in [&*self, other] {
            lowered(of, &of.positive, &mut positive);
            lowered(of, &of.negative, &mut negative);
        }
        let both = |mine: Option<f64>, theirs: Option<f64>, of: fn(f64, f64) -> f64| {
            mine.zip(theirs).map(|(mine, theirs)| of(mine, theirs))
        };
        if other.count > 0 {
            self.min = if self.count > 0 {
                both(self.min, other.min, f64::min)
            } else {
                other.min
            };
            self.max = if self.count > 0 {
                both(self.max, other.max, f64::max)
            } else {
                other.max
            };
        }
        self.sum = both(self.sum, other.sum, |mine, theirs| mine + theirs);
        (self.scale, self.positive, self.negative) = (scale, positive, negative);
        self.zero_count = self.zero_count.saturating_add(other.zero_count);
        self.zero_threshold = self.zero_threshold.max(other.zero_threshold);
        self.count = self.count.saturating_add(other.count);
        self.start_ns = self.start_ns.min(other.start_ns);
        self.time_ns = self.time_ns.max(other.time_ns);
        self.exemplars.extend(other.exemplars.iter().cloned());
    }
}

impl Point for ExponentialPoint {
    fn series(&self) -> &Series {
        &self.series
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }

    fn time_ns(&self) -> u64 {
        self.time_ns
    }

    fn add(&mut self, later: &Self) -> bool {
        self.merge(later);
        true
    }
}
