//! What one record writes: several metrics that share labels lie in one run of cells, found by one look-up.

use crate::attributes::Key;
use crate::descriptor::{Histogram, Scope};
use crate::label::Space;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// A group of metrics with common labels.
#[derive(Debug)]
pub(crate) struct MetricSet {
    pub(crate) id: u16,
    pub(crate) scope: &'static Scope,
    pub(crate) spaces: Arc<[Space]>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) cells: usize,
    pub(crate) max_series: u32,
    pub(crate) series: AtomicU32,
    pub(crate) full: AtomicBool,
    /// Records that went to the overflow series.
    pub(crate) overflowed: AtomicU64,
    /// Set once: the process-wide start of the sums, in ticks.
    pub(crate) started: u64,
}

/// One metric of a group.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    pub(crate) attribute: Option<(Key, &'static str)>,
    pub(crate) shape: Shape,
    /// Where its cells begin.
    pub(crate) offset: usize,
}

#[derive(Debug)]
pub(crate) enum Shape {
    /// One sum in ticks, then a cell per bucket.
    Ticks {
        limits: Box<[u64]>,
        bounds: Box<[f64]>,
    },
    /// One floating-point sum, then a cell per bucket.
    Values { bounds: Box<[f64]> },
    /// One wrapping sum; a monotonic one never goes down.
    Sum { monotonic: bool },
    /// One floating-point sum.
    SumF64 { monotonic: bool },
    /// One floating-point value, set.
    Gauge,
    /// The greatest value set by anyone: a counter mirrored from elsewhere.
    Absolute,
}

impl Shape {
    pub(crate) fn ticks(histogram: &Histogram, ticks_per_second: f64) -> Self {
        Self::Ticks {
            limits: histogram
                .bounds
                .iter()
                .map(|bound| (bound * ticks_per_second) as u64)
                .collect(),
            bounds: histogram.bounds.into(),
        }
    }

    pub(crate) fn cells(&self) -> usize {
        match self {
            Self::Ticks { bounds, .. } | Self::Values { bounds } => bounds.len() + 2,
            _ => 1,
        }
    }
}

impl MetricSet {
    pub(crate) fn push(
        &mut self,
        metric: (&'static str, &'static str, &'static str),
        shape: Shape,
    ) -> usize {
        self.push_with(metric, None, shape)
    }

    pub(crate) fn push_with(
        &mut self,
        (name, unit, description): (&'static str, &'static str, &'static str),
        attribute: Option<(Key, &'static str)>,
        shape: Shape,
    ) -> usize {
        let offset = self.cells;
        self.cells += shape.cells();
        self.metrics.push(Metric {
            name,
            unit,
            description,
            attribute,
            shape,
            offset,
        });
        self.metrics.len() - 1
    }
}

/// In which bucket `value` falls: bounds are inclusive upper limits, as in OTLP.
#[inline(always)]
pub(crate) fn bucket<V: PartialOrd + Copy>(limits: &[V], value: V) -> usize {
    limits.partition_point(|limit| *limit < value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_it_closes() {
        let limits = [5_u64, 10];
        assert_eq!(
            [0, 5, 6, 10, 11].map(|value| bucket(&limits, value)),
            [0, 0, 1, 1, 2]
        );
    }
}
