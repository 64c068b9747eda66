//! What the gateway answers on its own, in the form in which OpenAI's interface does.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

/// Why there is no answer of an upstream's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    NoKey,
    NoRoute,
    NoMethod,
    TooLarge,
    Broken,
    NoUpstream,
}

impl Refusal {
    pub(crate) fn response(self) -> Response<Body> {
        use Refusal as R;
        let (status, kind, code, message) = match self {
            R::NoKey => (
                401,
                "authentication_error",
                "invalid_api_key",
                "No key that this gateway knows.",
            ),
            R::NoRoute => (
                404,
                "invalid_request_error",
                "unknown_url",
                "This gateway has no such path.",
            ),
            R::NoMethod => (
                405,
                "invalid_request_error",
                "method_not_allowed",
                "This path is not asked so.",
            ),
            R::TooLarge => (
                413,
                "invalid_request_error",
                "request_too_large",
                "The request is larger than this gateway takes.",
            ),
            R::Broken => (
                400,
                "invalid_request_error",
                "request_broken",
                "The request did not come to its end.",
            ),
            R::NoUpstream => (
                502,
                "api_error",
                "upstream_unreachable",
                "No upstream could be reached.",
            ),
        };
        let error =
            json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}
