//! Answers: OTLP's protobuf responses, and the bytes of HTTP around them.

use super::proto::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use super::proto::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use super::proto::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use super::received::Signal;
use prost::Message;
use std::fmt::Write as _;
use std::time::Duration;

const REJECTED: &str = "rejected as the test asked for";

/// `google.rpc.Status`, the body of a failed export (OTLP/HTTP, "Failures"), less the details.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) close: bool,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The export arrived, with so many items rejected.
    pub(super) fn success(signal: Signal, rejected: i64) -> Self {
        let message = || REJECTED.to_owned();
        let some = rejected != 0;
        let body = match signal {
            Signal::Traces => {
                let partial = || ExportTracePartialSuccess {
                    rejected_spans: rejected,
                    error_message: message(),
                };
                ExportTraceServiceResponse {
                    partial_success: some.then(partial),
                }
                .encode_to_vec()
            }
            Signal::Metrics => {
                let partial = || ExportMetricsPartialSuccess {
                    rejected_data_points: rejected,
                    error_message: message(),
                };
                ExportMetricsServiceResponse {
                    partial_success: some.then(partial),
                }
                .encode_to_vec()
            }
            Signal::Logs => {
                let partial = || ExportLogsPartialSuccess {
                    rejected_log_records: rejected,
                    error_message: message(),
                };
                ExportLogsServiceResponse {
                    partial_success: some.then(partial),
                }
                .encode_to_vec()
            }
        };
        Self {
            status: 200,
            retry_after: None,
            close: false,
            body,
        }
    }

    pub(super) fn failure(status: u16, message: impl Into<String>) -> Self {
        let code = match status {
            400 => 3,        // INVALID_ARGUMENT
            401 => 16,       // UNAUTHENTICATED
            403 => 7,        // PERMISSION_DENIED
            404 => 5,        // NOT_FOUND
            429 => 8,        // RESOURCE_EXHAUSTED
            502..=504 => 14, // UNAVAILABLE
            _ => 2,          // UNKNOWN
        };
        let body = Status {
            code,
            message: message.into(),
        }
        .encode_to_vec();
        Self {
            status,
            retry_after: None,
            close: false,
            body,
        }
    }

    /// The answer as it goes over the wire.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n",
            self.status,
            reason(self.status),
            self.body.len()
        );
        if let Some(retry_after) = self.retry_after {
            let seconds = retry_after
                .as_secs()
                .saturating_add(u64::from(retry_after.subsec_nanos() > 0));
            // Writing to a string cannot fail.
            let _ = write!(head, "retry-after: {seconds}\r\n");
        }
        if self.status == 405 {
            head.push_str("allow: POST\r\n");
        }
        if self.close {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The phrase is for people reading a dump; clients go by the number.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Scripted",
    }
}
