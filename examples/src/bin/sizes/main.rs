//! How many bytes a request, a span, a log record and a series are as we send them: what docs/sizing.md computes with.
//! `cargo run -p obs-examples --bin sizes` prints its tables.
//!
//! Everything is real but the load: an axum service on loopback, sockets, our exporter, and a receiver that counts what
//! came over the wire, packed and unpacked. Bytes do not depend on how it was built; they vary a little with ids and
//! durations.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

mod measure;
mod traffic;
mod volume;

use std::process::ExitCode;

fn main() -> ExitCode {
    let sizes = match measure::all() {
        Ok(sizes) => sizes,
        Err(failure) => {
            eprintln!("sizes: {failure}");
            return ExitCode::FAILURE;
        }
    };
    println!("<!-- sizes -->\n{}", sizes.table());
    println!("<!-- volume -->\n{}", volume::table(&sizes));
    println!("<!-- outage -->\n{}", volume::outages(&sizes));
    println!("<!-- tail -->\n{}", volume::tail_sampling(&sizes));
    ExitCode::SUCCESS
}
