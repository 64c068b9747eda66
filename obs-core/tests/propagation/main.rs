//! What comes in and goes out with a request, case by case: the rules of the W3C's trace-context suite in our words,
//! properties over any bytes, and OpenTelemetry's own propagators beside ours.

// Under loom there is no SDK to compare with.
#![cfg(not(loom))]

#[path = "../properties/parsers.rs"]
mod properties;

mod adapters;
mod any_bytes;
mod believing;
mod corpus;
mod luggage;
mod parent;
mod sampling;
mod state;

use obs_core::propagation::traceparent::TraceParent;
use obs_core::propagation::{Propagator, Remote};
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceFlags;

const TRACE: u128 = 0x1234_5678_9012_3456_7890_1234_5678_9012;
const SPAN: u64 = 0x1234_5678_9012_3456;
const PLAIN: &str = "00-12345678901234567890123456789012-1234567890123456-01";

fn plain(flags: u8) -> TraceParent {
    TraceParent {
        trace_id: TRACE.into(),
        span_id: SPAN.into(),
        flags: TraceFlags::new(flags),
    }
}

/// Headers as a server sees them: names in any case, values in their order.
struct Headers<'a>(&'a [(&'a str, &'a str)]);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).map(|values| values[0])
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let of_key = self
            .0
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let values: Vec<_> = of_key.map(|(_, value)| *value).collect();
        (!values.is_empty()).then_some(values)
    }
}

fn read(headers: &[(&str, &str)]) -> Remote {
    Propagator::W3c.extract(&Headers(headers))
}
