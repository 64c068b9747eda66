//! An assistant as three services in three processes: the front answers questions, asks the knowledge service for documents
//! over HTTP and the tool service for facts over gRPC, and then a model by OpenAI's interface. `cargo run --release -p obs-examples --bin assistant`
//! starts all of them on real sockets, sends the front requests, and prints what their telemetry says, as it was received.
//!
//! - `--serve`: goes on serving until ctrl-c.
//! - `--quick`: a small load.
//! - `--logs FOLDER`: keeps the log lines of all there.
//! - `knowledge`, `tools`: only that service, which is what the front starts; see `options.rs`.
//! - `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_MODEL`: whose model that is; without them this program has a server of its own
//!   that plays one, and says so.
//! - `OTEL_EXPORTER_OTLP_ENDPOINT`: where telemetry goes; without it to a receiver inside the front's process.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

mod behind;
mod business;
mod client;
mod contract;
mod cost;
mod evidence;
mod failure;
mod front;
mod knowledge;
mod load;
mod local;
mod logs;
mod observed;
mod operations;
mod options;
mod page;
mod report;
mod serving;
mod signals;
mod source;
mod stages;
mod tools;

use crate::{failure::Failure, options::Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Options::from_arguments(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("assistant: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(options: Options) -> Result<(), Failure> {
    match options {
        Options::Front(options) => front::run(&options).await,
        Options::Knowledge(options) => knowledge::run(options).await,
        Options::Tools(options) => tools::run(options).await,
    }
}
