use super::SILENT;
use crate::engines::mapping::{Mapping, Row};
use crate::engines::target::Target;

const FIRST: Target = Target::FirstTokenQuantile;
const INTER: Target = Target::InterTokenQuantile;
const WHOLE: Target = Target::RequestQuantile;

/// What brpc makes of a latency recorder.
const RECENT: &str = "of the last 10 seconds, in whole milliseconds";

/// One quantile of a latency recorder, which brpc writes as a metric of its own.
const fn quantile(source: &'static str, target: Target, quantile: &'static str) -> Row {
    let row = Row::approximate(source, target, RECENT);
    row.per(1e3).always(quantile)
}

/// xLLM, which counts with brpc's variables: everything is a gauge on its page, and times are quantiles of late, of which no
/// histogram can be made.
pub const XLLM: Mapping = Mapping {
    engine: "xllm",
    title: "xLLM",
    path: "/brpc_metrics",
    model: &[],
    index: &[],
    rows: &[
        Row::exact("num_running_requests", Target::Running),
        Row::exact("num_waiting_requests", Target::Waiting),
        Row::approximate(
            "request_status_total_ok",
            Target::Finished,
            "by status, which is not why an answer ended",
        )
        .always("ok"),
        Row::exact("request_status_total_cancelled", Target::Finished).always("cancelled"),
        Row::exact("request_status_total_deadline_exceeded", Target::Finished)
            .always("deadline_exceeded"),
        Row::exact("request_status_total_resource_exhausted", Target::Finished)
            .always("resource_exhausted"),
        Row::exact("request_status_total_invalid_argument", Target::Finished)
            .always("invalid_argument"),
        Row::exact("request_status_total_unavailable", Target::Finished).always("unavailable"),
        Row::exact("request_status_total_unknown", Target::Finished).always("unknown"),
        Row::approximate(
            "kv_cache_utilization_perc",
            Target::KvCacheUsage,
            "0 to 1, whatever its name says; of the rank with the most room, where there are several",
        ),
        Row::exact("prefix_cache_match_length_total", Target::PrefixCacheHits),
        Row::approximate(
            "num_processing_tokens_total_prompt",
            Target::InputTokens,
            "as they are scheduled, so without those from the cache",
        ),
        Row::approximate(
            "num_processing_tokens_total_generated",
            Target::OutputTokens,
            "as they are scheduled",
        ),
        quantile(
            "time_to_first_token_latency_milliseconds_latency_80",
            FIRST,
            "0.8",
        ),
        quantile(
            "time_to_first_token_latency_milliseconds_latency_90",
            FIRST,
            "0.9",
        ),
        quantile(
            "time_to_first_token_latency_milliseconds_latency_99",
            FIRST,
            "0.99",
        ),
        quantile(
            "time_to_first_token_latency_milliseconds_latency_999",
            FIRST,
            "0.999",
        ),
        quantile("inter_token_latency_milliseconds_latency_80", INTER, "0.8"),
        quantile("inter_token_latency_milliseconds_latency_90", INTER, "0.9"),
        quantile("inter_token_latency_milliseconds_latency_99", INTER, "0.99"),
        quantile(
            "inter_token_latency_milliseconds_latency_999",
            INTER,
            "0.999",
        ),
        quantile("end_2_end_latency_milliseconds_latency_80", WHOLE, "0.8"),
        quantile("end_2_end_latency_milliseconds_latency_90", WHOLE, "0.9"),
        quantile("end_2_end_latency_milliseconds_latency_99", WHOLE, "0.99"),
        quantile("end_2_end_latency_milliseconds_latency_999", WHOLE, "0.999"),
    ],
    none: &[
        (Target::RequestDuration, "quantiles only"),
        (Target::TimeToFirstToken, "quantiles only"),
        (Target::TimePerOutputToken, SILENT),
        (Target::InterToken, "quantiles only"),
        (Target::Queue, SILENT),
        (Target::Prefill, SILENT),
        (Target::Decode, SILENT),
        (
            Target::Preemptions,
            "some versions have those of the last round, others all, in one gauge (`num_preempted_requests`)",
        ),
        (
            Target::PrefixCacheQueries,
            "rates of matches only (`prefix_cache_block_matched_rate`)",
        ),
    ],
    read_in: "jd-opensource/xllm: `xllm/core/common/metrics.cpp` at 760e375; apache/brpc: `src/brpc/builtin/prometheus_metrics_service.cpp` at 078051f",
};
