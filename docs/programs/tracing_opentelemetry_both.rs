//! The span of before, and the layer's around it.

mod shop;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::Response;
use obs_core::Telemetry;
use obs_http::HttpServerLayer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tower_http::trace::TraceLayer;
use tracing::{Span, field::Empty};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::builder()
        .with_service_name("shop")
        .with_otlp()
        .build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    // One resource for both, so that a backend sees one service instance.
    let resource = telemetry
        .resource()
        .ok_or("the telemetry is switched off")?
        .to_sdk();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("shop")))
        .with(tracing_subscriber::fmt::layer())
        .with(LevelFilter::INFO)
        .init();

    let layer = TraceLayer::new_for_http()
        .make_span_with(request_span)
        .on_response(answered);
    let app = shop::routes()
        .layer(layer)
        .layer(HttpServerLayer::new(&telemetry));
    shop::serve(app).await?;
    provider.shutdown()?;
    Ok(())
}

fn request_span(request: &Request) -> Span {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    // No `set_parent`: its parent is what is current, the layer's span.
    tracing::info_span!(
        "request",
        otel.name = format!("{} {route}", request.method()),
        otel.kind = "server",
        http.request.method = %request.method(),
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = Empty,
    )
}

fn answered(response: &Response<Body>, _latency: Duration, span: &Span) {
    span.record("http.response.status_code", response.status().as_u16());
}
