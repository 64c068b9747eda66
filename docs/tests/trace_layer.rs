//! The page about tower-http's `TraceLayer`, held against its programs.

use obs_docs::page::{Page, in_prometheus, steady};
use obs_docs::program::{Names, Run, TRACE, run};

const HEAD: &str = "obs.http.server.head.duration";
const WHOLE: &str = "http.server.request.duration";

fn before() -> Run {
    run(env!("CARGO_BIN_EXE_trace_layer_before"), None)
}

fn after() -> Run {
    run(env!("CARGO_BIN_EXE_trace_layer_after"), None)
}

fn both() -> Run {
    run(env!("CARGO_BIN_EXE_trace_layer_both"), None)
}

/// Fields of lines that the layer wrote, of its own and of its span.
fn fields(run: &Run) -> Names {
    let own = run
        .lines
        .iter()
        .filter(|line| line.contains("tower_http::trace::"));
    let words = own.flat_map(|line| line.split([' ', '{', '}']));
    words
        .filter_map(|word| Some(word.split_once('=')?.0.to_owned()))
        .collect()
}

/// The number that follows `field=` in the line of the layer about `uri`.
fn milliseconds(run: &Run, uri: &str, field: &str) -> u64 {
    let start = format!(" {field}=");
    let line = run
        .lines
        .iter()
        .find(|line| line.contains(uri) && line.contains(&start));
    let rest = line
        .and_then(|line| line.split_once(&start))
        .expect("a line")
        .1;
    rest.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Of the item and of the failure, as they were printed.
fn lines(run: &Run, about: &[&str]) -> Vec<String> {
    let is_about = |line: &&String| about.iter().any(|word| line.contains(word));
    run.lines
        .iter()
        .filter(is_about)
        .map(|line| steady(line))
        .collect()
}

#[test]
fn the_page_shows_what_both_programs_print_and_export() {
    let (before, after) = (before(), after());
    let mut page = Page::open("tower-http-trace-layer");
    for when in ["before", "after", "both"] {
        page.shows_program(&format!("trace_layer_{when}"));
    }
    page.shows_lines("before", "text", &lines(&before, &["/items/7", "/broken"]));
    page.shows_lines(
        "after",
        "json",
        &lines(&after, &["looked up", "shelf is gone"]),
    );
    assert_eq!(
        after.lines.len(),
        2,
        "no line per request: {:?}",
        after.lines
    );

    let seen: Names = after
        .server_attributes()
        .union(&after.metrics())
        .cloned()
        .collect();
    page.names("fields", &fields(&before), &seen);
    let labels = after.labels(WHOLE);
    let names = after
        .metrics()
        .union(&labels)
        .map(|name| in_prometheus(name))
        .collect();
    page.queries("after", &names);
    assert!(after.server_spans().contains("GET /items/{id}"));
    page.done();
}

#[test]
fn before_nothing_is_exported() {
    assert!(before().receiver.requests().is_empty());
}

#[test]
fn a_secret_of_a_query_was_in_the_lines_and_is_nowhere() {
    let (before, after) = (before(), after());
    let lines = before.lines.iter().filter(|line| line.contains("hunter2"));
    assert_eq!(lines.count(), 4);
    assert!(!after.lines.iter().any(|line| line.contains("hunter2")));
    let exported = format!("{:?}", after.receiver.traces());
    assert!(exported.contains("token=REDACTED") && !exported.contains("hunter2"));
}

#[test]
fn a_client_that_goes_away_left_a_beginning_and_no_end() {
    let (before, after) = (before(), after());
    let lines: Vec<_> = before
        .lines
        .iter()
        .filter(|line| line.contains("uri=/wait"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with("started processing request"));
    let spans = after.receiver.spans();
    let left = spans
        .iter()
        .find(|span| span.name() == "GET /wait")
        .expect("a span");
    assert_eq!(left.attr("error.type"), Some("cancelled".into()));
}

#[test]
fn what_the_application_says_names_its_trace_in_lines_and_records() {
    let after = after();
    let id = format!("\"trace_id\":\"{TRACE:032x}\"");
    assert!(
        after.lines.iter().all(|line| line.contains(&id)),
        "{:?}",
        after.lines
    );
    let records = after.receiver.log_records();
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record.trace_id() == TRACE));
}

/// Side by side, so that it is one request that both measure.
#[test]
fn latency_ends_with_the_head_and_the_stream_counts_from_there() {
    let both = both();
    let route = ("http.route", "/report");
    let (head, whole) = (
        both.seconds("obs-http", HEAD, route),
        both.seconds("obs-http", WHOLE, route),
    );
    let latency = milliseconds(&both, "uri=/report", "latency") as f64 / 1e3;
    let stream = milliseconds(&both, "uri=/report", "stream_duration") as f64 / 1e3;
    assert!(
        whole - latency > 0.2 && whole - head > 0.2,
        "{latency} {head} {whole}"
    );
    assert!(stream > 0.2 && stream < whole, "{stream} {whole}");
}

#[test]
fn side_by_side_the_lines_stay_and_become_records_too() {
    let (before, both) = (before(), both());
    let kinds = |run: &Run| -> Vec<String> {
        let of_layer = run
            .lines
            .iter()
            .filter(|line| line.contains("tower_http::trace::"));
        let kinds = of_layer.filter_map(|line| line.split("tower_http::trace::").nth(1));
        let mut kinds: Vec<_> = kinds
            .map(|rest| rest.split(':').next().unwrap().to_owned())
            .collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&before), kinds(&both));
    let records = both.receiver.log_records();
    let scopes: Names = records
        .iter()
        .map(|record| record.scope.name.clone())
        .collect();
    let text =
        std::fs::read_to_string(obs_docs::page::root().join("migrating/tower-http-trace-layer.md"));
    let text = text.expect("the page");
    let own: Vec<_> = scopes
        .iter()
        .filter(|scope| scope.starts_with("tower_http"))
        .collect();
    assert_eq!(own.len(), 4);
    assert!(
        own.iter().all(|scope| text.contains(&format!("`{scope}`"))),
        "{own:?}"
    );
    assert_eq!(both.receiver.spans().len(), 4);
}
