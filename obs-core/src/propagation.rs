//! stub
pub mod tracestate;
use opentelemetry::trace::{SpanId, TraceFlags, TraceId};
/// stub
#[derive(Clone, Copy, Debug)]
pub struct TraceParent {
    /// stub
    pub trace_id: TraceId,
    /// stub
    pub span_id: SpanId,
    /// stub
    pub flags: TraceFlags,
}
