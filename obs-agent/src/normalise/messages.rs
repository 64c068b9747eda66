//! What was said, as `gen_ai.input.messages` and `gen_ai.output.messages` have it. For whoever records content, and nobody else.

use super::attributes::{Said, Value};
use super::reading::{Seen, SpanView};
use super::table::{self, Row};
use std::borrow::Cow;
use std::fmt::Write;

/// Which of the two that talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who asks.
    Input,
    /// Who answers.
    Output,
}

/// What else is said, beside messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Instructions of the system.
    Instructions,
    /// What a tool is called with.
    Arguments,
    /// What it gave.
    Result,
    /// What is looked up.
    Query,
    /// What was found.
    Documents,
}

/// Most messages that are numbered.
const MOST: usize = 256;

impl<'a> SpanView<'a> {
    /// What was said, as it stands; of a text nobody knows whether it is JSON.
    pub fn content(&self, content: Content) -> Option<Cow<'a, str>> {
        self.seen().content(content)
    }

    /// Appends what was said to the model, or by it, as a list of messages in JSON; says whether there is anything.
    pub fn messages(&self, side: Side, out: &mut String) -> bool {
        self.seen().messages(side, out)
    }
}

impl<'a> Seen<'a> {
    pub(crate) fn content(&self, content: Content) -> Option<Cow<'a, str>> {
        self.shown(match content {
            Content::Instructions => table::SYSTEM_INSTRUCTIONS,
            Content::Arguments => table::TOOL_ARGUMENTS,
            Content::Result => table::TOOL_RESULT,
            Content::Query => table::QUERY,
            Content::Documents => table::DOCUMENTS,
        })
    }

    pub(crate) fn messages(&self, side: Side, out: &mut String) -> bool {
        let said = self.said;
        let (whole, numbered, text, role) = match side {
            Side::Input => (
                table::INPUT_MESSAGES,
                table::NUMBERED_INPUT,
                table::INPUT_TEXT,
                "user",
            ),
            Side::Output => (
                table::OUTPUT_MESSAGES,
                table::NUMBERED_OUTPUT,
                table::OUTPUT_TEXT,
                "assistant",
            ),
        };
        if let Some(messages) = said.text(whole) {
            out.push_str(messages);
            return true;
        }
        if { numbered.iter() }.any(|names| write_numbered(&said, names, role, out)) {
            return true;
        }
        let Some(text) = self.shown(text) else {
            return false;
        };
        out.push('[');
        write_message(out, role, &text);
        out.push(']');
        true
    }

    /// What stands under the first of these names that says anything.
    fn shown(&self, row: Row) -> Option<Cow<'a, str>> {
        self.said
            .first(row, |value| value.shown().filter(|text| !text.is_empty()))
    }
}

/// `{prefix}.0.role`, `{prefix}.0.content` and so on, until one has neither.
fn write_numbered(
    said: &Said<'_>,
    (prefix, word): &(&str, &str),
    role: &str,
    out: &mut String,
) -> bool {
    let begin = out.len();
    let mut key = String::new();
    for number in 0..MOST {
        let mut get = |what: &str| {
            key.clear();
            // Writing into a text cannot fail.
            let _ = write!(key, "{prefix}.{number}.{word}{what}");
            match said.attributes.get(&key)? {
                Value::Str(text) => Some(text),
                _ => None,
            }
        };
        let (own_role, content) = (get("role"), get("content"));
        if own_role.is_none() && content.is_none() {
            break;
        }
        out.push(if out.len() == begin { '[' } else { ',' });
        write_message(out, own_role.unwrap_or(role), content.unwrap_or_default());
    }
    let any = out.len() > begin;
    if any {
        out.push(']');
    }
    any
}

fn write_message(out: &mut String, role: &str, text: &str) {
    out.push_str("{\"role\":");
    write_json(out, role);
    out.push_str(",\"parts\":[{\"type\":\"text\",\"content\":");
    write_json(out, text);
    out.push_str("}]}");
}

/// A text in JSON.
fn write_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
