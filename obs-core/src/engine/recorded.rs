//! Metrics that users' code names as it records: names, labels and kinds are met as they come, each bounded.
//!
//! Nothing here is on the path of a recording that a thread has made before: see `metrics_facade/cache.rs`.

mod label_set;
mod whole;

pub(crate) use label_set::LabelSet;
pub(crate) use whole::Whole;

use super::Engine;
use super::metric_set::{MetricSet, Shape};
use crate::descriptor::Scope;
use crate::encode::name_and_type;
use crate::fork::Kept;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// Names of one telemetry. Each is a group of cells, which is never given back.
pub(crate) const NAMES: usize = 2_000;
/// As OpenTelemetry has it for instruments.
pub(crate) const NAME_BYTES: usize = 255;

/// What is recorded under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Recording {
    Counter,
    Gauge,
    Histogram,
}

impl Recording {
    fn text(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Unit, in UCUM, and description of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
}

/// Where a recording goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// A series of this group.
    Series(&'static MetricSet, u32),
    /// That of label sets for which there is no room.
    Overflow(&'static MetricSet, u32),
    /// Nobody wants to see it, or the telemetry is over.
    Nowhere,
    /// The name is not one of this kind, and that is known for good.
    Refused,
    /// The name is none, or there was no room for it.
    Unknown,
}

/// What one telemetry knows of names.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    names: Kept<HashMap<Box<str>, Name>>,
    /// Names that its metrics have on the page, in lower case. Nothing is locked while this is.
    pages: Kept<HashSet<String>>,
    /// Text of labels, over all names.
    bytes: AtomicUsize,
    told_of_room: AtomicBool,
    told_of_names: AtomicBool,
    /// One total is set at a time: what is added is what lacks.
    pub(crate) totals: Kept<()>,
}

#[derive(Clone, Debug, Default)]
struct Name {
    said: Option<Said>,
    metric: Option<Metric>,
}

#[derive(Debug)]
struct Metric {
    kind: Recording,
    at: At,
    /// One bit for each other kind that was asked for.
    conflicts: AtomicU8,
}

impl Clone for Metric {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            at: self.at,
            conflicts: self.conflicts.load(Ordering::Relaxed).into(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum At {
    Set(&'static MetricSet),
    Nowhere,
    Refused,
}

impl Engine {
    /// The series of a name and its labels. What was not met before is made, as long as there is room.
    pub(crate) fn recorded(
        &'static self,
        kind: Recording,
        scope: &'static Scope,
        name: &str,
        labels: &LabelSet<'_>,
    ) -> Found {
        if self.is_shut_down() {
            return Found::Nowhere;
        }
        if name.is_empty() || name.len() > NAME_BYTES {
            if !self.recorded.told_of_names.swap(true, Ordering::Relaxed) {
                let begins: String = name.chars().take(64).collect();
                self.diagnostics.warn(format!(
                    "a name of a metric is empty or longer than {NAME_BYTES} bytes, and records nothing: `{}`",
                    begins.escape_debug()
                ));
            }
            return Found::Unknown;
        }
        match self.named(kind, scope, name) {
            Some(At::Set(set)) => match &set.whole {
                Some(whole) => whole.series(self, set, labels),
                None => Found::Nowhere,
            },
            Some(At::Nowhere) => Found::Nowhere,
            Some(At::Refused) => Found::Refused,
            None => Found::Unknown,
        }
    }

    fn named(&'static self, kind: Recording, scope: &'static Scope, name: &str) -> Option<At> {
        {
            let names = self.recorded.names.read();
            if let Some(metric) = names.get(name).and_then(|known| known.metric.as_ref()) {
                return Some(self.known(metric, kind, name));
            }
        }
        let mut names = self.recorded.names.write();
        let entry = self.entry(&mut names, name)?;
        if let Some(metric) = &entry.metric {
            return Some(self.known(metric, kind, name));
        }
        let at = self.first(kind, scope, name, entry.said);
        entry.metric = Some(Metric {
            kind,
            at,
            conflicts: AtomicU8::new(0),
        });
        Some(at)
    }

    /// That of a name, if there is room.
    fn entry<'a>(
        &self,
        names: &'a mut HashMap<Box<str>, Name>,
        name: &str,
    ) -> Option<&'a mut Name> {
        if names.len() >= NAMES && !names.contains_key(name) {
            if !self.recorded.told_of_room.swap(true, Ordering::Relaxed) {
                self.diagnostics.warn(format!(
                    "more than {NAMES} metrics are recorded by name; the others record nothing"
                ));
            }
            return None;
        }
        Some(names.entry(name.into()).or_default())
    }

    /// The first kind has the name; each other one is warned about once.
    fn known(&self, metric: &Metric, kind: Recording, name: &str) -> At {
        if metric.kind == kind {
            return metric.at;
        }
        let bit = 1 << kind as u8;
        if metric.conflicts.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            self.refuse(name, kind, &format!("it is a {}", metric.kind.text()));
        }
        At::Refused
    }

    fn refuse(&self, name: &str, kind: Recording, why: &str) {
        self.counts.instrument_conflicts.add(1);
        self.diagnostics.warn(format!(
            "`{}` records nothing as a {}: {why} already",
            name.escape_debug(),
            kind.text()
        ));
    }

    #[cold]
    fn first(
        &'static self,
        kind: Recording,
        scope: &'static Scope,
        name: &str,
        said: Option<Said>,
    ) -> At {
        let unit = said.map_or("", |said| said.unit);
        let mut shape = match kind {
            Recording::Counter => Shape::Sum { monotonic: true },
            Recording::Gauge => Shape::Gauge,
            Recording::Histogram => Shape::Values {
                bounds: whole::bounds(name, unit).into(),
            },
        };
        // As they are shown: a view may have given the name to somebody else, or taken it from here.
        let page: Vec<String> = { self.names_of(scope, name).into_iter() }
            .flat_map(|name| page_names(name, unit, &shape))
            .collect();
        if let Some(theirs) = self.of_instruments(&page) {
            let why = format!("`{theirs}` is on the metrics page");
            self.refuse(name, kind, &why);
            return At::Refused;
        }
        {
            let mut pages = self.recorded.pages.write();
            if let Some(taken) = page.iter().find(|name| pages.contains(*name)) {
                let why = format!("`{taken}` is on the metrics page");
                drop(pages);
                self.refuse(name, kind, &why);
                return At::Refused;
            }
            pages.extend(page);
        }
        if !super::checks::is_allowed(name) {
            self.diagnostics.warn(format!(
                "`{}` is not the name of an instrument by OpenTelemetry's rules; it is exported as it is",
                name.escape_debug()
            ));
        }
        let name: &'static str = Box::leak(name.into());
        let shown = self.view(scope, name, None, &mut shape);
        if { shown.streams.as_ref() }.is_some_and(|streams| streams.is_empty()) {
            return At::Nowhere;
        }
        let whole = Whole::new(said);
        match self.whole_set(scope, name, (shape, shown), whole) {
            Some(set) => At::Set(set),
            None => At::Nowhere,
        }
    }

    /// The first of these names on the page that something else has.
    fn of_instruments(&self, page: &[String]) -> Option<String> {
        let mut found = None;
        self.each_set(|set| {
            if set.whole.is_none() && found.is_none() {
                set.each_exported(&mut |name, unit, shape| {
                    let mut theirs = page_names(name, unit, shape).into_iter();
                    found = found.take().or_else(|| theirs.find(|it| page.contains(it)));
                });
            }
        });
        found
    }

    /// Told of once per name; what was recorded under it before has the description from then on.
    pub(crate) fn describe(&self, name: &str, said: impl FnOnce() -> Said) {
        if self.is_shut_down() || name.is_empty() || name.len() > NAME_BYTES {
            return;
        }
        {
            let names = self.recorded.names.read();
            if names.get(name).is_some_and(|known| known.said.is_some()) {
                return;
            }
        }
        let mut names = self.recorded.names.write();
        let Some(entry) = self.entry(&mut names, name) else {
            return;
        };
        if entry.said.is_none() {
            let said = said();
            entry.said = Some(said);
            if let Some(At::Set(set)) = entry.metric.as_ref().map(|metric| metric.at)
                && let Some(whole) = &set.whole
            {
                whole.say(said);
            }
        }
    }

    /// An instrument or kind whose name on the page something recorded has already: both are exported, and somebody is told.
    pub(crate) fn warn_if_recorded(&self, set: &MetricSet) {
        set.each_exported(&mut |name, unit, shape| {
            let page = page_names(name, unit, shape);
            let taken = {
                let pages = self.recorded.pages.read();
                page.into_iter().find(|name| pages.contains(name))
            };
            if let Some(taken) = taken {
                self.counts.instrument_conflicts.add(1);
                self.diagnostics.warn(format!(
                    "`{name}` is `{taken}` on the metrics page, as is something that is recorded by name; both are exported"
                ));
            }
        });
    }
}

/// All names that a metric has on the page, in lower case, so that they compare as names of instruments do.
fn page_names(name: &str, unit: &str, shape: &Shape) -> Vec<String> {
    let (name, kind) = name_and_type(name, unit, shape);
    let name = name.to_ascii_lowercase();
    if name.is_empty() {
        return Vec::new();
    }
    let endings: &[&str] = match kind {
        "histogram" => &["", "_bucket", "_sum", "_count"],
        _ => &[""],
    };
    let names = endings.iter().map(|ending| format!("{name}{ending}"));
    names.collect()
}
