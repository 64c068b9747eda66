//! rmcp's servers and clients, as they are told.

#[cfg(feature = "content")]
mod content;
mod endings;
mod hostile;
mod http;
mod sent;
mod support;
mod weather;
