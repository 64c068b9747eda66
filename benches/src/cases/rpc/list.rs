//! The cases, by name.

use super::super::{Case, added, latency, scaling};
use super::{
    base, base_client, base_kept, base_server, contended, default_mode, detailed, detailed_client,
    detailed_kept, detailed_server, disabled, layer_client, layer_client_detailed, layer_server,
    layer_server_detailed, message, message_client, message_detailed, message_sent, message_server,
    peers, socket,
};

pub(crate) static ALL: &[Case] = &[
    added(
        "rpc/layer-base-client",
        "a unary call by our client layer at Base, without a wire; traceparent written",
        layer_client,
    ),
    added(
        "rpc/layer-base-server",
        "same by our server layer, of a caller without a traceparent",
        layer_server,
    ),
    added(
        "rpc/layer-detailed-client",
        "the client layer at Detailed",
        layer_client_detailed,
    ),
    added(
        "rpc/layer-detailed-server",
        "the server layer at Detailed",
        layer_server_detailed,
    ),
    added(
        "rpc/unary-disabled",
        "a unary call through our layers on both sides, switched off at run time",
        disabled,
    ),
    added(
        "rpc/unary-base",
        "same at Base, dropped at its ends; traceparent written, sent and read",
        base,
    ),
    added(
        "rpc/unary-base-client",
        "same, the client alone",
        base_client,
    ),
    added(
        "rpc/unary-base-server",
        "same, the server alone",
        base_server,
    ),
    added("rpc/unary-base-kept", "Base on both sides, kept", base_kept),
    added(
        "rpc/unary-detailed",
        "Detailed on both sides, dropped at its ends",
        detailed,
    ),
    added(
        "rpc/unary-detailed-client",
        "same, the client alone",
        detailed_client,
    ),
    added(
        "rpc/unary-detailed-server",
        "same, the server alone",
        detailed_server,
    ),
    added(
        "rpc/unary-detailed-kept",
        "Detailed on both sides, kept",
        detailed_kept,
    ),
    added(
        "rpc/unary-default",
        "as it ships: kept, our span in the context on both sides",
        default_mode,
    ),
    added(
        "rpc/message-base",
        "a message of a streamed answer, a frame of its own, through both layers",
        message,
    ),
    added(
        "rpc/message-base-client",
        "same, the client alone",
        message_client,
    ),
    added(
        "rpc/message-base-server",
        "same, the server alone",
        message_server,
    ),
    added("rpc/message-detailed", "both at Detailed", message_detailed),
    added(
        "rpc/message-base-sent",
        "a message of a streamed request, through both layers",
        message_sent,
    ),
    latency(
        "rpc/socket-difference",
        "latency of a unary call over a socket, both layers at Base: 30 pairs in turns",
        socket,
    ),
    scaling(
        "contention/rpc",
        "both layers around a unary call: 2 threads / 1, tonic alone taken for 2",
        contended,
    ),
    added(
        "peer/tonic",
        "context: the whole call by tonic alone, both sides",
        peers::tonic_alone,
    ),
    added(
        "peer/tonic-tracing-opentelemetry",
        "its layers on both sides, AlwaysOn; a span until the headers, no metrics, no messages",
        peers::tonic_tracing,
    ),
    added(
        "peer/tower-otel-grpc",
        "tower-otel's gRPC layers on both sides, AlwaysOn; the same",
        peers::tower_otel,
    ),
];
