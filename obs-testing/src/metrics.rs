//! Looking up metric points: by name and attributes, settled over several exports, with quantiles and sums.
//!
//! ```
//! # #[cfg(feature = "receiver")] {
//! use obs_testing::{Receiver, attrs};
//!
//! let receiver = Receiver::start()?;
//! // … the service under test exports to `receiver.endpoint()` …
//! let points = receiver.points();
//! if let Some(duration) = points.histogram("http.server.request.duration", &attrs!["http.route" => "/items/{id}"]) {
//!     println!("{} requests, median {:?} s", duration.count, duration.quantile(0.5));
//! }
//! # }
//! # std::io::Result::Ok(())
//! ```

mod exponential;
mod lookup;
mod quantile;
mod settle;

pub use exponential::ExponentialPoint;
pub use lookup::PointSet;

use crate::AttrValue;
use std::fmt;

/// Which series a point belongs to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// The metric's unit.
    pub unit: String,
    /// The instrumentation scope's name.
    pub scope: String,
    /// The resource's attributes, in the order sent.
    pub resource: Vec<(String, AttrValue)>,
    /// The point's attributes, by key.
    pub attributes: Vec<(String, AttrValue)>,
}

impl Series {
    /// The series called `name` with these attributes, without unit, scope or resource.
    pub fn new(
        name: impl Into<String>,
        attributes: impl IntoIterator<Item = (String, AttrValue)>,
    ) -> Self {
        let mut attributes: Vec<_> = attributes.into_iter().collect();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            name: name.into(),
            unit: String::new(),
            scope: String::new(),
            resource: Vec::new(),
            attributes,
        }
    }

    /// The value of one attribute of the point.
    #[must_use]
    pub fn attr(&self, key: &str) -> Option<&AttrValue> {
        crate::attr::find(&self.attributes, key)
    }

    /// Whether the point has each of these attributes (and maybe more).
    #[must_use]
    pub fn has(&self, attributes: &[(&str, AttrValue)]) -> bool {
        attributes
            .iter()
            .all(|(key, value)| self.attr(key) == Some(value))
    }
}

/// `name{key="value", …}`, for messages.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self
            .attributes
            .iter()
            .map(|(key, value)| format!("{key}={}", value.literal()))
            .collect();
        write!(f, "{}{{{}}}", self.name, labels.join(", "))
    }
}

/// What a point counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Temporality {
    /// Not said (OTLP's zero), or a gauge, which has none.
    Unspecified,
    /// Since the last export.
    Delta,
    /// Since the start of the series.
    Cumulative,
}

/// A number as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
}

impl Number {
    /// The number, whichever way it was sent (integers beyond 2⁵³ are rounded).
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Double(number) => number,
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Self::Int(a.saturating_add(b)),
            (a, b) => Self::Double(a.as_f64() + b.as_f64()),
        }
    }
}

/// A point of a sum or of a gauge.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NumberPoint {
    /// What it is a point of.
    pub series: Series,
    /// When counting began, nanoseconds of the Unix epoch; zero if not said.
    pub start_ns: u64,
    /// When the point was taken, nanoseconds of the Unix epoch.
    pub time_ns: u64,
    /// What it counts from.
    pub temporality: Temporality,
    /// Whether it only grows (a counter).
    pub monotonic: bool,
    /// The value; `None` if the point says that there is none.
    pub value: Option<Number>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
}

impl NumberPoint {
    /// A point of no temporality, taken at time zero: fill in the rest.
    #[must_use]
    pub fn new(series: Series, value: Number) -> Self {
        Self {
            series,
            start_ns: 0,
            time_ns: 0,
            temporality: Temporality::Unspecified,
            monotonic: false,
            value: Some(value),
            exemplars: Vec::new(),
        }
    }

    /// The value as a floating-point number; NaN if the point says that there is none.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        self.value.map_or(f64::NAN, Number::as_f64)
    }
}

/// A point of a histogram with explicit buckets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HistogramPoint {
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
    /// Upper bounds (inclusive) of all buckets but the last, which has none.
    pub bounds: Vec<f64>,
    /// Values per bucket: one more than bounds, or none at all.
    pub bucket_counts: Vec<u64>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
}

impl HistogramPoint {
    /// A point of no temporality, taken at time zero, with these buckets; count follows from them, the sum is not known.
    #[must_use]
    pub fn new(series: Series, bounds: Vec<f64>, bucket_counts: Vec<u64>) -> Self {
        Self {
            series,
            start_ns: 0,
            time_ns: 0,
            temporality: Temporality::Unspecified,
            count: bucket_counts
                .iter()
                .fold(0, |sum, count| sum.saturating_add(*count)),
            sum: None,
            min: None,
            max: None,
            bounds,
            bucket_counts,
            exemplars: Vec::new(),
        }
    }

    /// The mean of all values, if their sum was sent and there were any.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.sum? / self.count as f64)
    }
}

/// A measurement that stands for others, with the span it was made in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Exemplar {
    /// The value measured.
    pub value: Number,
    /// When, nanoseconds of the Unix epoch.
    pub time_ns: u64,
    /// The trace, zero if none was sent.
    pub trace_id: u128,
    /// The span, zero if none was sent.
    pub span_id: u64,
    /// Attributes that the series does not have.
    pub attributes: Vec<(String, AttrValue)>,
}

impl Exemplar {
    /// An exemplar without a span.
    #[must_use]
    pub fn new(value: Number, time_ns: u64) -> Self {
        Self {
            value,
            time_ns,
            trace_id: 0,
            span_id: 0,
            attributes: Vec::new(),
        }
    }
}
