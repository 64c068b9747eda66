//! The page about tracing-opentelemetry, held against its programs.

use obs_docs::page::{Page, in_prometheus, steady};
use obs_docs::program::{CALLER, Names, Run, TRACE, run};
use obs_testing::receiver::ReceivedSpan;

const HEAD: &str = "obs.http.server.head.duration";
const WHOLE: &str = "http.server.request.duration";
/// As OTLP numbers it.
const SERVER: i32 = 2;

fn before() -> Run {
    run(env!("CARGO_BIN_EXE_tracing_opentelemetry_before"), None)
}

fn after() -> Run {
    run(env!("CARGO_BIN_EXE_tracing_opentelemetry_after"), None)
}

fn both() -> Run {
    run(env!("CARGO_BIN_EXE_tracing_opentelemetry_both"), None)
}

fn spans(run: &Run, name: &str) -> Vec<ReceivedSpan> {
    let mut spans = run.receiver.spans();
    spans.retain(|span| span.name() == name);
    spans
}

fn span(run: &Run, name: &str) -> ReceivedSpan {
    let mut found = spans(run, name);
    assert_eq!(found.len(), 1, "{name}");
    found.remove(0)
}

fn seconds(span: &ReceivedSpan) -> f64 {
    (span.span.end_time_unix_nano - span.span.start_time_unix_nano) as f64 / 1e9
}

/// Names of the events of server spans.
fn events(run: &Run) -> Names {
    let servers = run
        .receiver
        .spans()
        .into_iter()
        .filter(|span| span.span.kind == SERVER);
    servers
        .flat_map(|span| span.span.events)
        .map(|event| event.name)
        .collect()
}

fn lines(run: &Run) -> Vec<String> {
    run.lines.iter().map(|line| steady(line)).collect()
}

#[test]
fn the_page_shows_what_both_programs_print_and_export() {
    let (before, after) = (before(), after());
    let mut page = Page::open("tracing-opentelemetry");
    for when in ["before", "after", "both"] {
        page.shows_program(&format!("tracing_opentelemetry_{when}"));
    }
    page.shows_lines("before", "text", &lines(&before));
    page.shows_lines("after", "json", &lines(&after));
    page.names(
        "attributes",
        &before.server_attributes(),
        &after.server_attributes(),
    );
    page.names("metrics", &before.metrics(), &after.metrics());
    page.names("events", &events(&before), &events(&after));
    let labels = after.labels(WHOLE);
    page.queries(
        "after",
        &after
            .metrics()
            .union(&labels)
            .map(|name| in_prometheus(name))
            .collect(),
    );
    assert_eq!(before.server_spans(), after.server_spans());
    assert_eq!(before.server_spans().len(), 4);
    page.done();
}

#[test]
fn a_status_code_was_text_and_is_a_number() {
    let key = "http.response.status_code";
    let (before, after) = (
        span(&before(), "GET /broken"),
        span(&after(), "GET /broken"),
    );
    assert_eq!(before.attr(key), Some("500".into()));
    assert_eq!(after.attr(key), Some(500.into()));
}

#[test]
fn spans_of_instrument_stay_children_of_the_request_and_of_its_resource() {
    let after = after();
    let (request, own) = (span(&after, "GET /items/{id}"), span(&after, "find"));
    assert_eq!(own.parent_span_id(), Some(request.span_id()));
    assert_eq!((own.trace_id(), request.trace_id()), (TRACE, TRACE));
    assert_eq!(request.parent_span_id(), Some(CALLER));
    let instance = |span: &ReceivedSpan| span.resource_attr("service.instance.id");
    assert!(instance(&own).is_some());
    assert_eq!(instance(&own), instance(&request));
    // Its event is one still, and a log record besides, with the id of that span.
    assert_eq!(own.span.events.len(), 1);
    let records = after.receiver.log_records();
    let said = records
        .iter()
        .find(|record| record.body() == Some("looked up".into()));
    assert_eq!(said.expect("a record").span_id(), own.span_id());
    let gone = records
        .iter()
        .find(|record| record.body() == Some("the shelf is gone".into()));
    assert_eq!(
        gone.expect("a record").span_id(),
        span(&after, "GET /broken").span_id()
    );
}

#[test]
fn the_span_lasts_until_the_last_byte_before_and_after() {
    assert!(seconds(&span(&before(), "GET /report")) > 0.2);
    let after = after();
    let request = seconds(&span(&after, "GET /report"));
    let route = ("http.route", "/report");
    let (head, whole) = (
        after.seconds("obs-http", HEAD, route),
        after.seconds("obs-http", WHOLE, route),
    );
    assert!(
        request > 0.2 && whole - head > 0.2,
        "{request} {head} {whole}"
    );
    assert!((request - whole).abs() < 0.01, "{request} {whole}");
}

#[test]
fn a_client_that_goes_away_had_a_span_like_any_other_and_is_an_error() {
    let (before, after) = (span(&before(), "GET /wait"), span(&after(), "GET /wait"));
    assert_eq!(before.attr("http.response.status_code"), None);
    let is_error = |span: &ReceivedSpan| {
        span.span
            .status
            .as_ref()
            .is_some_and(|status| status.code == 2)
    };
    assert!(!is_error(&before) && is_error(&after));
    assert_eq!(after.attr("error.type"), Some("cancelled".into()));
}

#[test]
fn side_by_side_the_old_span_is_within_the_new_one() {
    let both = both();
    let requests = spans(&both, "GET /items/{id}");
    assert_eq!(requests.len(), 2);
    let ours = requests
        .iter()
        .find(|span| span.scope.name == "obs-http")
        .expect("ours");
    let old = requests
        .iter()
        .find(|span| span.scope.name == "shop")
        .expect("the old one");
    assert_eq!(ours.parent_span_id(), Some(CALLER));
    assert_eq!(old.parent_span_id(), Some(ours.span_id()));
    assert!(requests.iter().all(|span| span.span.kind == SERVER));
    assert_eq!(span(&both, "find").parent_span_id(), Some(old.span_id()));
}
