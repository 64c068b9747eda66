//! What people read: trees and a table.

use crate::{
    evidence::Evidence,
    load::{CASES, Sent},
    operations::{HITS, OUTPUT_TOKENS},
    source::Source,
};
use obs_core::{
    Telemetry,
    semconv::http::{ERROR_TYPE, RESPONSE_STATUS_CODE, URL_PATH},
};
use obs_testing::{SpanTree, metrics::HistogramPoint};
use std::{collections::BTreeMap, time::Duration};

/// The trees of one request of each ending.
pub(crate) fn trees(evidence: &Evidence, source: &Source) {
    println!("\nTraces, {}", source.verb());
    let shown = [
        URL_PATH,
        RESPONSE_STATUS_CODE,
        ERROR_TYPE,
        HITS,
        OUTPUT_TOKENS,
    ];
    for case in &CASES {
        let tree = SpanTree::new(evidence.trace(case))
            .with_attributes(shown.map(|key| key.as_str()))
            .with_durations(true);
        println!("\n  {}", case.title);
        for line in tree.to_string().lines().skip(1) {
            println!("  {line}");
        }
    }
}

/// Rates, errors and quantiles by route.
pub(crate) fn rates(evidence: &Evidence, sent: &Sent) {
    println!("\nRequests by route, from the histogram of their durations");
    println!(
        "  {:<18}{:>10}{:>9}{:>9}{:>10}{:>10}{:>10}   errors by type",
        "route", "requests", "per s", "errors", "p50 ms", "p90 ms", "p99 ms"
    );
    for route in sent.keys() {
        let Some(row) = Row::of(evidence.durations(route)) else {
            continue;
        };
        let quantile = |q| row.quantile_ms(q);
        let types: Vec<_> = row
            .errors
            .iter()
            .map(|(kind, count)| format!("{kind}: {count}"))
            .collect();
        let failed: u64 = row.errors.values().sum();
        println!(
            "  {route:<18}{:>10}{:>9.1}{:>8.1}%{:>10}{:>10}{:>10}   {}",
            row.all.count,
            row.all.count as f64 / row.over.as_secs_f64(),
            100.0 * failed as f64 / row.all.count as f64,
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            types.join(", ")
        );
    }
}

/// What became of everything that was recorded.
pub(crate) fn delivery(telemetry: &Telemetry) {
    let (accounts, counts) = (telemetry.accounts(), telemetry.counts());
    let total = accounts.total();
    println!(
        "\nDelivered: {} spans and {} metric points; let go of: {} on the way, {} for want of room before it",
        accounts.traces.delivered,
        accounts.metrics.delivered,
        total.dropped.total(),
        counts.ring_full
    );
}

/// All series of a route together.
struct Row {
    all: HistogramPoint,
    errors: BTreeMap<String, u64>,
    over: Duration,
}

impl Row {
    fn of(series: Vec<HistogramPoint>) -> Option<Self> {
        let mut errors = BTreeMap::new();
        for point in &series {
            if let Some(kind) = point.series.attr(ERROR_TYPE.as_str()) {
                *errors.entry(kind.to_string()).or_default() += point.count;
            }
        }
        let mut series = series.into_iter();
        let mut all = series.next()?;
        // They share their bounds: all come from one descriptor.
        series.all(|point| all.merge(&point)).then(|| Self {
            over: Duration::from_nanos(all.time_ns.saturating_sub(all.start_ns).max(1)),
            all,
            errors,
        })
    }

    /// Inside the first bucket a quantile would be made up: it only says that it lies there.
    fn quantile_ms(&self, q: f64) -> String {
        match (self.all.quantile(q), self.all.bounds.first()) {
            (Some(seconds), Some(first)) if seconds <= *first => format!("<{}", first * 1e3),
            (Some(seconds), _) => format!("{:.1}", seconds * 1e3),
            (None, _) => String::from("-"),
        }
    }
}
