//! obs-core.
#![forbid(unsafe_code)]

pub mod courier;
pub mod error;
pub mod setup;
