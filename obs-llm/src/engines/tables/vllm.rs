use super::BUCKETS;
use crate::engines::mapping::{Mapping, Row};
use crate::engines::target::Target;

/// `IterationStats.update_from_output` has a value for each step of a request, whatever it brought.
const TOGETHER: &str = "tokens that come together (speculative decoding) have one value, or equal parts of it, by version";

/// vLLM, its engine of the first version on.
pub const VLLM: Mapping = Mapping {
    engine: "vllm",
    title: "vLLM",
    path: "/metrics",
    model: &["model_name"],
    index: &["engine"],
    rows: &[
        Row::exact("vllm:e2e_request_latency_seconds", Target::RequestDuration),
        Row::exact("vllm:time_to_first_token_seconds", Target::TimeToFirstToken),
        Row::exact(
            "vllm:request_time_per_output_token_seconds",
            Target::TimePerOutputToken,
        ),
        Row::approximate(
            "vllm:inter_token_latency_seconds",
            Target::InterToken,
            TOGETHER,
        ),
        // The older name.
        Row::approximate(
            "vllm:time_per_output_token_seconds",
            Target::InterToken,
            TOGETHER,
        ),
        Row::exact("vllm:request_queue_time_seconds", Target::Queue),
        Row::exact("vllm:request_prefill_time_seconds", Target::Prefill),
        Row::exact("vllm:request_decode_time_seconds", Target::Decode),
        Row::exact("vllm:num_requests_running", Target::Running),
        Row::exact("vllm:num_requests_waiting", Target::Waiting),
        Row::exact("vllm:request_success_total", Target::Finished).by("finished_reason"),
        Row::exact("vllm:num_preemptions_total", Target::Preemptions),
        Row::exact("vllm:kv_cache_usage_perc", Target::KvCacheUsage)
            .noting("0 to 1, whatever its name says"),
        Row::exact("vllm:gpu_cache_usage_perc", Target::KvCacheUsage).noting("the older name"),
        Row::exact(
            "vllm:prefix_cache_queries_total",
            Target::PrefixCacheQueries,
        ),
        Row::exact(
            "vllm:gpu_prefix_cache_queries_total",
            Target::PrefixCacheQueries,
        )
        .noting("the older name"),
        Row::exact("vllm:prefix_cache_hits_total", Target::PrefixCacheHits),
        Row::exact("vllm:gpu_prefix_cache_hits_total", Target::PrefixCacheHits)
            .noting("the older name"),
        Row::exact("vllm:prompt_tokens_total", Target::InputTokens),
        Row::exact("vllm:generation_tokens_total", Target::OutputTokens),
    ],
    none: &[
        (Target::FirstTokenQuantile, BUCKETS),
        (Target::InterTokenQuantile, BUCKETS),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "vllm-project/vllm: `vllm/v1/metrics/loggers.py`",
};
