//! The layer around HTTP clients.

mod answers;
#[cfg(feature = "compression")]
mod coded;
mod endings;
mod injection;
mod support;
