//! What inference engines say of themselves, in one vocabulary: vLLM, SGLang, NVIDIA Dynamo, xLLM, llama.cpp, and by rows of the
//! same data TensorRT-LLM, TGI, Triton and mistral.rs.
//!
//! ```no_run
//! use obs_core::Telemetry;
//! use obs_llm::engines::{EngineScraper, LLAMACPP, ScrapeSettings, ScrapeTarget, VLLM};
//!
//! let telemetry = Telemetry::builder().build()?;
//! let engines = EngineScraper::new(&telemetry, ScrapeSettings::new());
//! engines.add(ScrapeTarget::new("http://10.0.0.7:8000", &VLLM)?)?;
//! // Its page does not say which model it serves.
//! engines.add(ScrapeTarget::new("http://127.0.0.1:8080", &LLAMACPP)?.with_model("qwen3-8b"))?;
//! // From now on, until `engines` is dropped, what they say stands beside everything else, over OTLP and on the metrics page.
//! # Ok::<(), obs_core::Error>(())
//! ```
//!
//! # What is shown
//!
//! Metrics are those of [`Target`]: `gen_ai.server.*` where the convention has one, `obs.llm.engine.*` elsewhere. Which of them an
//! engine has, how exact they are, of which of its metrics, and why something is missing is data ([`ALL`], [`Mapping`]),
//! from which `docs/engines.md` is written. An engine that does not say something has no such metric here: nothing is
//! derived that only looks like it. [Rows of one's own](ScrapeTarget::with_rows) are as good as ours.
//!
//! - Histograms keep the **buckets of the engine**, over OTLP and on the page. None is made to fit others.
//! - What differs in labels that nobody asks for is added up, if it can be; a ratio cannot, and is left out and counted.
//! - Labels: `obs.llm.engine`, `server.address`, `server.port`; `gen_ai.request.model` and `obs.llm.engine.index` where the
//!   page says them. `gen_ai.operation.name` and `gen_ai.provider.name`, which the convention asks for, are not there: no engine says
//!   of what kind the requests were, and it is nobody's provider.
//! - Totals are cumulative, with the engine's own start where its page says it. One that fell, or whose start moved on, began
//!   anew: what it counts then came after the last page that was read. One that was away and did not fall goes on. For a
//!   reader of deltas what was counted before it first looked is nobody's.
//!
//! Of the scraping itself: `obs.llm.engine.up` (1 or 0), `obs.llm.engine.scrape.duration`, `obs.llm.engine.scrape.errors` by
//! `error.type` (`timeout`, `connection_error`, `page_too_large`, `page_cut_off`, `too_many_samples`, `unexpected_content_type`,
//! `unexpected_encoding`, `protocol_error`, or the status, a redirect's too) and `obs.llm.engine.scrape.anomalies` by
//! `obs.anomaly` (`malformed_line`, `duplicate_sample`, `impossible_value`, `broken_histogram`, `conflicting_buckets`,
//! `ambiguous`, and `nothing_known` for a page without a metric of its engine's).
//!
//! # What happens when
//!
//! - An engine that is **down**, slow, or whose page is too long or breaks off shows `up` 0 and nothing else: what it said
//!   before is old, and is not said again as if it were new. Half a page is no page, as it has half of sums.
//! - One thread scrapes all of them in turn, each within its deadline and its part of the interval. No thread of the service's
//!   ever waits for an engine. A telemetry without threads scrapes inside each collection, in three quarters of
//!   [the time that observables have](obs_core::Builder::with_observable_deadline) at most.
//! - Pages are bounded in bytes, samples, labels and lines. What is no sample is counted and left out.
//! - Redirects are not followed, proxies of the environment are not used, and no connection outlives its page. A name is looked
//!   up on a thread of the client's, which may outlive the deadline if the resolver hangs.
//!
//! # What is never recorded
//!
//! Anything but the samples that rows are about: no other metric of a page, no label that nobody asks for, no exemplar, no text
//! of an answer that was none. Values of headers are not shown, in `Debug` or in errors. A user of one's engines who names
//! models makes series: they are bounded by [the telemetry's room](obs_core::Builder::with_max_series).

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
pub use scraper::{EngineSaid, EngineScraper, TargetStatus};
pub use settings::{ScrapeSettings, ScrapeTarget};
pub use tables::{
    ALL, DYNAMO, DYNAMO_COMPONENT, LLAMACPP, MISTRALRS, SGLANG, TENSORRT_LLM, TGI, TRITON, VLLM,
    XLLM,
};
pub use target::{Shape, Target};
