//! What leaves the process: records, points and events as OTLP bytes, points as a text page, records as a text tree.
//!
//! Everything here runs in the background, straight from the records and the folded cells, without a model of spans
//! and metrics in between. Spans, of which there are many, are encoded without an allocation in steady state; metrics and
//! events are collected rarely, and their buffers live as long as one call. The encoders know nothing of how bytes are
//! sent.
//!
//! What is written is canonical protobuf, so that the tests can ask a decoder of others to write the same bytes again.

mod any_value;
mod labels;
mod otlp_logs;
mod otlp_metrics;
mod otlp_traces;
mod points;
mod prometheus;
mod prometheus_format;
mod prometheus_names;
mod protobuf;
mod request;
mod resource;
#[cfg(feature = "sdk")]
pub(crate) mod sdk;
mod tree;

#[cfg(feature = "sdk")]
pub(crate) use protobuf::Buffer;
#[cfg(feature = "http-client")]
pub(crate) use request::{FRAME, Scoped, join};

pub use otlp_logs::encode_logs;
pub use otlp_metrics::encode_metrics;
pub use otlp_traces::TraceEncoder;
pub use prometheus::{PrometheusPage, Skipped, Why};
pub use prometheus_format::PageFormat;
pub(crate) use prometheus_names::name_and_type;
pub use resource::ResourceBytes;
pub use tree::TraceTree;

/// How large a request body may become before the rest goes into another one: 4 MiB, what gRPC servers accept unless
/// told otherwise. One item that is larger than the limit makes a body of its own.
pub const BODY_LIMIT: usize = 4 << 20;

/// Where a test makes an encoder panic in the midst of an item, as nothing else can: all that is written is data.
#[cfg(test)]
pub(crate) mod trip {
    pub(crate) const NAME: &str = "test.unencodable";

    pub(crate) fn over(name: &str) {
        if name == NAME {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }
}
