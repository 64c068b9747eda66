//! What one record writes: several metrics that share labels lie in one run of cells, found by one look-up.

use super::Engine;
use super::exponential::Exponential;
use super::recorded::{Said, Whole};
use super::views::{Shown, Stream};
use crate::attributes::Key;
use crate::descriptor::Scope;
use crate::label::Space;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A group of metrics with common labels.
#[derive(Debug)]
pub(crate) struct MetricSet {
    pub(crate) id: u16,
    pub(crate) scope: &'static Scope,
    pub(crate) spaces: Arc<[Space]>,
    /// Where its label sets are, if they are no numbers of `spaces`.
    pub(crate) whole: Option<Whole>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) cells: usize,
    /// How many of the metrics are exponential histograms too.
    pub(crate) exponentials: usize,
    pub(crate) max_series: u32,
    pub(crate) series: AtomicU32,
    pub(crate) full: AtomicBool,
    /// Nothing is recorded: the telemetry is over, or there never was one.
    pub(crate) off: AtomicBool,
    /// Values are recorded without further questions: it is not off, and there is nothing exponential.
    pub(crate) plain: AtomicBool,
    /// Records that went to the overflow series.
    pub(crate) overflowed: AtomicU64,
    /// The start of its sums, in nanoseconds since the Unix epoch. Fixed when the group is made: a start converted anew at
    /// each collection would move with the clocks and read as a restart.
    pub(crate) started: AtomicU64,
    /// Fixed like the start: a rate that is measured better with time would let a sum of durations run backwards.
    pub(crate) ticks_per_second: f64,
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
    /// What views make of it; `None` is as it is.
    pub(crate) streams: Option<Box<[Stream]>>,
    pub(crate) exponential: Option<Exponential>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    /// One sum in ticks, then a cell per bucket.
    Ticks { bounds: Box<[f64]> },
    /// One floating-point sum, then a cell per bucket.
    Values { bounds: Box<[f64]> },
    /// One wrapping sum; a monotonic one never goes down.
    Sum { monotonic: bool },
    /// One floating-point value, set.
    Gauge,
    /// The greatest value set by anyone: a counter mirrored from elsewhere.
    Absolute,
    /// The same in floating point, never negative.
    AbsoluteF64,
    /// A whole sum that goes up and down, mirrored from elsewhere.
    Level,
}

impl Shape {
    /// Upper limits of all buckets but the last; none where there are no buckets.
    pub(crate) fn bounds(&self) -> &[f64] {
        match self {
            Self::Ticks { bounds } | Self::Values { bounds } => bounds,
            _ => &[],
        }
    }

    pub(crate) fn set_bounds(&mut self, to: Box<[f64]>) {
        if let Self::Ticks { bounds } | Self::Values { bounds } = self {
            *bounds = to;
        }
    }

    pub(crate) fn is_histogram(&self) -> bool {
        matches!(self, Self::Ticks { .. } | Self::Values { .. })
    }

    pub(crate) fn cells(&self) -> usize {
        match self {
            Self::Ticks { bounds } | Self::Values { bounds } => bounds.len() + 2,
            _ => 1,
        }
    }
}

impl MetricSet {
    /// A group without a metric as yet.
    pub(crate) fn empty(
        engine: &Engine,
        id: u16,
        scope: &'static Scope,
        spaces: Arc<[Space]>,
    ) -> Self {
        Self {
            id,
            scope,
            spaces,
            whole: None,
            metrics: Vec::new(),
            cells: 0,
            exponentials: 0,
            max_series: engine.config.max_series,
            series: AtomicU32::new(0),
            full: AtomicBool::new(false),
            off: AtomicBool::new(false),
            plain: AtomicBool::new(false),
            overflowed: AtomicU64::new(0),
            started: engine.clock.unix_nanos().into(),
            ticks_per_second: engine.clock.ticks_per_second(),
        }
    }

    #[inline(always)]
    pub(crate) fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed)
    }

    /// Unit and description of one of its metrics.
    pub(crate) fn said(&self, metric: &Metric) -> Said {
        let whole = self.whole.as_ref().and_then(Whole::said);
        whole.unwrap_or(Said {
            unit: metric.unit,
            description: metric.description,
        })
    }

    /// Whether it is one counter.
    pub(crate) fn is_counter(&self) -> bool {
        matches!(
            self.metrics[..],
            [Metric {
                shape: Shape::Sum { monotonic: true } | Shape::Absolute | Shape::AbsoluteF64,
                ..
            }]
        )
    }

    pub(crate) fn push(
        &mut self,
        metric: (&'static str, &'static str, &'static str),
        shape: Shape,
        shown: Shown,
    ) {
        self.push_with(metric, None, shape, shown);
    }

    /// Adds a metric and says where its cells begin.
    pub(crate) fn push_with(
        &mut self,
        (name, unit, description): (&'static str, &'static str, &'static str),
        attribute: Option<(Key, &'static str)>,
        shape: Shape,
        shown: Shown,
    ) -> usize {
        let offset = self.cells;
        self.cells += shape.cells();
        let exponential = { shown.exponential }
            .filter(|_| shape.is_histogram())
            .map(|most| Exponential::new(self.exponentials, most));
        self.exponentials += usize::from(exponential.is_some());
        self.metrics.push(Metric {
            name,
            unit,
            description,
            attribute,
            shape,
            offset,
            streams: shown.streams,
            exponential,
        });
        offset
    }
}

/// In which bucket `value` falls: bounds are inclusive upper limits, as in OTLP.
#[inline(always)]
pub(crate) fn bucket(limits: &[f64], value: f64) -> usize {
    limits.partition_point(|limit| *limit < value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_it_closes() {
        let limits = [5.0, 10.0];
        assert_eq!(
            [0.0, 5.0, 6.0, 10.0, 11.0].map(|value| bucket(&limits, value)),
            [0, 0, 1, 1, 2]
        );
    }
}
