use super::{BUCKETS, SILENT};
use crate::engines::mapping::{Mapping, Row, Select};
use crate::engines::target::Target;

/// The frontend of NVIDIA Dynamo: what its callers see, whatever engines are behind it. `DYN_METRICS_PREFIX` changes the
/// prefix; then it takes rows of one's own.
pub const DYNAMO: Mapping = Mapping {
    engine: "dynamo",
    title: "NVIDIA Dynamo, frontend",
    path: "/metrics",
    model: &["model"],
    index: &[],
    rows: &[
        Row::exact(
            "dynamo_frontend_request_duration_seconds",
            Target::RequestDuration,
        ),
        Row::exact(
            "dynamo_frontend_time_to_first_token_seconds",
            Target::TimeToFirstToken,
        ),
        Row::approximate(
            "dynamo_frontend_inter_token_latency_seconds",
            Target::InterToken,
            "tokens that come together have equal parts of their time",
        ),
        Row::approximate(
            "dynamo_frontend_active_requests",
            Target::Running,
            "those that wait for their first token are among them",
        ),
        Row::approximate(
            "dynamo_frontend_inflight_requests",
            Target::Running,
            "the older name; those that wait for their first token are among them",
        ),
        Row::approximate(
            "dynamo_frontend_queued_requests",
            Target::Waiting,
            "until the first token, so with the prefill",
        ),
        Row::approximate(
            "dynamo_frontend_requests_total",
            Target::Finished,
            "by `status`, `success` or `error`, which is not why an answer ended",
        )
        .by("status"),
        Row::exact("dynamo_frontend_cached_tokens_sum", Target::PrefixCacheHits)
            .noting("the sum of a histogram"),
        Row::exact(
            "dynamo_frontend_input_sequence_tokens_sum",
            Target::InputTokens,
        )
        .noting("the sum of a histogram"),
        Row::exact("dynamo_frontend_output_tokens_total", Target::OutputTokens),
    ],
    none: &[
        (
            Target::TimePerOutputToken,
            "one value per token only; their mean is not that of requests",
        ),
        (Target::Queue, "how many wait only"),
        (Target::Prefill, SILENT),
        (Target::Decode, SILENT),
        (Target::Preemptions, "of the engines behind it"),
        (Target::KvCacheUsage, "of the engines behind it"),
        (
            Target::PrefixCacheQueries,
            "a predicted rate of hits only (`dynamo_frontend_kv_hit_rate`)",
        ),
        (Target::FirstTokenQuantile, BUCKETS),
        (Target::InterTokenQuantile, BUCKETS),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "ai-dynamo/dynamo: `lib/runtime/src/metrics/prometheus_names.rs` at 04070c7, `lib/llm/src/http/service/metrics.rs` at 0014908",
};

/// Of a component's endpoints the one that generates.
const GENERATE: &[Select] = &[Select::IsOrAbsent("dynamo_endpoint", "generate")];

/// A component of NVIDIA Dynamo: a worker, whose page has the metrics of the engine in it, too: read that with the engine's
/// own table beside this one.
pub const DYNAMO_COMPONENT: Mapping = Mapping {
    engine: "dynamo_component",
    title: "NVIDIA Dynamo, component",
    path: "/metrics",
    model: &["model", "model_name"],
    index: &["dp_rank"],
    rows: &[
        Row::approximate(
            "dynamo_component_request_duration_seconds",
            Target::RequestDuration,
            "the part of it within the component",
        )
        .selecting(GENERATE),
        Row::exact("dynamo_component_inflight_requests", Target::Running).selecting(GENERATE),
        Row::exact(
            "dynamo_component_gpu_cache_usage_percent",
            Target::KvCacheUsage,
        )
        .noting("0 to 1, whatever its name says"),
        Row::exact(
            "dynamo_component_kvstats_gpu_cache_usage_percent",
            Target::KvCacheUsage,
        )
        .noting("the older name"),
    ],
    none: &[
        (
            Target::TimeToFirstToken,
            "until the first response of whatever kind only (`dynamo_component_time_to_first_response_seconds`)",
        ),
        (Target::TimePerOutputToken, SILENT),
        (Target::InterToken, SILENT),
        (Target::Queue, SILENT),
        (Target::Prefill, SILENT),
        (Target::Decode, SILENT),
        (Target::Waiting, SILENT),
        (
            Target::Finished,
            "requests that came in and errors, which do not make those that are done",
        ),
        (Target::Preemptions, SILENT),
        (Target::PrefixCacheQueries, SILENT),
        (
            Target::PrefixCacheHits,
            "a rate of hits only (`dynamo_component_gpu_prefix_cache_hit_rate`)",
        ),
        (Target::InputTokens, SILENT),
        (Target::OutputTokens, SILENT),
        (Target::FirstTokenQuantile, SILENT),
        (Target::InterTokenQuantile, SILENT),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "ai-dynamo/dynamo: `lib/runtime/src/metrics/prometheus_names.rs` at 04070c7",
};
