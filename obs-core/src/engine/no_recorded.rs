//! What [`recorded`](self) is without the feature: nobody records by names and labels that come as they come.

use super::Engine;
use super::metric_set::MetricSet;
use crate::label::Labels;
use crate::metrics::PointAttributes;

/// No names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recorded {}

/// There is none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whole {}

/// Unit and description of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
}

impl Whole {
    pub(crate) fn said(&self) -> Option<Said> {
        match *self {}
    }

    pub(crate) fn attributes(&self, _labels: Labels) -> PointAttributes {
        match *self {}
    }
}

impl Engine {
    pub(crate) fn warn_if_recorded(&self, _set: &MetricSet) {
        let Recorded {} = self.recorded;
    }
}
