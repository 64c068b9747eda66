//! A gRPC server and client of bytes behind our layers, for software of others to talk with: `.ci/interop grpc` does.
//!
//! - `serve`: on a free port that it prints, until SIGTERM.
//! - `call ADDRESS`: every case once against a server of somebody else; a line for each of what the caller saw.
//!
//! Telemetry goes to where `OTEL_EXPORTER_OTLP_ENDPOINT` says, and is delivered when it ends with 0.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "its output is read by a program")]

mod client;
mod codec;
mod server;

use obs_core::{StatsLevel, Telemetry};
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let telemetry = Telemetry::builder()
        .with_otlp()
        .with_level(StatsLevel::Detailed)
        .with_measures(true)
        .build()?;
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("serve"), None) => server::serve(&telemetry).await?,
        (Some("call"), Some(address)) => client::call(&telemetry, &address).await?,
        _ => return Err("rpc_interop serve | call ADDRESS".into()),
    }
    telemetry.shutdown(Duration::from_secs(10))?;
    Ok(())
}
