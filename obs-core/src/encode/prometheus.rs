//! The page that Prometheus scrapes, in its text format or as OpenMetrics.

use super::prometheus_format::PageFormat;
use super::prometheus_names::{NameOf, label_name, metric_name};
use crate::label::LabelValue;
use crate::metrics::{
    Data, Exemplar, HistogramPoint, Metric, Number, PointAttributes, Temporality,
};
use opentelemetry::{Key, Value};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

/// Renders points as a page of the text format, version 0.0.4, or of OpenMetrics, which shows their exemplars too.
///
/// Names follow the OpenTelemetry specification: dots become underscores, units become words, counters end in `_total`.
/// The resource is the metric `target_info`. Each series is written once; what would be a second one under its name is
/// left out and reported.
#[derive(Clone, Debug, Default)]
pub struct PrometheusPage {
    /// What the resource says, as labels.
    target: String,
    scope_labels: bool,
    format: PageFormat,
}

/// Points that are not on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// The metric's own name.
    pub metric: String,
    /// Its name in Prometheus.
    pub name: String,
    /// How many points.
    pub points: usize,
    /// Why.
    pub why: Why,
}

/// Why points are not on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// Another metric, of another type, has the name or a series of that name.
    NameTaken,
    /// Another point of the same name has the same labels.
    SeriesTaken,
    /// They count from the last collection; Prometheus wants totals.
    Delta,
    /// Nothing of the name can be used in Prometheus.
    Unnamable,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.why {
            Why::NameTaken => "another metric has the name",
            Why::SeriesTaken => "another point has the same labels",
            Why::Delta => "they count from the last collection",
            Why::Unnamable => "nothing of the name can be used",
        };
        // A metric's name may hold anything; a comment ends with its line.
        write!(f, "{} points of {:?}: {why}", self.points, self.metric)
    }
}

impl PrometheusPage {
    /// The media type of the page in the text format.
    pub const CONTENT_TYPE: &'static str = PageFormat::Text.content_type();

    /// A page for what this resource says; without attributes it has no `target_info`.
    pub fn new<'a>(resource: impl IntoIterator<Item = (&'a Key, &'a Value)>) -> Self {
        let pairs = resource
            .into_iter()
            .map(|(key, value)| (key.as_str().to_owned(), value.to_string()));
        Self {
            target: labels(pairs, &[]),
            scope_labels: false,
            format: PageFormat::Text,
        }
    }

    /// In which format.
    pub fn with_format(mut self, format: PageFormat) -> Self {
        self.format = format;
        self
    }

    /// Whether each series says who emits it, in `otel_scope_name` and `otel_scope_version`. Off unless set: metrics of
    /// one name from several scopes are then one metric.
    pub fn with_scope_labels(mut self, scope_labels: bool) -> Self {
        self.scope_labels = scope_labels;
        self
    }

    /// Appends the page to `into` and says what is not on it.
    pub fn render(&self, metrics: &[Metric], into: &mut String) -> Vec<Skipped> {
        if !self.target.is_empty() {
            self.header(into, TARGET_INFO, "Target metadata", "gauge");
            sample(into, TARGET_INFO, &self.target, "", "1");
        }
        let mut skipped = Vec::new();
        let mut families = families(metrics, &mut skipped);
        if self.format == PageFormat::OpenMetrics {
            leave_reserved(&mut families, &mut skipped);
        }
        let others: HashSet<String> = { families.iter() }
            .filter(|family| family.kind != "counter")
            .map(|family| family.name.clone())
            .chain(["target".to_owned()])
            .collect();
        for family in families {
            let help = family
                .metrics
                .iter()
                .map(|metric| &*metric.description)
                .find(|description| !description.is_empty());
            let stem = family.name.strip_suffix("_total").unwrap_or_default();
            let kind = match family.kind {
                // Without its ending it would be a second family of the name. One that says no type keeps its whole name.
                "counter" if self.format == PageFormat::OpenMetrics && others.contains(stem) => {
                    "unknown"
                }
                kind => kind,
            };
            self.header(into, &family.name, help.unwrap_or_default(), kind);
            let mut series = HashSet::new();
            for metric in family.metrics {
                let written = self.points(metric, &family.name, &mut series, into);
                let left = count(metric) - written;
                if left > 0 {
                    skipped.push(skip(metric, &family.name, left, Why::SeriesTaken));
                }
            }
        }
        skipped
    }

    /// Writes those points whose series are new, and says how many these are.
    fn points(
        &self,
        metric: &Metric,
        name: &str,
        series: &mut HashSet<String>,
        into: &mut String,
    ) -> usize {
        let mut written = 0;
        match &metric.data {
            Data::Histogram { points, .. } => {
                for point in points {
                    let labels = self.labels(metric, &point.attributes, &["le"]);
                    if series.insert(labels.clone()) {
                        self.histogram(into, name, &labels, point);
                        written += 1;
                    }
                }
            }
            Data::Sum { points, .. } | Data::Gauge { points } => {
                for point in points {
                    let labels = self.labels(metric, &point.attributes, &[]);
                    if series.insert(labels.clone()) {
                        let value = match point.value {
                            Number::I64(value) => value.to_string(),
                            Number::F64(value) => number(value),
                        };
                        sample(into, name, &labels, "", &value);
                        written += 1;
                    }
                }
            }
        }
        written
    }

    fn header(&self, into: &mut String, name: &str, help: &str, kind: &str) {
        let open = self.format == PageFormat::OpenMetrics;
        // OpenMetrics names the family; the last word of a sample's name belongs to its type.
        let (name, kind) = match kind {
            "counter" if open => (name.strip_suffix("_total").unwrap_or(name), kind),
            _ if open && name == TARGET_INFO => ("target", "info"),
            _ => (name, kind),
        };
        if !help.is_empty() {
            let mut help = help.replace('\\', "\\\\").replace('\n', "\\n");
            if open {
                help = help.replace('"', "\\\"");
            }
            let _ = writeln!(into, "# HELP {name} {help}");
        }
        let _ = writeln!(into, "# TYPE {name} {kind}");
    }

    /// Cumulative buckets, sum and count.
    fn histogram(&self, into: &mut String, name: &str, labels: &str, point: &HistogramPoint) {
        let open = self.format == PageFormat::OpenMetrics;
        let bound = |bound: &f64| match number(*bound) {
            // As OpenMetrics writes numbers that are bounds; the text format has them as they are.
            whole if open && !whole.contains(['.', 'e']) => whole + ".0",
            other => other,
        };
        let bounds = point.bounds.iter().map(bound);
        let infinity = std::iter::once("+Inf".to_owned());
        let mut exemplars = point.exemplars.iter().filter(|_| open).peekable();
        let mut total = 0;
        for (at, (bound, count)) in bounds.chain(infinity).zip(&point.buckets).enumerate() {
            total += count;
            let mut labels = labels.to_owned();
            push_label(&mut labels, "le", &bound);
            sample(into, name, &labels, "_bucket", &total.to_string());
            let upper = point.bounds.get(at).copied().unwrap_or(f64::INFINITY);
            if let Some(exemplar) = exemplars.next_if(|exemplar| exemplar.value <= upper) {
                write_exemplar(into, exemplar);
            }
        }
        // OpenMetrics takes a sum for a counter, and has a count only beside a sum; the last bucket says it too.
        let falls = point.sum < 0.0 || point.bounds.first().is_some_and(|first| *first < 0.0);
        if !(open && falls) {
            sample(into, name, labels, "_sum", &number(point.sum));
            sample(into, name, labels, "_count", &total.to_string());
        }
    }

    fn labels(&self, metric: &Metric, attributes: &PointAttributes, taken: &[&str]) -> String {
        let pair = |(key, value): &(std::borrow::Cow<'static, str>, LabelValue)| {
            (key.to_string(), value.to_text().into_owned())
        };
        let mut own = labels(attributes.iter().map(pair), &[taken, SCOPE_LABELS].concat());
        if self.scope_labels {
            let scope = [metric.scope.name, metric.scope.version];
            for (key, value) in SCOPE_LABELS.iter().zip(scope) {
                push_label(&mut own, key, value);
            }
        }
        own
    }
}

const TARGET_INFO: &str = "target_info";
const SCOPE_LABELS: &[&str] = &["otel_scope_name", "otel_scope_version"];

/// What is under one `TYPE` line.
struct Family<'a> {
    name: String,
    kind: &'static str,
    metrics: Vec<&'a Metric>,
}

/// Sorts metrics by the name they get, in the order they come in.
fn families<'a>(metrics: &'a [Metric], skipped: &mut Vec<Skipped>) -> Vec<Family<'a>> {
    let mut families: Vec<Family<'a>> = Vec::new();
    // Each name that a sample has, and which family it belongs to.
    let mut names: HashMap<String, usize> = HashMap::from([(TARGET_INFO.to_owned(), usize::MAX)]);
    for metric in metrics.iter().filter(|metric| !metric.data.is_empty()) {
        let (kind, of) = kind(metric);
        let name = metric_name(&metric.name, &metric.unit, of);
        let mut leave_out = |why| skipped.push(skip(metric, &name, count(metric), why));
        if name.is_empty() {
            leave_out(Why::Unnamable);
            continue;
        }
        if is_delta(metric) {
            leave_out(Why::Delta);
            continue;
        }
        let suffixes: &[&str] = match metric.data {
            Data::Histogram { .. } => &["", "_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let own = || suffixes.iter().map(|suffix| format!("{name}{suffix}"));
        if let Entry::Occupied(known) = names.entry(name.clone()) {
            match families.get_mut(*known.get()) {
                Some(family) if family.name == name && family.kind == kind => {
                    family.metrics.push(metric);
                }
                _ => leave_out(Why::NameTaken),
            }
        } else if own().any(|name| names.contains_key(&name)) {
            leave_out(Why::NameTaken);
        } else {
            names.extend(own().map(|name| (name, families.len())));
            families.push(Family {
                name,
                kind,
                metrics: vec![metric],
            });
        }
    }
    families
}

/// Leaves names that OpenMetrics has for itself: the family that says who speaks, and samples that say when a counter or a
/// histogram began, which are of that one's family.
fn leave_reserved(families: &mut Vec<Family<'_>>, skipped: &mut Vec<Skipped>) {
    let created = |family: &Family<'_>| match family.kind {
        "counter" => Some(format!("{}_created", family.name.strip_suffix("_total")?)),
        "histogram" => Some(format!("{}_created", family.name)),
        _ => None,
    };
    let reserved: HashSet<String> = { families.iter().filter_map(created) }
        .chain(["target".to_owned()])
        .collect();
    families.retain(|family| {
        let stays = family.kind == "counter" || !reserved.contains(&family.name);
        if !stays {
            let skip = |metric: &&Metric| skip(metric, &family.name, count(metric), Why::NameTaken);
            skipped.extend(family.metrics.iter().map(skip));
        }
        stays
    });
}

fn kind(metric: &Metric) -> (&'static str, NameOf) {
    match metric.data {
        Data::Histogram { .. } => ("histogram", NameOf::Other),
        Data::Sum {
            monotonic: true, ..
        } => ("counter", NameOf::Counter),
        Data::Sum { .. } => ("gauge", NameOf::Other),
        Data::Gauge { .. } => ("gauge", NameOf::Gauge),
    }
}

fn is_delta(metric: &Metric) -> bool {
    matches!(
        metric.data,
        Data::Histogram {
            temporality: Temporality::Delta,
            ..
        } | Data::Sum {
            temporality: Temporality::Delta,
            ..
        }
    )
}

fn count(metric: &Metric) -> usize {
    match &metric.data {
        Data::Histogram { points, .. } => points.len(),
        Data::Sum { points, .. } | Data::Gauge { points } => points.len(),
    }
}

fn skip(metric: &Metric, name: &str, points: usize, why: Why) -> Skipped {
    Skipped {
        metric: metric.name.to_string(),
        name: name.to_owned(),
        points,
        why,
    }
}

fn sample(into: &mut String, name: &str, labels: &str, suffix: &str, value: &str) {
    into.push_str(name);
    into.push_str(suffix);
    if !labels.is_empty() {
        let _ = write!(into, "{{{labels}}}");
    }
    let _ = writeln!(into, " {value}");
}

/// At the end of the line just written.
fn write_exemplar(into: &mut String, exemplar: &Exemplar) {
    into.pop();
    let (seconds, nanos) = (
        exemplar.unix_nanos / 1_000_000_000,
        exemplar.unix_nanos % 1_000_000_000,
    );
    let _ = writeln!(
        into,
        " # {{trace_id=\"{}\",span_id=\"{}\"}} {} {seconds}.{:03}",
        exemplar.trace_id,
        exemplar.span_id,
        number(exemplar.value),
        nanos / 1_000_000,
    );
}

/// Labels as they stand between the braces. Where two keys become one name, their values are joined in the order of the
/// keys; what the format has for itself (`taken`) gets a prefix, as Prometheus does it.
fn labels(pairs: impl Iterator<Item = (String, String)>, taken: &[&str]) -> String {
    let mut named: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for (key, value) in pairs {
        let mut name = label_name(&key);
        if taken.contains(&name.as_str()) {
            name.insert_str(0, "exported_");
        }
        match named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => drop(values.insert(key, value)),
            None => named.push((name, BTreeMap::from([(key, value)]))),
        }
    }
    let mut labels = String::new();
    for (name, values) in named {
        let values: Vec<_> = values.into_values().collect();
        push_label(&mut labels, &name, &values.join(";"));
    }
    labels
}

fn push_label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    let _ = write!(labels, "{name}=\"");
    for character in value.chars() {
        match character {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            other => labels.push(other),
        }
    }
    labels.push('"');
}

fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.into()
    } else if size == 0.0 || (1e-6..1e21).contains(&size) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}
