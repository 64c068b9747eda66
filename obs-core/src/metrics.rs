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

impl Metric {
    /// One for a [`PointSource`](crate::PointSource) to show.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        unit: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
        scope: &'static Scope,
        data: Data,
    ) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            description: description.into(),
            scope,
            data,
        }
    }
}

/// The points of a metric.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Data {
    /// Explicit buckets, and exponential ones where they were asked for.
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
        self.len() == 0
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Histogram { points, .. } => points.len(),
            Self::Sum { points, .. } | Self::Gauge { points } => points.len(),
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
    /// The same values in exponential buckets, where [they were asked for](crate::HistogramAggregation): OTLP has these in
    /// place of the explicit ones, a page of Prometheus the explicit ones.
    pub exponential: Option<ExponentialBuckets>,
}

impl HistogramPoint {
    /// One with explicit buckets that were counted elsewhere. `times`: from when it counts and until when, in nanoseconds since
    /// the Unix epoch. `None` where `bounds` are not finite and ascending, where there is not one bucket more than there
    /// are bounds, or where the sum is no number.
    pub fn explicit(
        attributes: PointAttributes,
        times: (u64, u64),
        bounds: Vec<f64>,
        buckets: Vec<u64>,
        sum: f64,
    ) -> Option<Self> {
        let ascending = bounds.windows(2).all(|pair| pair[0] < pair[1]);
        let finite = bounds.iter().all(|bound| bound.is_finite()) && sum.is_finite();
        if !ascending || !finite || buckets.len() != bounds.len() + 1 {
            return None;
        }
        let count = { buckets.iter() }.try_fold(0_u64, |sum, bucket| sum.checked_add(*bucket))?;
        Some(Self {
            attributes,
            start_unix_nanos: times.0.min(times.1),
            unix_nanos: times.1,
            count,
            sum,
            bounds,
            buckets,
            exemplars: Vec::new(),
            exponential: None,
        })
    }
}

/// What a base-2 exponential histogram counted (`metrics/data-model.md` of the specification, §ExponentialHistogram). The
/// sum is the point's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExponentialBuckets {
    /// How fine they are: limits are powers of 2^(2^-scale).
    pub scale: i32,
    /// How many values are zero. None but these are counted here: the threshold of zero is 0.
    pub zero_count: u64,
    /// Values above zero.
    pub positive: IndexedBuckets,
    /// Values below zero, by what they are without the sign.
    pub negative: IndexedBuckets,
}

impl ExponentialBuckets {
    /// How many values they count. The point's own count is read from other cells, and may be a moment older or younger.
    pub fn count(&self) -> u64 {
        let sides = [&self.positive, &self.negative];
        let counts = sides.into_iter().flat_map(|side| &side.counts);
        counts.fold(self.zero_count, |sum, count| sum.wrapping_add(*count))
    }
}

/// Neighbouring buckets. That of index i has the values above 2^(i / 2^scale), up to and with 2^((i + 1) / 2^scale).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexedBuckets {
    /// The index of the first.
    pub offset: i32,
    /// How many values in each: neither the first nor the last is 0.
    pub counts: Vec<u64>,
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

impl NumberPoint {
    /// One that was counted or read elsewhere. `times`: from when it counts and until when, in nanoseconds since the Unix epoch;
    /// the first is 0 for a gauge.
    pub fn new(attributes: PointAttributes, times: (u64, u64), value: Number) -> Self {
        Self {
            attributes,
            start_unix_nanos: times.0.min(times.1),
            unix_nanos: times.1,
            value,
        }
    }
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
