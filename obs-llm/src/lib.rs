//! What a service sees of the LLM calls that it makes, passes on or answers: time to the first chunk, time between chunks, tokens
//! and cost, for any provider and any way of ending.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod anomaly;
mod bill;
mod call;
mod descriptor;
mod dialect;
mod llm;
mod provider;
pub mod server;
#[cfg(feature = "stream")]
mod stream;
mod usage;
pub mod wire;

pub use bill::{Bill, CountTokens, Price};
pub use call::LlmCall;
pub use descriptor::{
    BODY_ERROR, INCOMPLETE, LLM_CLIENT, LLM_CLIENT_MAIN, LLM_OPERATION_MAIN, LlmOperation,
    SERVICE_ERROR,
};
pub use dialect::Dialect;
pub use llm::{Llm, SLOW};
pub use provider::Provider;
pub use server::{InferenceRequest, ModelServer};
#[cfg(feature = "stream")]
pub use stream::{Bytes, InstrumentedStream, Observe};
pub use usage::{Tokens, Usage};
