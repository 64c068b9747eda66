//! The layer around HTTP clients.

mod answers;
mod support;
