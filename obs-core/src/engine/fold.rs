//! The fold: the cells of all shards become points, for any number of readers with a temporality each.

use super::Engine;
use super::exemplars::{Stored, View};
use super::exponential::Counted;
use super::metric_set::{MetricSet, Shape};
use super::registry::OVERFLOW;
use super::shard::Shard;
use super::sources::Seen;
use super::views;
use crate::label::{LabelId, LabelValue, Labels};
use crate::metrics::{
    Data, Exemplar, HistogramPoint, Metric, Number, NumberPoint, PointAttributes, Temporality,
};
use crate::semconv;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// When all is registered that will be, but for what is made on demand.
const SETTLED: Duration = Duration::from_secs(60);

/// Since when what points count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preference {
    Cumulative,
    Delta,
    /// As little as possible is remembered: what threads add up as deltas, what is mirrored or goes up and down as it is.
    LowMemory,
}

impl Preference {
    /// `metrics/sdk_exporters/otlp.md` of the specification.
    fn of(self, shape: &Shape) -> Temporality {
        match (self, shape) {
            // What goes up and down is a level, not a flow: its delta would be of no use.
            (_, Shape::Sum { monotonic: false } | Shape::Level)
            | (Self::Cumulative, _)
            | (Self::LowMemory, Shape::Absolute | Shape::AbsoluteF64) => Temporality::Cumulative,
            (Self::Delta | Self::LowMemory, _) => Temporality::Delta,
        }
    }
}

impl From<Temporality> for Preference {
    fn from(temporality: Temporality) -> Self {
        match temporality {
            Temporality::Cumulative => Self::Cumulative,
            Temporality::Delta => Self::Delta,
        }
    }
}

/// What one reader remembers between two collections. Each reader has its own, so that each gets every increment once.
#[derive(Debug)]
pub(crate) struct ReaderState {
    preference: Preference,
    /// The last numbers of each series, for deltas.
    last: HashMap<u32, Vec<u64>>,
    /// The same of its exponential histograms.
    last_counted: HashMap<u32, Vec<Counted>>,
    /// What cumulative counters showed last, and since when they count: a mirrored one may start again.
    counters: HashMap<u32, (u64, u64)>,
    /// The last totals of what sources show, for deltas.
    seen: Seen,
    /// When the last collection was, in nanoseconds since the Unix epoch; 0 before the first.
    last_nanos: u64,
    /// The batches whose exemplars it has had.
    exemplars_seen: u64,
}

impl ReaderState {
    pub(crate) fn new(preference: impl Into<Preference>) -> Self {
        Self {
            preference: preference.into(),
            last: HashMap::new(),
            last_counted: HashMap::new(),
            counters: HashMap::new(),
            seen: Seen::default(),
            last_nanos: 0,
            exemplars_seen: 0,
        }
    }

    /// One that has seen nothing.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.preference)
    }

    pub(crate) fn preference(&self) -> Preference {
        self.preference
    }

    pub(crate) fn last_nanos(&self) -> u64 {
        self.last_nanos
    }

    pub(crate) fn seen(&mut self) -> &mut Seen {
        &mut self.seen
    }

    /// Since when a cumulative counter counts: a total that went down began again after the last collection.
    fn counts_since(&mut self, series: u32, total: u64, started: u64, now: u64) -> u64 {
        let (last, since) = self.counters.entry(series).or_insert((total, started));
        if total < *last {
            *since = self.last_nanos;
        }
        *last = total;
        // A wall clock that was set back.
        *since = now.min(*since);
        *since
    }
}

/// The numbers of one series over all shards.
struct Folded {
    series: u32,
    labels: Labels,
    cells: Vec<u64>,
    counted: Vec<Counted>,
}

impl Engine {
    /// Everything recorded so far, as one reader is to see it.
    pub(crate) fn collect_metrics(&self, reader: &mut ReaderState) -> Vec<Metric> {
        let anchor = self.clock.anchor();
        let now = anchor.unix_nanos(self.clock.ticks());
        if self.clock.ticks().saturating_sub(self.started) > self.ticks(SETTLED) {
            self.warn_of_unused_views();
        }
        let shards = self.shards();
        let mut by_set: HashMap<u16, Vec<(u32, Labels)>> = HashMap::new();
        for (series, set, labels) in self.registry.all() {
            by_set.entry(set).or_default().push((series, labels));
        }
        let mut metrics = Vec::new();
        reader.exemplars_seen = self.exemplars.read(reader.exemplars_seen, |exemplars| {
            self.fold_all(&shards, &by_set, exemplars, reader, now, &mut metrics);
            exemplars.round()
        });
        self.add_sources(reader, &mut metrics);
        reader.last_nanos = now;
        metrics
    }

    fn fold_all(
        &self,
        shards: &[Arc<Shard>],
        by_set: &HashMap<u16, Vec<(u32, Labels)>>,
        exemplars: View<'_>,
        reader: &mut ReaderState,
        now: u64,
        metrics: &mut Vec<Metric>,
    ) {
        let fold = |set: &MetricSet| {
            let Some(series) = by_set.get(&set.id) else {
                return;
            };
            let folded: Vec<_> = series
                .iter()
                .filter_map(|(id, labels)| fold_series(set, *id, *labels, shards))
                .collect();
            let started = self.counts_since(&set.started, now);
            points((set, started), &folded, exemplars, reader, now, metrics);
        };
        self.each_set(fold);
    }
}

impl Engine {
    /// Every metric that is registered, under the names it is exported with, whether or not it has a point by now.
    pub(crate) fn each_metric(&self, mut visit: impl FnMut(&str, &str, &Shape)) {
        self.each_set(|set| set.each_exported(&mut visit));
        self.each_of_sources(&mut visit);
    }

    /// Every group of cells.
    pub(crate) fn each_set(&self, mut visit: impl FnMut(&MetricSet)) {
        for kind in self.kinds() {
            visit(&kind.set);
            if let Some((gauge, _)) = &kind.gauge {
                visit(gauge);
            }
        }
        self.instruments.each_set(&mut visit);
    }
}

impl MetricSet {
    /// Its metrics under the names, and with the units, that they are exported with.
    pub(crate) fn each_exported(&self, visit: &mut impl FnMut(&str, &str, &Shape)) {
        for metric in &self.metrics {
            let unit = self.said(metric).unit;
            match &metric.streams {
                None => visit(metric.name, unit, &metric.shape),
                Some(streams) => streams.iter().for_each(|stream| {
                    let name = stream.name().unwrap_or(metric.name);
                    visit(name, unit, &metric.shape);
                }),
            }
        }
    }
}

fn fold_series(
    set: &MetricSet,
    series: u32,
    labels: Labels,
    shards: &[Arc<Shard>],
) -> Option<Folded> {
    let mut cells = vec![0_u64; set.cells];
    let mut counted = vec![Counted::default(); set.exponentials];
    let mut touched = false;
    for shard in shards {
        let Some(own) = shard.touched(series) else {
            continue;
        };
        touched = true;
        for metric in &set.metrics {
            let range = metric.offset..metric.offset + metric.shape.cells();
            for (at, cell) in range.clone().zip(&mut cells[range]) {
                let value = own.read(at);
                *cell = match &metric.shape {
                    Shape::Values { .. } if at == metric.offset => add_f64(*cell, value),
                    Shape::Gauge | Shape::Absolute | Shape::AbsoluteF64 | Shape::Level => value,
                    _ => cell.wrapping_add(value),
                };
            }
        }
        if let Some(grown) = shard.touched_exponential(series) {
            let all = set.metrics.iter();
            let exponential = all.filter_map(|metric| metric.exponential.as_ref());
            exponential.for_each(|one| one.read(grown, &mut counted));
        }
    }
    touched.then_some(Folded {
        series,
        labels,
        cells,
        counted,
    })
}

impl From<Stored> for Exemplar {
    fn from(stored: Stored) -> Self {
        Self {
            value: stored.value,
            unix_nanos: stored.unix_nanos,
            trace_id: stored.trace_id.into(),
            span_id: stored.span_id.into(),
        }
    }
}

fn add_f64(sum: u64, value: u64) -> u64 {
    (f64::from_bits(sum) + f64::from_bits(value)).to_bits()
}

fn points(
    (set, started): (&MetricSet, u64),
    folded: &[Folded],
    exemplars: View<'_>,
    reader: &mut ReaderState,
    now: u64,
    metrics: &mut Vec<Metric>,
) {
    let first = metrics.len();
    // Of one group all are alike: a kind's are histograms, an instrument is alone.
    let shape = set.metrics.first().map(|metric| &metric.shape);
    let delta = shape.is_some_and(|shape| reader.preference.of(shape) == Temporality::Delta);
    for metric in &set.metrics {
        let temporality = reader.preference.of(&metric.shape);
        let data = match &metric.shape {
            Shape::Ticks { .. } | Shape::Values { .. } => Data::Histogram {
                temporality,
                points: Vec::new(),
            },
            Shape::Sum { monotonic } => Data::Sum {
                monotonic: *monotonic,
                temporality,
                points: Vec::new(),
            },
            Shape::Absolute | Shape::AbsoluteF64 => Data::Sum {
                monotonic: true,
                temporality,
                points: Vec::new(),
            },
            Shape::Level => Data::Sum {
                monotonic: false,
                temporality,
                points: Vec::new(),
            },
            Shape::Gauge => Data::Gauge { points: Vec::new() },
        };
        let said = set.said(metric);
        // Several entries of a set may be one metric told apart by an attribute.
        let known = metrics[first..]
            .iter()
            .any(|known| known.name == metric.name);
        if !known {
            metrics.push(Metric {
                name: metric.name.into(),
                unit: said.unit.into(),
                description: said.description.into(),
                scope: set.scope,
                data,
            });
        }
    }
    for series in folded {
        let attributes = attributes(set, series.labels);
        let start = if delta && reader.last_nanos != 0 {
            now.min(reader.last_nanos)
        } else if !delta && set.is_counter() {
            reader.counts_since(series.series, series.cells[0], started, now)
        } else {
            started
        };
        let before = reader.last.get(&series.series);
        for metric in &set.metrics {
            let Some(target) = metrics[first..]
                .iter_mut()
                .find(|known| known.name == metric.name)
            else {
                continue;
            };
            // One of several in a group that has not counted yet, as a histogram of which nothing was recorded.
            let counts = matches!(metric.shape, Shape::Sum { monotonic: true });
            if counts && set.metrics.len() > 1 && series.cells[metric.offset] == 0 {
                continue;
            }
            let mut attributes = attributes.clone();
            if let Some((key, value)) = metric.attribute {
                attributes.push((key.as_str().into(), LabelValue::Static(value)));
            }
            // What goes up and down is cumulative whatever the reader wants, and so is its start.
            let start = match metric.shape {
                Shape::Sum { monotonic: false } | Shape::Level => started,
                _ => start,
            };
            let range = metric.offset..metric.offset + metric.shape.cells();
            let now_cells = &series.cells[range.clone()];
            let last_cells = before
                .filter(|_| delta)
                .and_then(|before| before.get(range.clone()));
            let added = add_point(
                target,
                &metric.shape,
                attributes,
                now_cells,
                last_cells,
                set.ticks_per_second,
                (start, now),
            );
            if let Data::Histogram { points, .. } = &mut target.data
                && let Some(point) = points.last_mut()
                && added
            {
                let found = exemplars.of(series.series, range);
                point.exemplars = found.into_iter().map(Into::into).collect();
                if let Some(exponential) = &metric.exponential {
                    // Remembered only where it is shown: what was counted between two reads comes with the next point.
                    let lasts = &mut reader.last_counted;
                    let last = delta.then(|| lasts.entry(series.series).or_default());
                    point.exponential = exponential.buckets(&series.counted, last);
                }
            }
        }
    }
    if delta {
        for series in folded {
            reader.last.insert(series.series, series.cells.clone());
        }
    }
    // A histogram of which nothing was recorded (a stage that never happened) is left out.
    let mut index = first;
    while index < metrics.len() {
        if metrics[index].data.is_empty() {
            metrics.remove(index);
        } else {
            index += 1;
        }
    }
    views::apply(set, first, metrics);
}

fn add_point(
    target: &mut Metric,
    shape: &Shape,
    attributes: PointAttributes,
    cells: &[u64],
    last: Option<&[u64]>,
    rate: f64,
    (start_unix_nanos, unix_nanos): (u64, u64),
) -> bool {
    let before = |index: usize| last.and_then(|last| last.get(index)).copied().unwrap_or(0);
    match (&mut target.data, shape) {
        (
            Data::Histogram { points, .. },
            Shape::Ticks { bounds, .. } | Shape::Values { bounds },
        ) => {
            let buckets: Vec<u64> = (1..cells.len())
                .map(|index| cells[index].wrapping_sub(before(index)))
                .collect();
            let count = buckets.iter().sum();
            if count == 0 {
                return false;
            }
            let sum = match shape {
                Shape::Ticks { .. } => cells[0].wrapping_sub(before(0)) as f64 / rate,
                _ => f64::from_bits(cells[0]) - f64::from_bits(before(0)),
            };
            points.push(HistogramPoint {
                attributes,
                start_unix_nanos,
                unix_nanos,
                count,
                sum,
                bounds: bounds.to_vec(),
                buckets,
                exemplars: Vec::new(),
                exponential: None,
            });
        }
        (
            Data::Sum {
                points, monotonic, ..
            },
            _,
        ) => {
            let last = if *monotonic { before(0) } else { 0 };
            let value = match shape {
                // A mirrored counter that starts again from zero did not run backwards: what it shows is new.
                Shape::Absolute | Shape::Sum { monotonic: true } if cells[0] < last => {
                    Number::I64(i64::try_from(cells[0]).unwrap_or(i64::MAX))
                }
                Shape::Level => Number::I64(cells[0] as i64),
                // Of what is not negative the bits are in the order of the numbers.
                Shape::AbsoluteF64 if cells[0] < last => Number::F64(f64::from_bits(cells[0])),
                Shape::AbsoluteF64 => Number::F64(f64::from_bits(cells[0]) - f64::from_bits(last)),
                // A fold between the two halves of a move from thread to thread may see less than none running.
                Shape::Sum { monotonic: false } => Number::I64((cells[0] as i64).max(0)),
                // OTLP has no greater one.
                _ => Number::I64(i64::try_from(cells[0].wrapping_sub(last)).unwrap_or(i64::MAX)),
            };
            points.push(NumberPoint {
                attributes,
                start_unix_nanos,
                unix_nanos,
                value,
            });
        }
        (Data::Gauge { points }, _) => {
            let value = Number::F64(f64::from_bits(cells[0]));
            points.push(NumberPoint {
                attributes,
                start_unix_nanos: 0,
                unix_nanos,
                value,
            });
        }
        _ => return false,
    }
    true
}

fn attributes(set: &MetricSet, labels: Labels) -> PointAttributes {
    if labels == OVERFLOW {
        return vec![(
            semconv::otel::METRIC_OVERFLOW.as_str().into(),
            LabelValue::Bool(true),
        )];
    }
    if let Some(whole) = &set.whole {
        return whole.attributes(labels);
    }
    let value = |index| labels.get(index);
    set.spaces
        .iter()
        .enumerate()
        .filter(|(index, _)| value(*index) != LabelId::ABSENT)
        .filter_map(|(index, space)| {
            Some((space.key().as_str().into(), space.resolve(value(index))?))
        })
        .collect()
}
