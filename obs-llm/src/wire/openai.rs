//! OpenAI's chat completions, text completions and embeddings, and what others add to them.

use super::{
    Content::{Media, Reasoning, Text, ToolCall},
    ServerPart,
    document::{Act, Effect, Facts, Format, Word},
    json::Value,
    table::{At, Node},
};
use crate::usage::Tokens;

/// As answers to `chat/completions`, `completions` and `embeddings` are, in one document or in events.
pub(crate) static CHAT: Format = Format {
    nodes: &NODES,
    events: &[],
    own,
};

const ROOT: u8 = 0;
const CHOICES: u8 = 1;
const CHOICE: u8 = 2;
const MESSAGE: u8 = 3;
const PARTS: u8 = 4;
const PART: u8 = 5;
const THOUGHTS: u8 = 6;
const THOUGHT: u8 = 7;
const TOOLS: u8 = 8;
const TOOL: u8 = 9;
const CALL: u8 = 10;
const AUDIO: u8 = 11;
pub(super) const USAGE: u8 = 12;
const INPUT: u8 = 13;
const OUTPUT: u8 = 14;
const GROQ: u8 = 15;
const TIMINGS: u8 = 16;
const ERROR: u8 = 17;
const TIMES: u8 = 18;

// The format's own acts.
const END: u8 = 0;
const REPORT: u8 = 1;
const IS_ERROR: u8 = 2;
const CACHED: u8 = 3;
const PREDICTED: u8 = 4;
const PROMPT: u8 = 5;
const TIMED: u8 = 6;
const SAYS_ERROR: u8 = 7;

/// Of [`Facts::own`]: the document is an error.
const ERRED: u16 = 1;

static NODES: [Node<Act>; 19] = [
    Node::object(&[
        ("id", At::act(Act::Id)),
        ("model", At::act(Act::Model)),
        ("service_tier", At::act(Act::Tier)),
        ("system_fingerprint", At::act(Act::Fingerprint)),
        ("obfuscation", At::act(Act::Varies)),
        ("choices", At::node(CHOICES)),
        ("usage", At::node(USAGE)),
        ("x_groq", At::node(GROQ)),
        ("timings", At::node(TIMINGS)),
        // Cerebras's.
        ("time_info", At::node(TIMES)),
        ("error", At::either(ERROR, Act::Own(IS_ERROR))),
        // TGI's, beside a text.
        ("error_type", At::act(Act::ErrorType)),
        // Engines' that have the error's parts at the outermost.
        (
            "object",
            At::act(Act::Words(&[("error", Word::Own(SAYS_ERROR))])),
        ),
        ("type", At::act(Act::ErrorType)),
        ("code", At::act(Act::ErrorCode)),
    ])
    // Google's errors come in a list.
    .items(At::node(ROOT))
    .closes(Act::Own(END)),
    Node::list(At::node(CHOICE)).opens(Act::Choices),
    Node::object(&[
        ("index", At::act(Act::Choice)),
        ("delta", At::node(MESSAGE)),
        ("message", At::node(MESSAGE)),
        // Of text completions.
        ("text", At::act(Act::Content(Text))),
        ("finish_reason", At::act(Act::Finish)),
        // Moonshot's.
        ("usage", At::node(USAGE)),
    ])
    .opens(Act::NextChoice)
    .closes(Act::EndChoice),
    Node::object(&[
        ("content", At::either(PARTS, Act::Content(Text))),
        ("refusal", At::act(Act::Content(Text))),
        // DeepSeek's, and then of most.
        ("reasoning_content", At::act(Act::Content(Reasoning))),
        // OpenRouter's, vLLM's, Groq's.
        ("reasoning", At::act(Act::Content(Reasoning))),
        ("tool_calls", At::node(TOOLS)),
        ("function_call", At::node(CALL)),
        ("audio", At::node(AUDIO)),
    ]),
    // Mistral's: content in parts, of which some are thoughts.
    Node::list(At::node(PART)),
    Node::object(&[
        ("text", At::act(Act::Content(Text))),
        ("thinking", At::either(THOUGHTS, Act::Content(Reasoning))),
    ]),
    Node::list(At::node(THOUGHT)),
    Node::object(&[("text", At::act(Act::Content(Reasoning)))]),
    Node::list(At::node(TOOL)),
    Node::object(&[("function", At::node(CALL)), ("custom", At::node(CALL))]),
    Node::object(&[
        ("name", At::act(Act::Content(ToolCall))),
        ("arguments", At::act(Act::Content(ToolCall))),
        ("input", At::act(Act::Content(ToolCall))),
    ]),
    Node::object(&[
        ("data", At::act(Act::Content(Media))),
        ("transcript", At::act(Act::Content(Text))),
    ]),
    Node::object(&[
        ("prompt_tokens", At::act(Act::Count(Tokens::Input))),
        ("completion_tokens", At::act(Act::Count(Tokens::Output))),
        ("total_tokens", At::act(Act::Sum)),
        ("prompt_tokens_details", At::node(INPUT)),
        ("completion_tokens_details", At::node(OUTPUT)),
        // DeepSeek's; the tokens that missed are in the input already.
        (
            "prompt_cache_hit_tokens",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        // Moonshot's.
        ("cached_tokens", At::act(Act::Count(Tokens::CacheRead))),
        // Of proxies that keep what Anthropic said.
        (
            "cache_read_input_tokens",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        (
            "cache_creation_input_tokens",
            At::act(Act::Count(Tokens::CacheWrite)),
        ),
        // Groq's, in seconds.
        ("prompt_time", At::act(Act::Time(ServerPart::Prefill, 1e9))),
        (
            "completion_time",
            At::act(Act::Time(ServerPart::Decode, 1e9)),
        ),
        ("total_time", At::act(Act::Time(ServerPart::Total, 1e9))),
        // SGLang's, Perplexity's.
        ("reasoning_tokens", At::act(Act::Count(Tokens::Reasoning))),
    ])
    .closes(Act::Own(REPORT)),
    Node::object(&[
        ("cached_tokens", At::act(Act::Count(Tokens::CacheRead))),
        // OpenRouter's.
        (
            "cache_write_tokens",
            At::act(Act::Count(Tokens::CacheWrite)),
        ),
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
        ("usage", At::node(USAGE)),
        ("error", At::act(Act::Own(IS_ERROR))),
    ]),
    // llama.cpp's, in milliseconds. Its prompt is what was not in the cache.
    Node::object(&[
        ("prompt_ms", At::act(Act::Time(ServerPart::Prefill, 1e6))),
        ("predicted_ms", At::act(Act::Time(ServerPart::Decode, 1e6))),
        ("cache_n", At::act(Act::Own(CACHED))),
        ("prompt_n", At::act(Act::Own(PROMPT))),
        ("predicted_n", At::act(Act::Own(PREDICTED))),
    ])
    .closes(Act::Own(TIMED)),
    Node::object(&[
        ("code", At::act(Act::ErrorCode)),
        ("type", At::act(Act::ErrorType)),
        // Google's.
        ("status", At::act(Act::ErrorType)),
    ])
    .closes(Act::EndError),
    Node::object(&[
        ("prompt_time", At::act(Act::Time(ServerPart::Prefill, 1e9))),
        (
            "completion_time",
            At::act(Act::Time(ServerPart::Decode, 1e9)),
        ),
        ("total_time", At::act(Act::Time(ServerPart::Total, 1e9))),
    ]),
];

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    let count = match value {
        Value::Number(number) => super::document::whole(number),
        _ => None,
    };
    match (id, value) {
        // What is reasoned may be beside the output, and the total says so.
        (REPORT, Value::Close) if facts.usage.get(Tokens::Reasoning).is_none() => {
            return Effect::PlainUsage;
        }
        (REPORT, Value::Close) => {
            with_reasoning(facts);
            return Effect::Usage;
        }
        (IS_ERROR, Value::Text(_)) | (SAYS_ERROR, _) => facts.own |= ERRED,
        (END, Value::Close) if facts.own & ERRED != 0 => return Effect::Error,
        (TIMED, Value::Close) => {
            // Without what was in the cache, the input is not known.
            if let Some(cached) = facts.usage.get(Tokens::CacheRead) {
                let read = u64::from(facts.total);
                facts.usage.set(Tokens::Input, cached + read);
            }
            return Effect::Usage;
        }
        _ => {}
    }
    if let Some(count) = count {
        match id {
            CACHED => facts.usage.set(Tokens::CacheRead, count),
            PREDICTED => facts.usage.set(Tokens::Output, count),
            PROMPT => facts.total = count.try_into().unwrap_or(u32::MAX),
            _ => {}
        }
    }
    Effect::Nothing
}

/// Some (xAI) count reasoning beside the output and not in it; their total shows it.
pub(super) fn with_reasoning(facts: &mut Facts) {
    let count = |tokens| facts.usage.get(tokens);
    if let (Some(input), Some(output), Some(reasoning)) = (
        count(Tokens::Input),
        count(Tokens::Output),
        count(Tokens::Reasoning),
    ) && reasoning > 0
        && u64::from(facts.total) == input + output + reasoning
    {
        facts.usage.set(Tokens::Output, output + reasoning);
    }
}
