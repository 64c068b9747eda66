//! A set of points, and the questions tests ask of it.

use super::settle::{Point, settle};
use super::{ExponentialPoint, HistogramPoint, NumberPoint, Series};
use crate::AttrValue;
use std::collections::{BTreeMap, BTreeSet};

/// Points of any number of metrics and exports, in the order received.
///
/// Questions in the singular or plural (`histogram`, `sums`, …) are answered with *settled* points, one per series: the
/// latest of cumulative points and gauges, the deltas of a series added up. The points as received are in the fields.
/// Attributes given are those a point must have; it may have more.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PointSet {
    /// Points of histograms with explicit buckets.
    pub histograms: Vec<HistogramPoint>,
    /// Points of exponential histograms. What is captured in a process has [both](Self::histograms); OTLP has one of them.
    pub exponentials: Vec<ExponentialPoint>,
    /// Points of sums (counters and up-down counters).
    pub sums: Vec<NumberPoint>,
    /// Points of gauges.
    pub gauges: Vec<NumberPoint>,
    /// Names of metrics that are summaries, which this set does not look into.
    pub others: Vec<String>,
}

impl PointSet {
    /// The names of all metrics in the set.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        let histograms = self
            .histograms
            .iter()
            .map(|point| point.series.name.as_str());
        let numbers = self
            .sums
            .iter()
            .chain(&self.gauges)
            .map(|point| point.series.name.as_str());
        let exponentials = self.exponentials.iter();
        histograms
            .chain(exponentials.map(|point| point.series.name.as_str()))
            .chain(numbers)
            .chain(self.others.iter().map(String::as_str))
            .collect()
    }

    /// The histogram series called `name` with these attributes, settled.
    ///
    /// # Panics
    ///
    /// If several series fit (the message lists them), or if a series changed its bounds between exports.
    #[track_caller]
    #[must_use]
    pub fn histogram(
        &self,
        name: &str,
        attributes: &[(&str, AttrValue)],
    ) -> Option<HistogramPoint> {
        only(self.histograms(name, attributes))
    }

    /// All histogram series called `name` with these attributes, settled, in the order first seen.
    ///
    /// # Panics
    ///
    /// If a series changed its bounds between two delta exports.
    #[track_caller]
    #[must_use]
    pub fn histograms(&self, name: &str, attributes: &[(&str, AttrValue)]) -> Vec<HistogramPoint> {
        settle(&self.histograms, name, attributes)
    }

    /// The exponential histogram series called `name` with these attributes, settled.
    ///
    /// # Panics
    ///
    /// If several series fit (the message lists them).
    #[track_caller]
    #[must_use]
    pub fn exponential(
        &self,
        name: &str,
        attributes: &[(&str, AttrValue)],
    ) -> Option<ExponentialPoint> {
        only(self.exponentials(name, attributes))
    }

    /// All exponential histogram series called `name` with these attributes, settled, in the order first seen.
    #[must_use]
    pub fn exponentials(
        &self,
        name: &str,
        attributes: &[(&str, AttrValue)],
    ) -> Vec<ExponentialPoint> {
        settle(&self.exponentials, name, attributes)
    }

    /// The sum series called `name` with these attributes, settled.
    ///
    /// # Panics
    ///
    /// If several series fit (the message lists them).
    #[track_caller]
    #[must_use]
    pub fn sum(&self, name: &str, attributes: &[(&str, AttrValue)]) -> Option<NumberPoint> {
        only(self.sums(name, attributes))
    }

    /// All sum series called `name` with these attributes, settled, in the order first seen.
    #[must_use]
    pub fn sums(&self, name: &str, attributes: &[(&str, AttrValue)]) -> Vec<NumberPoint> {
        settle(&self.sums, name, attributes)
    }

    /// The gauge series called `name` with these attributes: its latest point.
    ///
    /// # Panics
    ///
    /// If several series fit (the message lists them).
    #[track_caller]
    #[must_use]
    pub fn gauge(&self, name: &str, attributes: &[(&str, AttrValue)]) -> Option<NumberPoint> {
        only(self.gauges(name, attributes))
    }

    /// The latest points of all gauge series called `name` with these attributes, in the order first seen.
    #[must_use]
    pub fn gauges(&self, name: &str, attributes: &[(&str, AttrValue)]) -> Vec<NumberPoint> {
        settle(&self.gauges, name, attributes)
    }

    /// Sums of the metric `name`, added up by the value of one attribute; series without it are under `""`.
    #[must_use]
    pub fn sum_by(&self, name: &str, key: &str) -> BTreeMap<String, f64> {
        let mut totals = BTreeMap::new();
        for point in self.sums(name, &[]) {
            *totals.entry(label(&point.series, key)).or_insert(0.0) += point.as_f64();
        }
        totals
    }

    /// Histograms of the metric `name`, added up by the value of one attribute; series without it are under `""`.
    ///
    /// The points keep the series of the first that went into them.
    ///
    /// # Panics
    ///
    /// If the series to add up do not share their bounds.
    #[track_caller]
    #[must_use]
    pub fn histogram_by(&self, name: &str, key: &str) -> BTreeMap<String, HistogramPoint> {
        let mut merged: BTreeMap<String, HistogramPoint> = BTreeMap::new();
        for point in self.histograms(name, &[]) {
            let label = label(&point.series, key);
            match merged.get_mut(&label) {
                None => {
                    merged.insert(label, point);
                }
                Some(known) => {
                    assert!(
                        known.merge(&point),
                        "{} and {} have different bounds",
                        known.series,
                        point.series
                    );
                }
            }
        }
        merged
    }

    /// Adds the points of `other`, as received later than these.
    pub fn extend(&mut self, other: Self) {
        self.histograms.extend(other.histograms);
        self.exponentials.extend(other.exponentials);
        self.sums.extend(other.sums);
        self.gauges.extend(other.gauges);
        self.others.extend(other.others);
    }
}

fn label(series: &Series, key: &str) -> String {
    series
        .attr(key)
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// The only point; a test that asks for one and could get any of several asks the wrong question.
#[track_caller]
fn only<P: Point>(mut points: Vec<P>) -> Option<P> {
    if points.len() > 1 {
        let names: Vec<_> = points
            .iter()
            .map(|point| format!("\n  {}", point.series()))
            .collect();
        panic!(
            "{} series fit, name more attributes to choose one:{}",
            points.len(),
            names.concat()
        );
    }
    points.pop()
}
