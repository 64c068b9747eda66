//! A server of a model, as somebody who serves one in Rust writes it: handlers put requests into a channel, and a thread that is no
//! task of any runtime runs the model for all of them at once, token by token. The model is a real one of candle's, only small.
//!
//! It keeps a [`Journal`] by a clock and counts of its own, which the tests hold against what [`obs_llm::ModelServer`] recorded.

mod engine;
mod journal;
mod model;

pub use engine::{Answer, Asked, Engine, Inbox};
pub use journal::{Between, Journal, Life, Step};
pub use model::{Sequence, TinyLlama};
