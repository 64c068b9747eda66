//! volo-grpc's own servers and clients over real sockets, observed, with each other and with tonic's.
#![cfg(feature = "volo-grpc")]

#[path = "../support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;

mod binary;
mod endings;
mod events;
mod expected;
mod generated;
mod interop;
mod page;
mod peers;
mod raw;
mod service;
#[path = "../support/tables_of.rs"]
mod tables_of;
mod world;

use std::time::Duration;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// What is enforced by the endings that are deadlines. What is given up within the last sixteenth is taken for late.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(160);
