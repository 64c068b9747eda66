//! Views at work: where the cells of a metric have limits, decided when it is registered, and what is shown of its points.

use super::Engine;
use super::exponential;
use super::metric_set::{MetricSet, Shape};
use crate::aggregation::{ExponentialHistogram, HistogramAggregation};
use crate::attributes::Key;
use crate::descriptor::Scope;
use crate::fork::Kept;
use crate::metrics::{
    Data, Exemplar, HistogramPoint, Metric, Number, NumberPoint, PointAttributes,
};
use crate::semconv;
use crate::view::View;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};

/// The views of one telemetry, and what became of them.
#[derive(Debug)]
pub(crate) struct Views {
    views: Vec<Used<&'static View>>,
    /// Limits that histograms have besides, by the name of the metric.
    boundaries: Vec<Used<(String, f64)>>,
    /// Everything that is exported so far, to notice when two are one by name.
    exported: Kept<Vec<Exported>>,
}

#[derive(Debug)]
struct Used<T> {
    of: T,
    used: AtomicBool,
}

impl<T> Used<T> {
    fn not_yet(of: T) -> Self {
        Self {
            of,
            used: AtomicBool::new(false),
        }
    }

    fn mark(&self) -> &T {
        self.used.store(true, Ordering::Relaxed);
        &self.of
    }

    /// Says so once.
    fn is_unused(&self) -> bool {
        !self.used.swap(true, Ordering::Relaxed)
    }
}

/// One stream: under which name, and of what.
#[derive(Clone, Debug, PartialEq)]
struct Exported {
    scope: &'static str,
    /// Both as they compare: names are the same in any case.
    name: String,
    metric: String,
    view: Option<usize>,
}

/// What one view makes of one metric.
#[derive(Debug)]
pub(crate) struct Stream {
    view: &'static View,
    /// A part of the limits that the cells have.
    bounds: Box<[f64]>,
    exponential: Option<ExponentialHistogram>,
}

/// What is shown of one metric.
#[derive(Debug)]
pub(crate) struct Shown {
    /// What views make of it: `None` is as it is, and an empty list is nothing.
    pub(crate) streams: Option<Box<[Stream]>>,
    /// What holds the points of those streams that are exponential histograms, if any are.
    pub(crate) exponential: Option<ExponentialHistogram>,
}

impl Stream {
    /// Under which name it is exported, if not the metric's own.
    pub(crate) fn name(&self) -> Option<&str> {
        self.view.name.as_deref()
    }
}

impl Views {
    pub(crate) fn new(views: Vec<View>, boundaries: Vec<(String, f64)>) -> Self {
        // Leaked like the engine that they belong to.
        let views: &'static [View] = views.leak();
        Self {
            views: views.iter().map(Used::not_yet).collect(),
            boundaries: boundaries.into_iter().map(Used::not_yet).collect(),
            exported: Kept::default(),
        }
    }
}

impl Engine {
    /// What views make of a metric that is registered: `shape` gets the limits that all of its streams need. `keys`: those
    /// of its attributes, if they are known before.
    pub(crate) fn view(
        &self,
        scope: &'static Scope,
        metric: &'static str,
        keys: Option<&[Key]>,
        shape: &mut Shape,
    ) -> Shown {
        let as_it_is = Shown {
            streams: None,
            exponential: { self.config.histograms.exponential() }.filter(|_| shape.is_histogram()),
        };
        let views = &self.views;
        if views.views.is_empty() && views.boundaries.is_empty() {
            return as_it_is;
        }
        let besides: Vec<f64> = { views.boundaries.iter() }
            .filter(|besides| besides.of.0.eq_ignore_ascii_case(metric))
            .map(|besides| besides.mark().1)
            .collect();
        let besides = self.usable(metric, shape, &besides, true);
        let own = join(shape.bounds(), &besides);
        let matching = { views.views.iter().enumerate() }
            .filter(|(_, view)| view.of.matches(scope, metric))
            .map(|(index, view)| (index, *view.mark()));
        let matching: Vec<(usize, &'static View)> = matching.collect();
        if matching.is_empty() {
            shape.set_bounds(own);
            self.note_exported(scope, metric, None, metric);
            return as_it_is;
        }
        let streams = matching.into_iter().filter(|(_, view)| !view.dropped);
        let streams = streams.map(|(index, view)| {
            let exported = view.name.as_deref().unwrap_or(metric);
            self.note_exported(scope, exported, Some(index), metric);
            if let Some(keys) = keys {
                self.check_kept(view, metric, keys);
            }
            let bounds = match &view.boundaries {
                Some(asked) => {
                    let usable = self.usable(metric, shape, asked, view.is_exact());
                    join(&usable, &besides)
                }
                None => own.clone(),
            };
            Stream {
                view,
                bounds,
                exponential: self.exponential(view, metric, shape),
            }
        });
        let streams: Box<[Stream]> = streams.collect();
        let all = streams.iter().map(|stream| &stream.bounds);
        shape.set_bounds(all.fold([].into(), |all: Box<[f64]>, own| join(&all, own)));
        let asked = streams.iter().filter_map(|stream| stream.exponential);
        Shown {
            exponential: asked.reduce(ExponentialHistogram::or_more),
            streams: Some(streams),
        }
    }

    /// Under which names views would export a metric: none where all that match it drop it.
    #[cfg(feature = "metrics")]
    pub(crate) fn names_of<'n>(&'n self, scope: &Scope, metric: &'n str) -> Vec<&'n str> {
        let mut matching = { self.views.views.iter().map(|view| &view.of) }
            .filter(|view| view.matches(scope, metric))
            .peekable();
        if matching.peek().is_none() {
            return vec![metric];
        }
        matching
            .filter(|view| !view.dropped)
            .map(|view| view.name.as_deref().unwrap_or(metric))
            .collect()
    }

    /// Boundaries in a view are an aggregation, if it names none.
    fn exponential(
        &self,
        view: &View,
        metric: &str,
        shape: &Shape,
    ) -> Option<ExponentialHistogram> {
        if !shape.is_histogram() {
            if view.aggregation.is_some() && view.is_exact() {
                self.diagnostics.warn(format!(
                    "`{metric}` cannot be aggregated as its view asks: it is no histogram"
                ));
            }
            return None;
        }
        let of_boundaries = { view.boundaries.as_ref() }.map(|_| HistogramAggregation::Explicit);
        let own = view.aggregation.or(of_boundaries);
        own.unwrap_or(self.config.histograms).exponential()
    }

    /// A view of one metric is told of keys that it spells otherwise.
    fn check_kept(&self, view: &View, metric: &str, keys: &[Key]) {
        let kept = view.attributes.iter().flatten();
        for kept in kept.filter(|_| view.is_exact()) {
            if !keys.iter().any(|key| key.as_str() == kept) {
                self.diagnostics.warn(format!(
                    "`{metric}` has no attribute `{}` for its view to keep",
                    kept.escape_debug()
                ));
            }
        }
    }

    /// Those boundaries that a metric of this shape can have. That what is no histogram has none is said where boundaries
    /// were asked for it `by_name`.
    fn usable(&self, metric: &str, shape: &Shape, boundaries: &[f64], by_name: bool) -> Box<[f64]> {
        let usable: Box<[f64]> = match shape {
            Shape::Values { .. } => boundaries.into(),
            // No duration is negative.
            Shape::Ticks { .. } => { boundaries.iter().copied() }
                .filter(|bound| *bound >= 0.0)
                .collect(),
            _ => [].into(),
        };
        if usable.len() < boundaries.len() && (by_name || shape.is_histogram()) {
            self.diagnostics.warn(format!(
                "`{metric}` cannot have all boundaries that are asked for: {}",
                if shape.is_histogram() {
                    "no duration is negative"
                } else {
                    "it is no histogram"
                }
            ));
        }
        usable
    }

    /// Two streams of one scope under one name are exported both, and somebody is told.
    fn note_exported(
        &self,
        scope: &'static Scope,
        name: &str,
        view: Option<usize>,
        metric: &'static str,
    ) {
        let exported = Exported {
            scope: scope.name,
            name: name.to_ascii_lowercase(),
            metric: metric.to_ascii_lowercase(),
            view,
        };
        let mut all = self.views.exported.write();
        if all.contains(&exported) {
            return;
        }
        let same = |other: &&Exported| other.scope == exported.scope && other.name == exported.name;
        let conflict = all.iter().find(same);
        if let Some(other) = conflict {
            self.diagnostics.warn(if other.metric == exported.metric {
                format!("several views export `{metric}` as `{name}`; all are exported")
            } else {
                format!(
                    "views export both `{}` and `{metric}` as `{name}`; both are exported",
                    other.metric
                )
            });
        }
        all.push(exported);
    }

    /// Views that nothing has come for, said once; for when all that will be registered is.
    pub(crate) fn warn_of_unused_views(&self) {
        for view in &self.views.views {
            if view.is_unused() {
                let name = view.of.pattern();
                self.diagnostics
                    .warn(format!("no metric matches the view of `{name}`"));
            }
        }
        for besides in &self.views.boundaries {
            if besides.is_unused() {
                let (name, limit) = &besides.of;
                self.diagnostics.warn(format!(
                    "no histogram `{name}` is there for the boundary {limit}"
                ));
            }
        }
    }
}

/// The limits of both, ascending, each once.
fn join(a: &[f64], b: &[f64]) -> Box<[f64]> {
    if b.is_empty() {
        return a.into();
    }
    let mut joined = [a, b].concat();
    joined.sort_unstable_by(f64::total_cmp);
    joined.dedup_by(|a, b| a == b);
    joined.into()
}

/// What is shown of the metrics from `first` on, which are those of one group.
pub(crate) fn apply(set: &MetricSet, first: usize, metrics: &mut Vec<Metric>) {
    if set.metrics.iter().all(|metric| metric.streams.is_none()) {
        return;
    }
    for metric in metrics.split_off(first) {
        let mut of = set.metrics.iter().filter(|known| metric.name == known.name);
        match of.find_map(|known| known.streams.as_deref()) {
            Some(streams) => metrics.extend(streams.iter().map(|stream| stream.show(&metric))),
            None => metrics.push(metric),
        }
    }
}

impl Stream {
    fn show(&self, metric: &Metric) -> Metric {
        let shown = |own: &Option<_>, else_| own.clone().unwrap_or(else_);
        Metric {
            name: shown(&self.view.name, metric.name.clone()),
            unit: metric.unit.clone(),
            description: shown(&self.view.description, metric.description.clone()),
            scope: metric.scope,
            data: self.data(&metric.data),
        }
    }

    fn data(&self, data: &Data) -> Data {
        match data {
            Data::Histogram {
                temporality,
                points,
            } => {
                let points = points.iter().map(|point| self.point(point));
                Data::Histogram {
                    temporality: *temporality,
                    points: merge(
                        points,
                        |point| &point.attributes,
                        |into, from| self.merge_histograms(into, from),
                    ),
                }
            }
            Data::Sum {
                monotonic,
                temporality,
                points,
            } => Data::Sum {
                monotonic: *monotonic,
                temporality: *temporality,
                points: self.numbers(points, add),
            },
            Data::Gauge { points } => Data::Gauge {
                points: self.numbers(points, greatest),
            },
        }
    }

    fn numbers(
        &self,
        points: &[NumberPoint],
        both: fn(Number, Number) -> Number,
    ) -> Vec<NumberPoint> {
        let points = points.iter().map(|point| NumberPoint {
            attributes: self.attributes(&point.attributes),
            ..*point
        });
        merge(
            points,
            |point| &point.attributes,
            |into, from| {
                into.value = both(into.value, from.value);
                into.start_unix_nanos = into.start_unix_nanos.max(from.start_unix_nanos);
            },
        )
    }

    /// One point with the attributes and the buckets of this stream.
    fn point(&self, point: &HistogramPoint) -> HistogramPoint {
        let mut shown = HistogramPoint {
            attributes: self.attributes(&point.attributes),
            ..point.clone()
        };
        widen(&mut shown, &self.bounds);
        match (&mut shown.exponential, self.exponential) {
            (Some(buckets), Some(most)) => exponential::fit(buckets, most),
            (buckets, _) => *buckets = None,
        }
        shown
    }

    fn merge_histograms(&self, into: &mut HistogramPoint, mut from: HistogramPoint) {
        if into.bounds != from.bounds {
            widen(into, &from.bounds);
            widen(&mut from, &into.bounds);
        }
        into.count += from.count;
        into.sum += from.sum;
        for (into, from) in into.buckets.iter_mut().zip(&from.buckets) {
            *into += from;
        }
        if let (Some(into), Some(from), Some(most)) =
            (&mut into.exponential, from.exponential, self.exponential)
        {
            exponential::merge(into, from, most);
        }
        if !from.exemplars.is_empty() {
            let mut all = std::mem::take(&mut into.exemplars);
            all.extend(from.exemplars);
            into.exemplars = one_per_bucket(&into.bounds, all);
        }
    }

    fn attributes(&self, attributes: &PointAttributes) -> PointAttributes {
        let any = self.view.attributes.as_ref();
        let any = any.is_none_or(|kept| !kept.is_empty());
        let overflow = semconv::otel::METRIC_OVERFLOW.as_str();
        let kept = attributes
            .iter()
            .filter(|(key, _)| self.view.keeps(key) || (any && key == overflow));
        kept.cloned().collect()
    }
}

/// One point of those with the same attributes, in the order in which they first come.
fn merge<P>(
    points: impl Iterator<Item = P>,
    attributes: impl Fn(&P) -> &PointAttributes,
    both: impl Fn(&mut P, P),
) -> Vec<P> {
    let mut places = HashMap::new();
    let mut merged: Vec<P> = Vec::new();
    for point in points {
        match places.entry(attributes(&point).clone()) {
            Entry::Vacant(place) => {
                place.insert(merged.len());
                merged.push(point);
            }
            Entry::Occupied(place) => both(&mut merged[*place.get()], point),
        }
    }
    merged
}

/// Leaves of the point's limits those that are among `bounds`, so that no bucket has to be divided. A stream's are among
/// those of its cells, but where stages that share a metric have different ones.
fn widen(point: &mut HistogramPoint, bounds: &[f64]) {
    let mut count = 0;
    let (mut limits, mut buckets) = (Vec::new(), Vec::new());
    for (index, bucket) in point.buckets.iter().enumerate() {
        count += bucket;
        match point.bounds.get(index) {
            Some(limit) if bounds.contains(limit) => limits.push(*limit),
            Some(_) => continue,
            None => {}
        }
        buckets.push(std::mem::take(&mut count));
    }
    (point.bounds, point.buckets) = (limits, buckets);
    let exemplars = std::mem::take(&mut point.exemplars);
    point.exemplars = one_per_bucket(&point.bounds, exemplars);
}

/// The latest of each bucket, in the order of buckets.
fn one_per_bucket(bounds: &[f64], mut exemplars: Vec<Exemplar>) -> Vec<Exemplar> {
    let bucket = |one: &Exemplar| bounds.partition_point(|limit| *limit < one.value);
    exemplars.sort_by_key(|one| (bucket(one), std::cmp::Reverse(one.unix_nanos)));
    exemplars.dedup_by_key(|one| bucket(one));
    exemplars
}

fn add(a: Number, b: Number) -> Number {
    match (a, b) {
        (Number::I64(a), Number::I64(b)) => Number::I64(a.wrapping_add(b)),
        (a, b) => Number::F64(a.as_f64() + b.as_f64()),
    }
}

fn greatest(a: Number, b: Number) -> Number {
    if b.as_f64() > a.as_f64() || a.as_f64().is_nan() {
        b
    } else {
        a
    }
}
