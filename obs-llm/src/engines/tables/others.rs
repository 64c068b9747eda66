use super::{BUCKETS, SILENT};
use crate::engines::mapping::{Mapping, Row, Select};
use crate::engines::target::Target;

/// TensorRT-LLM's own server, `trtllm-serve`.
pub const TENSORRT_LLM: Mapping = Mapping {
    engine: "tensorrt_llm",
    title: "TensorRT-LLM",
    path: "/prometheus/metrics",
    model: &["model_name"],
    index: &[],
    rows: &[
        Row::exact(
            "trtllm_e2e_request_latency_seconds",
            Target::RequestDuration,
        ),
        Row::exact(
            "trtllm_time_to_first_token_seconds",
            Target::TimeToFirstToken,
        ),
        Row::exact(
            "trtllm_time_per_output_token_seconds",
            Target::TimePerOutputToken,
        ),
        Row::exact("trtllm_request_queue_time_seconds", Target::Queue),
        Row::exact("trtllm_request_prefill_time_seconds", Target::Prefill),
        Row::exact("trtllm_request_decode_time_seconds", Target::Decode),
        Row::exact("trtllm_num_requests_running", Target::Running),
        Row::exact("trtllm_num_requests_waiting", Target::Waiting),
        Row::exact("trtllm_request_success_total", Target::Finished).by("finished_reason"),
        Row::exact("trtllm_kv_cache_utilization", Target::KvCacheUsage),
        Row::exact("trtllm_prompt_cached_tokens_total", Target::PrefixCacheHits),
        Row::exact("trtllm_prompt_tokens_total", Target::InputTokens),
        Row::exact("trtllm_generation_tokens_total", Target::OutputTokens),
    ],
    none: &[
        (Target::InterToken, "the mean of each request only"),
        (Target::Preemptions, SILENT),
        (
            Target::PrefixCacheQueries,
            "blocks only, not tokens (`trtllm_kv_cache_reused_blocks_total`, `…missed…`)",
        ),
        (Target::FirstTokenQuantile, BUCKETS),
        (Target::InterTokenQuantile, BUCKETS),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "NVIDIA/TensorRT-LLM: `tensorrt_llm/metrics/collector.py` at 050f80d",
};

/// Hugging Face's text-generation-inference.
pub const TGI: Mapping = Mapping {
    engine: "tgi",
    title: "TGI",
    path: "/metrics",
    model: &[],
    index: &[],
    rows: &[
        Row::exact("tgi_request_duration", Target::RequestDuration),
        Row::exact("tgi_request_queue_duration", Target::Queue),
        Row::approximate(
            "tgi_batch_current_size",
            Target::Running,
            "those of the batch at hand",
        ),
        Row::exact("tgi_queue_size", Target::Waiting),
        Row::approximate("tgi_request_success", Target::Finished, "without reasons"),
        Row::exact("tgi_request_input_length_sum", Target::InputTokens)
            .noting("the sum of a histogram"),
        Row::exact("tgi_request_generated_tokens_sum", Target::OutputTokens)
            .noting("the sum of a histogram"),
    ],
    none: &[
        (
            Target::TimeToFirstToken,
            "its parts only: waiting, and the batch's prefill",
        ),
        (
            Target::TimePerOutputToken,
            "`tgi_request_mean_time_per_token_duration` has the prefill in it, and the first token in its count",
        ),
        (Target::InterToken, SILENT),
        (Target::Prefill, "of batches, not of requests"),
        (Target::Decode, "of batches, not of requests"),
        (Target::Preemptions, SILENT),
        (Target::KvCacheUsage, SILENT),
        (Target::PrefixCacheQueries, SILENT),
        (Target::PrefixCacheHits, SILENT),
        (Target::FirstTokenQuantile, SILENT),
        (Target::InterTokenQuantile, SILENT),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "huggingface/text-generation-inference: `docs/source/reference/metrics.md` at 53fdbe6",
};

const ACTIVE: &[Select] = &[Select::Is("request_type", "active")];
const FRACTION: &[Select] = &[Select::Is("kv_cache_block_type", "fraction")];

/// Triton Inference Server, on its port for metrics.
pub const TRITON: Mapping = Mapping {
    engine: "triton",
    title: "Triton",
    path: "/metrics",
    model: &["model"],
    index: &["version"],
    rows: &[
        Row::approximate(
            "nv_inference_first_response_histogram_ms",
            Target::TimeToFirstToken,
            "until the first response, which has the first token where a model streams; off by default",
        )
        .per(1e3),
        Row::exact("nv_trt_llm_request_metrics", Target::Running)
            .selecting(ACTIVE)
            .noting("of the TensorRT-LLM backend"),
        Row::exact("nv_inference_pending_request_count", Target::Waiting),
        Row::approximate(
            "nv_inference_request_success",
            Target::Finished,
            "without reasons",
        ),
        Row::exact("nv_inference_request_failure", Target::Finished).always("error"),
        Row::exact("nv_trt_llm_kv_cache_block_metrics", Target::KvCacheUsage)
            .selecting(FRACTION)
            .noting("of the TensorRT-LLM backend"),
    ],
    none: &[
        (
            Target::RequestDuration,
            "a total of microseconds only (`nv_inference_request_duration_us`)",
        ),
        (Target::TimePerOutputToken, SILENT),
        (Target::InterToken, SILENT),
        (
            Target::Queue,
            "a total of microseconds only (`nv_inference_queue_duration_us`)",
        ),
        (Target::Prefill, SILENT),
        (Target::Decode, SILENT),
        (Target::Preemptions, SILENT),
        (Target::PrefixCacheQueries, "its cache is of whole responses"),
        (Target::PrefixCacheHits, "its cache is of whole responses"),
        (Target::InputTokens, SILENT),
        (Target::OutputTokens, SILENT),
        (Target::FirstTokenQuantile, SILENT),
        (Target::InterTokenQuantile, SILENT),
        (Target::RequestQuantile, SILENT),
    ],
    read_in: "triton-inference-server/server: `docs/user_guide/metrics.md`; triton-inference-server/tensorrtllm_backend: its custom metrics",
};

/// mistral.rs's server.
pub const MISTRALRS: Mapping = Mapping {
    engine: "mistralrs",
    title: "mistral.rs",
    path: "/metrics",
    model: &["model"],
    index: &[],
    rows: &[
        Row::approximate(
            "http_request_duration_seconds",
            Target::RequestDuration,
            "of every route but those of its own upkeep",
        ),
        Row::approximate(
            "mistralrs_time_to_first_token_seconds",
            Target::TimeToFirstToken,
            "of streamed answers only",
        ),
        Row::approximate(
            "mistralrs_inter_token_latency_seconds",
            Target::InterToken,
            "of streamed answers only",
        ),
        Row::approximate(
            "mistralrs_sequences_running",
            Target::Running,
            "sequences, of which a request may have several",
        ),
        Row::approximate(
            "mistralrs_sequences_waiting",
            Target::Waiting,
            "sequences, of which a request may have several",
        ),
        Row::approximate(
            "mistralrs_sequences_completed_total",
            Target::Finished,
            "sequences, of which a request may have several; without reasons",
        ),
        Row::approximate(
            "mistralrs_prefix_cache_tokens_reused_total",
            Target::PrefixCacheHits,
            "those that were used, not all that were found",
        ),
        Row::approximate(
            "mistralrs_prefill_tokens_processed_total",
            Target::InputTokens,
            "those that were processed, so without those from the cache",
        ),
        Row::approximate(
            "mistralrs_decode_tokens_processed_total",
            Target::OutputTokens,
            "those of its decoding steps, so without the first of each sequence, which the prefill gives",
        ),
    ],
    none: &[
        (Target::TimePerOutputToken, "one value per token only"),
        (
            Target::Queue,
            "a summary only (`mistralrs_request_queue_duration_seconds`)",
        ),
        (Target::Prefill, SILENT),
        (Target::Decode, SILENT),
        (Target::Preemptions, SILENT),
        (
            Target::KvCacheUsage,
            "blocks in use and blocks there are, of which the page makes no part",
        ),
        (
            Target::PrefixCacheQueries,
            "look-ups only, not tokens (`mistralrs_prefix_cache_lookups_total`)",
        ),
        (Target::FirstTokenQuantile, BUCKETS),
        (Target::InterTokenQuantile, BUCKETS),
        (Target::RequestQuantile, BUCKETS),
    ],
    read_in: "EricLBuehler/mistral.rs: the observability of `mistralrs-server-core`, the scheduler of `mistralrs-core`",
};
