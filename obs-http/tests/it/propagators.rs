//! Callers that speak another format than the W3C's: the telemetry's propagator reads it, and trust applies to it.

use crate::support::ask::{Yes, ask, build, get};
use crate::support::layer;
use http::request::Builder as Ask;
use obs_core::otel::baggage::BaggageExt;
use obs_core::otel::propagation::text_map_propagator::FieldIter;
use obs_core::otel::propagation::{Extractor, Injector, TextMapPropagator};
use obs_core::otel::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use obs_core::otel::{Context, KeyValue};
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use obs_core::{Trust, current};
use obs_http::HttpServerLayer;
use obs_testing::{Capture, CapturedRecord};
use std::collections::HashMap;
use std::sync::Arc;
use tower::Layer;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const OTHER_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// `b3: {trace}-{span}-{0 or 1}`, and a tenant beside it.
#[derive(Debug)]
struct B3;

static FIELDS: std::sync::LazyLock<[String; 2]> =
    std::sync::LazyLock::new(|| ["b3".to_owned(), "x-tenant".to_owned()]);

impl TextMapPropagator for B3 {
    fn inject_context(&self, context: &Context, carrier: &mut dyn Injector) {
        let span = context.span();
        let ids = span.span_context();
        let sampled = u8::from(ids.is_sampled());
        carrier.set(
            "b3",
            format!("{}-{}-{sampled}", ids.trace_id(), ids.span_id()),
        );
    }

    fn extract_with_context(&self, context: &Context, carrier: &dyn Extractor) -> Context {
        let context = match carrier.get("x-tenant") {
            Some(tenant) => context.with_baggage([KeyValue::new("tenant", tenant.to_owned())]),
            None => context.clone(),
        };
        let parse = || {
            let mut parts = carrier.get("b3")?.split('-');
            let ids = (
                TraceId::from_hex(parts.next()?).ok()?,
                SpanId::from_hex(parts.next()?).ok()?,
            );
            let flags = match parts.next()? {
                "1" => TraceFlags::SAMPLED,
                _ => TraceFlags::default(),
            };
            let state = TraceState::from_key_value([("vendor", "1")]).ok()?;
            Some(SpanContext::new(ids.0, ids.1, flags, true, state))
        };
        match parse() {
            Some(parent) => context.with_remote_span_context(parent),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

fn speaks(propagator: Propagator) -> Capture {
    crate::support::capturing()
        .with(|builder| builder.with_propagator(propagator))
        .build()
}

fn b3() -> Capture {
    speaks(Propagator::Custom(Arc::new(B3)))
}

fn called(sampled: u8) -> Ask {
    get("/").header("B3", format!("{TRACE}-{SPAN}-{sampled}"))
}

fn record(capture: &Capture, layer: HttpServerLayer, request: Ask) -> CapturedRecord {
    ask(layer.layer(Yes), build(request));
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
    assert_ne!(record.trace_id, TraceId::from_hex(OTHER_TRACE).unwrap());
    assert_eq!(
        (record.parent_span_id, record.parent_is_remote),
        (None, false)
    );
}

#[test]
fn a_caller_who_speaks_b3_is_the_parent() {
    let capture = b3();
    let record = record(&capture, layer(&capture), called(1));
    continues(&record);
    assert!(record.trace_flags.is_sampled());
    assert_eq!(record.trace_state, "vendor=1");
}

#[test]
fn its_decision_not_to_sample_stands() {
    let capture = b3();
    ask(layer(&capture).layer(Yes), build(called(0)));
    assert_eq!(capture.records(), []);
}

#[test]
fn a_traceparent_says_nothing_to_a_service_that_speaks_b3() {
    let capture = b3();
    let theirs = format!("00-{OTHER_TRACE}-{SPAN}-01");
    let request = called(1).header("traceparent", &theirs);
    continues(&record(&capture, layer(&capture), request));
    let capture = b3();
    begins(&record(
        &capture,
        layer(&capture),
        get("/").header("traceparent", &theirs),
    ));
    let capture = b3();
    begins(&record(
        &capture,
        layer(&capture),
        get("/").header("b3", "0"),
    ));
}

#[test]
fn a_stranger_who_speaks_b3_is_linked_and_not_obeyed() {
    let capture = b3();
    let layer = layer(&capture)
        .with_trust(Trust::LinkOnly)
        .with_baggage(Allow::names(["tenant"]));
    let record = record(&capture, layer, called(0).header("x-tenant", "acme"));
    begins(&record);
    assert_eq!((&*record.trace_state, record.attr("tenant")), ("", None));
    let [link] = &record.links[..] else {
        panic!("one link expected: {record:#?}");
    };
    assert_eq!(link.trace_id, u128::from_str_radix(TRACE, 16).unwrap());
    assert_eq!(link.span_id, u64::from_str_radix(SPAN, 16).unwrap());
}

#[test]
fn its_baggage_is_taken_over_as_far_as_it_is_allowed() {
    let taken = |allow: Option<Allow>| {
        let capture = b3();
        let mut layer = layer(&capture);
        if let Some(allow) = allow {
            layer = layer.with_baggage(allow);
        }
        let record = record(&capture, layer, called(1).header("x-tenant", "acme"));
        record.text("tenant").map(str::to_owned)
    };
    assert_eq!(
        taken(Some(Allow::names(["tenant"]))).as_deref(),
        Some("acme")
    );
    assert_eq!(taken(None), None);
}

#[test]
fn a_layer_inside_a_layer_makes_a_child_of_it_and_not_of_the_caller() {
    let capture = b3();
    let layer = layer(&capture);
    ask(layer.layer(layer.layer(Yes)), build(called(1)));
    let records = capture.records();
    let [inner, outer] = &records[..] else {
        panic!("two records expected: {records:#?}");
    };
    continues(outer);
    assert_eq!(inner.parent_span_id, Some(outer.span_id));
}

#[test]
fn propagation_that_is_switched_off_reads_nothing() {
    let capture = speaks(Propagator::None);
    let request = get("/").header("traceparent", format!("00-{TRACE}-{SPAN}-01"));
    begins(&record(&capture, layer(&capture), request));
}

#[test]
fn trace_context_without_baggage_is_read_by_the_same_rules() {
    let capture = speaks(Propagator::TraceContext);
    let layer = layer(&capture).with_baggage(Allow::names(["tenant"]));
    let request = get("/")
        .header("traceparent", format!("00-{TRACE}-{SPAN}-01"))
        .header("tracestate", "vendor=1")
        .header("tracestate", "other=2")
        .header("baggage", "tenant=acme");
    let record = record(&capture, layer.clone(), request);
    continues(&record);
    assert_eq!(record.trace_state, "vendor=1,other=2");
    assert_eq!(record.attr("tenant"), None);

    let capture = speaks(Propagator::TraceContext);
    let request = get("/").header("traceparent", "no such thing");
    ask(crate::support::layer(&capture).layer(Yes), build(request));
    assert_eq!(capture.telemetry().counts().invalid_parents, 1);
}

#[test]
fn what_goes_out_can_speak_b3_too() {
    let capture = b3();
    let telemetry = *capture.telemetry();
    let handler = tower::service_fn(move |_: http::Request<_>| {
        let mut sent = HashMap::new();
        let outgoing = current::with(|active| active.outgoing()).expect("an operation");
        telemetry.propagator().inject(&outgoing, &mut sent);
        let body = sent.remove("b3").expect("a header");
        std::future::ready(Ok::<_, std::convert::Infallible>(
            http::Response::builder()
                .header("sent", body)
                .body(http_body_util::Empty::<bytes::Bytes>::new())
                .unwrap(),
        ))
    });
    let head = ask(layer(&capture).layer(handler), build(called(1)));
    let record = capture.record();
    assert_eq!(
        head.headers["sent"],
        format!("{TRACE}-{}-1", record.span_id).as_str()
    );
}

#[derive(Debug)]
struct Throws;

impl TextMapPropagator for Throws {
    fn inject_context(&self, _: &Context, _: &mut dyn Injector) {}

    fn extract_with_context(&self, _: &Context, _: &dyn Extractor) -> Context {
        panic!("not this one")
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&[])
    }
}

#[test]
fn a_propagator_that_panics_fails_no_request_and_is_counted() {
    let capture = speaks(Propagator::Custom(Arc::new(Throws)));
    ask(layer(&capture).layer(Yes), build(get("/")));
    assert_eq!(capture.record().parent_span_id, None);
    assert_eq!(capture.telemetry().counts().panics, 1);
}
