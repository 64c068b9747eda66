//! async-openai: a layer of its HTTP service.

mod layer;
mod service;

pub use layer::AsyncOpenAiLayer;
pub use service::{AsyncOpenAi, ResponseFuture};
