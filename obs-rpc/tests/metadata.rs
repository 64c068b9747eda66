//! What is taken over from a request's metadata, what is recorded of it, and what is written into it.
#![cfg(feature = "tonic")]

use obs_core::otel::Context as OtelContext;
use obs_core::otel::baggage::BaggageExt;
use obs_core::otel::propagation::{Extractor, Injector, TextMapPropagator};
use obs_core::otel::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use obs_core::otel::{KeyValue, propagation::text_map_propagator::FieldIter};
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::{Allow, Baggage};
use obs_core::{Descriptor, Labels, Outcome, Parent, Scope, Session, Trust};
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::mpsc;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response, request::Builder};
use tower::{Layer, Service, ServiceExt, service_fn};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn post() -> Builder {
    Request::post("/shop.Cart/Add")
}

async fn ask<S>(service: S, request: Builder)
where
    S: Service<Request<Body>, Error = Infallible>,
{
    let request = request.body(Body::empty()).expect("a request");
    drop(service.oneshot(request).await.expect("answered"));
}

/// Answers, with metadata, and hands over what it was asked with.
fn answers(
    seen: mpsc::Sender<HeaderMap>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone
{
    service_fn(move |request: Request<Body>| -> Ready<Result<_, _>> {
        let _ = seen.send(request.headers().clone());
        let mut response = Status::not_found("").into_http();
        for (name, value) in KEYS {
            response
                .headers_mut()
                .append(*name, value.parse().expect("a value"));
        }
        ready(Ok(response))
    })
}

/// What a server's layer records of a request.
async fn served(
    capture: &Capture,
    layer: RpcServerLayer,
    metadata: &[(&'static str, &str)],
) -> CapturedRecord {
    let (seen, _) = mpsc::channel();
    let request = metadata.iter().fold(post(), |request, (name, value)| {
        request.header(*name, *value)
    });
    ask(layer.layer(answers(seen)), request).await;
    capture.record()
}

/// What a client's layer sends.
async fn sent(layer: RpcClientLayer, request: Builder) -> HeaderMap {
    let (seen, sees) = mpsc::channel();
    ask(layer.layer(answers(seen)), request).await;
    sees.recv().expect("asked")
}

fn text(record: &CapturedRecord, key: &str) -> Option<String> {
    record.attr(key).map(AttrValue::to_string)
}

const KEYS: &[(&str, &str)] = &[
    ("x-tenant", "acme"),
    ("x-tenant", "other"),
    ("x-link", "https://user:secret@example.com/?token=secret"),
    ("authorization", "Bearer secret"),
    ("x-session-token", "secret"),
    ("x-note-bin", "c2VjcmV0"),
    ("x-not-asked-for", "secret"),
];

#[tokio::test]
async fn metadata_is_recorded_that_is_asked_for_and_no_secret_whatever_is_asked() {
    let capture = Capture::new();
    let asked = [
        "x-tenant",
        "x-link",
        "authorization",
        "x-session-token",
        "x-note-bin",
    ];
    let server = RpcServerLayer::new(capture.telemetry())
        .with_request_metadata(asked)
        .with_response_metadata(asked);
    let client = RpcClientLayer::new(capture.telemetry())
        .with_request_metadata(asked)
        .with_response_metadata(asked);
    let (seen, _) = mpsc::channel();
    let request = KEYS.iter().fold(post(), |request, (name, value)| {
        request.header(*name, *value)
    });
    ask(client.layer(server.layer(answers(seen))), request).await;
    let records = capture.records();
    assert_eq!(records.len(), 2);
    for record in &records {
        for part in ["request", "response"] {
            let tenant = text(record, &format!("rpc.{part}.metadata.x-tenant"));
            assert_eq!(tenant.as_deref(), Some(r#"["acme", "other"]"#), "{part}");
            let link = text(record, &format!("rpc.{part}.metadata.x-link"));
            assert!(link.expect("recorded").contains("example.com"), "{part}");
        }
        let mut recorded = record.attributes.iter();
        let told = recorded.find(|(_, value)| {
            let value = value.to_string();
            value.contains("secret") || value.contains("c2VjcmV0")
        });
        assert_eq!(told, None);
    }
}

#[tokio::test]
async fn baggage_is_taken_over_from_those_who_are_trusted_as_far_as_it_is_allowed() {
    let allowed = Some(&["tenant", "session.id"][..]);
    for (trust, allowed, expect) in [
        (Trust::Trusted, allowed, [true, false, true]),
        (Trust::LinkOnly, allowed, [false; 3]),
        (Trust::Trusted, None, [false; 3]),
    ] {
        let capture = Capture::new();
        let mut layer = RpcServerLayer::new(capture.telemetry()).with_trust(trust);
        if let Some(allowed) = allowed {
            layer = layer.with_baggage(Allow::names(allowed.iter().copied()));
        }
        let baggage = [("baggage", "tenant=acme,other=x,session.id=s-1")];
        let record = served(&capture, layer, &baggage).await;
        let taken = ["tenant", "other", "session.id"].map(|key| record.attr(key).is_some());
        assert_eq!(taken, expect, "{trust:?}, {allowed:?}");
    }
}

/// A layer outside has put the caller's into OpenTelemetry's context.
#[tokio::test]
async fn a_strangers_baggage_is_not_seen_by_the_handler_whoever_read_it() {
    for (trust, seen) in [(Trust::Trusted, true), (Trust::LinkOnly, false)] {
        let capture = Capture::new();
        let handler = service_fn(move |_: Request<Body>| {
            let sees = OtelContext::map_current(|context| !context.baggage().is_empty());
            assert_eq!(sees, seen, "{trust:?}");
            ready(Ok::<_, Infallible>(
                Status::not_found("").into_http::<Body>(),
            ))
        });
        let layer = RpcServerLayer::new(capture.telemetry()).with_trust(trust);
        let outside = OtelContext::new().with_baggage(vec![KeyValue::new("tenant", "evil")]);
        let _attached = outside.attach();
        ask(
            layer.layer(handler),
            post().header("baggage", "tenant=evil"),
        )
        .await;
        assert_eq!(capture.count("rpc.server.call.duration"), 1);
    }
}

#[tokio::test]
async fn two_traces_in_one_request_are_none() {
    let capture = Capture::new();
    for (metadata, expect) in [
        (&[("traceparent", PARENT)][..], Some(TRACE)),
        (&[("traceparent", PARENT), ("traceparent", OTHER)], None),
        (&[("traceparent", "nonsense")], None),
    ] {
        capture.clear();
        let layer = RpcServerLayer::new(capture.telemetry());
        let record = served(&capture, layer, metadata).await;
        let continued = record.parent_is_remote.then(|| record.trace_id.to_string());
        assert_eq!(continued.as_deref(), expect, "{metadata:?}");
    }
    assert_eq!(capture.telemetry().counts().invalid_parents, 2);
}

/// Of a trace that is replaced, the state is the other's.
#[tokio::test]
async fn what_stood_in_a_request_makes_room_for_the_trace_and_its_own_baggage_does_not() {
    let capture = Capture::new();
    static AROUND: Descriptor = Descriptor {
        name: "test.around",
        span_kind: SpanKind::Internal,
        scope: &Scope {
            name: "test",
            version: "0",
            schema_url: "",
        },
        labels: &[],
        method: None,
        errors: &[],
        duration: None,
        stages: &[],
        measures: &[],
        quantities: &[],
        in_flight: None,
        span_name: |_, name| name.push_str("around"),
    };
    let kind = capture.telemetry().kind(&AROUND);
    let mut around = kind.start(Labels::NONE, Parent::Root);
    let (baggage, _) = Baggage::from_headers([&b"tenant=acme"[..]]);
    let mut active = around.active().expect("recorded");
    active.set_session(Session::from_baggage(baggage.keep(&Allow::all())));
    let entered = around.enter();
    let layer = || RpcClientLayer::new(capture.telemetry());
    let stale = || {
        post()
            .header("traceparent", OTHER)
            .header("tracestate", "old=1")
    };
    let replaced = sent(layer(), stale().header("baggage", "own=1")).await;
    let plain = sent(layer(), post()).await;
    let kept = sent(layer().with_injection(false), stale()).await;
    entered.leave();
    around.end(Outcome::ANSWERED);
    assert_ne!(replaced["traceparent"], OTHER);
    // In HTTP/2's table each would drive out what repeats.
    assert!(replaced["traceparent"].is_sensitive());
    assert_eq!(replaced.get("tracestate"), None);
    assert_eq!(replaced["baggage"], "own=1");
    assert_eq!(plain["baggage"], "tenant=acme");
    assert_eq!(kept["traceparent"], OTHER);
    assert_eq!(kept["tracestate"], "old=1");
}

/// Where a request says itself whom it asks.
#[tokio::test]
async fn a_host_in_a_request_is_told_of_the_trace_where_it_is_inside() {
    let capture = Capture::new();
    for (host, told) in [
        ("orders:80", true),
        ("[::1]:80", true),
        ("[2001:db8::1]:80", false),
        ("api.example.com", false),
    ] {
        let layer = RpcClientLayer::new(capture.telemetry());
        let request = Request::post(format!("http://{host}/shop.Cart/Add"));
        let metadata = sent(layer, request).await;
        assert_eq!(metadata.contains_key("traceparent"), told, "{host}");
    }
}

/// Of a transport of telemetry with this client beneath it.
#[tokio::test]
async fn a_delivery_of_telemetry_is_no_call() {
    let capture = Capture::new();
    let _quiet = OtelContext::enter_telemetry_suppressed_scope();
    let layer = RpcClientLayer::new(capture.telemetry());
    let metadata = sent(layer, post()).await;
    assert!(!metadata.contains_key("traceparent"));
    assert_eq!(capture.count("rpc.client.call.duration"), 0);
}

/// `b3: {trace}-{span}`.
#[derive(Debug)]
struct B3;

static FIELDS: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["b3".to_owned()]);

impl TextMapPropagator for B3 {
    fn inject_context(&self, context: &OtelContext, carrier: &mut dyn Injector) {
        let span = context.span();
        let ids = span.span_context();
        carrier.set("b3", format!("{}-{}", ids.trace_id(), ids.span_id()));
    }

    fn extract_with_context(&self, context: &OtelContext, carrier: &dyn Extractor) -> OtelContext {
        let parse = || {
            let (trace, span) = carrier.get("b3")?.split_once('-')?;
            let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
            let state = TraceState::default();
            Some(SpanContext::new(
                trace,
                span,
                TraceFlags::SAMPLED,
                true,
                state,
            ))
        };
        match parse() {
            Some(parent) => context.with_remote_span_context(parent),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

#[tokio::test]
async fn a_trace_in_another_format_goes_from_the_client_to_the_server() {
    let capture = Capture::builder()
        .with(|builder| builder.with_propagator(Propagator::Custom(std::sync::Arc::new(B3))))
        .build();
    let (seen, sees) = mpsc::channel();
    let server = RpcServerLayer::new(capture.telemetry()).layer(answers(seen));
    ask(
        RpcClientLayer::new(capture.telemetry()).layer(server),
        post(),
    )
    .await;
    let metadata = sees.recv().expect("asked");
    assert!(metadata.contains_key("b3") && !metadata.contains_key("traceparent"));
    let records = capture.records();
    let of = |name: &str| records.iter().find(|it| it.descriptor == name);
    let (client, server) = (
        of("rpc.client").expect("one"),
        of("rpc.server").expect("one"),
    );
    assert_eq!(server.parent_span_id, Some(client.span_id));
    assert!(server.parent_is_remote);
}
