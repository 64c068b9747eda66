//! Points as collected: what OTLP and the text page are rendered from, and what tests look at.

use crate::descriptor::Scope;
use crate::label::LabelValue;
use opentelemetry::trace::{SpanId, TraceId};
use std::borrow::Cow;

/// Whether points count from the start or from the last collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Temporality {
    /// From the start.
    #[default]
    Cumulative,
    /// From the last collection of the same reader.
    Delta,
}

/// Attributes of a point, in the order of its labels.
pub type PointAttributes = Vec<(Cow<'static, str>, LabelValue)>;

/// One metric with its points.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its unit in UCUM.
    pub unit: Cow<'static, str>,
    /// What it says.
    pub description: Cow<'static, str>,
    /// Who emits it.
    pub scope: &'static Scope,
    /// Its points.
    pub data: Data,
}

/// The points of a metric.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Data {
    /// Explicit buckets.
    Histogram {
        /// From when they count.
        temporality: Temporality,
        /// One per label set.
        points: Vec<HistogramPoint>,
    },
    /// Sums.
    Sum {
        /// Whether it only grows.
        monotonic: bool,
        /// From when they count.
        temporality: Temporality,
        /// One per label set.
        points: Vec<NumberPoint>,
    },
    /// Values as they are.
    Gauge {
        /// One per label set.
        points: Vec<NumberPoint>,
    },
}

impl Data {
    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Histogram { points, .. } => points.is_empty(),
            Self::Sum { points, .. } | Self::Gauge { points } => points.is_empty(),
        }
    }
}

/// A point of a histogram.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HistogramPoint {
    /// Its labels.
    pub attributes: PointAttributes,
    /// From when it counts, in nanoseconds since the Unix epoch.
    pub start_unix_nanos: u64,
    /// Until when.
    pub unix_nanos: u64,
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Upper bounds, inclusive, of all buckets but the last.
    pub bounds: Vec<f64>,
    /// How many values in each bucket: one more than there are bounds.
    pub buckets: Vec<u64>,
    /// At most one per bucket, in their order; its trace was exported before.
    pub exemplars: Vec<Exemplar>,
}

/// A single value that a histogram counted, and the operation that it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// The value, in the unit of the metric.
    pub value: f64,
    /// When the operation ended, in nanoseconds since the Unix epoch.
    pub unix_nanos: u64,
    /// Its trace.
    pub trace_id: TraceId,
    /// Its span.
    pub span_id: SpanId,
}

/// A point of a sum or gauge.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NumberPoint {
    /// Its labels.
    pub attributes: PointAttributes,
    /// From when it counts, in nanoseconds since the Unix epoch; 0 for a gauge.
    pub start_unix_nanos: u64,
    /// Until when, or as of when.
    pub unix_nanos: u64,
    /// The number.
    pub value: Number,
}

/// A whole or a floating-point number.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// Whole.
    I64(i64),
    /// Floating-point.
    F64(f64),
}

impl Number {
    /// As a floating-point number.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::I64(value) => value as f64,
            Self::F64(value) => value,
        }
    }
}
