//! Placeholder until the identity rooms land.
mod hex;
pub mod ot;
pub mod traceparent;
pub mod tracestate;
pub use traceparent::TraceParent;
/// Without the optional white space of HTTP lists: spaces and tabs.
fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
