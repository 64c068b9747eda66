//! Ollama's `chat`, `generate` and `embed`: a document on each line, or one.
//!
//! Counts and times, in nanoseconds, stand in the last line. An error is a text for people, and in it names of models and files;
//! so it is told as `_OTHER`. The reference is Ollama's `docs/api.md`.

use super::{
    Content::{Media, Reasoning, Text, ToolCall},
    ServerPart,
    document::{Act, Effect, Facts, Format},
    json::Value,
    table::{At, Node},
};
use crate::usage::Tokens;

/// As answers to `chat`, `generate` and `embed` are.
pub(crate) static OLLAMA: Format = Format {
    nodes: &NODES,
    events: &[],
    own,
};

const MESSAGE: u8 = 1;
const TOOLS: u8 = 2;
const TOOL: u8 = 3;
const IMAGES: u8 = 4;

// The format's own acts.
const STOP: u8 = 0;
const ERROR: u8 = 1;
const END: u8 = 2;

static NODES: [Node<Act>; 5] = [
    Node::object(&[
        ("model", At::act(Act::Model)),
        ("created_at", At::act(Act::Varies)),
        ("message", At::node(MESSAGE)),
        // Of `generate`.
        ("response", At::act(Act::Content(Text))),
        ("thinking", At::act(Act::Content(Reasoning))),
        ("tool_calls", At::node(TOOLS)),
        ("image", At::act(Act::Content(Media))),
        ("done", At::act(Act::Complete)),
        ("done_reason", At::act(Act::Own(STOP))),
        ("total_duration", At::act(Act::Time(ServerPart::Total, 1.0))),
        ("load_duration", At::act(Act::Time(ServerPart::Load, 1.0))),
        (
            "prompt_eval_duration",
            At::act(Act::Time(ServerPart::Prefill, 1.0)),
        ),
        ("eval_duration", At::act(Act::Time(ServerPart::Decode, 1.0))),
        ("prompt_eval_count", At::act(Act::Count(Tokens::Input))),
        (
            "prompt_eval_cached_count",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        ("eval_count", At::act(Act::Count(Tokens::Output))),
        ("error", At::act(Act::Own(ERROR))),
    ])
    .closes(Act::Own(END)),
    Node::object(&[
        ("content", At::act(Act::Content(Text))),
        ("thinking", At::act(Act::Content(Reasoning))),
        ("tool_calls", At::node(TOOLS)),
        ("images", At::node(IMAGES)),
    ]),
    Node::list(At::node(TOOL)),
    Node::object(&[]).opens(Act::Brings(ToolCall)),
    Node::list(At::act(Act::Content(Media))),
];

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    match (id, value) {
        (STOP, Value::Text(reason)) => {
            facts.hold(2, reason);
            Effect::Finish
        }
        (ERROR, Value::Text(_)) => Effect::Error,
        (END, Value::Close) if !facts.usage.is_empty() => Effect::Usage,
        _ => Effect::Nothing,
    }
}
