//! HTTP (v1.44.0; stable but where noted).

names! {
    /// The method, or `_OTHER`.
    REQUEST_METHOD = "http.request.method";
    /// The method as it was sent, where it is not a known one.
    REQUEST_METHOD_ORIGINAL = "http.request.method_original";
    /// The status code.
    RESPONSE_STATUS_CODE = "http.response.status_code";
    /// The route's template.
    ROUTE = "http.route";
    /// Size of the request's body in bytes (development).
    REQUEST_BODY_SIZE = "http.request.body.size";
    /// Size of the response's body in bytes (development).
    RESPONSE_BODY_SIZE = "http.response.body.size";
    /// Which attempt of one call it is, counted from 0 for the first; there from 1 on.
    REQUEST_RESEND_COUNT = "http.request.resend_count";
    /// The scheme.
    URL_SCHEME = "url.scheme";
    /// The path.
    URL_PATH = "url.path";
    /// The query, with secrets redacted.
    URL_QUERY = "url.query";
    /// The whole URL, without credentials and with secrets redacted.
    URL_FULL = "url.full";
    /// The template that the URL was made from (development).
    URL_TEMPLATE = "url.template";
    /// What the client calls itself.
    USER_AGENT_ORIGINAL = "user_agent.original";
    /// The class of error.
    ERROR_TYPE = "error.type";
}

/// Duration of server requests, in seconds (stable).
pub const SERVER_REQUEST_DURATION: &str = "http.server.request.duration";
/// Server requests that are running (development).
pub const SERVER_ACTIVE_REQUESTS: &str = "http.server.active_requests";
/// Sizes of requests' bodies, in bytes (development).
pub const SERVER_REQUEST_BODY_SIZE: &str = "http.server.request.body.size";
/// Sizes of responses' bodies, in bytes (development).
pub const SERVER_RESPONSE_BODY_SIZE: &str = "http.server.response.body.size";

/// Duration of client requests, in seconds (stable).
pub const CLIENT_REQUEST_DURATION: &str = "http.client.request.duration";
/// Client requests that are running (development).
pub const CLIENT_ACTIVE_REQUESTS: &str = "http.client.active_requests";
/// Sizes of requests' bodies, in bytes (development).
pub const CLIENT_REQUEST_BODY_SIZE: &str = "http.client.request.body.size";
/// Sizes of responses' bodies, in bytes (development).
pub const CLIENT_RESPONSE_BODY_SIZE: &str = "http.client.response.body.size";

/// Prefix of the attribute of a captured request header: the lower-case name follows.
pub const REQUEST_HEADER: &str = "http.request.header.";
/// Prefix of the attribute of a captured response header: the lower-case name follows.
pub const RESPONSE_HEADER: &str = "http.response.header.";

/// The methods that are not `_OTHER`.
pub const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT",
];
