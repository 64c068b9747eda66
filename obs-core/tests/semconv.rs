//! Our names against those of `opentelemetry-semantic-conventions`, where it has them.
#![cfg(not(loom))]

use obs_core::Key;
use obs_core::semconv::{
    self, code, container, exception, http, hw, network, obs, otel, process, resource, rpc,
    session, system, user,
};
use opentelemetry_semantic_conventions::{attribute, metric};

/// Every attribute of the conventions that we use, by group. What a group has and this table lacks fails the test.
const KNOWN: &[(&[Key], &[&str])] = &[
    (
        http::ALL,
        &[
            attribute::HTTP_REQUEST_METHOD,
            attribute::HTTP_REQUEST_METHOD_ORIGINAL,
            attribute::HTTP_RESPONSE_STATUS_CODE,
            attribute::HTTP_ROUTE,
            attribute::HTTP_REQUEST_BODY_SIZE,
            attribute::HTTP_RESPONSE_BODY_SIZE,
            attribute::HTTP_REQUEST_RESEND_COUNT,
            attribute::URL_SCHEME,
            attribute::URL_PATH,
            attribute::URL_QUERY,
            attribute::URL_FULL,
            attribute::URL_TEMPLATE,
            attribute::USER_AGENT_ORIGINAL,
            attribute::ERROR_TYPE,
        ],
    ),
    (
        network::ALL,
        &[
            attribute::NETWORK_PROTOCOL_NAME,
            attribute::NETWORK_PROTOCOL_VERSION,
            attribute::NETWORK_PEER_ADDRESS,
            attribute::NETWORK_PEER_PORT,
            attribute::SERVER_ADDRESS,
            attribute::SERVER_PORT,
            attribute::CLIENT_ADDRESS,
            attribute::CLIENT_PORT,
        ],
    ),
    (
        exception::ALL,
        &[
            attribute::EXCEPTION_TYPE,
            attribute::EXCEPTION_MESSAGE,
            attribute::EXCEPTION_STACKTRACE,
        ],
    ),
    (
        code::ALL,
        &[
            attribute::CODE_FILE_PATH,
            attribute::CODE_LINE_NUMBER,
            attribute::THREAD_NAME,
        ],
    ),
    (
        rpc::ALL,
        &[
            attribute::RPC_SYSTEM_NAME,
            attribute::RPC_METHOD,
            attribute::RPC_METHOD_ORIGINAL,
            attribute::RPC_RESPONSE_STATUS_CODE,
        ],
    ),
    (session::ALL, &[attribute::SESSION_ID]),
    (
        process::ALL,
        &[
            attribute::CPU_MODE,
            attribute::DISK_IO_DIRECTION,
            attribute::PROCESS_CONTEXT_SWITCH_TYPE,
            attribute::SYSTEM_PAGING_FAULT_TYPE,
        ],
    ),
    (user::ALL, &[attribute::USER_ID]),
    (
        system::ALL,
        &[
            attribute::SYSTEM_DEVICE,
            attribute::SYSTEM_MEMORY_STATE,
            attribute::NETWORK_INTERFACE_NAME,
        ],
    ),
    (
        container::ALL,
        &[attribute::CONTAINER_ID, attribute::K8S_POD_UID],
    ),
    (
        hw::ALL,
        &[
            attribute::HW_ID,
            attribute::HW_NAME,
            attribute::HW_PARENT,
            attribute::HW_TYPE,
            attribute::HW_STATE,
            attribute::HW_MODEL,
            attribute::HW_VENDOR,
            attribute::HW_SERIAL_NUMBER,
            attribute::HW_DRIVER_VERSION,
            attribute::HW_GPU_TASK,
            attribute::HW_SENSOR_LOCATION,
            attribute::HW_LIMIT_TYPE,
            attribute::NETWORK_IO_DIRECTION,
        ],
    ),
];

/// Names that are no attributes of spans, side by side.
const NAMES: &[(&str, &str)] = &[
    (rpc::CLIENT_CALL_DURATION, metric::RPC_CLIENT_CALL_DURATION),
    (rpc::SERVER_CALL_DURATION, metric::RPC_SERVER_CALL_DURATION),
    (
        http::SERVER_REQUEST_DURATION,
        metric::HTTP_SERVER_REQUEST_DURATION,
    ),
    (
        http::SERVER_ACTIVE_REQUESTS,
        metric::HTTP_SERVER_ACTIVE_REQUESTS,
    ),
    (
        http::SERVER_REQUEST_BODY_SIZE,
        metric::HTTP_SERVER_REQUEST_BODY_SIZE,
    ),
    (
        http::SERVER_RESPONSE_BODY_SIZE,
        metric::HTTP_SERVER_RESPONSE_BODY_SIZE,
    ),
    (
        http::CLIENT_REQUEST_DURATION,
        metric::HTTP_CLIENT_REQUEST_DURATION,
    ),
    (
        http::CLIENT_ACTIVE_REQUESTS,
        metric::HTTP_CLIENT_ACTIVE_REQUESTS,
    ),
    (
        http::CLIENT_REQUEST_BODY_SIZE,
        metric::HTTP_CLIENT_REQUEST_BODY_SIZE,
    ),
    (
        http::CLIENT_RESPONSE_BODY_SIZE,
        metric::HTTP_CLIENT_RESPONSE_BODY_SIZE,
    ),
    (process::CPU_TIME, metric::PROCESS_CPU_TIME),
    (process::MEMORY_USAGE, metric::PROCESS_MEMORY_USAGE),
    (process::MEMORY_VIRTUAL, metric::PROCESS_MEMORY_VIRTUAL),
    (process::DISK_IO, metric::PROCESS_DISK_IO),
    (process::THREAD_COUNT, metric::PROCESS_THREAD_COUNT),
    (
        process::UNIX_FILE_DESCRIPTOR_COUNT,
        metric::PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
    ),
    (process::CONTEXT_SWITCHES, metric::PROCESS_CONTEXT_SWITCHES),
    (process::PAGING_FAULTS, metric::PROCESS_PAGING_FAULTS),
    (process::UPTIME, metric::PROCESS_UPTIME),
    (system::CPU_TIME, metric::SYSTEM_CPU_TIME),
    (system::CPU_LOGICAL_COUNT, metric::SYSTEM_CPU_LOGICAL_COUNT),
    (system::MEMORY_USAGE, metric::SYSTEM_MEMORY_USAGE),
    (system::MEMORY_LIMIT, metric::SYSTEM_MEMORY_LIMIT),
    (system::DISK_IO, metric::SYSTEM_DISK_IO),
    (system::DISK_OPERATIONS, metric::SYSTEM_DISK_OPERATIONS),
    (system::DISK_IO_TIME, metric::SYSTEM_DISK_IO_TIME),
    (
        system::DISK_OPERATION_TIME,
        metric::SYSTEM_DISK_OPERATION_TIME,
    ),
    (system::NETWORK_IO, metric::SYSTEM_NETWORK_IO),
    (system::NETWORK_ERRORS, metric::SYSTEM_NETWORK_ERRORS),
    (
        system::NETWORK_PACKET_DROPPED,
        metric::SYSTEM_NETWORK_PACKET_DROPPED,
    ),
    (hw::GPU_UTILIZATION, metric::HW_GPU_UTILIZATION),
    (hw::GPU_MEMORY_USAGE, metric::HW_GPU_MEMORY_USAGE),
    (hw::GPU_MEMORY_LIMIT, metric::HW_GPU_MEMORY_LIMIT),
    (
        hw::GPU_MEMORY_UTILIZATION,
        metric::HW_GPU_MEMORY_UTILIZATION,
    ),
    (hw::GPU_IO, metric::HW_GPU_IO),
    (hw::ENERGY, metric::HW_ENERGY),
    (hw::POWER, metric::HW_POWER),
    (hw::TEMPERATURE, metric::HW_TEMPERATURE),
    (hw::TEMPERATURE_LIMIT, metric::HW_TEMPERATURE_LIMIT),
    (hw::FAN_SPEED_RATIO, metric::HW_FAN_SPEED_RATIO),
    (hw::NETWORK_UP, metric::HW_NETWORK_UP),
    (
        hw::NETWORK_BANDWIDTH_LIMIT,
        metric::HW_NETWORK_BANDWIDTH_LIMIT,
    ),
    (hw::NETWORK_IO, metric::HW_NETWORK_IO),
    (hw::NETWORK_PACKETS, metric::HW_NETWORK_PACKETS),
    (container::CPU_TIME, metric::CONTAINER_CPU_TIME),
    (container::MEMORY_USAGE, metric::CONTAINER_MEMORY_USAGE),
    (
        container::MEMORY_WORKING_SET,
        metric::CONTAINER_MEMORY_WORKING_SET,
    ),
    (
        container::MEMORY_AVAILABLE,
        metric::CONTAINER_MEMORY_AVAILABLE,
    ),
    (container::MEMORY_RSS, metric::CONTAINER_MEMORY_RSS),
    (hw::STATUS, metric::HW_STATUS),
    (hw::ERRORS, metric::HW_ERRORS),
    (
        otel::PROCESSOR_SPAN_PROCESSED,
        metric::OTEL_SDK_PROCESSOR_SPAN_PROCESSED,
    ),
    (
        otel::PROCESSOR_SPAN_QUEUE_SIZE,
        metric::OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE,
    ),
    (
        otel::PROCESSOR_SPAN_QUEUE_CAPACITY,
        metric::OTEL_SDK_PROCESSOR_SPAN_QUEUE_CAPACITY,
    ),
    (otel::LOG_CREATED, metric::OTEL_SDK_LOG_CREATED),
    (
        otel::PROCESSOR_LOG_PROCESSED,
        metric::OTEL_SDK_PROCESSOR_LOG_PROCESSED,
    ),
    (
        otel::PROCESSOR_LOG_QUEUE_SIZE,
        metric::OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE,
    ),
    (
        otel::EXPORTER_SPAN_INFLIGHT,
        metric::OTEL_SDK_EXPORTER_SPAN_INFLIGHT,
    ),
    (
        otel::EXPORTER_SPAN_EXPORTED,
        metric::OTEL_SDK_EXPORTER_SPAN_EXPORTED,
    ),
    (
        otel::EXPORTER_LOG_INFLIGHT,
        metric::OTEL_SDK_EXPORTER_LOG_INFLIGHT,
    ),
    (
        otel::EXPORTER_LOG_EXPORTED,
        metric::OTEL_SDK_EXPORTER_LOG_EXPORTED,
    ),
    (
        otel::EXPORTER_METRIC_DATA_POINT_INFLIGHT,
        metric::OTEL_SDK_EXPORTER_METRIC_DATA_POINT_INFLIGHT,
    ),
    (
        otel::EXPORTER_METRIC_DATA_POINT_EXPORTED,
        metric::OTEL_SDK_EXPORTER_METRIC_DATA_POINT_EXPORTED,
    ),
    (
        otel::EXPORTER_OPERATION_DURATION,
        metric::OTEL_SDK_EXPORTER_OPERATION_DURATION,
    ),
    (
        otel::METRIC_READER_COLLECTION_DURATION,
        metric::OTEL_SDK_METRIC_READER_COLLECTION_DURATION,
    ),
    (
        otel::COMPONENT_NAME.as_str(),
        attribute::OTEL_COMPONENT_NAME,
    ),
    (
        otel::COMPONENT_TYPE.as_str(),
        attribute::OTEL_COMPONENT_TYPE,
    ),
    (resource::SERVICE_NAME, attribute::SERVICE_NAME),
    (resource::SERVICE_VERSION, attribute::SERVICE_VERSION),
    (
        resource::SERVICE_INSTANCE_ID,
        attribute::SERVICE_INSTANCE_ID,
    ),
    (resource::TELEMETRY_SDK_NAME, attribute::TELEMETRY_SDK_NAME),
    (
        resource::TELEMETRY_SDK_LANGUAGE,
        attribute::TELEMETRY_SDK_LANGUAGE,
    ),
    (
        resource::TELEMETRY_SDK_VERSION,
        attribute::TELEMETRY_SDK_VERSION,
    ),
    (resource::HOST_NAME, attribute::HOST_NAME),
    (resource::PROCESS_PID, attribute::PROCESS_PID),
    (resource::OS_TYPE, attribute::OS_TYPE),
];

#[test]
fn attributes_are_spelled_as_in_the_conventions() {
    for (ours, theirs) in KNOWN {
        let ours: Vec<_> = ours.iter().map(|key| key.as_str()).collect();
        assert_eq!(&ours, theirs);
    }
}

#[test]
fn metrics_and_resources_are_spelled_as_in_the_conventions() {
    for (ours, theirs) in NAMES {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn prefixes_of_headers_are_those_of_the_conventions() {
    assert_eq!(
        http::REQUEST_HEADER.strip_suffix('.'),
        Some(attribute::HTTP_REQUEST_HEADER)
    );
    assert_eq!(
        http::RESPONSE_HEADER.strip_suffix('.'),
        Some(attribute::HTTP_RESPONSE_HEADER)
    );
}

#[test]
fn what_is_ours_says_so() {
    let metrics = [
        obs::HTTP_SERVER_HEAD_DURATION,
        obs::HTTP_CLIENT_HEAD_DURATION,
        obs::HTTP_CLIENT_STAGE_DURATION,
        obs::HTTP_CALL_DURATION,
        obs::HTTP_CALL_REQUEST_BODY_SIZE,
        obs::HTTP_CALL_RESPONSE_BODY_SIZE,
        obs::HTTP_CALL_ATTEMPTS,
        obs::RPC_SERVER_ACTIVE,
        obs::RPC_CLIENT_ACTIVE,
        obs::RPC_STAGE_DURATION,
        obs::RPC_SERVER_REQUEST_MESSAGES,
        obs::RPC_SERVER_RESPONSE_MESSAGES,
        obs::RPC_SERVER_REQUEST_SIZE,
        obs::RPC_SERVER_RESPONSE_SIZE,
        obs::RPC_CLIENT_REQUEST_MESSAGES,
        obs::RPC_CLIENT_RESPONSE_MESSAGES,
        obs::RPC_CLIENT_REQUEST_SIZE,
        obs::RPC_CLIENT_RESPONSE_SIZE,
        obs::RPC_CALL_DURATION,
        obs::RPC_CALL_ATTEMPTS_METRIC,
        obs::DROPPED,
        obs::LOST,
        obs::CREATED,
        obs::DELIVERED,
        obs::PENDING,
        obs::WAITING,
        obs::ANOMALIES,
        obs::PARKED,
        obs::LEVEL_RAISES,
        obs::TOKIO_WORKERS,
        obs::TOKIO_TASKS,
        obs::TOKIO_QUEUE_DEPTH,
        obs::TOKIO_WORKER_BUSY_TIME,
        obs::TOKIO_WORKER_PARKS,
        obs::agent::SESSIONS,
        obs::agent::SESSIONS_MEMORY,
        obs::agent::SESSIONS_ENDED,
        obs::agent::BUDGETS_EXCEEDED,
        obs::agent::SESSION_SUMMARY,
        obs::agent::BUDGET_EVENT,
    ];
    let keys = obs::ALL
        .iter()
        .chain(obs::agent::ALL)
        .map(|key| key.as_str());
    // The one that stands here until the conventions have it.
    let keys = keys.filter(|key| *key != obs::RPC_STATUS_CODE_NEXT.as_str());
    for name in keys.chain(metrics) {
        assert!(name.starts_with("obs."), "{name}");
    }
    // The metrics SDK's specification defines it; it is in no registry of attributes.
    assert_eq!(otel::METRIC_OVERFLOW.as_str(), "otel.metric.overflow");
    assert_eq!(otel::ALL.len(), 3);
}

/// The crate may lag behind the schema we follow; it must not be ahead of it, or names may have moved under us.
#[test]
fn the_schema_is_at_least_as_new_as_the_oracle() {
    let version = |url: &str| -> Vec<u32> {
        let version = url.rsplit('/').next().expect("a version at the end");
        let parts = version
            .split('.')
            .map(|part| part.parse().expect("numbers"));
        parts.collect()
    };
    let oracle = version(opentelemetry_semantic_conventions::SCHEMA_URL);
    assert!(version(semconv::SCHEMA_URL) >= oracle, "{oracle:?}");
}
