//! What a telemetry must never do to its service: block it, unwind into it, run on the wrong clock, or need a runtime.

#[path = "../support/support.rs"]
mod support;

mod hooks;
mod hung;
mod panics;
mod reentered;
mod runtimes;
mod stepped;
