use super::SILENT;
use crate::engines::mapping::{Mapping, Row};
use crate::engines::target::Target;

/// llama.cpp's server, started with `--metrics`. It counts tokens and totals of time; of single requests its page says nothing,
/// their answers do (`timings`).
pub const LLAMACPP: Mapping = Mapping {
    engine: "llamacpp",
    title: "llama.cpp",
    path: "/metrics",
    model: &["model"],
    index: &[],
    rows: &[
        Row::exact("llamacpp:requests_processing", Target::Running),
        Row::exact("llamacpp:requests_deferred", Target::Waiting),
        Row::exact("llamacpp:kv_cache_usage_ratio", Target::KvCacheUsage)
            .noting("of older versions; newer ones do not say it"),
        Row::approximate(
            "llamacpp:prompt_tokens_total",
            Target::InputTokens,
            "those that were processed, so without those from the cache, which are counted beside them",
        ),
        Row::exact(
            "llamacpp:prompt_tokens_cached_total",
            Target::PrefixCacheHits,
        ),
        Row::exact("llamacpp:tokens_predicted_total", Target::OutputTokens),
    ],
    none: &[
        (Target::RequestDuration, "in each answer's `timings` only"),
        (Target::TimeToFirstToken, "in each answer's `timings` only"),
        (
            Target::TimePerOutputToken,
            "a mean over requests only (`llamacpp:predicted_tokens_seconds`, which is tokens per second)",
        ),
        (Target::InterToken, SILENT),
        (Target::Queue, "how many wait only"),
        (
            Target::Prefill,
            "a total of seconds only (`llamacpp:prompt_seconds_total`)",
        ),
        (
            Target::Decode,
            "a total of seconds only (`llamacpp:tokens_predicted_seconds_total`)",
        ),
        (Target::Finished, SILENT),
        (Target::Preemptions, SILENT),
        (Target::PrefixCacheQueries, SILENT),
        (Target::FirstTokenQuantile, SILENT),
        (Target::InterTokenQuantile, SILENT),
        (Target::RequestQuantile, SILENT),
    ],
    read_in: "ggml-org/llama.cpp: `tools/server/server-context.cpp` and the section on `/metrics` of `tools/server/README.md`",
};
