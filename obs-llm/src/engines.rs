//! Engines.
mod mapping;
pub mod page;
mod reading;
mod tables;
mod target;

pub use mapping::{Coverage, Further, Mapping, Row, Select, Semantics};
pub use tables::{
    ALL, DYNAMO, DYNAMO_COMPONENT, LLAMACPP, MISTRALRS, SGLANG, TENSORRT_LLM, TGI, TRITON, VLLM,
    XLLM,
};
pub use target::{Shape, Target};
