//! What the models of `invoke` answer with, in one table.
//!
//! Anthropic's messages; Amazon's Nova, which is `converse` with a key around each event, and Titan; Meta's Llama; Mistral; Cohere;
//! and models that answer as OpenAI's do (AI21, DeepSeek, Qwen, gpt-oss). Bedrock adds its own count to the last event of each;
//! that is told where the model told none.

use super::{
    super::{
        Content::{Reasoning, Text, ToolCall},
        ServerPart,
        anthropic::{BLOCK_TYPES, TYPES, with_caches},
        document::{Act, Effect, Facts, Format, whole},
        json::Value,
        table::{At, Node},
    },
    END_WRITE, ERROR, REPORT, STOP, TIME_TO_LIVE,
};
use crate::usage::Tokens;

/// As answers to `invoke` are.
pub(crate) static INVOKED: Format = Format {
    nodes: &NODES,
    events: &[],
    own,
};

const ROOT: u8 = 0;
const BLOCKS: u8 = 1;
const BLOCK: u8 = 2;
const TOOL: u8 = 3;
const THOUGHT: u8 = 4;
const OUTPUT: u8 = 5;
const USAGE: u8 = 6;
const WRITTEN: u8 = 7;
const WRITTEN_LIST: u8 = 8;
const WRITE: u8 = 9;
const PROMPT_DETAILS: u8 = 10;
const OUTPUT_DETAILS: u8 = 11;
const FAULT: u8 = 12;
const TOLD: u8 = 13;
const RESULTS: u8 = 14;
const RESULT: u8 = 15;
const CHOICES: u8 = 16;
const CHOICE: u8 = 17;
const REPLY: u8 = 18;
const CALLS: u8 = 19;
const CALL: u8 = 20;
const METRICS: u8 = 21;
const EVENT: u8 = 22;

// The format's own acts, after those of `converse`.
const END: u8 = 8;
const WHOLE_INPUT: u8 = 9;
const METRIC_INPUT: u8 = 10;
const METRIC_OUTPUT: u8 = 11;
const METRIC_READ: u8 = 12;
const METRIC_WRITTEN: u8 = 13;
const COUNTED: u8 = 14;
const METERED: u8 = 15;

static NODES: [Node<Act>; 23] = [
    Node::object(&[
        // Anthropic, and in part others.
        ("type", At::act(Act::Words(TYPES))),
        ("message", At::node(ROOT)),
        ("id", At::act(Act::Id)),
        ("model", At::act(Act::Model)),
        ("content", At::node(BLOCKS)),
        ("content_block", At::node(BLOCK)),
        ("delta", At::node(BLOCK)),
        ("stop_reason", At::act(Act::Own(STOP))),
        ("usage", At::node(USAGE)),
        ("error", At::node(FAULT)),
        // Nova: what an event of `converse` is, within its name.
        ("contentBlockStart", At::node(EVENT)),
        ("contentBlockDelta", At::node(EVENT)),
        ("messageStop", At::node(EVENT)),
        ("metadata", At::node(EVENT)),
        ("stopReason", At::act(Act::Own(STOP))),
        ("output", At::node(OUTPUT)),
        // Titan.
        ("outputText", At::act(Act::Content(Text))),
        ("completionReason", At::act(Act::Own(STOP))),
        ("inputTextTokenCount", At::act(Act::Count(Tokens::Input))),
        (
            "totalOutputTextTokenCount",
            At::act(Act::Count(Tokens::Output)),
        ),
        ("results", At::node(RESULTS)),
        // Llama.
        ("generation", At::act(Act::Content(Text))),
        ("prompt_token_count", At::act(Act::Count(Tokens::Input))),
        (
            "generation_token_count",
            At::act(Act::Count(Tokens::Output)),
        ),
        // Mistral.
        ("outputs", At::node(RESULTS)),
        // Cohere.
        ("text", At::act(Act::Content(Text))),
        ("finish_reason", At::act(Act::Own(STOP))),
        ("generations", At::node(RESULTS)),
        // As OpenAI's.
        ("choices", At::node(CHOICES)),
        ("amazon-bedrock-invocationMetrics", At::node(METRICS)),
        ("__type", At::act(Act::Own(ERROR))),
    ])
    .closes(Act::Own(END)),
    Node::list(At::node(BLOCK)),
    // A block of Anthropic's or of Nova's, or what is added to one.
    Node::object(&[
        ("type", At::act(Act::Words(BLOCK_TYPES))),
        ("text", At::act(Act::Content(Text))),
        ("thinking", At::act(Act::Content(Reasoning))),
        ("partial_json", At::act(Act::Content(ToolCall))),
        ("data", At::act(Act::Brings(Reasoning))),
        ("stop_reason", At::act(Act::Own(STOP))),
        ("toolUse", At::node(TOOL)),
        ("reasoningContent", At::node(THOUGHT)),
    ]),
    Node::object(&[
        ("name", At::act(Act::Brings(ToolCall))),
        ("input", At::act(Act::Content(ToolCall))),
    ]),
    Node::object(&[
        ("text", At::act(Act::Content(Reasoning))),
        ("redactedContent", At::act(Act::Brings(Reasoning))),
        ("reasoningText", At::node(THOUGHT)),
    ]),
    Node::object(&[("message", At::node(TOLD))]),
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
        ("inputTokens", At::act(Act::Count(Tokens::Input))),
        ("outputTokens", At::act(Act::Count(Tokens::Output))),
        (
            "cacheReadInputTokens",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        (
            "cacheWriteInputTokens",
            At::act(Act::Count(Tokens::CacheWrite)),
        ),
        // Nova's spelling.
        (
            "cacheReadInputTokenCount",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        (
            "cacheWriteInputTokenCount",
            At::act(Act::Count(Tokens::CacheWrite)),
        ),
        ("cacheDetails", At::node(WRITTEN_LIST)),
        ("prompt_tokens", At::act(Act::Own(WHOLE_INPUT))),
        ("completion_tokens", At::act(Act::Count(Tokens::Output))),
        ("prompt_tokens_details", At::node(PROMPT_DETAILS)),
        ("completion_tokens_details", At::node(OUTPUT_DETAILS)),
    ])
    .closes(Act::Own(REPORT)),
    Node::object(&[
        ("ephemeral_5m_input_tokens", At::act(Act::Total)),
        (
            "ephemeral_1h_input_tokens",
            At::act(Act::Count(Tokens::CacheWriteHour)),
        ),
    ]),
    Node::list(At::node(WRITE)),
    Node::object(&[
        ("ttl", At::act(Act::Own(TIME_TO_LIVE))),
        ("inputTokens", At::act(Act::Total)),
    ])
    .closes(Act::Own(END_WRITE)),
    Node::object(&[("cached_tokens", At::act(Act::Count(Tokens::CacheRead)))]),
    Node::object(&[("reasoning_tokens", At::act(Act::Count(Tokens::Reasoning)))]),
    Node::object(&[
        ("code", At::act(Act::ErrorCode)),
        ("type", At::act(Act::ErrorType)),
    ])
    .closes(Act::EndError),
    Node::object(&[("content", At::node(BLOCKS))]),
    Node::list(At::node(RESULT)),
    // Of Titan, Mistral and Cohere.
    Node::object(&[
        ("outputText", At::act(Act::Content(Text))),
        ("text", At::act(Act::Content(Text))),
        ("tokenCount", At::act(Act::CountMore(Tokens::Output))),
        ("completionReason", At::act(Act::Own(STOP))),
        ("stop_reason", At::act(Act::Own(STOP))),
        ("finish_reason", At::act(Act::Own(STOP))),
    ]),
    Node::list(At::node(CHOICE)).opens(Act::Choices),
    Node::object(&[
        ("index", At::act(Act::Choice)),
        ("delta", At::node(REPLY)),
        ("message", At::node(REPLY)),
        ("text", At::act(Act::Content(Text))),
        ("finish_reason", At::act(Act::Finish)),
        ("stop_reason", At::act(Act::Finish)),
    ])
    .opens(Act::NextChoice)
    .closes(Act::EndChoice),
    Node::object(&[
        ("content", At::act(Act::Content(Text))),
        ("reasoning_content", At::act(Act::Content(Reasoning))),
        ("reasoning", At::act(Act::Content(Reasoning))),
        ("tool_calls", At::node(CALLS)),
    ]),
    Node::list(At::node(CALL)),
    Node::object(&[("function", At::node(TOOL))]),
    Node::object(&[
        ("inputTokenCount", At::act(Act::Own(METRIC_INPUT))),
        ("outputTokenCount", At::act(Act::Own(METRIC_OUTPUT))),
        ("cacheReadInputTokenCount", At::act(Act::Own(METRIC_READ))),
        (
            "cacheWriteInputTokenCount",
            At::act(Act::Own(METRIC_WRITTEN)),
        ),
        (
            "invocationLatency",
            At::act(Act::Time(ServerPart::Total, 1e6)),
        ),
    ])
    .opens(Act::Own(METERED))
    .closes(Act::Own(COUNTED)),
    Node::object(&[
        ("start", At::node(BLOCK)),
        ("delta", At::node(BLOCK)),
        ("stopReason", At::act(Act::Own(STOP))),
        ("usage", At::node(USAGE)),
    ]),
];

/// The input was told with what was read from caches, in `Facts::own`.
const WHOLE: u16 = 1 << 8;

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    let count = match value {
        Value::Number(number) => whole(number),
        _ => None,
    };
    let metric = match id {
        METRIC_INPUT => Some(Tokens::Input),
        METRIC_OUTPUT => Some(Tokens::Output),
        METRIC_READ => Some(Tokens::CacheRead),
        METRIC_WRITTEN => Some(Tokens::CacheWrite),
        _ => None,
    };
    if let (Some(metric), Some(count), false) = (metric, count, facts.has_reported()) {
        facts.usage.set(metric, count);
    }
    match (id, value) {
        (REPORT, Value::Close) if facts.own & WHOLE != 0 => {
            facts.own &= !WHOLE;
            Effect::Usage
        }
        (WHOLE_INPUT, Value::Number(_)) => {
            if let Some(count) = count {
                facts.usage.set(Tokens::Input, count);
                facts.own |= WHOLE;
            }
            Effect::Nothing
        }
        // Where they are, the stream ends.
        (METERED, Value::Open) => Effect::Complete,
        (COUNTED, Value::Close) => {
            with_caches(facts);
            Effect::Usage
        }
        (END, Value::Close) if !facts.usage.is_empty() => Effect::Usage,
        _ => super::own(facts, id, value),
    }
}
