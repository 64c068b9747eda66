//! From collected metrics to the points of this crate.

use crate::attr::AttrValue;
use crate::metrics::{
    ExponentialPoint, HistogramPoint, Number, NumberPoint, PointSet, Series, Temporality,
};
use obs_core::LabelValue;
use obs_core::metrics::{self as core, Data, Metric};

pub(super) fn convert(metrics: Vec<Metric>) -> PointSet {
    let mut points = PointSet::default();
    for metric in metrics {
        let template = Series {
            name: metric.name.into_owned(),
            unit: metric.unit.into_owned(),
            scope: metric.scope.name.to_owned(),
            resource: Vec::new(),
            attributes: Vec::new(),
        };
        match metric.data {
            Data::Histogram {
                temporality: of,
                points: found,
            } => {
                let of = temporality(of);
                let exponentials = found.iter();
                let exponentials =
                    exponentials.filter_map(|point| exponential(&template, point, of));
                points.exponentials.extend(exponentials);
                let found = found.into_iter();
                let found = found.map(|point| histogram(&template, point, of));
                points.histograms.extend(found);
            }
            Data::Sum {
                monotonic,
                temporality: of,
                points: found,
            } => points.sums.extend(found.into_iter().map(|point| {
                let mut point = number(&template, point);
                point.temporality = temporality(of);
                point.monotonic = monotonic;
                point
            })),
            Data::Gauge { points: found } => points
                .gauges
                .extend(found.into_iter().map(|point| number(&template, point))),
            _ => points.others.push(template.name),
        }
    }
    points
}

fn histogram(
    template: &Series,
    point: core::HistogramPoint,
    temporality: Temporality,
) -> HistogramPoint {
    HistogramPoint {
        series: series(template, point.attributes),
        start_ns: point.start_unix_nanos,
        time_ns: point.unix_nanos,
        temporality,
        count: point.count,
        sum: Some(point.sum),
        min: None,
        max: None,
        bounds: point.bounds,
        bucket_counts: point.buckets,
        exemplars: Vec::new(),
    }
}

fn exponential(
    template: &Series,
    point: &core::HistogramPoint,
    temporality: Temporality,
) -> Option<ExponentialPoint> {
    let buckets = point.exponential.as_ref()?;
    let counts = |side: &core::IndexedBuckets| {
        let indexed = (side.offset..).zip(side.counts.iter().copied());
        indexed.filter(|(_, count)| *count > 0).collect()
    };
    let series = series(template, point.attributes.clone());
    let (scale, positive) = (buckets.scale, counts(&buckets.positive));
    Some(ExponentialPoint {
        start_ns: point.start_unix_nanos,
        time_ns: point.unix_nanos,
        temporality,
        count: buckets.count(),
        sum: Some(point.sum),
        zero_count: buckets.zero_count,
        negative: counts(&buckets.negative),
        ..ExponentialPoint::new(series, scale, positive)
    })
}

fn number(template: &Series, point: core::NumberPoint) -> NumberPoint {
    let value = match point.value {
        core::Number::I64(number) => Number::Int(number),
        other => Number::Double(other.as_f64()),
    };
    NumberPoint {
        start_ns: point.start_unix_nanos,
        time_ns: point.unix_nanos,
        ..NumberPoint::new(series(template, point.attributes), value)
    }
}

fn series(template: &Series, attributes: core::PointAttributes) -> Series {
    let mut series = template.clone();
    let attributes = attributes
        .into_iter()
        .map(|(key, value)| (key.into_owned(), label(value)));
    series.attributes = attributes.collect();
    series.attributes.sort_by(|a, b| a.0.cmp(&b.0));
    series
}

fn label(value: LabelValue) -> AttrValue {
    match value {
        LabelValue::Number(number) => number.into(),
        LabelValue::Bool(flag) => flag.into(),
        text => text.to_text().as_ref().into(),
    }
}

fn temporality(of: core::Temporality) -> Temporality {
    match of {
        core::Temporality::Cumulative => Temporality::Cumulative,
        core::Temporality::Delta => Temporality::Delta,
        _ => Temporality::Unspecified,
    }
}
