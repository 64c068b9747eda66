//! The lines as they were, and beside them spans, metrics and log records.

mod shop;

use obs_core::{Telemetry, logs::LogLayer};
use obs_http::HttpServerLayer;
use std::time::Duration;
use tower_http::trace::TraceLayer;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::builder()
        .with_service_name("shop")
        .with_otlp()
        .build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));
    let filter = Targets::new()
        .with_default(Level::INFO)
        .with_target("tower_http", Level::DEBUG);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer())
        .with(LogLayer::new(&telemetry).without_lines())
        .with(filter)
        .init();

    let app = shop::routes()
        .layer(TraceLayer::new_for_http())
        .layer(HttpServerLayer::new(&telemetry));
    shop::serve(app).await?;
    Ok(())
}
