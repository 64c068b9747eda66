//! Attributes of spans and metrics by the conventions for clients.

use super::{ACTIVE, Ask, DURATION, HEAD_DURATION, layer};
use crate::support::ask::{Yes, ask};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{Empty, Full};
use obs_core::StatsLevel;
use obs_http::client::{Resend, UrlTemplate};
use obs_http::{HttpClientLayer, PeerAddress};
use obs_testing::metrics::Series;
use obs_testing::{AttrValue, CapturedRecord, assert_tree, attrs};
use proptest::prelude::*;
use std::convert::Infallible;
use std::net::SocketAddr;
use tower::{Layer, service_fn};

fn get(uri: &str) -> Ask {
    Request::get(uri).body(Empty::new()).expect("a request")
}

fn record_with(
    request: Ask,
    set: impl FnOnce(HttpClientLayer) -> HttpClientLayer,
) -> CapturedRecord {
    let capture = crate::support::capture();
    ask(set(layer(&capture)).layer(Yes), request);
    capture.record()
}

fn record(request: Ask) -> CapturedRecord {
    record_with(request, |layer| layer)
}

#[test]
fn everything_that_the_conventions_require_and_recommend() {
    let capture = crate::support::capture();
    let answer = service_fn(|_: Ask| async {
        let mut response = Response::new(Full::new(bytes::Bytes::from_static(b"yes")));
        *response.version_mut() = Version::HTTP_2;
        let peer: SocketAddr = "192.0.2.7:8443".parse().expect("an address");
        response.extensions_mut().insert(PeerAddress(peer));
        Ok::<_, Infallible>(response)
    });
    let mut request = get("https://shop.example:8443/items/7?page=2");
    request.extensions_mut().insert(UrlTemplate("/items/{id}"));
    request.extensions_mut().insert(Resend(2));
    ask(layer(&capture).layer(answer), request);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          GET /items/{id} [client]
            - http.request.body.size: 0
            - http.request.method: "GET"
            - http.request.resend_count: 2
            - http.response.body.size: 3
            - http.response.status_code: 200
            - network.peer.address: "192.0.2.7"
            - network.peer.port: 8443
            - network.protocol.version: "2"
            - server.address: "shop.example"
            - server.port: 8443
            - url.full: "https://shop.example:8443/items/7?page=2"
            - url.template: "/items/{id}"
        "#,
    );
}

#[test]
fn what_the_conventions_leave_to_choice_is_recorded_when_asked_for() {
    let asked = |ask: bool| {
        let request = Request::get("https://shop.example/")
            .header("user-agent", "curl/8.5.0")
            .header("x-request-id", "7")
            .header("authorization", "Bearer hunter2");
        let request = request.body(Empty::new()).expect("a request");
        record_with(request, |layer| {
            let layer = layer.with_user_agent(ask).with_scheme(ask);
            if ask {
                layer.with_request_headers(["x-request-id", "authorization"])
            } else {
                layer
            }
        })
    };
    let without = asked(false);
    for key in [
        "user_agent.original",
        "url.scheme",
        "http.request.header.x-request-id",
    ] {
        assert_eq!(without.attr(key), None, "{key}");
    }
    let with = asked(true);
    assert_eq!(with.text("user_agent.original"), Some("curl/8.5.0"));
    assert_eq!(with.text("url.scheme"), Some("https"));
    assert!(with.attr("http.request.header.x-request-id").is_some());
    assert!(!format!("{with:?}").contains("hunter2"));
}

#[track_caller]
fn server(uri: &str, host: Option<&str>, address: Option<&str>, port: Option<u16>, full: &str) {
    let mut request = get(uri);
    if let Some(host) = host {
        let host = HeaderValue::from_str(host).expect("a host");
        request.headers_mut().insert("host", host);
    }
    let record = record(request);
    assert_eq!(record.text("server.address"), address);
    let port = port.map(AttrValue::from);
    assert_eq!(record.attr("server.port"), port.as_ref());
    assert_eq!(record.text("url.full"), Some(full));
}

#[test]
fn whom_it_asks_stands_in_the_target_and_else_in_host() {
    let full = "http://other.example/a";
    server(full, Some("proxy"), Some("other.example"), Some(80), full);
    let full = "https://other.example/a";
    server(full, None, Some("other.example"), Some(443), full);
    let full = "http://[::1]:81/a";
    server(full, None, Some("::1"), Some(81), full);
    server(
        "/a?b",
        Some("h:8080"),
        Some("h"),
        Some(8080),
        "http://h:8080/a?b",
    );
    server("/a", None, None, None, "http:///a");
    server("*", Some("h"), Some("h"), Some(80), "http://h");
    server("h:443", None, Some("h"), Some(443), "http://h:443");
}

#[track_caller]
fn full(uri: &str, expect: &str) {
    assert_eq!(record(get(uri)).text("url.full"), Some(expect));
}

#[test]
fn the_url_has_no_credentials_and_no_secrets() {
    full(
        "http://ada:hunter2@example.com/",
        "http://REDACTED:REDACTED@example.com/",
    );
    full(
        "http://ada@example.com:81/x",
        "http://REDACTED:REDACTED@example.com:81/x",
    );
    full(
        "http://example.com/x?a=1&token=hunter2&sig=",
        "http://example.com/x?a=1&token=REDACTED&sig=REDACTED",
    );
    full("http://example.com", "http://example.com/");
    full("http://example.com/?", "http://example.com/?");
    full(
        "http://example.com/?jws=1&token=2&page=3",
        "http://example.com/?jws=REDACTED&token=REDACTED&page=3",
    );
    let long = format!("http://example.com/{}?a=1", "x".repeat(500));
    full(&long, &long);
    let without = record_with(get("http://example.com/x?a=1"), |layer| {
        layer.with_query(false)
    });
    assert_eq!(without.text("url.full"), Some("http://example.com/x"));
}

proptest! {
    #[test]
    fn secrets_never_leave_wherever_they_stand(
        user in "[a-z]{0,8}",
        path in "[a-z/]{0,300}",
        before in "[a-z]{0,8}",
    ) {
        const SECRET: &str = "hunter2hunter2";
        let uri = format!("http://{user}:{SECRET}@example.com:81/{path}?{before}=1&token={SECRET}");
        let capture = crate::support::capture();
        ask(layer(&capture).layer(Yes), get(&uri));
        let everything = format!("{:?} {:?}", capture.record(), capture.points());
        prop_assert!(!everything.contains(SECRET), "{everything}");
        // Few of the names are a secret's by themselves (`jws`, `pwd`): which, is the rule's affair, with tests of its own.
        let first = obs_http::redact_query(&format!("{before}=1")).into_owned();
        let full = format!("http://REDACTED:REDACTED@example.com:81/{path}?{first}&token=REDACTED");
        let record = capture.record();
        prop_assert_eq!(record.text("url.full"), Some(full.as_str()));
    }
}

#[test]
fn an_unknown_method_is_other_and_says_which() {
    let mut request = get("http://h/");
    *request.method_mut() = Method::from_bytes(b"FETCH").expect("a method");
    let record = record(request);
    assert_eq!(record.name, "HTTP");
    assert_eq!(record.text("http.request.method"), Some("_OTHER"));
    assert_eq!(record.text("http.request.method_original"), Some("FETCH"));
}

#[test]
fn four_hundreds_and_five_hundreds_are_errors_of_clients() {
    for (code, error) in [
        (101, None),
        (200, None),
        (302, None),
        (400, Some("400")),
        (404, Some("404")),
        (500, Some("500")),
        (599, Some("599")),
    ] {
        let capture = crate::support::capture();
        let answer = service_fn(move |_: Ask| async move {
            let mut response = Response::new(Full::new(bytes::Bytes::from_static(b"said")));
            *response.status_mut() = StatusCode::from_u16(code).expect("a status");
            Ok::<_, Infallible>(response)
        });
        ask(layer(&capture).layer(answer), get("http://h/"));
        assert_eq!(capture.record().error_type(), error, "{code}");
        let metric = attrs!["http.response.status_code" => code];
        let points = capture.points();
        let point = points.histogram(DURATION, &metric).expect("a point");
        let label = point.series.attr("error.type").and_then(AttrValue::as_str);
        assert_eq!(label, error, "{code}");
    }
}

#[test]
fn metrics_carry_the_conventions_attributes_and_no_others() {
    let capture = crate::support::capturing()
        .with(|builder| builder.with_measures(true))
        .build();
    let answer = service_fn(|_: Ask| async {
        let mut response = Response::new(Full::new(bytes::Bytes::from_static(b"said")));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        Ok::<_, Infallible>(response)
    });
    let layer = layer(&capture).with_template(|_| Some("/items/{id}"));
    ask(layer.layer(answer), get("http://h/items/7?page=2"));
    let points = capture.points();
    let keys = |series: &Series| {
        let keys: Vec<_> = series
            .attributes
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        (keys.join(" "), series.unit.clone())
    };
    let of_requests = "error.type http.request.method http.response.status_code \
                       network.protocol.version server.address server.port url.template";
    for (name, unit) in [
        (DURATION, "s"),
        (HEAD_DURATION, "s"),
        ("http.client.request.body.size", "By"),
        ("http.client.response.body.size", "By"),
    ] {
        let point = points.histogram(name, &[]).expect(name);
        let expect = (of_requests.into(), unit.into());
        assert_eq!(keys(&point.series), expect, "{name}");
    }
    let gauge = points.sum(ACTIVE, &[]).expect("a gauge");
    let of_gauge = "http.request.method server.address server.port";
    assert_eq!(keys(&gauge.series), (of_gauge.into(), "{request}".into()));
    // The advice of the conventions for this metric, put down here.
    let bounds = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ];
    let duration = points.histogram(DURATION, &[]).expect("a point");
    assert_eq!(duration.bounds, bounds);
}

#[test]
fn a_flood_of_hosts_shares_a_series_and_each_span_still_says_where_it_went() {
    let capture = crate::support::capturing()
        .with(|builder| builder.with_max_series(10_000))
        .build();
    let layer = layer(&capture).with_known_hosts(["known.example"]);
    let client = layer.layer(Yes);
    for host in 0..600 {
        ask(client.clone(), get(&format!("http://h{host}.example/")));
        // Now and then, for the ring of a thread is shorter than the flood.
        assert_eq!(capture.records().len(), host + 1);
    }
    ask(client, get("http://known.example/"));
    let by_host = capture.points().histogram_by(DURATION, "server.address");
    // 512 of them, the known one included, and the overflow.
    assert_eq!(by_host.len(), 513);
    assert_eq!(by_host["_OTHER"].count, 600 - 511);
    assert_eq!(by_host["known.example"].count, 1);
    let hosts: std::collections::HashSet<_> = capture
        .records()
        .iter()
        .map(|record| record.text("server.address").expect("one").to_owned())
        .collect();
    assert_eq!(hosts.len(), 601);
}

#[test]
fn at_base_a_span_has_no_events_and_at_detailed_its_event_points() {
    let events = |level| {
        let capture = crate::support::capturing().with_level(level).build();
        ask(layer(&capture).layer(Yes), get("http://h/"));
        capture.record().event_names().join(" ")
    };
    assert_eq!(events(StatsLevel::Base), "");
    assert_eq!(
        events(StatsLevel::Detailed),
        "response_head read_start stream_recv read_finish"
    );
}

#[test]
fn a_host_can_have_a_level_of_its_own() {
    let capture = crate::support::capture();
    let kind = capture.telemetry().kind(&obs_http::HTTP_CLIENT);
    assert!(kind.set_method_level("loud", Some(StatsLevel::Disabled)));
    assert!(kind.set_method_level("deep", Some(StatsLevel::Detailed)));
    for host in ["loud", "deep", "other"] {
        ask(layer(&capture).layer(Yes), get(&format!("http://{host}/")));
    }
    let levels: Vec<_> = capture
        .records()
        .iter()
        .map(|record| record.level)
        .collect();
    assert_eq!(levels, [StatsLevel::Detailed, StatsLevel::Base]);
    assert_eq!(capture.in_flight(ACTIVE), 0);
}
