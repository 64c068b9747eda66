//! The page about axum-prometheus, held against its programs.

use obs_docs::page::Page;
use obs_docs::program::{Names, Run, run};

const OLD: &str = "axum_http_requests_duration_seconds";
const HEAD: &str = "obs_http_server_head_duration_seconds";
const WHOLE: &str = "http_server_request_duration_seconds";
/// Samples that are there once the client that goes away was noticed.
const IDLE_BEFORE: &str = "axum_http_requests_pending{method=\"GET\",endpoint=\"/wait\"} 0";
const IDLE_AFTER: &str =
    "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 0";

fn before() -> Run {
    run(
        env!("CARGO_BIN_EXE_axum_prometheus_before"),
        Some(IDLE_BEFORE),
    )
}

fn after() -> Run {
    run(
        env!("CARGO_BIN_EXE_axum_prometheus_after"),
        Some(IDLE_AFTER),
    )
}

fn labels(run: &Run) -> Names {
    let metrics = run.page_metrics();
    metrics
        .iter()
        .flat_map(|metric| run.page_labels(metric))
        .collect()
}

#[test]
fn the_page_names_what_both_programs_show() {
    let (before, after) = (before(), after());
    let mut page = Page::open("axum-prometheus");
    for when in ["before", "after", "both"] {
        page.shows_program(&format!("axum_prometheus_{when}"));
    }
    page.names("metrics", &before.page_metrics(), &after.page_metrics());
    page.names("labels", &labels(&before), &labels(&after));
    for (when, run) in [("before", &before), ("after", &after)] {
        page.queries(
            when,
            &run.page_metrics().union(&labels(run)).cloned().collect(),
        );
    }
    assert!(before.lines.is_empty() && after.lines.is_empty());
    assert!(before.page_metrics().len() > 3 && after.page_metrics().len() > 3);
    page.done();
}

#[test]
fn scrapes_were_requests_and_are_none() {
    assert!(before().page.contains("endpoint=\"/metrics\""));
    assert!(!after().page.contains("/metrics\""));
}

#[test]
fn a_client_that_goes_away_was_not_counted_and_is() {
    let (before, after) = (before(), after());
    let counted = format!("{OLD}_count");
    assert_eq!(before.sample(&counted, &["/wait"]), None);
    assert_eq!(before.sample("axum_http_requests_total", &["/wait"]), None);
    let cancelled = ["http_route=\"/wait\"", "error_type=\"cancelled\""];
    assert_eq!(
        after.sample(&format!("{WHOLE}_count"), &cancelled),
        Some(1.0)
    );
    assert!(
        !after
            .page
            .lines()
            .any(|line| line.contains("/wait") && line.contains("status_code"))
    );
}

#[test]
fn buckets_come_on_and_none_goes() {
    let bounds = |run: &Run, metric: &str| -> Names {
        let begin = format!("{metric}_bucket");
        let buckets = run.page.lines().filter(|line| line.starts_with(&begin));
        let after = buckets.filter_map(|line| line.split_once("le=\""));
        after
            .map(|(_, rest)| rest.split('"').next().unwrap_or_default().to_owned())
            .collect()
    };
    let (old, new) = (bounds(&before(), OLD), bounds(&after(), HEAD));
    let numbers = |names: &Names| -> Vec<f64> {
        let mut all: Vec<f64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (old, new) = (numbers(&old), numbers(&new));
    let added: Vec<f64> = new
        .iter()
        .copied()
        .filter(|bound| !old.contains(bound))
        .collect();
    assert!(
        old.len() > 5 && old.iter().all(|bound| new.contains(bound)),
        "{old:?} {new:?}"
    );
    assert_eq!(added, [0.075, 0.75, 7.5]);
}

/// Side by side, so that it is one request that both measure.
#[test]
fn the_old_duration_ends_with_the_head_as_ours_of_that_name_does() {
    let both = run(
        env!("CARGO_BIN_EXE_axum_prometheus_both"),
        Some(IDLE_BEFORE),
    );
    let sum = |metric: &str| {
        let begin = format!("{metric}_sum");
        both.sample(&begin, &["\"/report\""])
            .expect("it was asked for")
    };
    let (old, head, whole) = (sum(OLD), sum(HEAD), sum(WHOLE));
    assert!(
        whole - old > 0.2 && whole - head > 0.2,
        "{old} {head} {whole}"
    );
    // Ours stands outside.
    assert!(head > old, "{old} {head}");
}
