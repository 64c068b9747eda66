//! The request's span is the layer's; tracing-opentelemetry stays for the application's own.

mod shop;

use obs_core::{Telemetry, logs::LogLayer};
use obs_http::HttpServerLayer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
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
        .with(LogLayer::new(&telemetry))
        .with(LevelFilter::INFO)
        .init();

    let app = shop::routes().layer(HttpServerLayer::new(&telemetry));
    shop::serve(app).await?;
    provider.shutdown()?;
    Ok(())
}
