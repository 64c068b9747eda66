//! What one page says, by the rows of a mapping: samples become series of the vocabulary, or are left out and counted.

mod buckets;

use super::mapping::{Further, Mapping, Row, Select};
use super::page::Sample;
use super::target::{Shape, Target};
pub(crate) use buckets::Buckets;
use buckets::Raw;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// What is wrong with what was left out of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Anomaly {
    /// A line that is no sample.
    MalformedLine,
    /// A second sample of the same labels.
    DuplicateSample,
    /// A value that cannot be: no number, infinite, a counter below zero.
    ImpossibleValue,
    /// A histogram whose buckets make none: one is missing, or they run backwards.
    BrokenHistogram,
    /// Histograms that belong together have other buckets each.
    ConflictingBuckets,
    /// Several values of something that adds up to nothing, and no label to tell them apart.
    Ambiguous,
}

impl Anomaly {
    pub(crate) const ALL: [Self; 6] = [
        Self::MalformedLine,
        Self::DuplicateSample,
        Self::ImpossibleValue,
        Self::BrokenHistogram,
        Self::ConflictingBuckets,
        Self::Ambiguous,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedLine => "malformed_line",
            Self::DuplicateSample => "duplicate_sample",
            Self::ImpossibleValue => "impossible_value",
            Self::BrokenHistogram => "broken_histogram",
            Self::ConflictingBuckets => "conflicting_buckets",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anomalies([u64; Anomaly::ALL.len()]);

impl Anomalies {
    pub(crate) fn add(&mut self, anomaly: Anomaly, by: u64) {
        self.0[anomaly as usize] += by;
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (Anomaly, u64)> {
        Anomaly::ALL.into_iter().zip(self.0)
    }
}

/// Which part of a row's metric a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Value,
    Bucket,
    Sum,
    Created,
}

/// The rows of one target, by the names of samples.
#[derive(Debug)]
pub(crate) struct Plan {
    rows: Vec<Row>,
    model: &'static [&'static str],
    index: &'static [&'static str],
    parts: HashMap<String, Vec<(usize, Part)>>,
}

impl Plan {
    /// `own` rows come before those of the mapping, and so have the places that both are for.
    pub(crate) fn new(own: &[Row], mapping: &Mapping) -> Self {
        let rows: Vec<Row> = own.iter().chain(mapping.rows).copied().collect();
        let mut parts: HashMap<String, Vec<(usize, Part)>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            let source = row.source;
            let mut add = |name: String, part| parts.entry(name).or_default().push((at, part));
            match row.target.shape() {
                Shape::Histogram => {
                    add(format!("{source}_bucket"), Part::Bucket);
                    add(format!("{source}_sum"), Part::Sum);
                    add(format!("{source}_created"), Part::Created);
                }
                Shape::Counter => {
                    let ends = ["_total", "_sum"];
                    let stem = ends.iter().find_map(|end| source.strip_suffix(end));
                    add(source.to_owned(), Part::Value);
                    add(format!("{}_created", stem.unwrap_or(source)), Part::Created);
                }
                Shape::UpDownCounter | Shape::Gauge => add(source.to_owned(), Part::Value),
            }
        }
        Self {
            rows,
            model: mapping.model,
            index: mapping.index,
            parts,
        }
    }
}

/// What tells series of one target apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SeriesId {
    pub(crate) target: Target,
    pub(crate) model: Option<String>,
    pub(crate) index: Option<String>,
    pub(crate) further: Option<String>,
}

/// One series of a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) id: SeriesId,
    pub(crate) value: Value,
    /// Since when it counts, in seconds since the Unix epoch, if the page says so.
    pub(crate) created: Option<f64>,
}

/// In the target's unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Histogram(Buckets),
}

/// Collects what a page says.
#[derive(Debug)]
pub(crate) struct Reading<'p> {
    plan: &'p Plan,
    /// The most samples that are read.
    most: usize,
    numbers: HashMap<(usize, SeriesId), Number>,
    /// By series, and within it by the labels of the source.
    histograms: HashMap<(usize, SeriesId), HashMap<u64, Raw>>,
    created: HashMap<(usize, SeriesId), f64>,
    /// Which samples there were, by a number for their labels.
    seen: HashSet<(usize, Part, u64)>,
    hasher: RandomState,
    process_start: Option<f64>,
    anomalies: Anomalies,
    too_many: bool,
}

#[derive(Debug)]
struct Number {
    sum: f64,
    of: u32,
}

/// What a page said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) series: Vec<Series>,
    pub(crate) anomalies: Anomalies,
    /// There were more samples than are read.
    pub(crate) too_many: bool,
}

impl<'p> Reading<'p> {
    pub(crate) fn new(plan: &'p Plan, most: usize) -> Self {
        Self {
            plan,
            most,
            numbers: HashMap::new(),
            histograms: HashMap::new(),
            created: HashMap::new(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
            process_start: None,
            anomalies: Anomalies::default(),
            too_many: false,
        }
    }

    pub(crate) fn add(&mut self, sample: Sample<'_>) {
        if sample.name == "process_start_time_seconds" && sample.labels().next().is_none() {
            self.process_start = Some(sample.value).filter(|start| is_time(*start));
        }
        let plan = self.plan;
        let Some(parts) = plan.parts.get(sample.name) else {
            return;
        };
        for (row, part) in parts {
            if self.seen.len() >= self.most {
                self.too_many = true;
                return;
            }
            let about = &plan.rows[*row];
            if about
                .select
                .iter()
                .all(|select| is_selected(*select, &sample))
            {
                self.add_to(*row, about, *part, &sample);
            }
        }
    }

    fn add_to(&mut self, row: usize, about: &Row, part: Part, sample: &Sample<'_>) {
        let le = match part {
            Part::Bucket => sample.label("le").and_then(|le| le.parse::<f64>().ok()),
            _ => None,
        };
        let source = self.hash_of(sample);
        let of_bucket = le.map_or(0, f64::to_bits);
        let each = self.hasher.hash_one((source, of_bucket));
        if !self.seen.insert((row, part, each)) {
            self.anomalies.add(Anomaly::DuplicateSample, 1);
            return;
        }
        let label = |names: &[&str]| names.iter().find_map(|name| sample.label(name));
        let further = match about.further {
            Further::Nothing => None,
            Further::Label(name) => sample.label(name),
            Further::Fixed(value) => Some(value),
        };
        let id = SeriesId {
            target: about.target,
            model: label(self.plan.model).map(str::to_owned),
            index: label(self.plan.index).map(str::to_owned),
            further: further.map(str::to_owned),
        };
        let value = sample.value;
        match part {
            Part::Created => {
                if is_time(value) {
                    let first = self.created.entry((row, id)).or_insert(value);
                    *first = first.min(value);
                }
            }
            Part::Value => self.add_number(row, id, value),
            Part::Bucket | Part::Sum => {
                let all = self.histograms.entry((row, id)).or_default();
                let raw = all.entry(source).or_default();
                match part {
                    Part::Sum => raw.sum = Some(value),
                    _ => raw.add(le, value),
                }
            }
        }
    }

    fn add_number(&mut self, row: usize, id: SeriesId, value: f64) {
        let falls = id.target.shape() == Shape::Counter && value < 0.0;
        if !value.is_finite() || falls {
            self.anomalies.add(Anomaly::ImpossibleValue, 1);
            return;
        }
        match self.numbers.entry((row, id)) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.sum += value;
                known.of += 1;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Number { sum: value, of: 1 });
            }
        }
    }

    /// A number for the labels of a sample without the bucket's, in whatever order they stand.
    fn hash_of(&self, sample: &Sample<'_>) -> u64 {
        let labels = sample.labels().filter(|(name, _)| *name != "le");
        labels.fold(0, |sum, label| {
            sum.wrapping_add(self.hasher.hash_one(label))
        })
    }

    /// Everything that makes sense.
    pub(crate) fn finish(mut self, malformed: u64) -> Said {
        self.anomalies.add(Anomaly::MalformedLine, malformed);
        let mut found: Vec<(usize, Series)> = Vec::new();
        for ((row, id), number) in std::mem::take(&mut self.numbers) {
            if id.target.shape() == Shape::Gauge && number.of > 1 {
                self.anomalies.add(Anomaly::Ambiguous, 1);
                continue;
            }
            let value = Value::Number(number.sum / self.plan.rows[row].per);
            found.push((row, self.series(row, id, value)));
        }
        for ((row, id), parts) in std::mem::take(&mut self.histograms) {
            match buckets::merged(parts.into_values(), self.plan.rows[row].per) {
                Ok(all) => found.push((row, self.series(row, id, Value::Histogram(all)))),
                Err(anomaly) => self.anomalies.add(anomaly, 1),
            }
        }
        let rows = &self.plan.rows;
        let mut first: HashMap<_, usize> = HashMap::new();
        for (row, _) in &found {
            let place = first.entry(rows[*row].place()).or_insert(*row);
            *place = (*place).min(*row);
        }
        found.retain(|(row, _)| first.get(&rows[*row].place()) == Some(row));
        // In the same order each time.
        found.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
        Said {
            series: found.into_iter().map(|(_, series)| series).collect(),
            anomalies: self.anomalies,
            too_many: self.too_many,
        }
    }

    fn series(&self, row: usize, id: SeriesId, value: Value) -> Series {
        let key = (row, id);
        let created = self.created.get(&key).copied().or(self.process_start);
        Series {
            id: key.1,
            value,
            created,
        }
    }
}

fn is_selected(select: Select, sample: &Sample<'_>) -> bool {
    match select {
        Select::Is(label, value) => sample.label(label) == Some(value),
        Select::IsOrAbsent(label, value) => sample.label(label).is_none_or(|is| is == value),
        Select::Absent(label) => sample.label(label).is_none(),
    }
}

fn is_time(seconds: f64) -> bool {
    seconds.is_finite() && seconds > 0.0
}

#[cfg(test)]
mod tests;
