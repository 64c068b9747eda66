//! What a request carries on: the trace context and the baggage of the operation.

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::Active;
use obs_core::propagation::{Propagator, traceparent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Writes what the receiver continues, in the place of what stands there.
#[inline(never)]
pub(crate) fn write(active: &mut Active<'_>, propagator: &Propagator, metadata: &mut HeaderMap) {
    if !matches!(propagator, Propagator::W3c) {
        return write_by(propagator, active, metadata);
    }
    // Most often there is nothing but the ids, of which the bytes will do.
    let mut text = [0; traceparent::LEN];
    traceparent::write(&active.trace_parent(), &mut text);
    let value = HeaderValue::from_bytes(&text);
    let replaced = value.ok().and_then(|value| set(metadata, value));
    if replaced.is_some() || active.carries_more() {
        write_more(active, metadata, replaced);
    }
}

/// Says what it replaces.
#[inline(always)]
fn set(metadata: &mut HeaderMap, mut value: HeaderValue) -> Option<HeaderValue> {
    // It is new in each request: what HTTP/2 keeps of it drives the metadata that does repeat out of its table, and is
    // searched in vain each time. This is the one way to say so (RFC 7541, 6.2.3).
    value.set_sensitive(true);
    metadata.insert(TRACEPARENT, value)
}

/// What goes with the ids, or stood in their place.
#[cold]
#[inline(never)]
fn write_more(active: &mut Active<'_>, metadata: &mut HeaderMap, replaced: Option<HeaderValue>) {
    let mut has_tracestate = false;
    active.inject(|name, value| {
        if name != "traceparent" {
            has_tracestate |= name == "tracestate";
            write_one(metadata, name, value);
        }
    });
    told(active, metadata, replaced, has_tracestate);
}

#[cold]
#[inline(never)]
fn write_by(propagator: &Propagator, active: &mut Active<'_>, metadata: &mut HeaderMap) {
    let (mut replaced, mut has_tracestate) = (None, false);
    propagator.inject_operation(active, |name, value| match name {
        "traceparent" => {
            if let Ok(value) = HeaderValue::from_str(value) {
                replaced = set(metadata, value);
            }
        }
        name => {
            has_tracestate |= name == "tracestate";
            write_one(metadata, name, value);
        }
    });
    told(active, metadata, replaced, has_tracestate);
}

fn write_one(metadata: &mut HeaderMap, name: &str, value: &str) {
    let Ok(value) = HeaderValue::from_str(value) else {
        return;
    };
    match name {
        "tracestate" => {
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
}

/// What was replaced goes with its state.
fn told(
    active: &mut Active<'_>,
    metadata: &mut HeaderMap,
    replaced: Option<HeaderValue>,
    has_tracestate: bool,
) {
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
