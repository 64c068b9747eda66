//! Events of `tracing` and records of `log`: as lines, as log records, bounded, and never about themselves.
#![cfg(all(feature = "tracing", not(loom)))]

mod allocations;
mod escaping;
mod flooding;
mod lines;
#[cfg(feature = "log")]
mod logged;
mod nesting;
mod quiet;
mod records;
mod redacted;
mod rig;
#[path = "../support/support.rs"]
mod support;
mod writers;
