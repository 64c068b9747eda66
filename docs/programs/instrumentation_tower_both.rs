//! Spans by both layers, metrics by both: under the same names, told apart by their scopes.

mod shop;

use obs_core::Telemetry;
use obs_http::HttpServerLayer;
use opentelemetry::global;
use opentelemetry_instrumentation_tower::http::server;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::builder()
        .with_service_name("shop")
        .with_otlp()
        .build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    global::set_text_map_propagator(TraceContextPropagator::new());
    let resource = telemetry
        .resource()
        .ok_or("the telemetry is switched off")?
        .to_sdk();
    let spans = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .build()?;
    let tracers = SdkTracerProvider::builder()
        .with_batch_exporter(spans)
        .with_resource(resource.clone())
        .build();
    global::set_tracer_provider(tracers.clone());
    let metrics = opentelemetry_otlp::MetricExporter::builder()
        .with_http()
        .build()?;
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics)
        .with_resource(resource)
        .build();
    global::set_meter_provider(meters.clone());

    let app = shop::routes()
        .layer(server::Layer::new())
        .layer(HttpServerLayer::new(&telemetry));
    shop::serve(app).await?;
    tracers.shutdown()?;
    meters.shutdown()?;
    Ok(())
}
