//! What leaves the process: records, points and events as OTLP bytes, points as a text page, records as a text tree.
//!
//! Everything here runs in the background, straight from the records and the folded cells: no intermediate model of
//! spans, no string per name, and in steady state no allocation. The encoders know nothing of how bytes are sent.

mod any_value;
mod labels;
mod otlp_logs;
mod otlp_metrics;
mod otlp_traces;
mod points;
mod prometheus;
mod prometheus_names;
mod protobuf;
mod request;
mod resource;
mod tree;

pub use otlp_logs::encode_logs;
pub use otlp_metrics::encode_metrics;
pub use otlp_traces::TraceEncoder;
pub use prometheus::{PrometheusPage, Skipped, Why};
pub use resource::ResourceBytes;
pub use tree::TraceTree;

/// How large a request body may become before the rest goes into another one: 4 MiB, what gRPC servers accept unless
/// told otherwise. One item that is larger than the limit makes a body of its own.
pub const BODY_LIMIT: usize = 4 << 20;
