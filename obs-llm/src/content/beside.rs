//! What is said beside calls of models, by agents and their tools: within the same caps, and shown to the same redactors.

use super::message::{Exchange, Message, Part};
use super::redact::Redactors;
use super::render::{self, Caps};
use super::{Capture, json};
use obs_core::{Body, Key, Telemetry};
use serde_json::Value;
use std::fmt;

/// What somebody said: arguments, what was found, messages. It is within the caps, and redactors have seen it.
pub struct Said {
    body: Body,
    attribute_bytes: usize,
    cut: usize,
}

impl Said {
    /// As an attribute of a span has it: a text as it is, all else as JSON, which is valid whatever was cut; `None` where there is no
    /// room for anything of it. And how many bytes of its texts are not in that.
    pub fn attribute(&self) -> (Option<String>, usize) {
        match render::value(&self.body, self.attribute_bytes) {
            Some((text, more)) => (Some(text), self.cut + more),
            None => (None, self.cut + render::texts(&self.body)),
        }
    }

    /// As an event has it, and how many bytes of its texts are not in it.
    pub fn into_body(self) -> (Body, usize) {
        (self.body, self.cut)
    }
}

/// Without what was said.
impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said")
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// For whoever tells what is no call of a model, as obs-agent does. It makes what is told; whether it is told is
/// [`is_on_spans`](Self::is_on_spans)'s and [`is_on_events`](Self::is_on_events)'s to say.
impl Capture {
    /// Whether it is told on spans.
    pub const fn is_on_spans(&self) -> bool {
        self.spans
    }

    /// Whether it is told on events.
    pub const fn is_on_events(&self) -> bool {
        self.events
    }

    /// A text, or JSON, that is told under this key. What says that it is JSON and is none is text. `None` where redactors leave
    /// nothing of it.
    pub fn say(&self, telemetry: &Telemetry, key: Key, text: &str, is_json: bool) -> Option<Said> {
        let (text, missing) = self.held(text);
        let read = is_json.then(|| json::read(text.as_bytes(), missing));
        let mut body = match read.flatten() {
            Some(value) => json::body(&value),
            None => {
                let mut text = text.to_owned();
                if missing > 0 {
                    let missing = missing + json::drop_last_word(&mut text);
                    text.push_str(&render::mark(missing));
                }
                Body::Text(text)
            }
        };
        if !Redactors(telemetry).tree(key.as_str(), &mut body) {
            return None;
        }
        let cut = missing + render::fit(&mut body, self.caps());
        Some(self.said(telemetry, body, cut))
    }

    /// Messages in the conventions' JSON, or a text, which is one message of this role.
    pub fn say_messages(
        &self,
        telemetry: &Telemetry,
        text: &str,
        is_json: bool,
        role: &str,
    ) -> Said {
        let (text, missing) = self.held(text);
        let mut exchange = Exchange {
            input: read(text, missing, is_json, role),
            ..Exchange::default()
        };
        Redactors(telemetry).exchange(&mut exchange);
        let told = render::tell(exchange, self.caps());
        self.said(telemetry, Body::List(told.input), missing + told.cut)
    }

    /// Instructions of a system in the conventions' JSON (`gen-ai-system-instructions.json`), or a text.
    pub fn say_instructions(&self, telemetry: &Telemetry, text: &str, is_json: bool) -> Said {
        let (text, missing) = self.held(text);
        let read = read(text, missing, is_json, "system").into_iter();
        let mut exchange = Exchange {
            system: read.flat_map(|message| message.parts).collect(),
            ..Exchange::default()
        };
        Redactors(telemetry).exchange(&mut exchange);
        let told = render::tell(exchange, self.caps());
        self.said(telemetry, Body::List(told.system), missing + told.cut)
    }

    fn said(&self, telemetry: &Telemetry, body: Body, cut: usize) -> Said {
        Said {
            body,
            attribute_bytes: self.attribute_bytes_of(telemetry),
            cut,
        }
    }

    /// How large an attribute of a span may be: by its own cap, and by what spans of this telemetry may hold.
    pub(super) fn attribute_bytes_of(&self, telemetry: &Telemetry) -> usize {
        let limit = telemetry.span_text_limit();
        limit.map_or(self.attribute_bytes, |limit| {
            limit.min(self.attribute_bytes)
        })
    }

    const fn caps(&self) -> Caps {
        Caps {
            text: self.text_bytes,
            message: self.message_bytes,
            call: self.call_bytes,
        }
    }

    /// As much of a text as is looked at, and how many bytes are behind.
    fn held<'a>(&self, text: &'a str) -> (&'a str, usize) {
        let most = self.request_bytes.min(text.len());
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        let held = &text[..end.unwrap_or_default()];
        (held, text.len() - held.len())
    }
}

/// Messages in the conventions' JSON (`gen-ai-input-messages.json`), or in that of interfaces whose messages have a `content`; a text
/// that is no JSON is one message of this role. What a part holds that is no text or call is told by its kind alone.
pub fn messages(text: &str, is_json: bool, role: &str) -> Vec<Message> {
    read(text, 0, is_json, role)
}

fn read(text: &str, missing: usize, is_json: bool, role: &str) -> Vec<Message> {
    let value = is_json
        .then(|| json::read(text.as_bytes(), missing))
        .flatten();
    match value {
        Some(Value::Array(all)) => all.iter().map(|one| message(one, role)).collect(),
        Some(one) => vec![message(&one, role)],
        None => vec![Message::new(role).with_text(text)],
    }
}

fn message(of: &Value, role: &str) -> Message {
    let text = |key: &str| of.get(key).and_then(Value::as_str);
    let mut message = Message::new(text("role").unwrap_or(role));
    message.finish_reason = text("finish_reason").map(str::to_owned);
    let parts = of.get("parts").or_else(|| of.get("content"));
    message.parts = match parts {
        Some(Value::Array(parts)) => parts.iter().map(part).collect(),
        Some(Value::String(text)) => vec![Part::Text(text.clone())],
        Some(_) => Vec::new(),
        None => of
            .as_str()
            .map(|text| Part::Text(text.to_owned()))
            .into_iter()
            .collect(),
    };
    message
}

fn part(of: &Value) -> Part {
    let text = |key: &str| of.get(key).and_then(Value::as_str).map(str::to_owned);
    let content = || text("content").or_else(|| text("text")).unwrap_or_default();
    let tree = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| of.get(key));
        match found {
            Some(Value::String(text)) => json::arguments(text.clone()),
            Some(value) => json::body(value),
            None => Body::Empty,
        }
    };
    match of.get("type").and_then(Value::as_str) {
        Some("text") | None => match of {
            Value::String(text) => Part::Text(text.clone()),
            _ => Part::Text(content()),
        },
        Some("reasoning") => Part::Reasoning(content()),
        Some("tool_call") => Part::ToolCall {
            id: text("id"),
            name: text("name").unwrap_or_default(),
            arguments: tree(["arguments", "input"]),
        },
        Some("tool_call_response") => Part::ToolCallResponse {
            id: text("id"),
            response: tree(["response", "result"]),
        },
        Some(kind) => Part::Other(kind.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_in_either_shape() {
        let said = |json: &str| messages(json, true, "user");
        let parts = said(
            r#"[{"role":"assistant","finish_reason":"tool_calls","parts":[{"type":"text","content":"let me see"},
                {"type":"tool_call","id":"c","name":"f","arguments":{"a":1}},{"type":"blob","content":"x"}]}]"#,
        );
        let arguments = Body::Map(vec![("a".to_owned(), Body::I64(1))]);
        let expect = Message::new("assistant")
            .with_text("let me see")
            .with_part(Part::ToolCall {
                id: Some("c".to_owned()),
                name: "f".to_owned(),
                arguments,
            })
            .with_part(Part::Other("blob".to_owned()))
            .with_finish_reason("tool_calls");
        assert!(parts == [expect], "a message with three parts");
        let hi = [Message::new("user").with_text("hi")];
        for json in [
            r#"[{"role":"user","content":"hi"}]"#,
            r#"{"content":[{"type":"text","text":"hi"}]}"#,
            r#"["hi"]"#,
        ] {
            assert!(said(json) == hi, "{json}");
        }
        assert!(messages("hi", false, "user") == hi);
        assert!(messages("hi", true, "user") == hi, "no JSON is text");
        assert!(said("[]").is_empty());
    }
}
