//! Engines.
pub mod page;
