use super::BUCKETS;
use crate::engines::mapping::{Mapping, Row, Select};
use crate::engines::target::Target;

/// Each rank of a tensor- or pipeline-parallel engine may say the same of the same requests; the first one counts. With
/// priorities each one has a series beside that of all.
const FIRST: &[Select] = &[
    Select::IsOrAbsent("tp_rank", "0"),
    Select::IsOrAbsent("pp_rank", "0"),
    Select::IsOrAbsent("moe_ep_rank", "0"),
    Select::Absent("priority"),
];

/// Of them the stage that is the prefill.
const PREFILL: &[Select] = &[
    Select::Is("stage", "prefill_forward"),
    Select::IsOrAbsent("tp_rank", "0"),
    Select::IsOrAbsent("pp_rank", "0"),
    Select::IsOrAbsent("moe_ep_rank", "0"),
];

/// SGLang, started with `--enable-metrics`.
pub const SGLANG: Mapping = Mapping {
    engine: "sglang",
    title: "SGLang",
    path: "/metrics",
    model: &["model_name"],
    index: &["dp_rank"],
    rows: &[
        Row::exact(
            "sglang:e2e_request_latency_seconds",
            Target::RequestDuration,
        ),
        Row::exact(
            "sglang:time_to_first_token_seconds",
            Target::TimeToFirstToken,
        ),
        Row::approximate(
            "sglang:inter_token_latency_seconds",
            Target::InterToken,
            "tokens that come together have equal parts of their time",
        ),
        Row::exact("sglang:queue_time_seconds", Target::Queue).selecting(FIRST),
        Row::approximate(
            "sglang:per_stage_req_latency_seconds",
            Target::Prefill,
            "the passes of its stage `prefill_forward`",
        )
        .selecting(PREFILL),
        Row::exact("sglang:num_running_reqs", Target::Running).selecting(FIRST),
        Row::exact("sglang:num_queue_reqs", Target::Waiting).selecting(FIRST),
        Row::approximate(
            "sglang:num_requests_total",
            Target::Finished,
            "without reasons; what was aborted is counted beside it",
        ),
        Row::exact("sglang:num_aborted_requests_total", Target::Finished).always("abort"),
        Row::exact("sglang:num_retracted_requests_total", Target::Preemptions)
            .selecting(FIRST)
            .noting("there from the first one on"),
        Row::exact("sglang:full_token_usage", Target::KvCacheUsage).selecting(FIRST),
        Row::approximate(
            "sglang:token_usage",
            Target::KvCacheUsage,
            "the fullest of its pools, where a model has several",
        )
        .selecting(FIRST),
        Row::exact("sglang:cached_tokens_total", Target::PrefixCacheHits)
            .noting("of all caches, by `cache_source`"),
        Row::exact("sglang:prompt_tokens_total", Target::InputTokens),
        Row::exact("sglang:generation_tokens_total", Target::OutputTokens),
    ],
    none: &[
        (
            Target::TimePerOutputToken,
            "one value per token only; their mean is not that of requests",
        ),
        (Target::Decode, "no stage is all of it"),
        (
            Target::PrefixCacheQueries,
            "a rate of hits only (`sglang:cache_hit_rate`)",
        ),
        (Target::FirstTokenQuantile, BUCKETS),
        (Target::InterTokenQuantile, BUCKETS),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "sgl-project/sglang: `python/sglang/srt/observability/metrics_collector.py` at 016d860",
};
