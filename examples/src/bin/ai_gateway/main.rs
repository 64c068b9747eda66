//! A gateway to models: one address that speaks OpenAI's interface, two upstreams behind it, and what each key used.
//! `cargo run --release -p obs-examples --bin ai_gateway` starts one as a process of its own, asks it, sends it SIGTERM while it
//! streams, and prints what a receiver got.
//!
//! - `serve`: only the gateway, until a signal. What it reads from the environment stands in `settings.rs`.
//!
//! Streams are passed on chunk by chunk, as fast as their reader takes them. An upstream that cannot be reached, does not begin to answer in
//! time or answers 429 or 5xx is passed over for the other, as long as nothing of an answer has gone out.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

mod drain;
mod headers;
mod keys;
mod meter;
mod proxy;
mod refusal;
mod serve;
mod settings;
mod show;
mod simulated;
mod upstream;

use std::process::ExitCode;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

fn main() -> ExitCode {
    let ran = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve::run(),
        Some(other) => Err(format!("no such argument: {other}").into()),
        None => show::run(),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ai_gateway: {failure}");
            ExitCode::FAILURE
        }
    }
}
