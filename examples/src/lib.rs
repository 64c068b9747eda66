//! Runnable examples, and what several of them share.

pub mod gpus;

/// The README's program is compiled with the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
