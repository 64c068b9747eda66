//! A metric whose label keys nobody knows before: each label set is one number, given when it is first met.

use super::{Found, LabelSet, Said};
use crate::descriptor::{DURATION_BOUNDS, SIZE_BOUNDS};
use crate::engine::Engine;
use crate::engine::metric_set::MetricSet;
use crate::engine::registry::OVERFLOW;
use crate::fork::Kept;
use crate::label::Labels;
use crate::metrics::PointAttributes;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// Label sets of one metric, and what it says.
#[derive(Debug)]
pub(crate) struct Whole {
    said: OnceLock<Said>,
    /// Values may be strangers': they must not choose where they lie.
    seed: RandomState,
    table: Kept<Table>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    sets: Vec<Set>,
    /// Numbers of those with this hash: one, but by chance.
    by_hash: HashMap<u64, Vec<usize>>,
    /// The series of all further ones, once there is no room.
    overflow: Option<u32>,
}

#[derive(Clone, Debug)]
struct Set {
    attributes: PointAttributes,
    series: u32,
}

/// Text of labels in one telemetry, with what it takes to hold it.
const BYTES: usize = 16 << 20;

impl Whole {
    pub(super) fn new(said: Option<Said>) -> Self {
        Self {
            said: said.map_or_else(OnceLock::new, OnceLock::from),
            seed: RandomState::new(),
            table: Kept::default(),
        }
    }

    pub(crate) fn said(&self) -> Option<Said> {
        self.said.get().copied()
    }

    pub(super) fn say(&self, said: Said) {
        let _ = self.said.set(said);
    }

    /// What is behind the number of a label set.
    pub(crate) fn attributes(&self, labels: Labels) -> PointAttributes {
        let table = self.table.read();
        let set = table.sets.get(labels.0[0] as usize);
        set.map_or_else(Vec::new, |set| set.attributes.clone())
    }

    pub(super) fn series(
        &self,
        engine: &Engine,
        set: &'static MetricSet,
        labels: &LabelSet<'_>,
    ) -> Found {
        if labels.cut > 0 {
            set.overflowed.fetch_add(labels.cut, Ordering::Relaxed);
        }
        let hash = self.seed.hash_one(&labels.pairs);
        {
            let table = self.table.read();
            if let Some(found) = table.find(set, hash, labels) {
                return found;
            }
        }
        let mut table = self.table.write();
        if let Some(found) = table.find(set, hash, labels) {
            return found;
        }
        table.add(engine, set, hash, labels)
    }
}

impl Table {
    fn find(&self, set: &'static MetricSet, hash: u64, labels: &LabelSet<'_>) -> Option<Found> {
        let mut same = self.by_hash.get(&hash).into_iter().flatten();
        let known = same.find_map(|index| {
            let known = self.sets.get(*index)?;
            labels.is(&known.attributes).then_some(known.series)
        });
        if let Some(series) = known {
            return Some(Found::Series(set, series));
        }
        let overflow = self.overflow?;
        set.overflowed.fetch_add(1, Ordering::Relaxed);
        Some(Found::Overflow(set, overflow))
    }

    #[cold]
    fn add(
        &mut self,
        engine: &Engine,
        set: &'static MetricSet,
        hash: u64,
        labels: &LabelSet<'_>,
    ) -> Found {
        let held = &engine.recorded.bytes;
        let bytes = labels.bytes();
        let before = set.overflowed.load(Ordering::Relaxed);
        let number = match held.load(Ordering::Relaxed) + bytes {
            ..=BYTES => Labels([self.sets.len() as u64, 0]),
            _ => OVERFLOW,
        };
        // The fold that finds it there waits for this table before it asks for the labels.
        let series = engine.registry.series(set, number);
        if engine.registry.is_overflow(series) {
            self.overflow = Some(series);
            if set.overflowed.load(Ordering::Relaxed) == before {
                set.overflowed.fetch_add(1, Ordering::Relaxed);
            }
            return Found::Overflow(set, series);
        }
        held.fetch_add(bytes, Ordering::Relaxed);
        self.by_hash.entry(hash).or_default().push(self.sets.len());
        self.sets.push(Set {
            attributes: labels.attributes(),
            series,
        });
        Found::Series(set, series)
    }
}

/// Limits of a histogram of which nobody says more than its name and unit.
pub(super) fn bounds(name: &str, unit: &str) -> &'static [f64] {
    let ends = |word: &str| { name.rsplit(['_', '.']).next() }.is_some_and(|last| last == word);
    match unit {
        "s" => DURATION_BOUNDS,
        "By" => SIZE_BOUNDS,
        "" if ends("seconds") => DURATION_BOUNDS,
        "" if ends("bytes") => SIZE_BOUNDS,
        _ => UNKNOWN_BOUNDS,
    }
}

/// For seconds, milliseconds and counts alike.
const UNKNOWN_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0,
    1000.0, 2500.0, 5000.0, 10000.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, unit: &str, expect: &[f64]) {
        assert_eq!(bounds(name, unit), expect);
    }

    #[test]
    fn a_histogram_has_the_limits_of_its_unit_and_else_of_what_its_name_ends_with() {
        check("took", "s", DURATION_BOUNDS);
        check("took_seconds", "", DURATION_BOUNDS);
        check("app.took.seconds", "", DURATION_BOUNDS);
        check("seconds", "", DURATION_BOUNDS);
        check("took_seconds", "ms", UNKNOWN_BOUNDS);
        check("body", "By", SIZE_BOUNDS);
        check("body_bytes", "", SIZE_BOUNDS);
        check("bodybytes", "", UNKNOWN_BOUNDS);
        check("items", "{count}", UNKNOWN_BOUNDS);
    }
}
