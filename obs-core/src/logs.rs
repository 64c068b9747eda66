//! Logs.
#[cfg(feature = "log")]
mod bridge;
mod core;
mod escape;
mod fields;
mod flood;
mod json;
mod layer;
mod limits;
mod otlp;
mod site;
mod time;
mod writer;

#[cfg(feature = "log")]
pub use bridge::LogBridge;
pub use flood::Flood;
pub use layer::LogLayer;
pub use limits::Limits;
pub use writer::{Lines, NonBlocking};
