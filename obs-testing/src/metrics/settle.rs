//! From points as received to one per series.

use super::{HistogramPoint, NumberPoint, Series, Temporality};
use crate::AttrValue;

/// What points of each kind have in common.
pub(super) trait Point: Clone {
    fn series(&self) -> &Series;
    fn temporality(&self) -> Temporality;
    fn time_ns(&self) -> u64;
    /// Adds a later delta of the same series; says whether the two could be added.
    fn add(&mut self, later: &Self) -> bool;
}

/// The latest of cumulative points and gauges, the deltas of a series added up; in the order first seen.
#[track_caller]
pub(super) fn settle<P: Point>(
    points: &[P],
    name: &str,
    attributes: &[(&str, AttrValue)],
) -> Vec<P> {
    let mut settled: Vec<P> = Vec::new();
    let fits = |series: &Series| series.name == name && series.has(attributes);
    for point in points.iter().filter(|point| fits(point.series())) {
        match settled
            .iter_mut()
            .find(|known| known.series() == point.series())
        {
            None => settled.push(point.clone()),
            Some(known) if point.temporality() == Temporality::Delta => {
                let added = known.add(point);
                assert!(
                    added,
                    "{} changed its bounds between exports",
                    point.series()
                );
            }
            Some(known) if point.time_ns() >= known.time_ns() => *known = point.clone(),
            Some(_) => {}
        }
    }
    settled
}

impl Point for HistogramPoint {
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
        self.merge(later)
    }
}

impl Point for NumberPoint {
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
        self.value = match (self.value, later.value) {
            (Some(mine), Some(theirs)) => Some(mine.plus(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        self.start_ns = self.start_ns.min(later.start_ns);
        self.time_ns = self.time_ns.max(later.time_ns);
        self.exemplars.extend(later.exemplars.iter().cloned());
        true
    }
}
