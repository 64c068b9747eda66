//! The tables of the front page: each row is emitted, and nothing is that has no row.

use crate::support::ask::{Ask, ask, build, get};
use crate::support::layer;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use obs_core::sampling::HeadSampler;
use obs_core::{StatsLevel, propagation::baggage::Allow};
use obs_http::{Forwarded, HTTP_SERVER, PeerAddress, Route};
use obs_testing::Capture;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use tower::{Layer, service_fn};

const FRONT_PAGE: &str = include_str!("../../src/lib.rs");
const SERVER_PAGE: &str = include_str!("../../src/server.rs");

/// The rows of the table under `header`, by column.
fn table(page: &str, header: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(header).expect("the table is there");
    let rows = rest
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("//! |"));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// A request of which everything is known, that fails, with what can be asked for asked for.
fn everything(method: &str) -> Ask {
    let request = get("/items/7?page=2")
        .method(method)
        .header("user-agent", "curl/8.5.0")
        .header("x-request-id", "7")
        .header("baggage", "session.id=s,user.id=u")
        .header(
            "forwarded",
            "for=\"192.0.2.1:9\";proto=https;host=shop.example",
        );
    let mut request = build(request);
    let peer: SocketAddr = "10.0.0.1:5000".parse().expect("an address");
    request.extensions_mut().insert(PeerAddress(peer));
    request.extensions_mut().insert(Route("/items/{id}"));
    request
}

fn capture_of_everything(sampler: HeadSampler) -> Capture {
    let capture = Capture::builder()
        .with_sampler(sampler)
        .with(|builder| builder.with_measures(true))
        .build();
    let layer = layer(&capture)
        .with_request_headers(["x-request-id"])
        .with_response_headers(["server-timing"])
        .with_baggage(Allow::names(["session.id", "user.id"]))
        .with_forwarded(Forwarded::standard(1));
    let fails = service_fn(|_: Ask| async {
        let mut response = Response::new(Full::new(Bytes::from_static(b"no")));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        let timing = HeaderValue::from_static("db;dur=53");
        response.headers_mut().insert("server-timing", timing);
        Ok::<_, Infallible>(response)
    });
    ask(layer.layer(fails), everything("FETCH"));
    capture
}

#[test]
fn each_attribute_of_the_table_is_emitted_and_no_other() {
    let rows = table(FRONT_PAGE, "//! | attribute | when | stability |");
    let listed: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| names(&row[0]))
        .map(|name| match name.strip_suffix("<name>") {
            Some("http.request.header.") => "http.request.header.x-request-id".to_owned(),
            Some("http.response.header.") => "http.response.header.server-timing".to_owned(),
            _ => name,
        })
        .collect();
    // Kept by itself: the head left it out, and it failed.
    let record = capture_of_everything(HeadSampler::always_off()).record();
    let emitted: BTreeSet<String> = record
        .attributes
        .iter()
        .map(|(key, _)| key.clone())
        .collect();
    assert_eq!(emitted, listed);
    let record = capture_of_everything(HeadSampler::always_on()).record();
    assert!(
        !record
            .attributes
            .iter()
            .any(|(key, _)| key.starts_with("obs."))
    );
}

#[test]
fn each_metric_of_the_table_is_emitted_in_its_unit_and_no_other() {
    let capture = capture_of_everything(HeadSampler::always_on());
    let points = capture.points();
    let rows = table(
        FRONT_PAGE,
        "//! | metric | unit | kind | attributes | stability |",
    );
    let listed: BTreeSet<String> = rows.iter().flat_map(|row| names(&row[0])).collect();
    let emitted: BTreeSet<String> = points
        .names()
        .into_iter()
        .filter(|name| name.contains("http."))
        .map(str::to_owned)
        .collect();
    assert_eq!(emitted, listed);
    for row in &rows {
        for name in names(&row[0]) {
            let histogram = points.histogram(&name, &[]).map(|point| point.series.unit);
            let gauge = points.sum(&name, &[]).map(|point| point.series.unit);
            assert_eq!(
                histogram.is_some(),
                row[2].starts_with("histogram"),
                "{name}"
            );
            assert_eq!(
                histogram.or(gauge).as_deref(),
                Some(row[1].as_str()),
                "{name}"
            );
        }
    }
}

#[test]
fn each_event_that_is_listed_as_there_is_there_and_those_listed_as_absent_are_not() {
    let capture = Capture::builder().with_level(StatsLevel::Detailed).build();
    let kind = capture.telemetry().kind(&HTTP_SERVER);
    assert!(!kind.is_disabled());
    ask(
        layer(&capture).layer(crate::support::ask::Yes),
        build(get("/")),
    );
    let record = capture.record();
    let emitted: BTreeSet<String> = record
        .event_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    let rows = table(
        SERVER_PAGE,
        "//! | event | what it is here | HTTP/1 | HTTP/2 |",
    );
    let there = |row: &&Vec<String>| !row[2].starts_with("absent");
    let listed: BTreeSet<String> = rows
        .iter()
        .filter(there)
        .flat_map(|row| names(&row[0]))
        .collect();
    // The span's own start and end.
    let of_the_span: BTreeSet<String> = ["rpc_start", "rpc_finish"].map(str::to_owned).into();
    assert!(listed.is_superset(&of_the_span));
    assert_eq!(emitted, &listed - &of_the_span);
}
