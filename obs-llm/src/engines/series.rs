//! From one page to the next: since when totals count, and the points that are shown.
//!
//! Since when they count is what the page says (`…_created`, else `process_start_time_seconds`), and else what can be known, by
//! OTLP's data model (§"Cumulative Streams: handling unknown start time" and §"Resets and Gaps"): the first point counts from its
//! own time on, which says that nothing is known about what was before. A total that fell, or a start that moved on, is a
//! restart: what such a total counts came after the last page that was read, so it counts from then. A total that did not fall
//! goes on, and is the same stream after however long a time without a page.

use super::reading::{Series, SeriesId, Value};
use super::target::{Shape, Target};
use obs_core::metrics::{Data, HistogramPoint, Metric, Number, NumberPoint, Temporality};
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Key, LabelValue, Scope};
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) static SCOPE: Scope = Scope {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    schema_url: gen_ai::SCHEMA_URL,
};

/// Attributes of one target's points.
pub(crate) type Attributes = Vec<(Cow<'static, str>, LabelValue)>;

/// What is known of a target's totals from one page to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory(HashMap<SeriesId, Known>);

#[derive(Debug)]
struct Known {
    /// Since when it counts, and when it was read last, in nanoseconds since the Unix epoch.
    start: u64,
    time: u64,
    /// When it began, as the page has it.
    created: Option<u64>,
    total: Value,
}

/// A start that moves on by less is a clock that is set, or two processes that began one after the other.
const MOVED: u64 = 1_000_000_000;

/// Series that are remembered beyond those of the last page.
const REMEMBERED: usize = 1_000;

impl Memory {
    /// Since when a series counts that was read at `now`.
    fn since(&mut self, series: &Series, now: u64) -> u64 {
        let created = series.created.map(|seconds| (seconds * 1e9) as u64);
        // By a clock that is ahead of ours it is to begin: since when it counts is not known then.
        let past = created.filter(|created| *created <= now);
        let falls = series.id.target.shape() == Shape::UpDownCounter;
        // What the page says is held against what it said, and not against what our clock made of that.
        let moved = |known: &Known| {
            let before = known.created.unwrap_or(known.start);
            created.is_some_and(|created| created > before.saturating_add(MOVED))
        };
        let known = self.0.get(&series.id);
        let (start, created) = match known {
            None => (past.unwrap_or(now), created),
            // Two streams do not overlap.
            Some(known) if moved(known) => {
                let past = past.unwrap_or_default();
                (
                    past.max(known.time).max(known.start.saturating_add(1)),
                    created,
                )
            }
            // Another start than before, or nobody would see that it is another stream.
            Some(known) if !falls && fell(&known.total, &series.value) => (
                known.time.max(known.start.saturating_add(1)),
                known.created.or(created),
            ),
            Some(known) => (known.start, known.created.or(created)),
        };
        let start = start.min(now);
        let known = Known {
            start,
            time: now,
            created,
            total: series.value.clone(),
        };
        self.0.insert(series.id.clone(), known);
        start
    }

    /// What a page that was read at `now` shows. `base`: what all points of the target have; `model`: the one that is meant where
    /// the page says none.
    pub(crate) fn metrics(
        &mut self,
        said: Vec<Series>,
        base: &Attributes,
        model: Option<&str>,
        now: u64,
    ) -> Vec<Metric> {
        let many = said.len();
        let mut metrics: Vec<(Target, Data)> = Vec::new();
        for series in said {
            let target = series.id.target;
            let place = match metrics.iter().position(|(known, _)| *known == target) {
                Some(place) => place,
                None => {
                    metrics.push((target, empty(target)));
                    metrics.len() - 1
                }
            };
            let start = match target.shape() {
                Shape::Gauge => 0,
                _ => self.since(&series, now),
            };
            let attributes = attributes(base, model, series.id);
            push(
                &mut metrics[place].1,
                attributes,
                (start, now),
                series.value,
            );
        }
        if self.0.len() > many + REMEMBERED {
            self.0.retain(|_, known| known.time == now);
        }
        let metric = |(target, data): (Target, Data)| {
            let (name, unit) = (target.metric(), target.unit());
            Metric::new(name, unit, target.description(), &SCOPE, data)
        };
        metrics.into_iter().map(metric).collect()
    }
}

/// Whether a total went down.
fn fell(before: &Value, now: &Value) -> bool {
    match (before, now) {
        (Value::Number(before), Value::Number(now)) => now < before,
        (Value::Histogram(before), Value::Histogram(now)) => {
            let mut pairs = now.counts.iter().zip(&before.counts);
            before.bounds != now.bounds || pairs.any(|(now, before)| now < before)
        }
        _ => true,
    }
}

fn empty(target: Target) -> Data {
    let temporality = Temporality::Cumulative;
    match target.shape() {
        Shape::Histogram => Data::Histogram {
            temporality,
            points: Vec::new(),
        },
        Shape::Counter | Shape::UpDownCounter => Data::Sum {
            monotonic: target.shape() == Shape::Counter,
            temporality,
            points: Vec::new(),
        },
        Shape::Gauge => Data::Gauge { points: Vec::new() },
    }
}

fn push(data: &mut Data, attributes: Attributes, times: (u64, u64), value: Value) {
    match (data, value) {
        (Data::Histogram { points, .. }, Value::Histogram(all)) => {
            let (bounds, counts) = (all.bounds, all.counts);
            points.extend(HistogramPoint::explicit(
                attributes, times, bounds, counts, all.sum,
            ));
        }
        (Data::Sum { points, .. }, Value::Number(value)) => {
            // Requests and tokens are whole.
            let value = Number::I64(value.round() as i64);
            points.push(NumberPoint::new(attributes, times, value));
        }
        (Data::Gauge { points }, Value::Number(value)) => {
            points.push(NumberPoint::new(attributes, times, Number::F64(value)));
        }
        _ => {}
    }
}

fn attributes(base: &Attributes, model: Option<&str>, id: SeriesId) -> Attributes {
    let mut all = base.clone();
    let mut add = |key: Key, value: Option<String>| {
        if let Some(value) = value {
            all.push((key.as_str().into(), LabelValue::Text(value.into())));
        }
    };
    let further = match id.target.is_quantile() {
        true => obs::LLM_ENGINE_QUANTILE,
        false => obs::LLM_ENGINE_FINISH_REASON,
    };
    add(gen_ai::REQUEST_MODEL, id.model.or(model.map(str::to_owned)));
    add(obs::LLM_ENGINE_INDEX, id.index);
    add(further, id.further);
    all
}

#[cfg(test)]
mod tests;
