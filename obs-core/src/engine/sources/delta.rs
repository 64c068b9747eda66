//! Totals of others as a reader of deltas is to see them.

use super::super::fold::ReaderState;
use crate::metrics::{
    Data, HistogramPoint, Metric, Number, NumberPoint, PointAttributes, Temporality,
};
use std::collections::HashMap;

/// What one reader saw last of each series.
#[derive(Debug, Default)]
pub(crate) struct Seen(HashMap<(String, PointAttributes), Last>);

/// Series that are remembered although nobody shows them any more; those of a target that is away for a while are.
const REMEMBERED: usize = 20_000;

#[derive(Debug)]
struct Last {
    start: u64,
    time: u64,
    total: Total,
}

#[derive(Debug)]
enum Total {
    Number(Number),
    Histogram {
        bounds: Vec<f64>,
        buckets: Vec<u64>,
        sum: f64,
    },
}

/// What of a total is new to a reader.
enum New<'a> {
    /// Everything: it began to count after the reader last looked.
    All,
    /// What was added to this.
    Since(&'a Last),
    /// Nobody can say, or nothing.
    Nothing,
}

impl Last {
    /// `began`: since when anybody looks at all.
    fn new_in(last: Option<&Self>, start: u64, time: u64, began: u64) -> New<'_> {
        match last {
            // Where it is not known since when it counts, it says that it counts since now.
            None if start >= began && start < time => New::All,
            None => New::Nothing,
            Some(last) if last.time >= time => New::Nothing,
            // The first one of those that do not know since when they count has both in one.
            Some(last) if start >= last.time && start != last.start => New::All,
            Some(last) => New::Since(last),
        }
    }
}

impl ReaderState {
    /// What this reader has not had of it. What goes up and down is cumulative for every reader.
    pub(in crate::engine) fn delta_of(&mut self, metric: &Metric, began: u64) -> Data {
        let began = began.max(self.last_nanos());
        let seen = self.seen();
        match &metric.data {
            Data::Histogram { points, .. } => Data::Histogram {
                temporality: Temporality::Delta,
                points: { points.iter() }
                    .filter_map(|point| seen.histogram(&metric.name, point, began))
                    .collect(),
            },
            Data::Sum {
                monotonic: true,
                points,
                ..
            } => Data::Sum {
                monotonic: true,
                temporality: Temporality::Delta,
                points: { points.iter() }
                    .filter_map(|point| seen.number(&metric.name, point, began))
                    .collect(),
            },
            other => other.clone(),
        }
    }
}

impl Seen {
    fn number(&mut self, name: &str, point: &NumberPoint, began: u64) -> Option<NumberPoint> {
        let key = (name.to_owned(), point.attributes.clone());
        let last = self.0.get(&key);
        let (start, time) = (point.start_unix_nanos, point.unix_nanos);
        let added = match Last::new_in(last, start, time, began) {
            New::All => Some((point.value, start)),
            New::Since(last) => Some(match (&last.total, point.value) {
                (Total::Number(Number::I64(had)), Number::I64(has)) if has >= *had => {
                    (Number::I64(has - had), last.time)
                }
                (Total::Number(had), has) if has.as_f64() >= had.as_f64() => {
                    (Number::F64(has.as_f64() - had.as_f64()), last.time)
                }
                // It fell, and began anew whatever it says.
                (_, has) => (has, last.time),
            }),
            New::Nothing => None,
        };
        self.remember(key, (start, time), || Total::Number(point.value));
        let (value, start_unix_nanos) = added?;
        Some(NumberPoint {
            value,
            start_unix_nanos,
            ..point.clone()
        })
    }

    fn histogram(
        &mut self,
        name: &str,
        point: &HistogramPoint,
        began: u64,
    ) -> Option<HistogramPoint> {
        let key = (name.to_owned(), point.attributes.clone());
        let last = self.0.get(&key);
        let (start, time) = (point.start_unix_nanos, point.unix_nanos);
        let added = match Last::new_in(last, start, time, began) {
            New::All => Some(point.clone()),
            New::Since(last) => Some(added_to(last, point)),
            New::Nothing => None,
        };
        self.remember(key, (start, time), || Total::Histogram {
            bounds: point.bounds.clone(),
            buckets: point.buckets.clone(),
            sum: point.sum,
        });
        added.filter(|point| point.count > 0)
    }

    fn remember(
        &mut self,
        key: (String, PointAttributes),
        (start, time): (u64, u64),
        total: impl FnOnce() -> Total,
    ) {
        match self.0.get_mut(&key) {
            // The same once more.
            Some(last) if last.time >= time => {}
            Some(last) => {
                *last = Last {
                    start,
                    time,
                    total: total(),
                };
            }
            None => {
                if self.0.len() >= REMEMBERED {
                    self.forget_half();
                }
                let total = total();
                self.0.insert(key, Last { start, time, total });
            }
        }
    }

    /// The half that was seen longest ago.
    fn forget_half(&mut self) {
        let mut times: Vec<u64> = self.0.values().map(|last| last.time).collect();
        let middle = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(middle);
        let middle = *middle;
        let had = self.0.len();
        self.0.retain(|_, last| last.time > middle);
        // All of one time: then it is whichever.
        if self.0.len() == had {
            self.0.clear();
        }
    }
}

fn added_to(last: &Last, point: &HistogramPoint) -> HistogramPoint {
    let mut added = HistogramPoint {
        start_unix_nanos: last.time,
        ..point.clone()
    };
    let Total::Histogram {
        bounds,
        buckets,
        sum,
    } = &last.total
    else {
        return added;
    };
    let pairs = || point.buckets.iter().zip(buckets);
    let grew = *bounds == point.bounds && pairs().all(|(has, had)| has >= had);
    if grew {
        added.buckets = pairs().map(|(has, had)| has - had).collect();
        added.count = added.buckets.iter().sum();
        added.sum = point.sum - sum;
    }
    added
}
