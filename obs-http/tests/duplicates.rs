//! Layers of others that record the same requests, outside of ours and inside: said once, and not without them.

#[path = "tracing_span/world.rs"]
mod world;

use http::{Request, Response};
use http_body_util::Full;
use obs_core::otel::trace::{
    Span as _, SpanContext, SpanKind, TraceContextExt, Tracer, TracerProvider,
};
use obs_core::otel::{Context, global};
use obs_core::sdk::ServerSpanWatch;
use obs_core::{Diagnostic, Telemetry};
use obs_http::HttpServerLayer;
use obs_testing::Capture;
use opentelemetry_instrumentation_tower::http::server as otel_tower;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tower::{Layer, Service};
use tower_http::trace::TraceLayer;
use tracing::dispatcher::{Dispatch, with_default};
use tracing_subscriber::layer::SubscriberExt;
use world::{Handler, ask, request};

const REQUESTS: usize = 150;
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// opentelemetry-instrumentation-tower takes its tracer from the process only, so all tests here share this one. Each has a
/// telemetry of its own.
static USERS: LazyLock<SdkTracerProvider> = LazyLock::new(|| {
    let provider = watched();
    global::set_tracer_provider(provider.clone());
    // With a caller's headers its span stands beside ours, without beneath.
    global::set_text_map_propagator(TraceContextPropagator::new());
    provider
});

/// A provider of the test's own that is watched.
fn watched() -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_span_processor(ServerSpanWatch::default())
        .build()
}

fn ours(telemetry: &Telemetry) -> HttpServerLayer {
    HttpServerLayer::new(telemetry)
}

/// What tower-http and tracing-opentelemetry make of a request together.
fn subscribed(tracer: SdkTracer, activation: bool, work: impl FnOnce()) {
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(activation);
    with_default(
        &Dispatch::new(tracing_subscriber::registry().with(spans)),
        work,
    );
}

fn handler() -> Handler<impl Fn() + Clone> {
    Handler(|| ())
}

/// Many requests, every other one with a caller that is in a trace.
fn ask_often<S, B>(service: S)
where
    S: Service<Request<Full<bytes::Bytes>>, Response = Response<B>> + Clone,
    S::Error: std::fmt::Debug,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    for number in 0..REQUESTS {
        let mut request = request("/items/7");
        if number % 2 == 1 {
            let traceparent = http::HeaderValue::from_static(TRACEPARENT);
            request.headers_mut().insert("traceparent", traceparent);
        }
        ask(service.clone(), request);
    }
}

/// Does `work` with a telemetry of its own, which then has this to say, and said it as often to whoever is told.
#[track_caller]
fn check(expect: &[&str], work: impl FnOnce(&Telemetry)) {
    let told = Arc::new(AtomicU64::new(0));
    let count = told.clone();
    let capture = Capture::builder()
        .with(|builder| {
            builder.with_diagnostics(move |diagnostic| {
                assert!(matches!(diagnostic, Diagnostic::Warning(_)), "{diagnostic}");
                count.fetch_add(1, Ordering::Relaxed);
            })
        })
        .build();
    work(capture.telemetry());
    assert!(!capture.records().is_empty(), "requests are recorded");
    let warnings = capture.telemetry().warnings();
    assert_eq!(warnings.len(), expect.len(), "{warnings:#?}");
    for (warning, part) in warnings.iter().zip(expect) {
        assert!(warning.contains(part), "{warning}");
    }
    capture
        .telemetry()
        .collect(Duration::from_secs(5))
        .expect("it works by hand");
    assert_eq!(told.load(Ordering::Relaxed), expect.len() as u64);
}

/// What is said of a layer outside, and how it is silenced.
const OUTSIDE: &str = "with_duplicate_warning(false)";
/// What is said of one inside.
const INSIDE: &str = "a span of kind server of";

#[test]
fn opentelemetrys_own_layer_around_ours_is_said_once() {
    LazyLock::force(&USERS);
    check(&[OUTSIDE], |telemetry| {
        ask_often(otel_tower::Layer::new().layer(ours(telemetry).layer(handler())));
    });
}

#[test]
fn opentelemetrys_own_layer_inside_of_ours_is_said_once() {
    LazyLock::force(&USERS);
    // Beside ours: the caller is the parent of both.
    check(&[INSIDE], |telemetry| {
        let service = ours(telemetry).layer(otel_tower::Layer::new().layer(handler()));
        let mut request = request("/items/7");
        let traceparent = http::HeaderValue::from_static(TRACEPARENT);
        request.headers_mut().insert("traceparent", traceparent);
        ask(service, request);
    });
    check(&[INSIDE], |telemetry| {
        ask_often(ours(telemetry).layer(otel_tower::Layer::new().layer(handler())));
    });
}

#[test]
fn tower_https_around_ours_is_said_once_where_contexts_are_activated() {
    let around = |telemetry: &Telemetry| {
        ask_often(TraceLayer::new_for_http().layer(ours(telemetry).layer(handler())));
    };
    let tracer = watched().tracer("user");
    let layer = |tracer, activation, expect: &[&str]| {
        check(expect, |telemetry| {
            subscribed(tracer, activation, || around(telemetry));
        });
    };
    layer(tracer.clone(), true, &[OUTSIDE]);
    // Nothing in OpenTelemetry's context tells of it.
    layer(tracer, false, &[]);
    // And without that layer tower-http makes no span of OpenTelemetry's.
    check(&[], around);
}

#[test]
fn a_span_of_the_users_around_the_server_is_said_once_unless_it_is_meant() {
    let tracer = watched().tracer("user");
    let inside = |work: &dyn Fn()| {
        let context = Context::current_with_span(tracer.start("the whole server"));
        let _attached = context.attach();
        work();
    };
    check(&[OUTSIDE], |telemetry| {
        let service = ours(telemetry).layer(handler());
        inside(&|| ask_often(service.clone()));
    });
    check(&[], |telemetry| {
        let layer = ours(telemetry).with_duplicate_warning(false);
        let service = layer.layer(handler());
        inside(&|| ask_often(service.clone()));
    });
}

#[test]
fn nobody_else_is_nothing_to_say() {
    check(&[], |telemetry| ask_often(ours(telemetry).layer(handler())));
    // A layer of ours in a layer of ours makes a child.
    check(&[], |telemetry| {
        let (outer, inner) = (ours(telemetry), ours(telemetry));
        ask_often(outer.layer(inner.layer(handler())));
    });
    // Somebody read the caller's context and attached it: that is no span of this process.
    check(&[], |telemetry| {
        let remote = SpanContext::new(
            7_u128.into(),
            9_u64.into(),
            Default::default(),
            true,
            Default::default(),
        );
        let _attached = Context::new().with_remote_span_context(remote).attach();
        ask_often(ours(telemetry).layer(handler()));
    });
}

#[test]
fn what_comes_after_the_first_requests_is_not_seen() {
    check(&[], |telemetry| {
        let service = ours(telemetry).layer(handler());
        ask_often(service.clone());
        let tracer = watched().tracer("user");
        let _attached = Context::current_with_span(tracer.start("late")).attach();
        ask_often(service);
    });
}

/// A handler that makes a span of this kind in each request.
fn making(kind: SpanKind, provider: &SdkTracerProvider) -> Handler<impl Fn() + Clone + use<>> {
    let tracer = provider.tracer("user");
    Handler(move || {
        let builder = tracer.span_builder("a span").with_kind(kind.clone());
        builder
            .start_with_context(&tracer, &Context::current())
            .end();
    })
}

#[test]
fn a_span_of_a_server_inside_of_ours_is_said_once_where_the_provider_is_watched() {
    let (bare, seen) = (SdkTracerProvider::builder().build(), watched());
    let inside = |kind: SpanKind, provider: &SdkTracerProvider, expect: &[&str]| {
        check(expect, |telemetry| {
            ask_often(ours(telemetry).layer(making(kind, provider)));
        });
    };
    inside(SpanKind::Internal, &seen, &[]);
    inside(SpanKind::Client, &watched(), &[]);
    inside(SpanKind::Server, &bare, &[]);
    inside(SpanKind::Server, &watched(), &[INSIDE]);
}

#[test]
fn tower_https_inside_of_ours_is_said_once_where_it_says_that_it_is_a_server() {
    let traced = |server: bool| {
        TraceLayer::new_for_http().make_span_with(move |_: &Request<_>| match server {
            true => tracing::info_span!("request", otel.kind = "server"),
            false => tracing::info_span!("request"),
        })
    };
    for activation in [true, false] {
        for (server, expect) in [(true, &[INSIDE][..]), (false, &[])] {
            check(expect, |telemetry| {
                let service = ours(telemetry).layer(traced(server).layer(handler()));
                subscribed(watched().tracer("user"), activation, || ask_often(service));
            });
        }
    }
}

#[test]
fn of_two_telemetries_each_says_it_of_its_own() {
    let tracer = watched().tracer("user");
    let _attached = Context::current_with_span(tracer.start("the whole server")).attach();
    for _ in 0..2 {
        check(&[OUTSIDE], |telemetry| {
            ask_often(ours(telemetry).layer(handler()))
        });
    }
}
