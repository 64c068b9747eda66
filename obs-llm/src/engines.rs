//! Engines.
mod fetch;
mod mapping;
pub mod page;
mod reading;
mod scraper;
mod series;
mod settings;
mod tables;
mod target;

pub use mapping::{Coverage, Further, Mapping, Row, Select, Semantics};
pub use scraper::{EngineScraper, TargetStatus};
pub use settings::{ScrapeSettings, ScrapeTarget};
pub use tables::{
    ALL, DYNAMO, DYNAMO_COMPONENT, LLAMACPP, MISTRALRS, SGLANG, TENSORRT_LLM, TGI, TRITON, VLLM,
    XLLM,
};
pub use target::{Shape, Target};
