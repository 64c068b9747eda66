//! An assistant as a service: it looks documents up, asks a model, remembers. `cargo run --release -p obs-examples --bin
//! assistant` starts it on a real socket, sends it requests, and prints what its telemetry says, as it was received.
//!
//! - `--serve`: goes on serving until ctrl-c.
//! - `--quick`: a small load.
//! - `OTEL_EXPORTER_OTLP_ENDPOINT`: where telemetry goes; without it to a receiver inside this program.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

mod client;
mod cost;
mod evidence;
mod failure;
mod load;
mod local;
mod operations;
mod options;
mod page;
mod report;
mod service;
mod source;

use crate::{failure::Failure, options::Options, source::Source};
use obs_core::{Telemetry, setup::environment::Environment, setup::resource::Resource};
use obs_http::{HttpServerLayer, MetricsPage};
use std::{process::ExitCode, time::Duration};

#[tokio::main]
async fn main() -> ExitCode {
    let ran = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => run(options).await,
        Err(problem) => Err(problem),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("assistant: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Failure> {
    // Who is speaking, and where to: a receiver of this program's own, or what `OTEL_EXPORTER_OTLP_*` says.
    let environment = Environment::from_process();
    let resource = Resource::builder()
        .with_service_name("assistant")
        .with_service_version(env!("CARGO_PKG_VERSION"))
        .with_environment(&environment)
        .build();
    let (builder, source) = Source::choose(&environment, Telemetry::builder())?;
    let telemetry = builder.with_resource(resource).build()?;
    let _delivered_at_the_end = telemetry.shutdown_on_drop(Duration::from_secs(5));

    // The service: one layer around all routes. What comes after it is not observed.
    let app = service::routes(&telemetry)
        .layer(HttpServerLayer::new(&telemetry))
        .route_service("/metrics", MetricsPage::new(&telemetry));
    let observed = service::listen(app).await?;

    // The same without any of it, for comparison.
    let bare = service::listen(service::routes(&Telemetry::noop())).await?;

    println!("assistant at http://{observed}, telemetry to {source}");
    for warning in telemetry.warnings() {
        println!("  passed over: {warning}");
    }
    let sent = load::drive(observed, options.load()).await?;
    let evidence = evidence::gather(telemetry, &source, &sent).await?;
    report::trees(&evidence, &source);
    report::rates(&evidence, &sent);
    cost::compare(bare, observed, options.pairs()).await?;
    page::scrape(observed).await?;
    evidence::flush(telemetry, &source).await?;
    report::delivery(&telemetry);

    if options.serve {
        println!("\nServing until ctrl-c:");
        for path in load::PATHS.iter().chain(&["/metrics"]) {
            println!("  http://{observed}{path}");
        }
        tokio::signal::ctrl_c().await?;
    }
    Ok(telemetry.shutdown(Duration::from_secs(5))?)
}
