//! What is emitted of a run with two calls of a model.

use obs_testing::{AttrValue, Capture, CapturedRecord};
use std::fmt::Write;

const DURATION: &str = "gen_ai.client.operation.duration";
const FIRST: &str = "gen_ai.client.operation.time_to_first_chunk";
const TOKENS: &str = "gen_ai.client.token.usage";
const ACTIVE: &str = "obs.llm.client.active_calls";

/// Names of spans as they stand within each other, in the order in which they began.
pub(crate) fn outline(capture: &Capture) -> String {
    assert_eq!(capture.in_flight(ACTIVE), 0, "calls in flight");
    let mut records = capture.records();
    records.sort_by_key(|record| record.start_ns);
    let mut outline = String::new();
    let roots: Vec<_> = records
        .iter()
        .filter(|record| record.parent_span_id.is_none())
        .collect();
    for root in roots {
        write(&records, root, 0, &mut outline);
    }
    assert_eq!(outline.lines().count(), records.len(), "{records:#?}");
    outline
}

fn write(records: &[CapturedRecord], of: &CapturedRecord, depth: usize, outline: &mut String) {
    let _ = writeln!(outline, "{:1$}{2}", "", depth * 2, of.name);
    let within = records
        .iter()
        .filter(|record| record.parent_span_id == Some(of.span_id));
    for record in within {
        write(records, record, depth + 1, outline);
    }
}

/// Two calls, each with the tokens that the server told.
#[track_caller]
pub(crate) fn two_calls(capture: &Capture, streams: bool) {
    assert_eq!(capture.count(DURATION), 2, "calls");
    assert_eq!(capture.count(TOKENS), 4, "of each its input and output");
    assert_eq!(capture.count(FIRST), if streams { 2 } else { 0 });
    let records = capture.records();
    let calls = records
        .iter()
        .filter(|record| record.name == "chat gpt-4o-mini");
    let tokens = |name| {
        let of = move |call: &CapturedRecord| call.attr(name).and_then(AttrValue::as_i64);
        calls.clone().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(tokens("gen_ai.usage.input_tokens"), [7, 30]);
    assert_eq!(tokens("gen_ai.usage.output_tokens"), [9, 5]);
}

pub(crate) const TREE: &str = "
invoke_agent guide
  chat gpt-4o-mini
    POST
  execute_tool weather
  execute_tool clock
  chat gpt-4o-mini
    POST
";
