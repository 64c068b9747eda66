//! The page about opentelemetry-instrumentation-tower, held against its programs.

use obs_docs::page::{Page, in_prometheus};
use obs_docs::program::{CALLER, Names, Run, run};
use obs_testing::AttrValue;

const HEAD: &str = "obs.http.server.head.duration";
const WHOLE: &str = "http.server.request.duration";
const ACTIVE: &str = "http.server.active_requests";
const THEIRS: &str = "opentelemetry-instrumentation-tower";
const OURS: &str = "obs-http";

fn before() -> Run {
    run(env!("CARGO_BIN_EXE_instrumentation_tower_before"), None)
}

fn after() -> Run {
    run(env!("CARGO_BIN_EXE_instrumentation_tower_after"), None)
}

fn both() -> Run {
    run(env!("CARGO_BIN_EXE_instrumentation_tower_both"), None)
}

/// How many requests were running at the end, by the metrics of one scope.
fn active(run: &Run, scope: &str) -> f64 {
    let points = run.receiver.points();
    let own = points
        .sums
        .iter()
        .filter(|point| point.series.scope == scope && point.series.name == ACTIVE);
    own.map(|point| point.as_f64()).sum()
}

/// An attribute of the span of the item.
fn of_item(run: &Run, key: &str) -> Option<AttrValue> {
    let spans = run.receiver.spans();
    spans
        .iter()
        .find(|span| span.name() == "GET /items/{id}")
        .expect("a span")
        .attr(key)
}

fn in_queries(run: &Run) -> Names {
    let labels = run.labels(WHOLE);
    run.metrics()
        .union(&labels)
        .map(|name| in_prometheus(name))
        .collect()
}

#[test]
fn the_page_names_what_both_programs_export() {
    let (before, after) = (before(), after());
    let mut page = Page::open("opentelemetry-instrumentation-tower");
    for when in ["before", "after", "both"] {
        page.shows_program(&format!("instrumentation_tower_{when}"));
    }
    page.names(
        "attributes",
        &before.server_attributes(),
        &after.server_attributes(),
    );
    page.names("metrics", &before.metrics(), &after.metrics());
    page.names("labels", &before.labels(WHOLE), &after.labels(WHOLE));
    page.queries("before", &in_queries(&before));
    page.queries("after", &in_queries(&after));
    assert_eq!(before.server_spans(), after.server_spans());
    assert_eq!(before.server_spans().len(), 4);
    page.done();
}

#[test]
fn a_token_was_written_out_and_the_scheme_was_empty() {
    let (before, after) = (before(), after());
    assert_eq!(of_item(&before, "url.query"), Some("token=hunter2".into()));
    assert_eq!(of_item(&after, "url.query"), Some("token=REDACTED".into()));
    assert_eq!(of_item(&before, "url.scheme"), Some("".into()));
    assert_eq!(of_item(&after, "url.scheme"), Some("http".into()));
}

#[test]
fn a_client_that_goes_away_stayed_on_the_gauge() {
    let (before, after) = (before(), after());
    assert_eq!(active(&before, THEIRS), 1.0);
    assert_eq!(active(&after, OURS), 0.0);
    let points = before.receiver.points();
    let counted = points.histogram(WHOLE, &[("http.route", "/wait".into())]);
    assert!(counted.is_none(), "{counted:?}");
    let points = after.receiver.points();
    let cancelled = [
        ("http.route", "/wait".into()),
        ("error.type", "cancelled".into()),
    ];
    assert_eq!(
        points.histogram(WHOLE, &cancelled).map(|point| point.count),
        Some(1)
    );
}

/// Side by side, so that it is one request that both measure.
#[test]
fn the_same_name_ended_with_the_head_and_ends_with_the_last_byte() {
    let both = both();
    let route = ("http.route", "/report");
    let old = both.seconds(THEIRS, WHOLE, route);
    let (head, whole) = (
        both.seconds(OURS, HEAD, route),
        both.seconds(OURS, WHOLE, route),
    );
    assert!(
        whole - old > 0.2 && whole - head > 0.2,
        "{old} {head} {whole}"
    );
    assert!(head > old, "ours stands outside: {old} {head}");
}

#[test]
fn buckets_of_durations_stay() {
    let both = both();
    let points = both.receiver.points();
    let bounds = |scope: &str| {
        let own = points
            .histograms
            .iter()
            .find(|point| point.series.scope == scope && point.series.name == WHOLE);
        let point = own.expect("a histogram");
        (point.bounds.clone(), point.series.unit.clone())
    };
    assert_eq!(bounds(THEIRS), bounds(OURS));
}

#[test]
fn side_by_side_each_request_has_two_server_spans_under_the_caller() {
    let spans = both().receiver.spans();
    assert_eq!(spans.len(), 8);
    assert!(
        spans
            .iter()
            .all(|span| span.parent_span_id() == Some(CALLER))
    );
    let scopes: Names = spans.iter().map(|span| span.scope.name.clone()).collect();
    assert_eq!(scopes, Names::from([THEIRS.to_owned(), OURS.to_owned()]));
}
