//! What a request carries on: the trace context and the baggage of the operation.

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::Active;
use obs_core::propagation::{Propagator, traceparent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Writes what the receiver continues, in the place of what stands there.
#[inline]
pub(crate) fn write(active: &mut Active<'_>, propagator: &Propagator, metadata: &mut HeaderMap) {
    let (mut replaced, mut has_tracestate) = (None, false);
    propagator.inject_operation(active, |name, value| {
        let Ok(mut value) = HeaderValue::from_str(value) else {
            return;
        };
        // It is new in each request: what HTTP/2 keeps of it drives the metadata that does repeat out of its table, and is
        // searched in vain each time. This is the one way to say so (RFC 7541, 6.2.3): 1,700 instructions of a call.
        value.set_sensitive(name == "traceparent");
        match name {
            "traceparent" => replaced = metadata.insert(TRACEPARENT, value),
            "tracestate" => {
                has_tracestate = true;
                metadata.insert(TRACESTATE, value);
            }
            "baggage" => {
                metadata.entry(BAGGAGE).or_insert(value);
            }
            // Another propagator's.
            name => {
                if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
                    metadata.insert(name, value);
                }
            }
        }
    });
    if let Some(replaced) = replaced {
        if !has_tracestate {
            metadata.remove(TRACESTATE);
        }
        link(active, &replaced);
    }
}

/// What was replaced is not lost: within one trace the ancestors have it, and else a link does.
#[cold]
fn link(active: &mut Active<'_>, replaced: &HeaderValue) {
    if let Ok(replaced) = traceparent::parse(replaced.as_bytes())
        && replaced.trace_id != active.trace_parent().trace_id
    {
        active.add_link(replaced.to_span_context(Default::default()), Vec::new());
    }
}
