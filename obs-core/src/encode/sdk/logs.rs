//! `SdkLogRecord` as OTLP's `LogRecord`.

use super::time;
use crate::attributes::Scalar;
use crate::encode::any_value::DEEPEST;
use crate::encode::otlp_logs::field;
use crate::encode::protobuf::Buffer;
use crate::encode::request::ITEM;
use crate::redact::{Looking, Place};
use opentelemetry::logs::AnyValue;
use opentelemetry_sdk::logs::SdkLogRecord;

/// Writes a log record as an item. `false`, and nothing of use is written, if it is longer than `limit`. Its target is the
/// name of its scope, and not written here. Others see the record, too: what has to be seen by somebody first is copied.
pub(crate) fn write_log(
    into: &mut Buffer,
    record: &SdkLogRecord,
    by: Option<Looking<'_>>,
    limit: usize,
) -> bool {
    let values = record.attributes_iter().map(|(_, value)| value);
    // What is left of it may have room.
    if by.is_none() && values.chain(record.body()).map(at_least).sum::<usize>() > limit {
        return false;
    }
    let from = into.len();
    into.nested::<2>(ITEM, |into| write(into, record, by));
    into.len() - from <= limit
}

fn write(into: &mut Buffer, record: &SdkLogRecord, by: Option<Looking<'_>>) {
    if let Some(timestamp) = record.timestamp() {
        time(into, field::TIME, timestamp);
    }
    if let Some(severity) = record.severity_number() {
        into.uint(field::SEVERITY_NUMBER, severity as u64);
    }
    into.text(
        field::SEVERITY_TEXT,
        record.severity_text().unwrap_or_default(),
    );
    match by {
        None => {
            if let Some(body) = record.body() {
                write_body(into, body);
            }
            for (key, value) in record.attributes_iter() {
                write_attribute(into, key.as_str(), value);
            }
        }
        Some(by) => write_left(into, record, by),
    }
    if let Some(context) = record.trace_context() {
        let flags = context.trace_flags.map_or(0, |flags| flags.to_u8());
        if flags != 0 {
            into.raw(&[field::FLAGS, flags, 0, 0, 0]);
        }
        into.bytes(field::TRACE_ID, &context.trace_id.to_bytes());
        into.bytes(field::SPAN_ID, &context.span_id.to_bytes());
    }
    if let Some(observed) = record.observed_timestamp() {
        time(into, field::OBSERVED, observed);
    }
    into.text(field::EVENT_NAME, record.event_name().unwrap_or_default());
}

fn write_body(into: &mut Buffer, body: &AnyValue) {
    into.nested::<1>(field::BODY, |into| into.any_of_sdk(body, DEEPEST));
}

#[inline(always)]
fn write_attribute(into: &mut Buffer, key: &str, value: &AnyValue) {
    match scalar(value) {
        Some(value) => into.attribute(field::ATTRIBUTES, key, value),
        None => into.nested::<1>(field::ATTRIBUTES, |into| {
            into.pair_of_sdk(key, value, DEEPEST);
        }),
    }
}

/// What redactors leave of the body and the attributes.
#[cold]
#[inline(never)]
fn write_left(into: &mut Buffer, record: &SdkLogRecord, by: Looking<'_>) {
    let body = record.body();
    if let Some(body) = body.and_then(|body| by.any(Place::LogBody, "", body, DEEPEST)) {
        write_body(into, &body);
    }
    for (key, value) in record.attributes_iter() {
        let key = key.as_str();
        if let Some(value) = by.any(Place::LogAttribute, key, value, DEEPEST) {
            write_attribute(into, key, &value);
        }
    }
}

/// What nearly all values are.
fn scalar(value: &AnyValue) -> Option<Scalar<'_>> {
    Some(match value {
        AnyValue::String(text) => Scalar::Text(text.as_str().as_bytes()),
        AnyValue::Int(value) => Scalar::I64(*value),
        AnyValue::Double(value) => Scalar::F64(*value),
        AnyValue::Boolean(value) => Scalar::Bool(*value),
        _ => return None,
    })
}

/// Bytes that a value takes at least.
fn at_least(value: &AnyValue) -> usize {
    match value {
        AnyValue::String(text) => text.as_str().len(),
        AnyValue::Int(_) | AnyValue::Double(_) | AnyValue::Boolean(_) => 0,
        other => deep(other, DEEPEST),
    }
}

fn deep(value: &AnyValue, levels: usize) -> usize {
    match value {
        AnyValue::String(text) => text.as_str().len(),
        AnyValue::Bytes(bytes) => bytes.len(),
        AnyValue::ListAny(_) | AnyValue::Map(_) if levels == 0 => 0,
        AnyValue::ListAny(list) => list.iter().map(|item| deep(item, levels - 1)).sum(),
        AnyValue::Map(map) => map.values().map(|item| deep(item, levels - 1)).sum(),
        _ => 0,
    }
}
