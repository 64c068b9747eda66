//! The same by one layer; the application's own instruments stay with the SDK.

mod shop;

use obs_core::Telemetry;
use obs_http::HttpServerLayer;
use opentelemetry::global;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::builder()
        .with_service_name("shop")
        .with_otlp()
        .build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    let resource = telemetry
        .resource()
        .ok_or("the telemetry is switched off")?
        .to_sdk();
    let metrics = opentelemetry_otlp::MetricExporter::builder()
        .with_http()
        .build()?;
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics)
        .with_resource(resource)
        .build();
    global::set_meter_provider(meters.clone());

    let app = shop::routes().layer(HttpServerLayer::new(&telemetry));
    shop::serve(app).await?;
    meters.shutdown()?;
    Ok(())
}
