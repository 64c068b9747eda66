//! Whose child an exchange is: remote callers, trusted or not, headers that make no sense, layers inside layers.

use crate::support::ask::{Yes, ask, build, get};
use crate::support::{DURATION, layer};
use http::Request;
use obs_core::Trust;
use obs_core::otel::trace::{SpanId, TraceId};
use obs_core::propagation::baggage::Allow;
use obs_testing::{Capture, CapturedRecord, Kind, assert_tree};
use tower::Layer;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

fn record(capture: &Capture, request: http::request::Builder) -> CapturedRecord {
    ask(layer(capture).layer(Yes), build(request));
    capture.record()
}

#[track_caller]
fn continues(record: &CapturedRecord) {
    assert_eq!(record.trace_id, TraceId::from_hex(TRACE).unwrap());
    assert_eq!(record.parent_span_id, SpanId::from_hex(SPAN).ok());
    assert!(record.parent_is_remote);
}

#[track_caller]
fn begins(record: &CapturedRecord) {
    assert_ne!(record.trace_id, TraceId::from_hex(TRACE).unwrap());
    assert_ne!(record.trace_id, TraceId::INVALID);
    assert_eq!(record.parent_span_id, None);
    assert!(!record.parent_is_remote);
}

#[test]
fn a_caller_is_the_parent() {
    let capture = crate::support::capture();
    let request = get("/")
        .header("TraceParent", traceparent("01"))
        .header("tracestate", "vendor=1")
        .header("tracestate", "other=2");
    let record = record(&capture, request);
    continues(&record);
    assert_eq!(record.trace_state, "vendor=1,other=2");
    assert!(record.trace_flags.is_sampled());
}

#[test]
fn a_callers_decision_not_to_sample_stands() {
    let capture = crate::support::capture();
    let request = build(get("/").header("traceparent", traceparent("00")));
    ask(layer(&capture).layer(Yes), request);
    assert_eq!(capture.records(), []);
    assert_eq!(capture.count(DURATION), 1, "metrics count all the same");
}

#[test]
fn a_traceparent_of_a_later_version_is_understood() {
    let later = traceparent("01").replacen("00", "cc", 1) + "-what-comes-next";
    continues(&record(
        &crate::support::capture(),
        get("/").header("traceparent", later),
    ));
}

#[test]
fn an_invalid_traceparent_begins_a_trace() {
    for invalid in [
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
    ] {
        let request = get("/")
            .header("traceparent", invalid)
            .header("tracestate", "vendor=1");
        let capture = crate::support::capture();
        let record = record(&capture, request);
        begins(&record);
        assert_eq!(record.trace_state, "", "{invalid:?}");
        assert_eq!(
            capture.telemetry().counts().invalid_parents,
            1,
            "{invalid:?}"
        );
    }
}

#[test]
fn two_traceparents_begin_a_trace() {
    let request = get("/")
        .header("traceparent", traceparent("01"))
        .header("traceparent", traceparent("01"));
    let capture = crate::support::capture();
    begins(&record(&capture, request));
    assert_eq!(capture.telemetry().counts().invalid_parents, 1);
}

#[test]
fn an_invalid_tracestate_goes_and_its_traceparent_stays() {
    let request = get("/")
        .header("traceparent", traceparent("01"))
        .header("tracestate", "no equals sign");
    let capture = crate::support::capture();
    let record = record(&capture, request);
    continues(&record);
    assert_eq!(record.trace_state, "");
    assert_eq!(capture.telemetry().counts().dropped_tracestate, 1);
}

#[test]
fn a_stranger_is_linked_and_not_obeyed() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_trust(Trust::LinkOnly);
    let request = get("/")
        .header("traceparent", traceparent("00"))
        .header("tracestate", "vendor=1");
    ask(layer.layer(Yes), build(request));
    // Not sampled, says the stranger; it is ours to decide.
    let record = capture.record();
    begins(&record);
    assert_eq!(record.trace_state, "");
    let [link] = &record.links[..] else {
        panic!("one link expected: {record:#?}");
    };
    assert_eq!(link.trace_id, u128::from_str_radix(TRACE, 16).unwrap());
    assert_eq!(link.span_id, u64::from_str_radix(SPAN, 16).unwrap());
}

#[test]
fn trust_can_depend_on_the_request() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_trust_by(|head| {
        if head.headers.contains_key("x-internal") {
            Trust::Trusted
        } else {
            Trust::LinkOnly
        }
    });
    let request = || get("/").header("traceparent", traceparent("01"));
    ask(layer.layer(Yes), build(request()));
    ask(layer.layer(Yes), build(request().header("x-internal", "1")));
    let records = capture.records();
    begins(&records[0]);
    continues(&records[1]);
}

#[test]
fn a_share_of_new_traces_is_sampled_and_all_are_counted() {
    let capture = crate::support::leaving_out().build();
    ask(layer(&capture).layer(Yes), build(get("/")));
    assert_eq!((capture.records().len(), capture.count(DURATION)), (0, 1));
}

#[track_caller]
fn nests(request: http::request::Builder, trust: Trust) {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_trust(trust);
    ask(layer.layer(layer.layer(Yes)), build(request));
    let records = capture.records();
    let [inner, outer] = &records[..] else {
        panic!("two records expected: {records:#?}");
    };
    assert_eq!(inner.parent_span_id, Some(outer.span_id));
    assert_eq!(inner.trace_id, outer.trace_id);
    assert!(!inner.parent_is_remote);
    assert_eq!((inner.kind, outer.kind), (Kind::Server, Kind::Server));
    assert_eq!(inner.links.len(), 0);
}

#[test]
fn a_layer_inside_a_layer_makes_a_child() {
    nests(get("/"), Trust::Trusted);
}

#[test]
fn a_layer_inside_a_layer_makes_a_child_of_it_and_not_of_the_caller() {
    nests(
        get("/").header("traceparent", traceparent("01")),
        Trust::Trusted,
    );
    nests(
        get("/").header("traceparent", traceparent("01")),
        Trust::LinkOnly,
    );
}

#[test]
fn what_a_handler_starts_is_the_exchanges_child_and_so_is_what_its_body_starts() {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use std::convert::Infallible;

    let (capture, inside) = (crate::support::capture(), crate::support::capture());
    // Another telemetry's layer is the handiest operation to start: the two meet in the trace only.
    let other = layer(&inside);
    let handler = tower::service_fn(move |_: Request<_>| {
        ask(other.layer(Yes), build(get("/").method("PUT")));
        let other = other.clone();
        let body = Full::new(Bytes::from_static(b"x")).map_frame(move |frame| {
            ask(other.layer(Yes), build(get("/").method("TRACE")));
            frame
        });
        std::future::ready(Ok::<_, Infallible>(http::Response::new(body)))
    });
    ask(layer(&capture).layer(handler), build(get("/")));
    let records = capture.records().into_iter().chain(inside.records());
    assert_tree(
        obs_testing::SpanTree::new(records)
            .without_attributes()
            .sorted_by_name(),
        r#"
        trace 1
          GET [server]
            PUT [server]
            TRACE [server]
        "#,
    );
}

/// What of a caller's baggage one exchange took over: `tenant`, `other`, `session.id`.
fn baggage_of(trust: Trust, allowed: Option<&[&str]>) -> [Option<String>; 3] {
    let capture = crate::support::capture();
    let mut layer = layer(&capture).with_trust(trust);
    if let Some(allowed) = allowed {
        layer = layer.with_baggage(Allow::names(allowed.iter().copied()));
    }
    let request = get("/").header("baggage", "tenant=acme,other=x,session.id=s-1");
    ask(layer.layer(Yes), build(request));
    let record = capture.record();
    ["tenant", "other", "session.id"].map(|key| record.attr(key).map(|value| value.to_string()))
}

#[test]
fn baggage_is_taken_over_from_those_who_are_trusted_as_far_as_it_is_allowed() {
    let allowed = Some(&["tenant", "session.id"][..]);
    let taken = baggage_of(Trust::Trusted, allowed).map(|value| value.is_some());
    assert_eq!(taken, [true, false, true]);
    assert_eq!(baggage_of(Trust::LinkOnly, allowed), [None, None, None]);
    assert_eq!(baggage_of(Trust::Trusted, None), [None, None, None]);
}

/// The baggage that a handler sees in OpenTelemetry's context, where a layer outside has put the caller's.
fn seen(trust: Trust, request: http::request::Builder) -> bool {
    use obs_core::otel::baggage::BaggageExt;
    use obs_core::otel::{Context, KeyValue};
    use std::sync::atomic::{AtomicBool, Ordering};

    let capture = crate::support::capture();
    let seen = AtomicBool::new(false);
    let handler = tower::service_fn(|_: Request<_>| {
        let baggage = Context::map_current(|context| !context.baggage().is_empty());
        seen.store(baggage, Ordering::Relaxed);
        std::future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(
            http_body_util::Empty::<bytes::Bytes>::new(),
        )))
    });
    let outside = Context::new().with_baggage(vec![KeyValue::new("tenant", "evil")]);
    let _attached = outside.attach();
    ask(
        layer(&capture).with_trust(trust).layer(handler),
        build(request),
    );
    seen.load(Ordering::Relaxed)
}

#[test]
fn a_strangers_baggage_is_not_seen_by_the_handler_whoever_read_it() {
    let request = || get("/").header("baggage", "tenant=evil");
    let with_parent = || request().header("traceparent", traceparent("01"));
    assert!(seen(Trust::Trusted, request()) && seen(Trust::Trusted, with_parent()));
    assert!(!seen(Trust::LinkOnly, request()));
    assert!(!seen(Trust::LinkOnly, with_parent()));
}

#[test]
fn members_of_a_tracestate_or_of_baggage_that_are_dropped_are_counted() {
    let capture = crate::support::capture();
    let layer = layer(&capture).with_baggage(Allow::all());
    // Members of more than 128 bytes go first where all together have more than 512.
    let members: Vec<_> = (0..6)
        .map(|index| format!("v{index}={}", "x".repeat(150)))
        .collect();
    let request = get("/")
        .header("traceparent", traceparent("01"))
        .header("tracestate", members.join(","))
        .header("baggage", "good=1,no equals sign,also good=1,fine=2");
    ask(layer.layer(Yes), build(request));
    let counts = capture.telemetry().counts();
    assert_eq!(counts.dropped_tracestate, 3, "three of them have room");
    assert_eq!(counts.dropped_baggage, 2);
    let page = capture.telemetry().prometheus();
    for (anomaly, value) in [("dropped_tracestate", 3), ("dropped_baggage", 2)] {
        let shown = |line: &str| line.contains(anomaly) && line.ends_with(&format!(" {value}"));
        assert!(page.lines().any(shown), "{page}");
    }
}

/// What of a caller's baggage goes out again with a call that its handler makes.
fn baggage_sent(trust: Trust, allowed: Option<&[&str]>) -> Option<String> {
    use std::sync::{Arc, Mutex};

    let capture = crate::support::capture();
    let mut layer = layer(&capture).with_trust(trust);
    if let Some(allowed) = allowed {
        layer = layer.with_baggage(Allow::names(allowed.iter().copied()));
    }
    let sent = Arc::new(Mutex::new(None));
    let seen = sent.clone();
    let calls = tower::util::MapRequest::new(Yes, move |request: Request<_>| {
        obs_core::current::inject(|name, value| {
            if name == "baggage" {
                *seen.lock().unwrap() = Some(value.to_owned());
            }
        });
        request
    });
    let request = get("/").header("baggage", "tenant=acme,other=x");
    ask(layer.layer(calls), build(request));
    sent.lock().unwrap().take()
}

#[test]
fn baggage_goes_on_to_other_services_only_as_far_as_it_is_allowed() {
    let tenant = Some(&["tenant"][..]);
    assert_eq!(baggage_sent(Trust::Trusted, None), None);
    assert_eq!(
        baggage_sent(Trust::Trusted, tenant).as_deref(),
        Some("tenant=acme")
    );
    assert_eq!(baggage_sent(Trust::LinkOnly, tenant), None);
}
