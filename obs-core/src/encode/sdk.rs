//! What the OpenTelemetry SDK recorded, as OTLP: straight from its own types, field by field as `opentelemetry-proto`
//! converts them.
//!
//! An item (a span, a log record, a metric) is written on its own, with its tag and length, and knows nothing of the body
//! it will lie in; [`Items`] holds items and the scopes they are of, and [`bodies`] makes requests of them.

mod items;
mod logs;
mod metrics;
mod scope;
mod spans;

pub(crate) use items::{Items, bodies};
pub(crate) use logs::write_log;
pub(crate) use metrics::encode_metrics;
pub(crate) use scope::Named;
pub(crate) use spans::write_span;

use super::protobuf::Buffer;
use super::resource::ResourceBytes;
use crate::redact::Looking;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is exported of a provider's resource.
pub(crate) fn resource_bytes(resource: &Resource, by: Option<Looking<'_>>) -> ResourceBytes {
    let Some(by) = by else {
        return ResourceBytes::new(resource.iter(), resource.schema_url());
    };
    let pairs = resource.iter();
    let mut pairs: Vec<_> = pairs
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
        .collect();
    by.resource(&mut pairs);
    let pairs = pairs.iter().map(|pair| (&pair.key, &pair.value));
    ResourceBytes::new(pairs, resource.schema_url())
}

/// Nanoseconds since the epoch; 0 before it.
fn unix_nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

fn time(into: &mut Buffer, field: u8, time: SystemTime) {
    let nanos = unix_nanos(time);
    if nanos != 0 {
        into.fixed64(field, nanos);
    }
}
