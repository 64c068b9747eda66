//! Structured events as `ExportLogsServiceRequest`.

use super::protobuf::Buffer;
use super::request::{ITEM, Request};
use super::resource::ResourceBytes;
use crate::attributes::Scalar;
use crate::descriptor::Scope;
use crate::log_event::LogEvent;

/// Fields of `LogRecord`.
pub(in crate::encode) mod field {
    pub(in crate::encode) const TIME: u8 = 1;
    pub(in crate::encode) const SEVERITY_NUMBER: u8 = 2;
    pub(in crate::encode) const SEVERITY_TEXT: u8 = 3;
    pub(in crate::encode) const BODY: u8 = 5;
    pub(in crate::encode) const ATTRIBUTES: u8 = 6;
    /// Field 8, four bytes wide.
    pub(in crate::encode) const FLAGS: u8 = 8 << 3 | 5;
    pub(in crate::encode) const TRACE_ID: u8 = 9;
    pub(in crate::encode) const SPAN_ID: u8 = 10;
    pub(in crate::encode) const OBSERVED: u8 = 11;
    pub(in crate::encode) const EVENT_NAME: u8 = 12;
}

/// Encodes events into bodies of at most `limit` bytes and emits each with the number of its events. Those that name no scope
/// are of `scope`.
pub fn encode_logs(
    resource: &ResourceBytes,
    scope: &'static Scope,
    events: &[LogEvent],
    limit: usize,
    emit: &mut dyn FnMut(&[u8], u64),
) {
    let mut request = Request::new(resource.clone(), limit);
    for event in events {
        let scope = request.scope(event.scope.unwrap_or(scope));
        let (items, from) = request.begin(scope);
        items.nested::<2>(ITEM, |record| write_event(record, event));
        request.added(scope, from, 1, &mut *emit);
    }
    request.finish(emit);
}

fn write_event(record: &mut Buffer, event: &LogEvent) {
    if event.unix_nanos != 0 {
        record.fixed64(field::TIME, event.unix_nanos);
    }
    record.uint(field::SEVERITY_NUMBER, u64::from(event.severity.number()));
    record.text(field::SEVERITY_TEXT, event.severity.text());
    record.body(field::BODY, &event.body);
    #[cfg(test)]
    super::trip::over(event.name);
    for attribute in &event.attributes {
        record.key_value(field::ATTRIBUTES, attribute);
    }
    for (key, value) in &event.structured {
        record.structured(field::ATTRIBUTES, key.as_str(), value);
    }
    for (key, id) in event.session_ids() {
        record.attribute(field::ATTRIBUTES, key, Scalar::Text(id.as_bytes()));
    }
    if event.trace_flags != 0 {
        record.raw(&[field::FLAGS, event.trace_flags, 0, 0, 0]);
    }
    if let Some(id) = event.trace_id {
        record.bytes(field::TRACE_ID, &id.to_bytes());
    }
    if let Some(id) = event.span_id {
        record.bytes(field::SPAN_ID, &id.to_bytes());
    }
    // Observed where it happened: the process that emits it is the one that saw it.
    if event.unix_nanos != 0 {
        record.fixed64(field::OBSERVED, event.unix_nanos);
    }
    record.text(field::EVENT_NAME, event.name);
}
