//! What the span says, when it is entered, and where there is none.

use crate::seen::Seen;
use crate::world::{Handler, ask, request};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use obs_core::{ContextMode, StatsLevel, Telemetry};
use obs_http::{HttpClientLayer, HttpServerLayer, tracing_span};
use obs_testing::Capture;
use std::convert::Infallible;
use tower::{Layer, service_fn};
use tracing::dispatcher::{Dispatch, with_default};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};
use tracing_subscriber::layer::SubscriberExt;

fn dispatch(seen: &Seen) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(seen.clone()))
}

fn server(telemetry: &Telemetry) -> HttpServerLayer {
    HttpServerLayer::new(telemetry)
        .with_tracing_span(Level::INFO)
        .with_route(|head| {
            head.uri
                .path()
                .starts_with("/items/")
                .then_some("/items/{id}")
        })
}

#[test]
fn a_servers_span_says_who_it_is_and_how_it_ended() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
        let capture = Capture::builder().with_context_mode(mode).build();
        let seen = Seen::default();
        with_default(&dispatch(&seen), || {
            let service = server(capture.telemetry()).layer(Handler(|| {
                let current = Span::current();
                let metadata = current.metadata().expect("a span is current");
                assert_eq!(metadata.target(), tracing_span::TARGET);
            }));
            let status = ask(service, request("/items/7?token=hunter2"));
            assert_eq!(status, StatusCode::OK);
            assert!(Span::current().is_none(), "nothing is left entered");
        });
        let (span, record) = (seen.one(), capture.record());
        assert_eq!(
            (span.name, span.target.as_str()),
            ("http.server", "obs::operation")
        );
        let said: Vec<_> = span
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (trace_id, span_id) = (record.trace_id.to_string(), record.span_id.to_string());
        assert_eq!(
            said,
            [
                ("trace_id", trace_id.as_str()),
                ("span_id", span_id.as_str()),
                ("http.request.method", "GET"),
                ("http.route", "/items/{id}"),
                ("url.path", "/items/7"),
                ("http.response.status_code", "200"),
            ]
        );
        // Called, polled twice, and its body once.
        assert_eq!(
            (span.entered, span.left, span.closed),
            (4, 4, 1),
            "{mode:?}"
        );
    }
}

#[test]
fn a_clients_span_says_whom_it_asks_and_why_it_failed() {
    type Make = fn(&Telemetry) -> HttpClientLayer;
    let both: [(&str, Make); 2] = [
        ("http.client", HttpClientLayer::new),
        ("http.call", HttpClientLayer::calls),
    ];
    for (name, make) in both {
        let capture = Capture::new();
        let seen = Seen::default();
        with_default(&dispatch(&seen), || {
            let busy = service_fn(|_: Request<Full<Bytes>>| async {
                let mut response = Response::new(Full::new(Bytes::from_static(b"busy")));
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                Ok::<_, Infallible>(response)
            });
            let layer = make(capture.telemetry())
                .with_tracing_span(Level::WARN)
                .with_template(|_| Some("/items/{id}"));
            let uri = "http://user:secret@shop.example:81/items/7?token=hunter2";
            ask(layer.layer(busy), request(uri));
        });
        let span = seen.one();
        assert_eq!(span.name, name);
        let record = capture.record();
        assert_eq!(
            span.field("span_id"),
            Some(record.span_id.to_string().as_str())
        );
        for (field, value) in [
            ("server.address", "shop.example"),
            ("url.template", "/items/{id}"),
            ("url.path", "/items/7"),
            ("http.response.status_code", "503"),
            ("error.type", "503"),
        ] {
            assert_eq!(span.field(field), Some(value), "{field} of {name}");
        }
        assert!(!format!("{span:?}").contains("secret"), "{span:?}");
        // Called, polled once, and its body: also on the side where the operation is not current in it otherwise.
        assert_eq!((span.entered, span.left, span.closed), (3, 3, 1));
    }
}

#[test]
fn an_unknown_method_is_no_text_of_the_callers() {
    let capture = Capture::new();
    let seen = Seen::default();
    with_default(&dispatch(&seen), || {
        let mut request = request("/");
        *request.method_mut() = http::Method::from_bytes(b"HUNTER2").expect("a token");
        ask(server(capture.telemetry()).layer(Handler(|| {})), request);
    });
    assert_eq!(seen.one().field("http.request.method"), Some("_OTHER"));
}

/// How many spans there are of one request.
#[track_caller]
fn check(capture: &Capture, set: impl Fn(HttpServerLayer) -> HttpServerLayer, expect: usize) {
    let seen = Seen::default();
    with_default(&dispatch(&seen), || {
        ask(
            set(HttpServerLayer::new(capture.telemetry())).layer(Handler(|| {})),
            request("/"),
        );
    });
    assert_eq!(seen.take().len(), expect);
}

#[test]
fn there_is_a_span_at_each_level_that_is_asked_for_and_none_otherwise() {
    let capture = Capture::new();
    for level in [
        Level::ERROR,
        Level::WARN,
        Level::INFO,
        Level::DEBUG,
        Level::TRACE,
    ] {
        check(&capture, |layer| layer.with_tracing_span(level), 1);
    }
    check(&capture, |layer| layer, 0);
    let filtered =
        |layer: HttpServerLayer| layer.with_tracing_span(Level::INFO).with_filter(|_| false);
    check(&capture, filtered, 0);
    let disabled = Capture::builder().with_level(StatsLevel::Disabled).build();
    check(&disabled, |layer| layer.with_tracing_span(Level::INFO), 0);
}

#[test]
fn a_level_that_the_subscriber_does_not_want_makes_no_span() {
    let capture = Capture::new();
    let seen = Seen::default();
    let wanted = tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(seen.clone());
    with_default(&Dispatch::new(wanted), || {
        let layer = HttpServerLayer::new(capture.telemetry()).with_tracing_span(Level::DEBUG);
        ask(
            layer.layer(Handler(|| assert!(Span::current().is_none()))),
            request("/"),
        );
    });
    assert_eq!(seen.take().len(), 0);
    assert_eq!(
        capture.records().len(),
        1,
        "the operation is there all the same"
    );
}

#[test]
fn what_a_cancelled_handlers_destructors_do_is_in_the_span() {
    struct Asks;
    impl Drop for Asks {
        fn drop(&mut self) {
            let current = Span::current();
            let target = current.metadata().map(tracing::Metadata::target);
            assert_eq!(target, Some(tracing_span::TARGET));
            tracing::info_span!("clean up").in_scope(|| ());
        }
    }
    let (capture, seen) = (Capture::new(), Seen::default());
    with_default(&dispatch(&seen), || {
        let layer = HttpServerLayer::new(capture.telemetry()).with_tracing_span(Level::INFO);
        let mut service = layer.layer(service_fn(|_: Request<String>| {
            let asks = Asks;
            async move {
                let _asks = asks;
                std::future::pending::<()>().await;
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        }));
        drop(tower::Service::call(
            &mut service,
            Request::new(String::new()),
        ));
    });
    let spans = seen.take();
    let names: Vec<_> = spans.iter().map(|span| (span.name, span.closed)).collect();
    assert_eq!(names, [("http.server", 1), ("clean up", 1)]);
    assert_eq!(spans[0].field("error.type"), Some("cancelled"));
}
