//! How far each name can be relied on, by the model of the conventions at the version of [`SCHEMA_URL`](super::SCHEMA_URL);
//! of generative AI at the versions that [its module](super::gen_ai) names.

use super::{
    code, container, db, exception, gen_ai, http, hw, mcp, network, obs, otel, process, resource,
    rpc, session, system, user,
};
use crate::attributes::Key;

/// What the conventions promise of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stability {
    /// It stays.
    Stable,
    /// It is to become stable as it is.
    ReleaseCandidate,
    /// It may change with any version of the conventions.
    Development,
    /// No convention's but this project's: changed in the changelog only.
    Ours,
}

impl Stability {
    /// As documentation has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::ReleaseCandidate => "release candidate",
            Self::Development => "development",
            Self::Ours => "ours",
        }
    }
}

use Stability::{Development, Ours, ReleaseCandidate, Stable};

/// Attributes by group, with what most of the group is.
pub const ATTRIBUTES: &[(&[Key], Stability)] = &[
    (http::ALL, Stable),
    (network::ALL, Stable),
    (exception::ALL, Stable),
    (code::ALL, Stable),
    (process::ALL, ReleaseCandidate),
    (rpc::ALL, ReleaseCandidate),
    (session::ALL, Development),
    (user::ALL, Development),
    (otel::ALL, Development),
    (gen_ai::ALL, Development),
    (mcp::ALL, Development),
    (db::ALL, Stable),
    (system::ALL, Development),
    (container::ALL, Stable),
    (hw::ALL, Development),
    (obs::ALL, Ours),
    (obs::agent::ALL, Ours),
];

/// Attributes that are not what most of their group is.
const APART: &[(Key, Stability)] = &[
    (http::REQUEST_BODY_SIZE, Development),
    (http::RESPONSE_BODY_SIZE, Development),
    (http::URL_TEMPLATE, Development),
    (code::THREAD_NAME, Development),
    // Of the metrics SDK's specification, which is stable; no registry has it.
    (otel::METRIC_OVERFLOW, Stable),
    // Of the registry of `network`.
    (hw::IO_DIRECTION, ReleaseCandidate),
    (system::NETWORK_INTERFACE_NAME, ReleaseCandidate),
    // Of main, after v1.44.
    (obs::RPC_STATUS_CODE_NEXT, ReleaseCandidate),
];

/// Metrics.
pub const METRICS: &[(&str, Stability)] = &[
    (http::SERVER_REQUEST_DURATION, Stable),
    (http::SERVER_ACTIVE_REQUESTS, Development),
    (http::SERVER_REQUEST_BODY_SIZE, Development),
    (http::SERVER_RESPONSE_BODY_SIZE, Development),
    (http::CLIENT_REQUEST_DURATION, Stable),
    (http::CLIENT_ACTIVE_REQUESTS, Development),
    (http::CLIENT_REQUEST_BODY_SIZE, Development),
    (http::CLIENT_RESPONSE_BODY_SIZE, Development),
    (rpc::CLIENT_CALL_DURATION, ReleaseCandidate),
    (rpc::SERVER_CALL_DURATION, ReleaseCandidate),
    (process::CPU_TIME, ReleaseCandidate),
    (process::MEMORY_USAGE, ReleaseCandidate),
    (process::MEMORY_VIRTUAL, ReleaseCandidate),
    (process::DISK_IO, ReleaseCandidate),
    (process::THREAD_COUNT, ReleaseCandidate),
    (process::UNIX_FILE_DESCRIPTOR_COUNT, ReleaseCandidate),
    (process::CONTEXT_SWITCHES, ReleaseCandidate),
    (process::PAGING_FAULTS, ReleaseCandidate),
    (process::UPTIME, ReleaseCandidate),
    (hw::STATUS, Development),
    (hw::ERRORS, Development),
    (otel::PROCESSOR_SPAN_PROCESSED, Development),
    (otel::PROCESSOR_SPAN_QUEUE_SIZE, Development),
    (otel::PROCESSOR_SPAN_QUEUE_CAPACITY, Development),
    (otel::LOG_CREATED, Development),
    (otel::PROCESSOR_LOG_PROCESSED, Development),
    (otel::PROCESSOR_LOG_QUEUE_SIZE, Development),
    (otel::EXPORTER_SPAN_INFLIGHT, Development),
    (otel::EXPORTER_SPAN_EXPORTED, Development),
    (otel::EXPORTER_LOG_INFLIGHT, Development),
    (otel::EXPORTER_LOG_EXPORTED, Development),
    (otel::EXPORTER_METRIC_DATA_POINT_INFLIGHT, Development),
    (otel::EXPORTER_METRIC_DATA_POINT_EXPORTED, Development),
    (otel::EXPORTER_OPERATION_DURATION, Development),
    (otel::METRIC_READER_COLLECTION_DURATION, Development),
    (gen_ai::CLIENT_OPERATION_DURATION, Development),
    (gen_ai::CLIENT_TIME_TO_FIRST_CHUNK, Development),
    (gen_ai::CLIENT_TIME_PER_OUTPUT_CHUNK, Development),
    (gen_ai::CLIENT_TOKEN_USAGE, Development),
    (gen_ai::SERVER_REQUEST_DURATION, Development),
    (gen_ai::SERVER_TIME_TO_FIRST_TOKEN, Development),
    (gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN, Development),
    (gen_ai::MAIN_INFERENCE_DURATION, Development),
    (gen_ai::MAIN_TIME_TO_FIRST_CHUNK, Development),
    (gen_ai::MAIN_TIME_PER_OUTPUT_CHUNK, Development),
    (gen_ai::MAIN_INPUT_TOKENS, Development),
    (gen_ai::MAIN_OUTPUT_TOKENS, Development),
    (gen_ai::MAIN_CACHE_READ_TOKENS, Development),
    (gen_ai::MAIN_CACHE_WRITE_TOKENS, Development),
    (gen_ai::MAIN_REASONING_TOKENS, Development),
    (gen_ai::MAIN_OPERATION_INPUT_TOKENS, Development),
    (gen_ai::MAIN_OPERATION_OUTPUT_TOKENS, Development),
    (gen_ai::MAIN_INVOKE_AGENT_DURATION, Development),
    (gen_ai::MAIN_INFERENCE_CALLS, Development),
    (gen_ai::MAIN_TOOL_CALLS, Development),
    (gen_ai::MAIN_EXECUTE_TOOL_DURATION, Development),
    (gen_ai::MAIN_INVOKE_WORKFLOW_DURATION, Development),
    (mcp::CLIENT_OPERATION_DURATION, Development),
    (mcp::SERVER_OPERATION_DURATION, Development),
    (mcp::CLIENT_SESSION_DURATION, Development),
    (mcp::SERVER_SESSION_DURATION, Development),
    (db::CLIENT_OPERATION_DURATION, Stable),
    (system::CPU_TIME, Development),
    (system::CPU_LOGICAL_COUNT, Development),
    (system::MEMORY_USAGE, Development),
    (system::MEMORY_LIMIT, Development),
    (system::DISK_IO, Development),
    (system::DISK_OPERATIONS, Development),
    (system::DISK_IO_TIME, Development),
    (system::DISK_OPERATION_TIME, Development),
    (system::NETWORK_IO, Development),
    (system::NETWORK_ERRORS, Development),
    (system::NETWORK_PACKET_DROPPED, Development),
    (hw::NETWORK_UP, Development),
    (hw::NETWORK_BANDWIDTH_LIMIT, Development),
    (hw::NETWORK_IO, Development),
    (hw::NETWORK_PACKETS, Development),
    (container::CPU_TIME, ReleaseCandidate),
    (container::MEMORY_USAGE, ReleaseCandidate),
    (container::MEMORY_WORKING_SET, ReleaseCandidate),
    (container::MEMORY_AVAILABLE, ReleaseCandidate),
    (container::MEMORY_RSS, ReleaseCandidate),
    (hw::GPU_UTILIZATION, Development),
    (hw::GPU_MEMORY_USAGE, Development),
    (hw::GPU_MEMORY_LIMIT, Development),
    (hw::GPU_MEMORY_UTILIZATION, Development),
    (hw::GPU_IO, Development),
    (hw::ENERGY, Development),
    (hw::POWER, Development),
    (hw::TEMPERATURE, Development),
    (hw::TEMPERATURE_LIMIT, Development),
    (hw::FAN_SPEED_RATIO, Development),
    (hw::ERRORS, Development),
    (hw::STATUS, Development),
    (obs::HTTP_SERVER_HEAD_DURATION, Ours),
    (obs::HTTP_CLIENT_HEAD_DURATION, Ours),
    (obs::HTTP_CLIENT_STAGE_DURATION, Ours),
    (obs::HTTP_CALL_DURATION, Ours),
    (obs::HTTP_CALL_REQUEST_BODY_SIZE, Ours),
    (obs::HTTP_CALL_RESPONSE_BODY_SIZE, Ours),
    (obs::HTTP_CALL_ATTEMPTS, Ours),
    (obs::RPC_SERVER_ACTIVE, Ours),
    (obs::RPC_CLIENT_ACTIVE, Ours),
    (obs::RPC_STAGE_DURATION, Ours),
    (obs::RPC_SERVER_REQUEST_MESSAGES, Ours),
    (obs::RPC_SERVER_RESPONSE_MESSAGES, Ours),
    (obs::RPC_SERVER_REQUEST_SIZE, Ours),
    (obs::RPC_SERVER_RESPONSE_SIZE, Ours),
    (obs::RPC_CLIENT_REQUEST_MESSAGES, Ours),
    (obs::RPC_CLIENT_RESPONSE_MESSAGES, Ours),
    (obs::RPC_CLIENT_REQUEST_SIZE, Ours),
    (obs::RPC_CLIENT_RESPONSE_SIZE, Ours),
    (obs::RPC_CALL_DURATION, Ours),
    (obs::RPC_CLIENT_CONNECT_DURATION, Ours),
    (obs::RPC_CALL_ATTEMPTS_METRIC, Ours),
    (obs::LLM_CLIENT_ACTIVE, Ours),
    (obs::LLM_SERVER_ACTIVE, Ours),
    (obs::LLM_TIME_TO_FIRST_CHUNK, Ours),
    (obs::LLM_TIME_PER_OUTPUT_TOKEN, Ours),
    (obs::LLM_CLIENT_DURATION, Ours),
    (obs::LLM_SERVER_STAGE_DURATION, Ours),
    (obs::LLM_SERVER_WAITING, Ours),
    (obs::LLM_SERVER_SLOTS, Ours),
    (obs::LLM_SERVER_BATCH_SIZE, Ours),
    (obs::LLM_SERVER_TOKEN_GAP, Ours),
    (obs::LLM_SERVER_KV_CACHE_USAGE, Ours),
    (obs::LLM_SERVER_INPUT_TOKENS, Ours),
    (obs::LLM_SERVER_CACHED_TOKENS, Ours),
    (obs::LLM_SERVER_OUTPUT_TOKENS, Ours),
    (obs::LLM_SERVER_PREEMPTIONS_METRIC, Ours),
    (obs::LLM_COST, Ours),
    (obs::agent::INVOKE_AGENT_DURATION, Ours),
    (obs::agent::INFERENCE_CALLS, Ours),
    (obs::agent::TOOL_CALLS, Ours),
    (obs::agent::EXECUTE_TOOL_DURATION, Ours),
    (obs::agent::INVOKE_WORKFLOW_DURATION, Ours),
    (obs::agent::PLAN_DURATION, Ours),
    (obs::agent::NODE_DURATION, Ours),
    (obs::agent::ACTIVE_AGENTS, Ours),
    (obs::agent::ACTIVE_TOOLS, Ours),
    (obs::LLM_ANOMALIES, Ours),
    (obs::LLM_ENGINE_UP, Ours),
    (obs::LLM_ENGINE_SCRAPE_DURATION, Ours),
    (obs::LLM_ENGINE_SCRAPE_ERRORS, Ours),
    (obs::LLM_ENGINE_SCRAPE_ANOMALIES, Ours),
    (obs::LLM_ENGINE_INTER_TOKEN_DURATION, Ours),
    (obs::LLM_ENGINE_QUEUE_DURATION, Ours),
    (obs::LLM_ENGINE_PREFILL_DURATION, Ours),
    (obs::LLM_ENGINE_DECODE_DURATION, Ours),
    (obs::LLM_ENGINE_RUNNING, Ours),
    (obs::LLM_ENGINE_WAITING, Ours),
    (obs::LLM_ENGINE_FINISHED, Ours),
    (obs::LLM_ENGINE_PREEMPTIONS, Ours),
    (obs::LLM_ENGINE_KV_CACHE_USAGE, Ours),
    (obs::LLM_ENGINE_PREFIX_CACHE_QUERIES, Ours),
    (obs::LLM_ENGINE_PREFIX_CACHE_HITS, Ours),
    (obs::LLM_ENGINE_INPUT_TOKENS, Ours),
    (obs::LLM_ENGINE_OUTPUT_TOKENS, Ours),
    (obs::LLM_ENGINE_FIRST_TOKEN_QUANTILE, Ours),
    (obs::LLM_ENGINE_INTER_TOKEN_QUANTILE, Ours),
    (obs::LLM_ENGINE_REQUEST_QUANTILE, Ours),
    (obs::GPU_MEMORY_CONTROLLER, Ours),
    (obs::GPU_MEMORY_FREE, Ours),
    (obs::GPU_MEMORY_RESERVED, Ours),
    (obs::GPU_CLOCK_FREQUENCY, Ours),
    (obs::GPU_CLOCK_LIMIT, Ours),
    (obs::GPU_THROTTLED, Ours),
    (obs::GPU_THROTTLE_TIME, Ours),
    (obs::GPU_POWER_AVERAGE, Ours),
    (obs::GPU_POWER_LIMIT, Ours),
    (obs::GPU_MODULE_POWER, Ours),
    (obs::GPU_TEMPERATURE_MARGIN, Ours),
    (obs::GPU_SM_ACTIVE, Ours),
    (obs::GPU_SM_OCCUPANCY, Ours),
    (obs::GPU_TENSOR_ACTIVE, Ours),
    (obs::GPU_DRAM_ACTIVE, Ours),
    (obs::GPU_ENGINE_ACTIVE, Ours),
    (obs::GPU_NVLINK_IO, Ours),
    (obs::GPU_LINK_IO, Ours),
    (obs::GPU_LINK_UP, Ours),
    (obs::GPU_LINK_SPEED, Ours),
    (obs::GPU_PCIE_GENERATION, Ours),
    (obs::GPU_PCIE_WIDTH, Ours),
    (obs::GPU_ECC_LIFETIME, Ours),
    (obs::GPU_REMAPPED_ROWS, Ours),
    (obs::GPU_REMAP_PENDING, Ours),
    (obs::GPU_REMAP_FAILED, Ours),
    (obs::GPU_MEMORY_BANKS, Ours),
    (obs::GPU_SRAM_THRESHOLD, Ours),
    (obs::GPU_RETIRED_PAGES, Ours),
    (obs::GPU_RETIREMENT_PENDING, Ours),
    (obs::GPU_RECOVERY_ACTION, Ours),
    (obs::GPU_PERFORMANCE_STATE, Ours),
    (obs::GPU_PROCESSES, Ours),
    (obs::GPU_ERROR_TIME, Ours),
    (obs::GPU_DEVICES, Ours),
    (obs::GPU_ANSWERING, Ours),
    (obs::GPU_SAMPLE_AGE, Ours),
    (obs::GPU_CALL_DURATION, Ours),
    (obs::GPU_CALLS_LATE, Ours),
    (obs::GPU_SWEEPS_MISSED, Ours),
    (obs::DROPPED, Ours),
    (obs::LOST, Ours),
    (obs::CREATED, Ours),
    (obs::DELIVERED, Ours),
    (obs::PENDING, Ours),
    (obs::WAITING, Ours),
    (obs::FROM_SDK, Ours),
    (obs::ANOMALIES, Ours),
    (obs::SPOOLED, Ours),
    (obs::PARKED, Ours),
    (obs::LEVEL_RAISES, Ours),
    (obs::TOKIO_WORKERS, Ours),
    (obs::TOKIO_TASKS, Ours),
    (obs::TOKIO_QUEUE_DEPTH, Ours),
    (obs::TOKIO_WORKER_BUSY_TIME, Ours),
    (obs::TOKIO_WORKER_PARKS, Ours),
    (obs::HOST_PRESSURE_TIME, Ours),
    (obs::CONTAINER_PRESSURE_TIME, Ours),
    (obs::CONTAINER_CPU_LIMIT, Ours),
    (obs::CONTAINER_THROTTLED_TIME, Ours),
    (obs::CONTAINER_THROTTLED_PERIODS, Ours),
    (obs::CONTAINER_OOM_KILLS, Ours),
    (obs::GPU_ATTRIBUTED_ENERGY, Ours),
    (obs::GPU_ATTRIBUTED_BUSY_TIME, Ours),
    (obs::GPU_ATTRIBUTED_MEMORY, Ours),
    (obs::GPU_ATTRIBUTED_TOKENS, Ours),
    (obs::GPU_OVER_CLAIMED, Ours),
    (obs::FABRIC_CONGESTION, Ours),
    (obs::FABRIC_TRANSMIT_WAIT, Ours),
    (obs::FABRIC_TRANSFER_DURATION, Ours),
    (obs::FABRIC_TRANSFER_IO, Ours),
    (obs::GPU_XID_VERDICTS, Ours),
    (obs::GPU_GATE_STATUS, Ours),
    (obs::GPU_GATE_REFUSALS, Ours),
    (obs::agent::SESSIONS, Ours),
    (obs::agent::SESSIONS_MEMORY, Ours),
    (obs::agent::SESSIONS_ENDED, Ours),
    (obs::agent::BUDGETS_EXCEEDED, Ours),
];

/// Attributes of the resource.
pub const RESOURCE: &[(&str, Stability)] = &[
    (resource::SERVICE_NAME, Stable),
    (resource::SERVICE_VERSION, Stable),
    (resource::SERVICE_INSTANCE_ID, Stable),
    (resource::TELEMETRY_SDK_NAME, Stable),
    (resource::TELEMETRY_SDK_LANGUAGE, Stable),
    (resource::TELEMETRY_SDK_VERSION, Stable),
    (resource::HOST_NAME, Development),
    (resource::PROCESS_PID, ReleaseCandidate),
    (resource::OS_TYPE, Development),
];

/// Attributes of which the names begin so and end with a header's.
pub const PREFIXES: &[(&str, Stability)] = &[
    (http::REQUEST_HEADER, Stable),
    (http::RESPONSE_HEADER, Stable),
    (rpc::REQUEST_METADATA, Development),
    (rpc::RESPONSE_METADATA, Development),
];

/// Events of spans that are no event points.
pub const EVENTS: &[(&str, Stability)] =
    &[(exception::EVENT, Stable), (obs::agent::BUDGET_EVENT, Ours)];

/// Events that are log records.
pub const LOG_EVENTS: &[(&str, Stability)] = &[
    (gen_ai::OPERATION_DETAILS, Development),
    (gen_ai::EVALUATION_RESULT, Development),
    (obs::LLM_SLOW, Ours),
    (obs::agent::DETAILS, Ours),
    (obs::GPU_HEALTH_EVENT, Ours),
    (obs::GPU_GATE_EVENT, Ours),
    (obs::agent::SESSION_SUMMARY, Ours),
];

/// How far a name can be relied on; `None` for one that is not in this module.
pub fn stability(name: &str) -> Option<Stability> {
    let apart = APART.iter().find(|(key, _)| key.as_str() == name);
    if let Some((_, apart)) = apart {
        return Some(*apart);
    }
    let has = |group: &&(&[Key], Stability)| group.0.iter().any(|key| key.as_str() == name);
    if let Some((_, group)) = ATTRIBUTES.iter().find(has) {
        return Some(*group);
    }
    let lists = [METRICS, RESOURCE, EVENTS, LOG_EVENTS].concat();
    let whole = lists.iter().find(|(known, _)| *known == name);
    let begun = || PREFIXES.iter().find(|(begin, _)| name.starts_with(begin));
    whole.or_else(begun).map(|(_, stability)| *stability)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_in_the_module_has_none() {
        assert_eq!(stability("http.route"), Some(Stable));
        assert_eq!(stability("url.template"), Some(Development));
        assert_eq!(stability("http.request.header.accept"), Some(Stable));
        assert_eq!(stability("obs.stage"), Some(Ours));
        assert_eq!(stability("http.flavor"), None);
    }
}
