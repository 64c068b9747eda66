//! OpenAI's Responses, as one document or as events.

use super::{
    Content::{Media, Reasoning, Text, ToolCall},
    document::{Act, Effect, Facts, Format, Word},
    json::Value,
    openai,
    table::{At, Node},
};
use crate::usage::Tokens;

/// As answers to `responses` are. An event says its type in its name and in its document: either is enough.
pub(crate) static RESPONSES: Format = Format {
    nodes: &NODES,
    events: EVENTS,
    own,
};

/// What events bring. All others bring nothing that is not in their documents.
const EVENTS: &[(&str, Word)] = &[
    ("response.output_text.delta", Word::Delta(Text)),
    ("response.refusal.delta", Word::Delta(Text)),
    ("response.audio.transcript.delta", Word::Delta(Text)),
    ("response.reasoning_text.delta", Word::Delta(Reasoning)),
    (
        "response.reasoning_summary_text.delta",
        Word::Delta(Reasoning),
    ),
    (
        "response.function_call_arguments.delta",
        Word::Delta(ToolCall),
    ),
    (
        "response.custom_tool_call_input.delta",
        Word::Delta(ToolCall),
    ),
    ("response.mcp_call_arguments.delta", Word::Delta(ToolCall)),
    (
        "response.code_interpreter_call_code.delta",
        Word::Delta(ToolCall),
    ),
    ("response.audio.delta", Word::Delta(Media)),
    (
        "response.image_generation_call.partial_image",
        Word::Brings(Media),
    ),
    ("response.completed", Word::Complete),
    ("response.incomplete", Word::Complete),
    ("response.failed", Word::Complete),
    ("response.cancelled", Word::Complete),
    ("error", Word::Own(IS_ERROR)),
];

/// Items that are calls.
const CALLS: &[(&str, Word)] = &[
    ("function_call", Word::Brings(ToolCall)),
    ("custom_tool_call", Word::Brings(ToolCall)),
    ("mcp_call", Word::Brings(ToolCall)),
    ("computer_call", Word::Brings(ToolCall)),
    ("code_interpreter_call", Word::Brings(ToolCall)),
    ("file_search_call", Word::Brings(ToolCall)),
    ("web_search_call", Word::Brings(ToolCall)),
    ("local_shell_call", Word::Brings(ToolCall)),
    ("shell_call", Word::Brings(ToolCall)),
    ("apply_patch_call", Word::Brings(ToolCall)),
];

const RESPONSE: u8 = 1;
const USAGE: u8 = 2;
const INPUT: u8 = 3;
const OUTPUT: u8 = 4;
const ERROR: u8 = 5;
const INCOMPLETE: u8 = 6;
const ITEMS: u8 = 7;
const ITEM: u8 = 8;
const PARTS: u8 = 9;
const PART: u8 = 10;
const THOUGHTS: u8 = 11;
const THOUGHT: u8 = 12;

// The format's own.
const END: u8 = 0;
const REASON: u8 = 1;
const REPORT: u8 = 2;
const IS_ERROR: u8 = 3;
const CODE: u8 = 4;
const END_ERROR: u8 = 5;
const BEGIN_PART: u8 = 6;

// Of `Facts::own`: the event is an error, and the error was told.
const ERRED: u16 = 1;
const TOLD: u16 = 1 << 1;
/// What is held is a code.
const HAS_CODE: u16 = 1 << 2;

static NODES: [Node<Act>; 13] = [
    // An event, or the response itself.
    Node::object(&[
        ("type", At::act(Act::Words(EVENTS))),
        ("sequence_number", At::act(Act::Varies)),
        ("obfuscation", At::act(Act::Varies)),
        ("delta", At::act(Act::Delta)),
        ("response", At::node(RESPONSE)),
        ("id", At::act(Act::Id)),
        ("model", At::act(Act::Model)),
        ("service_tier", At::act(Act::Tier)),
        ("status", At::act(Act::Status)),
        ("usage", At::node(USAGE)),
        ("error", At::node(ERROR)),
        // Of an event that is an error; others have other codes.
        ("code", At::act(Act::Own(CODE))),
        ("incomplete_details", At::node(INCOMPLETE)),
        ("output", At::node(ITEMS)),
    ])
    .closes(Act::Own(END)),
    Node::object(&[
        ("id", At::act(Act::Id)),
        ("model", At::act(Act::Model)),
        ("service_tier", At::act(Act::Tier)),
        ("status", At::act(Act::Status)),
        ("usage", At::node(USAGE)),
        ("error", At::node(ERROR)),
        ("incomplete_details", At::node(INCOMPLETE)),
    ])
    .closes(Act::Own(END)),
    Node::object(&[
        ("input_tokens", At::act(Act::Count(Tokens::Input))),
        ("output_tokens", At::act(Act::Count(Tokens::Output))),
        ("total_tokens", At::act(Act::Total)),
        ("input_tokens_details", At::node(INPUT)),
        ("output_tokens_details", At::node(OUTPUT)),
    ])
    .closes(Act::Own(REPORT)),
    Node::object(&[
        ("cached_tokens", At::act(Act::Count(Tokens::CacheRead))),
        ("audio_tokens", At::act(Act::Count(Tokens::AudioInput))),
        ("text_tokens", At::act(Act::Count(Tokens::TextInput))),
        ("image_tokens", At::act(Act::Count(Tokens::ImageInput))),
    ]),
    Node::object(&[
        ("reasoning_tokens", At::act(Act::Count(Tokens::Reasoning))),
        ("audio_tokens", At::act(Act::Count(Tokens::AudioOutput))),
        ("text_tokens", At::act(Act::Count(Tokens::TextOutput))),
        ("image_tokens", At::act(Act::Count(Tokens::ImageOutput))),
    ]),
    Node::object(&[
        ("code", At::act(Act::ErrorCode)),
        ("type", At::act(Act::ErrorType)),
    ])
    .closes(Act::Own(END_ERROR)),
    Node::object(&[("reason", At::act(Act::Own(REASON)))]),
    Node::list(At::node(ITEM)),
    // A message has content, reasoning a summary, and calls what they are called with.
    Node::object(&[
        ("type", At::act(Act::Words(CALLS))),
        ("content", At::node(PARTS)),
        ("summary", At::node(THOUGHTS)),
        ("name", At::act(Act::Content(ToolCall))),
        ("arguments", At::act(Act::Content(ToolCall))),
        ("input", At::act(Act::Content(ToolCall))),
        ("code", At::act(Act::Content(ToolCall))),
        ("result", At::act(Act::Content(Media))),
    ]),
    Node::list(At::node(PART)),
    Node::object(&[
        (
            "type",
            At::act(Act::Words(&[("reasoning_text", Word::Delta(Reasoning))])),
        ),
        ("text", At::act(Act::Delta)),
        ("refusal", At::act(Act::Content(Text))),
        ("transcript", At::act(Act::Content(Text))),
    ])
    .opens(Act::Own(BEGIN_PART)),
    Node::list(At::node(THOUGHT)),
    Node::object(&[("text", At::act(Act::Content(Reasoning)))]),
];

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    match (id, value) {
        (END, Value::Close) => return end(facts),
        (REASON, Value::Text(reason)) => facts.hold(2, reason),
        (REPORT, Value::Close) => {
            openai::with_reasoning(facts);
            return Effect::Usage;
        }
        (IS_ERROR, _) => facts.own |= ERRED,
        (CODE, Value::Text(code)) => {
            facts.own |= HAS_CODE;
            facts.hold_error(3, code);
        }
        (END_ERROR, Value::Close) => {
            facts.own |= TOLD;
            return Effect::Error;
        }
        (BEGIN_PART, Value::Open) => facts.delta = Some(Text),
        _ => {}
    }
    Effect::Nothing
}

/// An event or a response closes.
fn end(facts: &mut Facts) -> Effect {
    if facts.own & ERRED != 0 && facts.own & TOLD == 0 {
        return Effect::Error;
    }
    if facts.own & HAS_CODE != 0 {
        facts.let_go();
    }
    if facts.rank() == 0
        && let Some(status) = facts.ended()
    {
        facts.hold(1, status);
    }
    // So that the event does not tell it again after its response.
    facts.end_status();
    Effect::Finish
}
