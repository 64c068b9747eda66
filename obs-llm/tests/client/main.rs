//! The layer around HTTP clients.

mod answers;
mod injection;
mod support;
