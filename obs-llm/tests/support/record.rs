//! What is to be known of the only call.
#![allow(dead_code, reason = "each test uses its part")]

use obs_testing::{Capture, CapturedRecord};

pub(crate) const DURATION: &str = "gen_ai.client.operation.duration";
pub(crate) const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
pub(crate) const GAPS: &str = "gen_ai.client.operation.time_per_output_chunk";
pub(crate) const TOKENS: &str = "gen_ai.client.token.usage";
pub(crate) const ACTIVE: &str = "obs.llm.client.active_calls";

/// The record of the only call, which is over.
#[track_caller]
pub(crate) fn over(capture: &Capture, error: Option<&str>) -> CapturedRecord {
    assert_eq!(capture.count(DURATION), 1, "durations");
    assert_eq!(capture.in_flight(ACTIVE), 0, "in flight");
    let mut records = capture.take_records();
    assert_eq!(records.len(), 1, "{records:#?}");
    let record = records.remove(0);
    assert_eq!(record.error_type(), error, "{record:#?}");
    record
}

/// A number that a record has.
pub(crate) fn int(record: &CapturedRecord, name: &str) -> Option<i64> {
    record.attr(name).and_then(obs_testing::AttrValue::as_i64)
}
