//! The engines' tables. Each says where its names were read; a test holds it to a page of that engine.

mod dynamo;
mod llamacpp;
mod others;
mod sglang;
mod vllm;
mod xllm;

pub use dynamo::{DYNAMO, DYNAMO_COMPONENT};
pub use llamacpp::LLAMACPP;
pub use others::{MISTRALRS, TENSORRT_LLM, TGI, TRITON};
pub use sglang::SGLANG;
pub use vllm::VLLM;
pub use xllm::XLLM;

use super::mapping::Mapping;

/// All engines that there is a table for.
pub const ALL: &[&Mapping] = &[
    &VLLM,
    &SGLANG,
    &DYNAMO,
    &DYNAMO_COMPONENT,
    &XLLM,
    &LLAMACPP,
    &TENSORRT_LLM,
    &TGI,
    &TRITON,
    &MISTRALRS,
];

/// Why there is no quantile where there is a histogram.
const BUCKETS: &str = "a histogram says more";
/// Why there is none where nothing is said.
const SILENT: &str = "not said";
