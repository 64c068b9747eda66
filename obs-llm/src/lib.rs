//! What a service sees of the LLM calls that it makes, passes on or answers: time to the first chunk, time between chunks, tokens
//! and cost, for any provider and any way of ending.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bill;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod cost;
mod dialect;
pub mod estimate;
mod provider;
mod usage;
pub mod wire;

pub use bill::{Bill, CountTokens, Price};
pub use dialect::Dialect;
pub use provider::Provider;
pub use usage::{Tokens, Usage};
