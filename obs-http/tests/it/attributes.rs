//! Attributes of spans and metrics by the conventions, required and recommended, for HTTP/1 and HTTP/2.

use crate::support::ask::{Ask, Yes, ask, build, get};
use crate::support::{ACTIVE, DURATION, HEAD_DURATION, layer};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use obs_core::setup::environment::Environment;
use obs_core::{Outcome, StatsLevel};
use obs_http::{Classify, HttpServerLayer, PeerAddress, Route};
use obs_testing::{AttrValue, CapturedRecord, assert_tree, attrs};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tower::{Layer, service_fn};

/// What is recorded of one request.
fn record(request: Ask) -> CapturedRecord {
    record_with(request, |layer| layer)
}

fn record_with(
    request: Ask,
    set: impl FnOnce(HttpServerLayer) -> HttpServerLayer,
) -> CapturedRecord {
    let capture = crate::support::capture();
    ask(set(layer(&capture)).layer(Yes), request);
    capture.record()
}

fn from_peer(mut request: Ask, peer: &str) -> Ask {
    let address: SocketAddr = peer.parse().expect("an address");
    request.extensions_mut().insert(PeerAddress(address));
    request
}

#[test]
fn everything_that_the_conventions_require_and_recommend_over_http1() {
    let capture = crate::support::capture();
    let request = Request::builder()
        .method(Method::POST)
        .uri("/items/7?page=2")
        .header("host", "shop.example:8443")
        .header("user-agent", "curl/8.5.0");
    let mut request = from_peer(build(request), "192.0.2.7:41000");
    request.extensions_mut().insert(Route("/items/{id}"));
    ask(layer(&capture).with_https(true).layer(Yes), request);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          POST /items/{id} [server]
            - client.address: "192.0.2.7"
            - http.request.body.size: 0
            - http.request.method: "POST"
            - http.response.body.size: 3
            - http.response.status_code: 200
            - http.route: "/items/{id}"
            - network.peer.address: "192.0.2.7"
            - network.peer.port: 41000
            - network.protocol.version: "1.1"
            - server.address: "shop.example"
            - server.port: 8443
            - url.path: "/items/7"
            - url.query: "page=2"
            - url.scheme: "https"
            - user_agent.original: "curl/8.5.0"
        "#,
    );
}

#[test]
fn everything_that_the_conventions_require_and_recommend_over_http2() {
    let capture = crate::support::capture();
    // Over HTTP/2 scheme and authority are pseudo-headers, which hyper puts into the target.
    let request = Request::builder()
        .uri("https://shop.example/items/7")
        .version(Version::HTTP_2);
    let request = from_peer(build(request), "[2001:db8::7]:41000");
    ask(layer(&capture).layer(Yes), request);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          GET [server]
            - client.address: "2001:db8::7"
            - http.request.body.size: 0
            - http.request.method: "GET"
            - http.response.body.size: 3
            - http.response.status_code: 200
            - network.peer.address: "2001:db8::7"
            - network.peer.port: 41000
            - network.protocol.version: "2"
            - server.address: "shop.example"
            - server.port: 443
            - url.path: "/items/7"
            - url.scheme: "https"
        "#,
    );
}

#[test]
fn at_base_a_span_has_no_events_and_at_detailed_its_event_points() {
    let events = |level| {
        let capture = crate::support::capturing().with_level(level).build();
        ask(layer(&capture).layer(Yes), build(get("/")));
        let record = capture.record();
        record.event_names().join(" ")
    };
    assert_eq!(events(StatsLevel::Base), "");
    assert_eq!(
        events(StatsLevel::Detailed),
        "server_handle_start response_head server_handle_finish write_start stream_send write_finish"
    );
}

#[track_caller]
fn server(request: http::request::Builder, address: Option<&str>, port: Option<u16>) {
    let record = record(build(request));
    assert_eq!(record.text("server.address"), address);
    let port = port.map(AttrValue::from);
    assert_eq!(record.attr("server.port"), port.as_ref());
}

#[test]
fn server_address_and_port_come_from_the_target_and_else_from_host() {
    let host = |host: &str| Request::builder().uri("/").header("host", host);
    server(host("example.com"), Some("example.com"), Some(80));
    server(host("example.com:8080"), Some("example.com"), Some(8080));
    server(host("192.0.2.1:8080"), Some("192.0.2.1"), Some(8080));
    server(host("[::1]:8080"), Some("::1"), Some(8080));
    server(host("[2001:db8::1]"), Some("2001:db8::1"), Some(80));
    let absolute = get("http://other.example:81/path");
    server(absolute, Some("other.example"), Some(81));
    let secure = get("https://other.example/path");
    server(secure, Some("other.example"), Some(443));
}

#[test]
fn without_a_host_there_is_no_server_address() {
    server(Request::builder().uri("/"), None, None);
    server(Request::builder().uri("/").header("host", ""), None, None);
    server(
        Request::builder().uri("/").header("host", ":80"),
        None,
        None,
    );
}

#[test]
fn user_and_password_of_a_target_are_not_recorded() {
    let record = record(build(get("http://lovelace:hunter2@example.com/")));
    assert_eq!(record.text("server.address"), Some("example.com"));
    let all = format!("{record:?}");
    assert!(
        !all.contains("hunter2") && !all.contains("lovelace"),
        "{all}"
    );
}

#[test]
fn the_first_user_agent_and_the_first_host_count() {
    let request = get("/")
        .header("host", "second.example")
        .header("user-agent", "one")
        .header("user-agent", "two");
    let record = record(build(request));
    assert_eq!(record.text("user_agent.original"), Some("one"));
    assert_eq!(record.text("server.address"), Some("example.com"));
}

#[test]
fn the_version_is_the_requests() {
    for (version, text) in [
        (Version::HTTP_10, "1.0"),
        (Version::HTTP_11, "1.1"),
        (Version::HTTP_2, "2"),
        (Version::HTTP_3, "3"),
    ] {
        let record = record(build(get("/").version(version)));
        assert_eq!(record.text("network.protocol.version"), Some(text));
    }
}

#[track_caller]
fn method(record: &CapturedRecord, name: &str, method: &str, original: Option<&str>) {
    assert_eq!(record.name, name);
    assert_eq!(record.text("http.request.method"), Some(method));
    assert_eq!(record.text("http.request.method_original"), original);
}

#[test]
fn an_unknown_method_is_other_and_says_which() {
    let mut request = build(get("/items/7").method("FETCH"));
    request.extensions_mut().insert(Route("/items/{id}"));
    let known = record(build(get("/").method(Method::DELETE)));
    method(&known, "DELETE", "DELETE", None);
    method(
        &record(request),
        "HTTP /items/{id}",
        "_OTHER",
        Some("FETCH"),
    );
    // Methods are case-sensitive.
    let lower = record(build(get("/").method("get")));
    method(&lower, "HTTP", "_OTHER", Some("get"));
}

#[test]
fn configured_methods_replace_the_known_ones() {
    let environment = Environment::from_fn(|name| {
        (name == "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS").then(|| "GET,BREW".to_owned())
    });
    let capture = crate::support::capturing()
        .with(|builder| builder.with_environment(environment))
        .build();
    let layer = layer(&capture);
    for sent in ["GET", "BREW", "POST"] {
        ask(layer.layer(Yes), build(get("/").method(sent)));
    }
    let records = capture.records();
    method(&records[0], "GET", "GET", None);
    method(&records[1], "BREW", "BREW", None);
    method(&records[2], "HTTP", "_OTHER", Some("POST"));
}

fn status(
    code: u16,
) -> impl tower::Service<Ask, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> {
    service_fn(move |_: Ask| async move {
        let mut response = Response::new(Full::new(Bytes::from_static(b"said")));
        *response.status_mut() = StatusCode::from_u16(code).expect("a status");
        Ok::<_, Infallible>(response)
    })
}

#[test]
fn five_hundreds_are_errors_and_four_hundreds_are_not() {
    for (code, error) in [
        (200, None),
        (302, None),
        (400, None),
        (404, None),
        (499, None),
        (500, Some("500")),
        (503, Some("503")),
        (599, Some("599")),
    ] {
        let capture = crate::support::capture();
        ask(layer(&capture).layer(status(code)), build(get("/")));
        let record = capture.record();
        assert_eq!(record.error_type(), error, "{code}");
        assert_eq!(record.attr("http.response.status_code"), Some(&code.into()));
        let metric = attrs!["http.response.status_code" => code];
        let points = capture.points();
        let point = points.histogram(DURATION, &metric).expect("a point");
        let label = point.series.attr("error.type").and_then(AttrValue::as_str);
        assert_eq!(label, error, "{code}");
    }
}

#[test]
fn what_counts_as_an_error_is_the_services_to_say() {
    #[derive(Clone)]
    struct TeapotsAreErrors;
    impl<E> Classify<E> for TeapotsAreErrors {
        fn classify_status(&self, status: StatusCode) -> Outcome {
            if status == StatusCode::IM_A_TEAPOT {
                Outcome::failed(obs_core::ErrorType::code(status.as_u16()))
            } else {
                Outcome::ANSWERED
            }
        }
        fn classify_error(&self, _: &E) -> Outcome {
            Outcome::failed(obs_http::SERVICE_ERROR)
        }
    }
    for (code, error) in [(418, Some("418")), (500, None)] {
        let capture = crate::support::capture();
        let layer = layer(&capture).with_classify(TeapotsAreErrors);
        ask(layer.layer(status(code)), build(get("/")));
        assert_eq!(capture.record().error_type(), error);
    }
}

#[test]
fn a_route_rule_names_the_span_and_labels_the_metrics() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_route(|head| {
        head.uri
            .path()
            .starts_with("/items/")
            .then_some("/items/{id}")
    });
    ask(layer.layer(Yes), build(get("/items/7")));
    ask(layer.layer(Yes), build(get("/elsewhere")));
    let records = capture.records();
    assert_eq!(records[0].name, "GET /items/{id}");
    assert_eq!(records[1].name, "GET");
    assert_eq!(records[1].attr("http.route"), None);
    let routed = attrs!["http.route" => "/items/{id}"];
    assert_eq!(
        capture.points().histogram(DURATION, &routed).unwrap().count,
        1
    );
}

#[test]
fn metrics_carry_the_conventions_attributes_and_no_others() {
    let capture = crate::support::capturing()
        .with(|builder| builder.with_measures(true))
        .build();
    let request = get("/items/7?page=2").header("user-agent", "curl/8.5.0");
    let mut request = from_peer(build(request), "192.0.2.7:41000");
    request.extensions_mut().insert(Route("/items/{id}"));
    ask(layer(&capture).layer(status(500)), request);
    let points = capture.points();
    let keys = |series: &obs_testing::metrics::Series| {
        let keys: Vec<_> = series
            .attributes
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        (keys.join(" "), series.unit.clone())
    };
    let of_requests = "error.type http.request.method http.response.status_code http.route \
                       network.protocol.version url.scheme";
    for (name, unit) in [
        (DURATION, "s"),
        (HEAD_DURATION, "s"),
        ("http.server.request.body.size", "By"),
        ("http.server.response.body.size", "By"),
    ] {
        let point = points.histogram(name, &[]).expect(name);
        assert_eq!(
            keys(&point.series),
            (of_requests.into(), unit.into()),
            "{name}"
        );
    }
    let gauge = points.sum(ACTIVE, &[]).expect("a gauge");
    let of_gauge = ("http.request.method url.scheme".into(), "{request}".into());
    assert_eq!(keys(&gauge.series), of_gauge);
}

#[test]
fn a_stream_is_not_hidden_the_head_has_a_duration_of_its_own() {
    let capture = crate::support::capture();
    let clock = capture.clock().clone();
    let inner = service_fn(|_: Ask| {
        clock.advance(Duration::from_millis(20));
        std::future::ready(Ok::<_, Infallible>(Response::new(SlowBody {
            clock: clock.clone(),
            left: 3,
        })))
    });
    ask(layer(&capture).layer(inner), build(get("/")));
    let points = capture.points();
    let sum = |name| points.histogram(name, &[]).and_then(|point| point.sum);
    let (head, whole) = (sum(HEAD_DURATION).unwrap(), sum(DURATION).unwrap());
    assert!((head - 0.020).abs() < 1e-6, "{head}");
    assert!((whole - 0.320).abs() < 1e-6, "{whole}");
    assert_eq!(capture.record().duration, Duration::from_millis(320));
}

/// Each frame takes 100 ms of the capture's clock.
struct SlowBody {
    clock: obs_testing::ManualClock,
    left: u32,
}

impl http_body::Body for SlowBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return std::task::Poll::Ready(None);
        }
        self.left -= 1;
        self.clock.advance(Duration::from_millis(100));
        let frame = http_body::Frame::data(Bytes::from_static(b"x"));
        std::task::Poll::Ready(Some(Ok(frame)))
    }
}

#[test]
fn addresses_and_queries_can_be_left_out() {
    let request = from_peer(build(get("/?q=1")), "192.0.2.7:41000");
    let record = record_with(request, |layer| {
        layer.with_addresses(false).with_query(false)
    });
    for absent in [
        "client.address",
        "network.peer.address",
        "network.peer.port",
        "url.query",
    ] {
        assert_eq!(record.attr(absent), None, "{absent}");
    }
}

#[test]
fn a_filter_lets_requests_pass_unobserved() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_filter(|head| head.uri.path() != "/healthz");
    let head = ask(layer.layer(Yes), build(get("/healthz")));
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!((capture.records().len(), capture.count(DURATION)), (0, 0));
    ask(layer.layer(Yes), build(get("/")));
    assert_eq!((capture.records().len(), capture.count(DURATION)), (1, 1));
}

#[test]
fn one_method_can_have_a_level_of_its_own() {
    let capture = crate::support::capture();
    let kind = capture.telemetry().kind(&obs_http::HTTP_SERVER);
    assert!(kind.set_method_level("/loud", Some(StatsLevel::Disabled)));
    assert!(kind.set_method_level("/deep", Some(StatsLevel::Detailed)));
    let layer = layer(&capture).with_route(|head| match head.uri.path() {
        "/loud" => Some("/loud"),
        "/deep" => Some("/deep"),
        _ => None,
    });
    for path in ["/loud", "/deep", "/other"] {
        ask(layer.layer(Yes), build(get(path)));
    }
    let levels: Vec<_> = capture
        .records()
        .iter()
        .map(|record| (record.name.clone(), record.level))
        .collect();
    assert_eq!(
        levels,
        [
            ("GET /deep".to_owned(), StatsLevel::Detailed),
            ("GET".to_owned(), StatsLevel::Base)
        ]
    );
    assert_eq!(capture.in_flight(ACTIVE), 0);
}

#[test]
fn routes_beyond_the_cap_of_the_metrics_keep_their_names_on_spans() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_route(|head| Some(head.uri.path()));
    for index in 0..1025 {
        ask(layer.layer(Yes), build(get(&format!("/r/{index}"))));
        if index % 256 == 0 {
            // A ring has room for so many.
            drop(capture.records());
        }
    }
    let long = format!("/{}", "x".repeat(600));
    ask(layer.layer(Yes), build(get(&long)));
    let records = capture.records();
    for (record, route) in [
        (&records[1023], "/r/1023"),
        (&records[1024], "/r/1024"),
        (&records[1025], &*long),
    ] {
        assert_eq!(record.name, format!("GET {route}"));
        assert_eq!(
            record
                .attr("http.route")
                .map(|value| value.to_string())
                .as_deref(),
            Some(route)
        );
    }
    let page = capture.telemetry().prometheus();
    assert!(page.contains("\"_OTHER\"") && !page.contains("/r/1024\""));
}
