//! The layer around HTTP clients.

mod answers;
#[cfg(feature = "compression")]
mod coded;
mod injection;
mod support;
