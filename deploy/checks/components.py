"""What may stand in a configuration of otelcol-contrib, as far as ours go: every component and field that they use, with
its type. From the documentation of release 0.159.0 (August 2026), not from a schema: none is published as a package. A field
that is not here is refused, so whoever uses one looks it up.

A type is `str`, `int`, `bool`, `float`, "duration", a list of one type, or a map of fields; `...` as a key is any name.
"""

VERSION = "0.159.0"

RETRY = {"enabled": bool, "initial_interval": "duration", "max_interval": "duration", "max_elapsed_time": "duration", "multiplier": float, "randomization_factor": float}
BATCH = {"flush_timeout": "duration", "sizer": {"items", "bytes"}, "min_size": int, "max_size": int}
QUEUE = {
    "enabled": bool, "num_consumers": int, "queue_size": int, "sizer": {"requests", "items", "bytes"}, "storage": str,
    "block_on_overflow": bool, "wait_for_result": bool, "batch": BATCH,
}
TLS = {"insecure": bool, "insecure_skip_verify": bool, "ca_file": str, "cert_file": str, "key_file": str, "server_name_override": str}
SERVER_TLS = {"cert_file": str, "key_file": str, "client_ca_file": str, "reload_interval": "duration"}
SENDING = {"timeout": "duration", "retry_on_failure": RETRY, "sending_queue": QUEUE}
COMPRESSION = {"gzip", "zstd", "snappy", "none"}
GRPC_CLIENT = {"endpoint": str, "compression": COMPRESSION, "headers": {...: str}, "tls": TLS, "balancer_name": str, "wait_for_ready": bool}
HTTP_CLIENT = {"endpoint": str, "compression": COMPRESSION, "headers": {...: str}, "tls": TLS}
KEEPALIVE = {"server_parameters": {"max_connection_age": "duration", "max_connection_age_grace": "duration", "max_connection_idle": "duration", "time": "duration", "timeout": "duration"}}
PULL = {"pull": {"exporter": {"prometheus": {"host": str, "port": int}}}}

ATTRIBUTE = {"key": str, "values": [str], "enabled_regex_matching": bool, "cache_max_size": int, "invert_match": bool}
POLICY = {
    "name": str,
    "type": {"always_sample", "string_attribute", "status_code", "latency", "probabilistic"},
    "string_attribute": ATTRIBUTE,
    "status_code": {"status_codes": [{"OK", "ERROR", "UNSET"}]},
    "latency": {"threshold_ms": int, "upper_threshold_ms": int},
    "probabilistic": {"sampling_percentage": float, "hash_salt": str},
}

COMPONENTS = {
    "receivers": {
        "otlp": {
            "protocols": {
                "grpc": {"endpoint": str, "max_recv_msg_size_mib": int, "tls": SERVER_TLS, "keepalive": KEEPALIVE},
                "http": {"endpoint": str, "max_request_body_size": int, "tls": SERVER_TLS},
            }
        }
    },
    "processors": {
        "memory_limiter": {"check_interval": "duration", "limit_mib": int, "spike_limit_mib": int, "limit_percentage": int, "spike_limit_percentage": int},
        "k8s_attributes": {
            "auth_type": {"none", "serviceAccount", "kubeConfig"},
            "passthrough": bool,
            "filter": {"node_from_env_var": str, "node": str, "namespace": str},
            "extract": {"metadata": [str], "deployment_name_from_replicaset": bool, "otel_annotations": bool},
            "pod_association": [{"sources": [{"from": {"resource_attribute", "connection"}, "name": str}]}],
        },
        "resource_detection": {"detectors": [str], "timeout": "duration", "override": bool},
        "tail_sampling": {
            "decision_wait": "duration", "num_traces": int, "expected_new_traces_per_sec": int,
            "decision_cache": {"sampled_cache_size": int, "non_sampled_cache_size": int},
            "policies": [POLICY],
        },
    },
    "exporters": {
        "otlp_grpc": {**GRPC_CLIENT, **SENDING},
        "otlp_http": {**HTTP_CLIENT, **SENDING, "encoding": {"proto", "json"}, "traces_endpoint": str, "metrics_endpoint": str, "logs_endpoint": str},
        "load_balancing": {
            **SENDING,
            "routing_key": {"traceID", "service"},
            "resolver": {"dns": {"hostname": str, "port": str, "interval": "duration", "timeout": "duration"}, "static": {"hostnames": [str]}},
            # Only the balancer knows the endpoint.
            "protocol": {"otlp": {**{key: value for key, value in GRPC_CLIENT.items() if key != "endpoint"}, **SENDING}},
        },
        "clickhouse": {
            **SENDING, "endpoint": str, "username": str, "password": str, "database": str, "ttl": "duration", "create_schema": bool,
            "compress": {"none", "zstd", "lz4", "gzip", "deflate", "br"}, "async_insert": bool, "cluster_name": str, "tls": TLS,
        },
    },
    "extensions": {
        "health_check": {"endpoint": str, "path": str},
        "file_storage": {
            "directory": str, "create_directory": bool, "fsync": bool, "timeout": "duration",
            "compaction": {"on_start": bool, "on_rebound": bool, "directory": str, "cleanup_on_start": bool, "max_transaction_size": int},
        },
    },
}

SERVICE = {
    "extensions": [str],
    "telemetry": {"metrics": {"level": {"none", "basic", "normal", "detailed"}, "readers": [PULL]}, "logs": {"level": str}},
    "pipelines": {...: {"receivers": [str], "processors": [str], "exporters": [str]}},
}

# What the collectors say of themselves and our rules ask for, from the same release, in Prometheus' names and without
# suffixes, as its own reader gives them unless told otherwise.
SELF_METRICS = {
    name: {"exporter", "data_type"}
    for name in [f"otelcol_exporter_{what}_failed_{of}" for what in ("enqueue", "send") for of in ("spans", "metric_points", "log_records")]
    + ["otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"]
} | {
    f"otelcol_receiver_refused_{of}": {"receiver", "transport"} for of in ("spans", "metric_points", "log_records")
} | {
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early": {"worker"},
    "otelcol_loadbalancer_num_backends": {"resolver"},
}
