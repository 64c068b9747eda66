//! Remote procedure calls (v1.44.0, release candidate; sizes and counts of messages are ours, the conventions have none).

names! {
    /// The system: `grpc`, `thrift`.
    SYSTEM_NAME = "rpc.system.name";
    /// The fully qualified method, `package.Service/Method`, or `_OTHER`.
    METHOD = "rpc.method";
    /// The method as it was asked for, where it is not a known one.
    METHOD_ORIGINAL = "rpc.method_original";
    /// The status that the call ended with, by its name: `OK`, `UNAVAILABLE`.
    RESPONSE_STATUS_CODE = "rpc.response.status_code";
}

/// Duration of a client's calls, in seconds (release candidate).
pub const CLIENT_CALL_DURATION: &str = "rpc.client.call.duration";
/// Duration of a server's calls, in seconds (release candidate).
pub const SERVER_CALL_DURATION: &str = "rpc.server.call.duration";

/// Prefix of the attribute of a captured request metadata entry: the lower-case key follows (development).
pub const REQUEST_METADATA: &str = "rpc.request.metadata.";
/// Prefix of the attribute of a captured response metadata entry: the lower-case key follows (development).
pub const RESPONSE_METADATA: &str = "rpc.response.metadata.";
