//! A service with our layer, whose handler runs a program that other people wrote against plain `opentelemetry` and
//! `tracing`: the example `readme-opentelemetry` of the crate `json-subscriber`, with its own subscriber, its own provider and
//! its own exporter, as its package has it. It sets globals, so it runs once.
//!
//! Prints the address that it serves on, and then what the program prints. Ends when it has answered.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program that a test reads")]

// What the program calls them.
extern crate opentelemetry as opentelemetry_0_33;
extern crate tracing_opentelemetry as tracing_opentelemetry_0_34;

use axum::{Router, routing::get};
use obs_core::Telemetry;
use obs_http::HttpServerLayer;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Notify};

/// Theirs, warnings and all.
#[allow(warnings, clippy::all)]
mod program {
    include!(env!("PROGRAM"));

    pub(super) fn run() {
        main();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::builder()
        .with_service_name("ecosystem")
        .with_otlp()
        .build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    let done = Arc::new(Notify::new());
    let told = done.clone();
    let shave = move || async move {
        program::run();
        told.notify_one();
        "shaved"
    };
    let app = Router::new()
        .route("/shave", get(shave))
        .layer(HttpServerLayer::new(&telemetry));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { done.notified().await })
        .await?;
    Ok(())
}
