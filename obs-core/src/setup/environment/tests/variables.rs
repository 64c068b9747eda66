//! The table of variables against the code: both ways, and what it says of each.

use std::collections::{BTreeMap, BTreeSet};

use super::{check_warned, read};
use crate::aggregation::{ExponentialHistogram, HistogramAggregation};
use crate::courier::Signal;
use crate::setup::environment::Environment;
use std::time::Duration;

/// Each variable of the table, and what is said of it.
fn table() -> BTreeMap<String, String> {
    let rows = include_str!("../variables.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let mut table = BTreeMap::new();
    for row in rows {
        let (names, said) = row.split_once(" | ").expect("two columns");
        for name in names.split(", `") {
            for name in expanded(name.trim_end_matches('`')) {
                let twice = table.insert(name.clone(), said.to_owned());
                assert_eq!(twice, None, "{name} is there twice");
            }
        }
    }
    table
}

/// `A_{B,C}` as `A_B` and `A_C`.
fn expanded(name: &str) -> Vec<String> {
    let Some((head, rest)) = name.split_once('{') else {
        return vec![name.to_owned()];
    };
    let (list, tail) = rest.split_once('}').expect("it is closed");
    list.split(',')
        .map(|middle| format!("{head}{middle}{tail}"))
        .collect()
}

#[test]
fn every_variable_that_is_read_is_in_the_table_and_no_other() {
    let mut asked = BTreeSet::new();
    Environment::from_fn(|name| {
        asked.insert(name.to_owned());
        None
    });
    let listed: BTreeSet<_> = table().into_keys().collect();
    assert_eq!(listed, asked);
}

#[test]
fn what_the_table_calls_not_honoured_is_warned_about_and_nothing_else_is() {
    for (name, said) in table() {
        if said.starts_with("no") {
            check_warned(&name, "anything", "not honoured");
        }
        let environment = read(&[(&name, "1")]);
        let told = environment.warnings().iter().any(|warning| {
            warning.variable() == name && warning.problem().contains("not honoured")
        });
        assert_eq!(told, said.starts_with("no"), "{name}");
    }
}

#[test]
fn histograms_are_what_the_variable_says_and_an_unknown_one_is_warned_about() {
    let variable = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
    let asked = |value| {
        let environment = read(&[(variable, value)]);
        assert_eq!(environment.warnings(), []);
        environment.histograms
    };
    assert_eq!(
        asked("explicit_bucket_histogram"),
        Some(HistogramAggregation::Explicit)
    );
    let exponential = ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
    };
    assert_eq!(
        asked("Base2_Exponential_Bucket_Histogram"),
        Some(exponential.into())
    );
    let none = check_warned(
        variable,
        "exponential",
        "`base2_exponential_bucket_histogram`",
    );
    assert_eq!(none.histograms, None);
}

#[test]
fn an_exporter_that_is_not_known_is_warned_about_and_counts_as_otlp() {
    let environment = check_warned("OTEL_TRACES_EXPORTER", "console,otlp", "`console`")
        .exporters
        .traces;
    assert_eq!(environment, Some(vec!["otlp".to_owned()]));
    check_warned("OTEL_LOGS_EXPORTER", "prometheus", "`prometheus`");
    assert_eq!(
        read(&[("OTEL_METRICS_EXPORTER", "prometheus")]).warnings(),
        []
    );
}

#[test]
fn the_timeout_of_an_export_bounds_an_attempt() {
    let timeouts = |variables: &[(&str, &str)]| {
        let to = read(variables).destinations();
        [Signal::Traces, Signal::Metrics, Signal::Logs].map(|signal| to.of(signal).timeout)
    };
    let [default, short, long] = [10, 3, 60].map(Duration::from_secs);
    assert_eq!(
        timeouts(&[
            ("OTEL_BSP_EXPORT_TIMEOUT", "3000"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "60000"),
        ]),
        [short, default, default]
    );
    assert_eq!(
        timeouts(&[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "3000"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "0"),
        ]),
        [long, short, long]
    );
}

#[test]
fn exemplars_can_be_switched_off() {
    let filter = |value| read(&[("OTEL_METRICS_EXEMPLAR_FILTER", value)]).exemplars;
    assert_eq!(
        (filter("always_off"), filter("trace_based")),
        (Some(false), Some(true))
    );
    check_warned("OTEL_METRICS_EXEMPLAR_FILTER", "always_on", "`trace_based`");
}
