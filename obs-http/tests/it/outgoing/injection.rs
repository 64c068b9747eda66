//! What requests carry to whom, and what happens to what stands in them already.

use super::{Ask, fetch, get, layer, observed};
use crate::support::app::app;
use crate::support::ask::ask;
use crate::support::server::{Protocol, serve};
use crate::support::until;
use http::{HeaderMap, Request, Response};
use http_body_util::{Empty, Full};
use obs_core::otel::Context;
use obs_core::otel::propagation::text_map_propagator::FieldIter;
use obs_core::otel::propagation::{Extractor, Injector, TextMapPropagator};
use obs_core::otel::trace::TraceContextExt;
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::{Allow, Baggage};
use obs_core::setup::environment::Environment;
use obs_core::{ContextMode, Parent, Session, StatsLevel};
use obs_http::client::Injection;
use obs_http::{HTTP_SERVER, HttpClientLayer, HttpServerLayer};
use obs_testing::{Capture, CapturedRecord};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tower::{Layer, service_fn};

const INSIDE: &str = "http://localhost/";
const THEIRS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What arrives of a request that is sent through the layer.
fn arrives(layer: &HttpClientLayer, request: Ask) -> HeaderMap {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let sees = seen.clone();
    let server = service_fn(move |request: Ask| {
        *sees.lock().expect("nobody panics") = request.headers().clone();
        async { Ok::<_, Infallible>(Response::new(Full::new(bytes::Bytes::new()))) }
    });
    ask(layer.layer(server), request);
    seen.lock().expect("nobody panics").clone()
}

fn to(uri: &str, headers: &[(&'static str, &str)]) -> Ask {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).expect("a request")
}

fn own(record: &CapturedRecord) -> String {
    let flags = record.trace_flags.to_u8();
    format!("00-{}-{}-{flags:02x}", record.trace_id, record.span_id)
}

#[test]
fn the_new_span_is_the_receivers_parent_at_every_level_and_in_every_mode() {
    for level in [StatsLevel::Base, StatsLevel::Detailed] {
        for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
            let capture = crate::support::capturing()
                .with_level(level)
                .with_context_mode(mode)
                .build();
            let seen = arrives(&layer(&capture), to(INSIDE, &[]));
            assert_eq!(seen["traceparent"], own(&capture.record()));
            assert!(!seen.contains_key("tracestate") && !seen.contains_key("baggage"));
        }
    }
}

#[test]
fn a_decision_not_to_sample_is_passed_on() {
    let capture = crate::support::leaving_out().build();
    let seen = arrives(&layer(&capture), to(INSIDE, &[]));
    let seen = seen["traceparent"].to_str().expect("text").to_owned();
    let flags = u8::from_str_radix(&seen[53..], 16).expect("two digits");
    assert_eq!(flags & 1, 0, "{seen}");
}

#[test]
fn switched_off_requests_pass_as_they_are() {
    for headers in [&[][..], &[("traceparent", THEIRS)]] {
        let capture = crate::support::capturing()
            .with_level(StatsLevel::Disabled)
            .build();
        let seen = arrives(&layer(&capture), to(INSIDE, headers));
        assert_eq!(seen.len(), headers.len());
        let capture = crate::support::capture();
        let filtered = layer(&capture).with_filter(|_| false);
        assert_eq!(arrives(&filtered, to(INSIDE, headers)).len(), headers.len());
    }
}

#[track_caller]
fn reaches(injection: Injection, uri: &str, expect: bool) {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_injection(injection);
    let seen = arrives(&layer, to(uri, &[]));
    assert_eq!(seen.contains_key("traceparent"), expect, "{uri}");
    assert_eq!(capture.records().len(), 1, "it is observed all the same");
}

#[test]
fn only_allowed_hosts_get_it() {
    reaches(Injection::default(), "http://127.0.0.1:8080/", true);
    reaches(Injection::default(), "http://knowledge:8080/", true);
    reaches(Injection::default(), "http://[fd00::1]:8080/", true);
    reaches(Injection::default(), "https://api.example.com/", false);
    reaches(Injection::everywhere(), "https://api.example.com/", true);
    reaches(Injection::nowhere(), "http://localhost/", false);
    let listed = || Injection::only_to(["api.example.com", "*.shop.example"]);
    reaches(listed(), "https://api.example.com:8443/", true);
    reaches(listed(), "https://eu.shop.example/", true);
    reaches(listed(), "https://other.example/", false);
    reaches(listed(), "http://localhost/", false);
    let both = || Injection::inside().and_to(["api.example.com"]);
    reaches(both(), "https://api.example.com/", true);
    reaches(both(), "http://localhost/", true);
    reaches(both(), "https://other.example/", false);
    let by = || Injection::by(|head| head.uri.path() == "/ours");
    reaches(by(), "https://api.example.com/ours", true);
    reaches(by(), "https://api.example.com/", false);
    // Who is asked is what counts, not who is named before an `@`.
    reaches(listed(), "https://api.example.com@evil.example/", false);
}

#[test]
fn a_foreign_host_gets_what_the_application_wrote_and_nothing_of_ours() {
    let capture = crate::support::capture();
    let headers = [("traceparent", THEIRS), ("baggage", "a=1")];
    let seen = arrives(&layer(&capture), to("https://api.example.com/", &headers));
    assert_eq!(
        (&seen["traceparent"], &seen["baggage"]),
        (&THEIRS.parse().unwrap(), &"a=1".parse().unwrap())
    );
}

#[test]
fn what_stands_there_is_replaced_and_linked_if_it_is_of_another_trace() {
    let capture = crate::support::capture();
    let headers = [("traceparent", THEIRS), ("tracestate", "theirs=1")];
    let seen = arrives(&layer(&capture), to(INSIDE, &headers));
    let record = capture.record();
    assert_eq!(seen["traceparent"], own(&record));
    assert!(
        !seen.contains_key("tracestate"),
        "it went with its traceparent"
    );
    assert_eq!(record.links.len(), 1);
    assert_eq!(record.links[0].trace_id, 0x0af7651916cd43dd8448eb211c80319c);
    // What makes no sense is replaced without a trace of it.
    let capture = crate::support::capture();
    let seen = arrives(&layer(&capture), to(INSIDE, &[("traceparent", "nonsense")]));
    assert_eq!(seen["traceparent"], own(&capture.record()));
    assert!(capture.record().links.is_empty());
}

#[test]
fn within_the_same_trace_it_is_replaced_without_a_link() {
    let capture = crate::support::capture();
    let client = layer(&capture);
    // A gateway that copies the headers of its caller.
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let sees = seen.clone();
    let gateway = service_fn(move |request: Ask| {
        *sees.lock().expect("nobody panics") = arrives(&client, request);
        async { Ok::<_, Infallible>(Response::new(Full::new(bytes::Bytes::new()))) }
    });
    let server = HttpServerLayer::new(capture.telemetry()).layer(gateway);
    let headers = [("traceparent", THEIRS), ("tracestate", "vendor=1")];
    ask(server, to(INSIDE, &headers));
    let records = capture.records();
    let client = &records[0];
    assert_eq!(client.descriptor, "http.client");
    assert_eq!(client.parent_span_id, Some(records[1].span_id));
    let seen = seen.lock().expect("nobody panics");
    assert_eq!(seen["traceparent"], own(client));
    assert_eq!(seen["tracestate"], "vendor=1", "it travels on");
    assert!(client.links.is_empty());
}

#[test]
fn what_stands_there_can_be_kept() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_injection(Injection::inside().keeping_existing());
    let seen = arrives(&layer, to(INSIDE, &[("traceparent", THEIRS)]));
    assert_eq!(seen["traceparent"], THEIRS);
    let seen = arrives(&layer, to(INSIDE, &[]));
    assert_eq!(seen["traceparent"], own(&capture.records()[1]));
}

/// Sends within an operation whose session carries baggage.
fn with_baggage(capture: &Capture, request: Ask) -> HeaderMap {
    let (baggage, _) = Baggage::from_headers([b"session.id=s-1,tenant=a".as_slice()]);
    let kind = capture.telemetry().kind(&HTTP_SERVER);
    let mut operation = kind.start(obs_core::Labels::NONE, Parent::Root);
    let mut active = operation.active().expect("it records");
    active.set_session(Session::from_baggage(baggage.keep(&Allow::all())));
    let client = layer(capture);
    let seen = operation.scope(|| arrives(&client, request));
    operation.end(obs_core::Outcome::ANSWERED);
    seen
}

#[test]
fn baggage_travels_inside_and_the_applications_own_stays() {
    let seen = with_baggage(&crate::support::capture(), to(INSIDE, &[]));
    assert_eq!(seen["baggage"], "session.id=s-1,tenant=a");
    let seen = with_baggage(
        &crate::support::capture(),
        to(INSIDE, &[("baggage", "mine=1")]),
    );
    assert_eq!(seen["baggage"], "mine=1");
    let seen = with_baggage(
        &crate::support::capture(),
        to("https://api.example.com/", &[]),
    );
    assert!(!seen.contains_key("baggage"));
}

fn speaking(propagator: Propagator) -> Capture {
    crate::support::capturing()
        .with(|builder| builder.with_propagator(propagator))
        .build()
}

#[test]
fn the_telemetrys_propagator_decides_what_is_written() {
    let names = |capture: &Capture| {
        let seen = with_baggage(capture, to(INSIDE, &[]));
        let mut names: Vec<_> = seen.keys().map(|name| name.to_string()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names(&crate::support::capture()), "baggage traceparent");
    assert_eq!(names(&speaking(Propagator::TraceContext)), "traceparent");
    assert_eq!(names(&speaking(Propagator::Baggage)), "baggage");
    assert_eq!(names(&speaking(Propagator::None)), "");
    let environment = Environment::from_fn(|name| {
        (name == "OTEL_PROPAGATORS").then(|| "tracecontext".to_owned())
    });
    let capture = crate::support::capturing()
        .with(|builder| builder.with_environment(environment))
        .build();
    assert_eq!(names(&capture), "traceparent");
    let unknown =
        Environment::from_fn(|name| (name == "OTEL_PROPAGATORS").then(|| "b3".to_owned()));
    let capture = crate::support::capturing()
        .with(|builder| builder.with_environment(unknown))
        .build();
    assert_eq!(names(&capture), "baggage traceparent");
    let warnings = capture.telemetry().warnings();
    assert!(
        warnings.iter().any(|warning| warning.contains("b3")),
        "{warnings:?}"
    );
}

/// A propagator of somebody else's, in one header.
#[derive(Debug)]
struct OneHeader;

impl TextMapPropagator for OneHeader {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let ids = span.span_context();
        injector.set("B3", format!("{}-{}", ids.trace_id(), ids.span_id()));
    }

    fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
        context.clone()
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&[])
    }
}

#[test]
fn any_propagator_of_the_ecosystem_will_do() {
    let capture = speaking(Propagator::Custom(Arc::new(OneHeader)));
    let seen = arrives(&layer(&capture), to(INSIDE, &[]));
    let record = capture.record();
    assert_eq!(
        seen["b3"],
        format!("{}-{}", record.trace_id, record.span_id)
    );
    assert_eq!(seen.len(), 1);
}

#[test]
fn a_propagator_that_panics_sends_nothing_along_and_fails_no_call() {
    #[derive(Debug)]
    struct Throws;

    impl TextMapPropagator for Throws {
        fn inject_context(&self, _: &Context, _: &mut dyn Injector) {
            std::panic::resume_unwind(Box::new("a panic on purpose"))
        }

        fn extract_with_context(&self, context: &Context, _: &dyn Extractor) -> Context {
            context.clone()
        }

        fn fields(&self) -> FieldIter<'_> {
            FieldIter::new(&[])
        }
    }

    let capture = speaking(Propagator::Custom(Arc::new(Throws)));
    let seen = arrives(&layer(&capture), to(INSIDE, &[]));
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(capture.telemetry().counts().panics, 1);
    assert_eq!(capture.record().descriptor, "http.client");
}

#[test]
fn a_rule_that_panics_sends_nothing_along_and_fails_no_call() {
    let capture = crate::support::capture();
    let rule = Injection::by(|_| std::panic::resume_unwind(Box::new("a panic on purpose")));
    let seen = arrives(&layer(&capture).with_injection(rule), to(INSIDE, &[]));
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(capture.telemetry().counts().panics, 1);
    assert_eq!(capture.record().descriptor, "http.client");
}

#[tokio::test]
async fn a_client_and_a_server_are_one_trace_over_both_protocols() {
    for (protocol, http2, version) in [
        (Protocol::Http1, false, "1.1"),
        (Protocol::Http2, true, "2"),
    ] {
        let capture = crate::support::capture();
        let server = HttpServerLayer::new(capture.telemetry()).layer(service_fn(app));
        let server = serve(protocol, server).await;
        let client = observed(&capture, http2);
        fetch(client, get(server.address, "/hello"))
            .await
            .expect("an answer");
        until("both", || capture.records().len() == 2).await;
        let records = capture.records();
        let of = |kind: &str| {
            let found = records.iter().find(|record| record.descriptor == kind);
            found.expect(kind)
        };
        let (client, server) = (of("http.client"), of("http.server"));
        assert_eq!(server.trace_id, client.trace_id);
        assert_eq!(server.parent_span_id, Some(client.span_id));
        assert!(server.parent_is_remote && !client.parent_is_remote);
        for record in [client, server] {
            assert_eq!(record.text("network.protocol.version"), Some(version));
        }
    }
}

#[test]
fn a_host_made_by_hand_is_nobodys_by_what_stands_behind_an_at_sign() {
    for host in [
        "evil.com/@localhost",
        "evil.com?@localhost",
        "evil.com#@localhost:80",
        "evil.com\\@localhost",
    ] {
        let capture = crate::support::capture();
        let request = to("/path", &[("host", host)]);
        let seen = arrives(&layer(&capture), request);
        assert!(!seen.contains_key("traceparent"), "{host}");
        let record = capture.record();
        let all = format!("{record:?}");
        assert!(!all.contains("localhost"), "{all}");
    }
}
