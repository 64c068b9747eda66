//! rmcp's servers and clients, as they are told.

mod endings;
mod hostile;
mod http;
mod sent;
mod support;
mod weather;
