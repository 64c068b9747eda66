//! Points under the metrics that they are of.

use crate::metrics::{FurtherMetric, GpuMetric, SCOPE, Shape};
use obs_core::metrics::{Data, Metric, Number, NumberPoint, PointAttributes, Temporality};

/// Metrics as a collection is to see them.
#[derive(Debug, Default)]
pub(crate) struct Page(Vec<Metric>);

/// What a point is of: name, unit, description, shape.
#[derive(Clone, Copy)]
pub(crate) struct Of(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) Shape,
);

impl From<&GpuMetric> for Of {
    fn from(row: &GpuMetric) -> Self {
        Self(row.name, row.unit, row.description, row.shape)
    }
}

impl From<&FurtherMetric> for Of {
    fn from(row: &FurtherMetric) -> Self {
        Self(row.name, row.unit, row.description, row.shape)
    }
}

impl Page {
    /// Adds a point. `times`: since when it counts, and when it was read.
    pub(crate) fn push(
        &mut self,
        of: impl Into<Of>,
        attributes: PointAttributes,
        times: (u64, u64),
        value: Number,
    ) {
        let Of(name, unit, description, shape) = of.into();
        let point = NumberPoint::new(attributes, times, value);
        let place = self.0.iter().position(|metric| metric.name == name);
        let place = place.unwrap_or_else(|| {
            self.0
                .push(Metric::new(name, unit, description, &SCOPE, empty(shape)));
            self.0.len() - 1
        });
        match &mut self.0[place].data {
            Data::Sum { points, .. } | Data::Gauge { points } => points.push(point),
            _ => {}
        }
    }

    pub(crate) fn into_metrics(self) -> Vec<Metric> {
        self.0
    }
}

fn empty(shape: Shape) -> Data {
    match shape {
        Shape::Gauge => Data::Gauge { points: Vec::new() },
        Shape::UpDownCounter | Shape::Counter => Data::Sum {
            monotonic: shape == Shape::Counter,
            temporality: Temporality::Cumulative,
            points: Vec::new(),
        },
    }
}
