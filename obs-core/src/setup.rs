//! Set-up and shutdown: what the process environment says and who is speaking, the builder, the handle, and the thread
//! between records and their destinations.

mod asked;
mod builder;
mod collector;
mod control;
mod delivery;
pub mod environment;
mod exporter;
pub mod resource;
mod self_metrics;
mod telemetry;
mod turn;

pub(crate) use self_metrics::SCOPE;

pub use builder::{Builder, KeepPolicy};
pub use delivery::Delivery;
pub use telemetry::{Reader, ShutdownGuard, Telemetry};
