//! Spans and metrics of each request, by the contrib project's layer and the SDK.

mod shop;

use opentelemetry::global;
use opentelemetry_instrumentation_tower::http::server;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let resource = Resource::builder().with_service_name("shop").build();
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

    let app = shop::routes().layer(server::Layer::new());
    shop::serve(app).await?;
    tracers.shutdown()?;
    meters.shutdown()?;
    Ok(())
}
