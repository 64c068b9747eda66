//! Anthropic's messages, as one document or as events.
//!
//! An event says its type in its name and in its document; the document's is read. `ping`, the ends of blocks, signatures and
//! citations bring nothing. A block brings content by itself where it begins the call of a tool, or holds thoughts that are
//! encrypted. Their reference is Anthropic's: "Create a Message", "Streaming messages", "Prompt caching".

use super::{
    Content::{Reasoning, Text, ToolCall},
    document::{Act, Effect, Facts, Format, Word},
    json::Value,
    table::{At, Node},
};
use crate::usage::Tokens;

/// As answers to `messages` are.
pub(crate) static MESSAGES: Format = Format {
    nodes: &NODES,
    events: &[],
    own,
};

/// What types of events and of blocks say.
pub(super) const TYPES: &[(&str, Word)] = &[("message_stop", Word::Complete)];
pub(super) const BLOCK_TYPES: &[(&str, Word)] = &[
    ("tool_use", Word::Brings(ToolCall)),
    ("server_tool_use", Word::Brings(ToolCall)),
    ("mcp_tool_use", Word::Brings(ToolCall)),
];

const ROOT: u8 = 0;
const BLOCKS: u8 = 1;
const BLOCK: u8 = 2;
const USAGE: u8 = 3;
const WRITTEN: u8 = 4;
const ERROR: u8 = 5;

// The format's own acts.
const STOP: u8 = 0;
const REPORT: u8 = 1;

static NODES: [Node<Act>; 6] = [
    // An event, or a message, which stands alone or in an event.
    Node::object(&[
        ("type", At::act(Act::Words(TYPES))),
        ("message", At::node(ROOT)),
        ("id", At::act(Act::Id)),
        ("model", At::act(Act::Model)),
        ("content", At::node(BLOCKS)),
        ("content_block", At::node(BLOCK)),
        ("delta", At::node(BLOCK)),
        ("stop_reason", At::act(Act::Own(STOP))),
        ("usage", At::node(USAGE)),
        ("error", At::node(ERROR)),
    ]),
    Node::list(At::node(BLOCK)),
    // A block, or what is added to one or to the message.
    Node::object(&[
        ("type", At::act(Act::Words(BLOCK_TYPES))),
        ("text", At::act(Act::Content(Text))),
        ("thinking", At::act(Act::Content(Reasoning))),
        ("partial_json", At::act(Act::Content(ToolCall))),
        // Thoughts that are encrypted.
        ("data", At::act(Act::Brings(Reasoning))),
        ("stop_reason", At::act(Act::Own(STOP))),
    ]),
    Node::object(&[
        ("input_tokens", At::act(Act::Count(Tokens::Input))),
        ("output_tokens", At::act(Act::Count(Tokens::Output))),
        (
            "cache_read_input_tokens",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        (
            "cache_creation_input_tokens",
            At::act(Act::Count(Tokens::CacheWrite)),
        ),
        ("cache_creation", At::node(WRITTEN)),
        ("service_tier", At::act(Act::Tier)),
    ])
    .closes(Act::Own(REPORT)),
    // Those for five minutes are kept apart from the others by not being told.
    Node::object(&[
        ("ephemeral_5m_input_tokens", At::act(Act::Total)),
        (
            "ephemeral_1h_input_tokens",
            At::act(Act::Count(Tokens::CacheWriteHour)),
        ),
    ]),
    Node::object(&[("type", At::act(Act::ErrorType))]).closes(Act::EndError),
];

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    match (id, value) {
        (STOP, Value::Text(reason)) => {
            facts.hold(2, reason);
            Effect::Finish
        }
        (REPORT, Value::Close) => {
            with_caches(facts);
            Effect::Usage
        }
        _ => Effect::Nothing,
    }
}

/// The input is told without what was read from caches and written to them; and what was written, where its parts are told and
/// it is not, is their sum. Bedrock's arithmetic is the same.
pub(super) fn with_caches(facts: &mut Facts) {
    let count = |tokens| facts.usage.get(tokens);
    let hour = count(Tokens::CacheWriteHour);
    let written = match (count(Tokens::CacheWrite), hour) {
        (None, Some(hour)) => Some(hour + u64::from(facts.total)),
        (written, _) => written,
    };
    let read = count(Tokens::CacheRead);
    let input = count(Tokens::Input);
    if let Some(written) = written {
        facts.usage.set(Tokens::CacheWrite, written);
    }
    if let Some(input) = input {
        let all = input + read.unwrap_or(0) + written.unwrap_or(0);
        facts.usage.set(Tokens::Input, all);
    }
}
