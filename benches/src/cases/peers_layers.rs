//! Tower layers of others, around the same handler: traces, metrics or both, as their documentation sets them up.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{Router, routing::get_service};
use axum_prometheus::{
    AXUM_HTTP_REQUESTS_DURATION_SECONDS, PrometheusMetricLayerBuilder,
    metrics_exporter_prometheus::{Matcher, PrometheusBuilder},
    utils,
};
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace_tower::FastraceServerLayer;
use http::Request;
use opentelemetry::{global, trace::TracerProvider};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_instrumentation_tower::http::server as otel_tower;
use tower::ServiceBuilder;
use tower_http::trace::TraceLayer;
use tracing::Level;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use super::flat::CLIENT_DURATION;
use super::sdk::{Sdk, same};
use obs_http::Route;

use crate::harness::{
    pair::Pair,
    service::{Handler, Requests, Shape, TEMPLATE, around, pair_of},
};

const DURATION: &str = "http.server.request.duration";

/// tower-http's `TraceLayer` with no subscriber: what is left when nobody listens.
pub(crate) fn tower_http_unheard() -> Pair {
    around(Shape::Plain, &TraceLayer::new_for_http())
}

/// tower-http's `TraceLayer` into a registry without layers.
pub(crate) fn tower_http_registry() -> Pair {
    tracing_subscriber::registry().init();
    around(Shape::Plain, &TraceLayer::new_for_http())
}

/// tower-http's `TraceLayer` into tracing-opentelemetry; with a `traceparent`, the documented `set_parent`.
pub(crate) fn tower_http<const SHAPE: u8>() -> Pair {
    let sdk = Sdk::install();
    subscribe(&sdk);
    let shape = shape(SHAPE);
    if shape == Shape::Plain {
        return sdk.hold(around(shape, &TraceLayer::new_for_http()), None);
    }
    let layer = TraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
        let span = tracing::debug_span!("request", method = %request.method(), uri = %request.uri(), version = ?request.version());
        let parent = global::get_text_map_propagator(|propagator| propagator.extract(&HeaderExtractor(request.headers())));
        let _ = span.set_parent(parent);
        span
    });
    sdk.hold(around(shape, &layer), None)
}

/// opentelemetry-instrumentation-tower with no SDK installed.
pub(crate) fn otel_tower_unheard() -> Pair {
    around(Shape::Plain, &otel_tower::Layer::new())
}

/// opentelemetry-instrumentation-tower: metrics and traces, the route from the extension.
pub(crate) fn otel_tower<const SHAPE: u8>() -> Pair {
    let sdk = Sdk::install();
    let layer = otel_tower::LayerBuilder::builder()
        .with_route_extractor_fn(|request: &Request<_>| {
            request
                .extensions()
                .get::<Route>()
                .map(|route| route.0.to_string())
        })
        .build()
        .expect("the defaults are valid");
    sdk.hold(around(shape(SHAPE), &layer), Some(DURATION))
}

/// tower-otel: its trace layer over tracing-opentelemetry and its metrics layer.
pub(crate) fn tower_otel<const SHAPE: u8>() -> Pair {
    let sdk = Sdk::install();
    subscribe(&sdk);
    let layer = ServiceBuilder::new()
        .layer(tower_otel::trace::HttpLayer::server(Level::INFO))
        .layer(tower_otel::metrics::HttpLayer::server(&global::meter(
            "bench",
        )));
    sdk.hold(around(shape(SHAPE), &layer), Some(DURATION))
}

/// tower-otel's client side, which writes the `traceparent` too.
pub(crate) fn tower_otel_client() -> Pair {
    let sdk = Sdk::install();
    subscribe(&sdk);
    let handler = Handler::default();
    let client = ServiceBuilder::new()
        .layer(tower_otel::trace::HttpLayer::client(Level::INFO))
        .layer(tower_otel::metrics::HttpLayer::client(&global::meter(
            "bench",
        )))
        .service(handler);
    let pair = pair_of(&Requests::outgoing(), handler, client);
    sdk.hold(pair, Some(CLIENT_DURATION))
}

/// fastrace-tower: a root span per request, no attributes, no metrics.
pub(crate) fn fastrace<const SHAPE: u8>() -> Pair {
    struct Count(Arc<AtomicU64>);
    impl Reporter for Count {
        fn report(&mut self, spans: Vec<SpanRecord>) {
            self.0.fetch_add(spans.len() as u64, Ordering::Relaxed);
        }
    }
    let spans = Arc::new(AtomicU64::new(0));
    fastrace::set_reporter(Count(spans.clone()), Config::default());
    around(shape(SHAPE), &FastraceServerLayer::default())
        .with_settle(fastrace::flush)
        .with_account(move |operations| {
            same("spans reported", spans.load(Ordering::Relaxed), operations)?;
            Ok(format!("{operations} spans"))
        })
}

/// axum-prometheus around an axum router, against the same router without it; its default recorder, whose upkeep runs
/// between bursts because there is no runtime here to run it on.
pub(crate) fn axum_prometheus() -> Pair {
    let router = || Router::new().route(TEMPLATE, get_service(Handler::default()));
    let (layer, handle) = PrometheusMetricLayerBuilder::new()
        .with_metrics_from_fn(|| {
            let duration = Matcher::Full(AXUM_HTTP_REQUESTS_DURATION_SECONDS.to_owned());
            PrometheusBuilder::new()
                .set_buckets_for_metric(duration, utils::SECONDS_DURATION_BUCKETS)
                .and_then(PrometheusBuilder::install_recorder)
                .expect("the first recorder of the process")
        })
        .build_pair();
    let upkeep = handle.clone();
    let pair = pair_of(
        &Requests::unrouted(Shape::Plain),
        router(),
        router().layer(layer),
    )
    .with_settle(move || upkeep.run_upkeep());
    pair.with_account(move |operations| {
        let page = handle.render();
        let counted = page
            .lines()
            .filter(|line| {
                line.starts_with("axum_http_requests_duration_seconds_count")
                    && line.contains(TEMPLATE)
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        same("points on the page", counted, operations)?;
        Ok(format!("{operations} points"))
    })
}

/// An axum router around the handler, against the handler: context, not a peer.
pub(crate) fn axum_router() -> Pair {
    let router: Router = Router::new().route(TEMPLATE, get_service(Handler::default()));
    pair_of(
        &Requests::unrouted(Shape::Plain),
        Handler::default(),
        router,
    )
}

pub(super) fn subscribe(sdk: &Sdk) {
    let spans = tracing_opentelemetry::layer().with_tracer(sdk.tracers.tracer("bench"));
    tracing_subscriber::registry().with(spans).init();
}

fn shape(number: u8) -> Shape {
    match number {
        0 => Shape::Plain,
        1 => Shape::Traceparent,
        _ => Shape::Real,
    }
}
