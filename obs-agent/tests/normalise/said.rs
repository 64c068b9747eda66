//! Attributes as tests have them, and readings as they show them.

use obs_agent::normalise::{Attributes, Reading, SpanView, Value};
use obs_agent::obs_llm::Tokens;
use std::fmt::Write;

/// Attributes by their keys.
pub(crate) struct Said<'a>(pub(crate) &'a [(&'a str, Value<'a>)]);

impl Attributes for Said<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == key)?;
        Some(*value)
    }
}

/// A span of this name and scope, the outermost one.
pub(crate) fn span<'a>(scope: &'a str, name: &'a str, said: &'a Said<'a>) -> SpanView<'a> {
    SpanView {
        name,
        scope,
        is_root: true,
        attributes: said,
    }
}

/// What a span says, without what it does not say.
pub(crate) fn show(span: &SpanView<'_>) -> String {
    match span.read() {
        Some(reading) => line(&reading),
        None => "nothing".to_owned(),
    }
}

fn line(reading: &Reading<'_>) -> String {
    let mut line = format!("{:?}", reading.operation);
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            write!(line, " {name}={value}").unwrap();
        }
    };
    text("provider", reading.provider.as_deref());
    text("model", reading.request_model);
    text("answered", reading.response_model);
    text("id", reading.response_id);
    text("conversation", reading.conversation_id);
    text("user", reading.user_id);
    text("agent", reading.agent_name);
    text("workflow", reading.workflow_name);
    text("tool", reading.tool_name);
    text("call", reading.tool_call_id);
    text("source", reading.data_source_id);
    text("error", reading.error);
    text("message", reading.error_message);
    if reading.stream {
        line.push_str(" stream");
    }
    if let Some(tokens) = reading.max_tokens {
        write!(line, " max={tokens}").unwrap();
    }
    for tokens in Tokens::ALL {
        if let Some(count) = reading.usage.get(tokens) {
            write!(line, " {tokens:?}={count}").unwrap();
        }
    }
    if let Some(seconds) = reading.time_to_first_chunk {
        write!(line, " first={seconds}s").unwrap();
    }
    if let Some(seconds) = reading.server_time_to_first_token {
        write!(line, " server_first={seconds}s").unwrap();
    }
    if !reading.finish_reasons.is_empty() {
        write!(line, " because={}", reading.finish_reasons.join("+")).unwrap();
    }
    if let Some(cost) = reading.cost {
        write!(line, " cost={cost}").unwrap();
    }
    line
}
