//! Set-up and shutdown: the builder, the handle, and the thread between records and their destinations.

mod builder;
mod collector;
mod control;
mod telemetry;

pub use builder::{Builder, KeepPolicy};
pub use telemetry::{Reader, ShutdownGuard, Telemetry};
