//! Points that somebody else counted: a page that was scraped, a device's own counters. They are shown as they are, with the
//! buckets they were counted in and since when they count.
//!
//! They have no cells. A source says all that it has at once and takes it back the same way, so that what it no longer
//! knows is no longer shown: a cell would repeat its last value for ever.

mod delta;

pub(crate) use delta::Seen;

use super::Engine;
use super::fold::{Preference, ReaderState};
use super::metric_set::Shape;
use crate::courier::time::within;
use crate::fork::PerProcess;
use crate::label::LabelValue;
use crate::metrics::{Data, Metric, PointAttributes, Temporality};
use crate::redact::{Looking, Place};
use crate::sync::lock_std;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// All sources of one telemetry. A forked child has none of its parent's: whoever filled them is not there.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    shown: PerProcess<Mutex<Vec<Shown>>>,
    next: AtomicU64,
    /// Points for which there was no room.
    over: AtomicU64,
}

#[derive(Debug)]
struct Shown {
    source: u64,
    metrics: Arc<[Metric]>,
    until: Instant,
}

/// A place for points that somebody else counted. What is shown here stands beside everything else, over OTLP and on the
/// page: cumulative points keep their buckets and their start, and become deltas for a reader of deltas.
///
/// Views are for instruments and leave these points alone; their texts are shown to
/// redactors, as labels. Dropping it takes everything back.
#[derive(Debug)]
#[must_use = "dropping it takes back what it shows"]
pub struct PointSource {
    engine: &'static Engine,
    id: u64,
}

impl PointSource {
    pub(crate) fn new(engine: &'static Engine) -> Self {
        let id = engine.sources.next.fetch_add(1, Ordering::Relaxed);
        Self { engine, id }
    }

    /// Shows these in place of all that was shown here before, for as long as `keep`: what nobody says again is old by
    /// then, and is not passed off as new.
    ///
    /// Sums and histograms are cumulative ([`Temporality::Cumulative`]); others are left out. So are points of one metric
    /// beyond [the series that one may have](crate::Builder::with_max_series), which are counted as `label_overflow`.
    pub fn show(&self, metrics: Vec<Metric>, keep: Duration) {
        // While it shuts down, too: the last collection asks once more.
        if self.engine.is_shut_down() && !self.engine.observables.is_last_round() {
            return;
        }
        let room = self.engine.config.max_series as usize;
        let looking = self.engine.looking();
        let mut taken = Vec::with_capacity(metrics.len());
        for mut metric in metrics {
            if !is_cumulative(&metric.data) {
                continue;
            }
            let over = cut(&mut metric.data, room);
            self.engine.sources.over.fetch_add(over, Ordering::Relaxed);
            if let Some(by) = looking {
                each_attributes(&mut metric.data, |attributes| redact(attributes, by));
                leave_one_of_each(&mut metric.data);
            }
            if !metric.data.is_empty() {
                taken.push(metric);
            }
        }
        let shown = Shown {
            source: self.id,
            metrics: taken.into(),
            until: within(keep),
        };
        let before = {
            let mut all = lock_std(&self.engine.sources.shown);
            match all.iter_mut().find(|one| one.source == self.id) {
                Some(known) => Some(std::mem::replace(known, shown)),
                None => {
                    all.push(shown);
                    None
                }
            }
        };
        drop(before);
    }

    /// How long the telemetry has been there, by its clock: whoever fills a source and wants to know how long something took
    /// subtracts two of these.
    pub fn uptime(&self) -> Duration {
        let clock = &self.engine.clock;
        let ticks = clock.ticks().saturating_sub(self.engine.started);
        Duration::from_secs_f64(ticks as f64 / clock.ticks_per_second())
    }

    /// Now, in nanoseconds since the Unix epoch, by the clock of the telemetry.
    pub fn unix_nanos(&self) -> u64 {
        self.engine.clock.unix_nanos()
    }
}

impl Drop for PointSource {
    fn drop(&mut self) {
        let mut all = lock_std(&self.engine.sources.shown);
        let place = all.iter().position(|one| one.source == self.id);
        let gone = place.map(|place| all.remove(place));
        drop(all);
        drop(gone);
    }
}

impl Sources {
    pub(crate) fn over(&self) -> u64 {
        self.over.load(Ordering::Relaxed)
    }

    /// What is shown and not too old, in the order in which the sources came.
    fn now(&self) -> Vec<Arc<[Metric]>> {
        let now = crate::clock::now();
        let all = lock_std(&self.shown);
        let fresh = all.iter().filter(|one| now < one.until);
        fresh.map(|one| one.metrics.clone()).collect()
    }
}

impl Engine {
    /// Adds what sources show, as this reader is to see it. Points of one metric stand under one name, whoever has them.
    pub(crate) fn add_sources(&self, reader: &mut ReaderState, metrics: &mut Vec<Metric>) {
        let delta = reader.preference() == Preference::Delta;
        let registered = self.clock.anchor().unix_nanos(self.started);
        let began = registered.max(self.forked_nanos.load(Ordering::Relaxed));
        for shown in self.sources.now() {
            for metric in shown.iter() {
                let data = match delta {
                    true => reader.delta_of(metric, began),
                    false => metric.data.clone(),
                };
                add(metric, data, metrics);
            }
        }
    }

    /// Name, unit and shape of each metric that sources show.
    pub(crate) fn each_of_sources(&self, visit: &mut impl FnMut(&str, &str, &Shape)) {
        for shown in self.sources.now() {
            for metric in shown.iter() {
                let shape = match &metric.data {
                    Data::Histogram { .. } => Shape::Values { bounds: [].into() },
                    Data::Sum { monotonic, .. } if *monotonic => Shape::AbsoluteF64,
                    Data::Sum { .. } => Shape::Level,
                    Data::Gauge { .. } => Shape::Gauge,
                };
                visit(&metric.name, &metric.unit, &shape);
            }
        }
    }
}

fn add(metric: &Metric, data: Data, metrics: &mut Vec<Metric>) {
    if data.is_empty() {
        return;
    }
    let same = |known: &&mut Metric| {
        let scope = (metric.scope.name, metric.scope.version);
        known.name == metric.name
            && known.unit == metric.unit
            && (known.scope.name, known.scope.version) == scope
    };
    for known in metrics.iter_mut().filter(same) {
        if join(&mut known.data, &data) {
            return;
        }
    }
    metrics.push(Metric {
        data,
        ..metric.clone()
    });
}

/// Adds the points of `more`, if they are of the same type.
fn join(known: &mut Data, more: &Data) -> bool {
    match (known, more) {
        (
            Data::Histogram {
                temporality,
                points,
            },
            Data::Histogram {
                temporality: theirs,
                points: more,
            },
        ) if *temporality == *theirs => points.extend_from_slice(more),
        (
            Data::Sum {
                monotonic,
                temporality,
                points,
            },
            Data::Sum {
                monotonic: also,
                temporality: theirs,
                points: more,
            },
        ) if (*monotonic, *temporality) == (*also, *theirs) => points.extend_from_slice(more),
        (Data::Gauge { points }, Data::Gauge { points: more }) => points.extend_from_slice(more),
        _ => return false,
    }
    true
}

fn is_cumulative(data: &Data) -> bool {
    match data {
        Data::Histogram { temporality, .. } | Data::Sum { temporality, .. } => {
            *temporality == Temporality::Cumulative
        }
        Data::Gauge { .. } => true,
    }
}

/// Leaves out what there is no room for, and says how many points that are.
fn cut(data: &mut Data, room: usize) -> u64 {
    let had = data.len();
    match data {
        Data::Histogram { points, .. } => points.truncate(room),
        Data::Sum { points, .. } | Data::Gauge { points } => points.truncate(room),
    }
    (had - data.len()) as u64
}

fn each_attributes(data: &mut Data, mut visit: impl FnMut(&mut PointAttributes)) {
    match data {
        Data::Histogram { points, .. } => {
            points
                .iter_mut()
                .for_each(|point| visit(&mut point.attributes));
        }
        Data::Sum { points, .. } | Data::Gauge { points } => {
            points
                .iter_mut()
                .for_each(|point| visit(&mut point.attributes));
        }
    }
}

/// What a redactor leaves of texts that were met at run time.
fn redact(attributes: &mut PointAttributes, by: Looking<'_>) {
    attributes.retain_mut(|(key, value)| {
        let LabelValue::Text(text) = value else {
            return true;
        };
        let Some(left) = by.left(Place::Label, key, text) else {
            return false;
        };
        if *left != **text {
            *value = LabelValue::Text((*left).into());
        }
        true
    });
}

/// Of points that a redactor made alike, the first.
fn leave_one_of_each(data: &mut Data) {
    let mut known = HashSet::new();
    match data {
        Data::Histogram { points, .. } => {
            points.retain(|point| known.insert(point.attributes.clone()));
        }
        Data::Sum { points, .. } | Data::Gauge { points } => {
            points.retain(|point| known.insert(point.attributes.clone()));
        }
    }
}
