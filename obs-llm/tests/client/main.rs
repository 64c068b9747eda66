//! The layer around HTTP clients.

mod answers;
mod around;
mod attempts;
mod bytes;
#[cfg(feature = "compression")]
mod coded;
mod endings;
mod heads;
mod injection;
mod mislabelled;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retried;
#[path = "../support/scripted.rs"]
mod scripted;
mod sockets;
mod support;
mod timeouts;
mod wires;
