//! A span and metrics of each request, and lines that name its trace.

mod shop;

use obs_core::{Telemetry, logs::LogLayer};
use obs_http::HttpServerLayer;
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
    tracing_subscriber::registry()
        .with(LogLayer::new(&telemetry))
        .with(LevelFilter::INFO)
        .init();

    let app = shop::routes().layer(HttpServerLayer::new(&telemetry));
    shop::serve(app).await?;
    Ok(())
}
