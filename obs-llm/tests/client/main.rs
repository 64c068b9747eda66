//! The layer around HTTP clients.

mod answers;
mod attempts;
mod bytes;
#[cfg(feature = "compression")]
mod coded;
mod endings;
mod heads;
mod injection;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retried;
mod sockets;
mod support;
mod wires;
