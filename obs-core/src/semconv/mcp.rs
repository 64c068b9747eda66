//! The Model Context Protocol (v1.41.1, the last set that the core conventions published; development).

names! {
    /// What is asked for or told: `tools/call`, `notifications/cancelled`.
    METHOD_NAME = "mcp.method.name";
    /// The session.
    SESSION_ID = "mcp.session.id";
    /// The resource that a message names.
    RESOURCE_URI = "mcp.resource.uri";
    /// The version of the protocol.
    PROTOCOL_VERSION = "mcp.protocol.version";
    /// The id of a request of JSON-RPC.
    JSONRPC_REQUEST_ID = "jsonrpc.request.id";
}

/// Duration of a message as whoever sends it has it, until it is answered, in seconds.
pub const CLIENT_OPERATION_DURATION: &str = "mcp.client.operation.duration";
/// Duration of a message as whoever receives it has it, in seconds.
pub const SERVER_OPERATION_DURATION: &str = "mcp.server.operation.duration";
/// Duration of a session as its client has it, in seconds.
pub const CLIENT_SESSION_DURATION: &str = "mcp.client.session.duration";
/// Duration of a session as its server has it, in seconds.
pub const SERVER_SESSION_DURATION: &str = "mcp.server.session.duration";

/// Boundaries of all four, in seconds.
pub const BOUNDS: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
