//! Points of a telemetry, looked up by metric name and labels.

use obs_core::Telemetry;
use obs_core::metrics::{Data, HistogramPoint, Metric, NumberPoint, PointAttributes, Temporality};

/// Everything recorded so far.
pub fn all(telemetry: &Telemetry) -> Vec<Metric> {
    telemetry.reader(Temporality::Cumulative).collect()
}

pub fn find<'a>(metrics: &'a [Metric], name: &str) -> Option<&'a Metric> {
    let mut found = metrics.iter().filter(|metric| metric.name == name);
    let metric = found.next();
    assert!(found.next().is_none(), "{name} occurs twice");
    metric
}

pub fn histograms(metrics: &[Metric], name: &str) -> Vec<HistogramPoint> {
    match find(metrics, name).map(|metric| &metric.data) {
        Some(Data::Histogram { points, .. }) => points.clone(),
        None => Vec::new(),
        other => panic!("{name} is no histogram: {other:?}"),
    }
}

/// Points of a sum or gauge.
pub fn numbers(metrics: &[Metric], name: &str) -> Vec<NumberPoint> {
    match find(metrics, name).map(|metric| &metric.data) {
        Some(Data::Sum { points, .. } | Data::Gauge { points }) => points.clone(),
        None => Vec::new(),
        other => panic!("{name} has no numbers: {other:?}"),
    }
}

/// The one point whose label `key` reads `value`.
#[track_caller]
pub fn number(metrics: &[Metric], name: &str, labels: &[(&str, &str)]) -> f64 {
    let points = numbers(metrics, name);
    let found: Vec<_> = points
        .iter()
        .filter(|point| has(&point.attributes, labels))
        .collect();
    assert_eq!(found.len(), 1, "{name} {labels:?} in {points:#?}");
    found[0].value.as_f64()
}

#[track_caller]
pub fn histogram(metrics: &[Metric], name: &str, labels: &[(&str, &str)]) -> HistogramPoint {
    let points = histograms(metrics, name);
    let found: Vec<_> = points
        .iter()
        .filter(|point| has(&point.attributes, labels))
        .collect();
    assert_eq!(found.len(), 1, "{name} {labels:?} in {points:#?}");
    found[0].clone()
}

pub fn has(attributes: &PointAttributes, labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|(key, value)| {
        attributes
            .iter()
            .any(|(known, text)| known == key && text.to_text() == *value)
    })
}

/// How many operations were counted, over all label sets.
pub fn finished(telemetry: &Telemetry) -> u64 {
    histograms(&all(telemetry), "test.work.duration")
        .iter()
        .map(|point| point.count)
        .sum()
}

/// How many run, over all label sets.
pub fn in_flight(telemetry: &Telemetry) -> i64 {
    numbers(&all(telemetry), "test.work.active")
        .iter()
        .map(|point| point.value.as_f64() as i64)
        .sum()
}
