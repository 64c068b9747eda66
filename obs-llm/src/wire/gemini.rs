//! Google's `generateContent`, `streamGenerateContent` and `embedContent`: one document, events, or a list of documents, each of
//! them whole.
//!
//! Whether a part is thought stands after its text, so content is told when a part closes, and a text that was told as one and
//! turns out to be thought is [told so](super::ResponseSink::text_was). Counts are of the answer so far. A blocked prompt is
//! why the answer ended, not an error: it was answered. The reference is Google's ("GenerateContentResponse", "UsageMetadata").
//!
//! A choice's number stands after its content, too; until it does, a choice counts by its place in the list. Nothing ends such a
//! stream but its body: other choices go on after one has its reason, and some models and gateways have one in every document. So
//! an answer with a reason is whole where nothing follows.

use super::{
    Content::{Media, Text, ToolCall},
    document::{Act, Effect, Facts, Format},
    json::Value,
    table::{At, Node},
};
use crate::usage::Tokens;

/// As answers to `generateContent` are.
pub(crate) static GENERATED: Format = Format {
    nodes: &NODES,
    events: &[],
    own,
};

const ROOT: u8 = 0;
const CHOICES: u8 = 1;
const CHOICE: u8 = 2;
const CONTENT: u8 = 3;
const PARTS: u8 = 4;
const PART: u8 = 5;
const CALL: u8 = 6;
const MEDIA: u8 = 7;
const CODE: u8 = 8;
const USAGE: u8 = 9;
const INPUTS: u8 = 10;
const INPUT: u8 = 11;
const OUTPUTS: u8 = 12;
const OUTPUT: u8 = 13;
const FEEDBACK: u8 = 14;
const ERROR: u8 = 15;

// The format's own acts.
const THOUGHT: u8 = 0;
const END_PART: u8 = 1;
const FINISH: u8 = 2;
const THOUGHTS: u8 = 3;
const MODALITY: u8 = 4;
const OF_INPUT: u8 = 5;
const OF_OUTPUT: u8 = 6;
const BLOCKED: u8 = 7;

static NODES: [Node<Act>; 16] = [
    Node::object(&[
        ("candidates", At::node(CHOICES)),
        ("usageMetadata", At::node(USAGE)),
        ("modelVersion", At::act(Act::Model)),
        ("responseId", At::act(Act::Id)),
        ("promptFeedback", At::node(FEEDBACK)),
        ("error", At::node(ERROR)),
    ])
    .items(At::node(ROOT))
    .opens(Act::Event),
    Node::list(At::node(CHOICE)).opens(Act::Choices),
    Node::object(&[
        ("index", At::act(Act::Choice)),
        ("content", At::node(CONTENT)),
        ("finishReason", At::act(Act::Own(FINISH))),
    ])
    .opens(Act::NextChoice)
    .closes(Act::EndChoice),
    Node::object(&[("parts", At::node(PARTS))]),
    Node::list(At::node(PART)),
    Node::object(&[
        ("text", At::act(Act::Unsure)),
        ("thought", At::act(Act::Own(THOUGHT))),
        ("functionCall", At::node(CALL)),
        ("inlineData", At::node(MEDIA)),
        ("executableCode", At::node(CODE)),
    ])
    .closes(Act::Own(END_PART)),
    Node::object(&[]).opens(Act::Brings(ToolCall)),
    Node::object(&[("data", At::act(Act::Content(Media)))]),
    Node::object(&[("code", At::act(Act::Content(ToolCall)))]),
    Node::object(&[
        // What tools added to the prompt is beside it, and thoughts are beside the candidates.
        ("promptTokenCount", At::act(Act::CountMore(Tokens::Input))),
        (
            "toolUsePromptTokenCount",
            At::act(Act::CountMore(Tokens::Input)),
        ),
        (
            "candidatesTokenCount",
            At::act(Act::CountMore(Tokens::Output)),
        ),
        ("thoughtsTokenCount", At::act(Act::Own(THOUGHTS))),
        ("totalTokenCount", At::act(Act::Varies)),
        (
            "cachedContentTokenCount",
            At::act(Act::Count(Tokens::CacheRead)),
        ),
        ("promptTokensDetails", At::node(INPUTS)),
        // So spelled for embeddings.
        ("promptTokenDetails", At::node(INPUTS)),
        ("toolUsePromptTokensDetails", At::node(INPUTS)),
        ("candidatesTokensDetails", At::node(OUTPUTS)),
    ])
    .closes(Act::Report),
    Node::list(At::node(INPUT)),
    Node::object(&[
        ("modality", At::act(Act::Own(MODALITY))),
        ("tokenCount", At::act(Act::Total)),
    ])
    .closes(Act::Own(OF_INPUT)),
    Node::list(At::node(OUTPUT)),
    Node::object(&[
        ("modality", At::act(Act::Own(MODALITY))),
        ("tokenCount", At::act(Act::Total)),
    ])
    .closes(Act::Own(OF_OUTPUT)),
    Node::object(&[("blockReason", At::act(Act::Own(BLOCKED)))]).closes(Act::EndChoice),
    Node::object(&[
        ("code", At::act(Act::ErrorCode)),
        ("status", At::act(Act::ErrorType)),
    ])
    .closes(Act::EndError),
];

// What a modality is, in `Facts::own`.
const TEXT: u16 = 1;
const IMAGE: u16 = 2;
const AUDIO: u16 = 3;

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    match (id, value) {
        (THOUGHT, Value::Bool(true)) => facts.delta = Some(super::Content::Reasoning),
        (END_PART, Value::Close) => return Effect::Settled(Text),
        (FINISH | BLOCKED, Value::Text(reason)) if !reason.is_empty() => {
            if id == BLOCKED {
                // A prompt is of no choice, and so of the first.
                facts.choice = 0;
            }
            facts.hold(2, reason);
            return Effect::MayEnd;
        }
        (THOUGHTS, Value::Number(number)) => {
            if let Some(count) = super::document::whole(number) {
                let others = facts.usage.get(Tokens::Output).unwrap_or(0);
                facts.usage.set(Tokens::Reasoning, count);
                facts
                    .usage
                    .set(Tokens::Output, others.saturating_add(count));
            }
        }
        (MODALITY, Value::Text(name)) => {
            facts.own = match name {
                "TEXT" => TEXT,
                "IMAGE" => IMAGE,
                "AUDIO" => AUDIO,
                _ => 0,
            };
        }
        (OF_INPUT, Value::Close) => {
            let kinds = [Tokens::TextInput, Tokens::ImageInput, Tokens::AudioInput];
            add(facts, kinds);
        }
        (OF_OUTPUT, Value::Close) => {
            let kinds = [Tokens::TextOutput, Tokens::ImageOutput, Tokens::AudioOutput];
            add(facts, kinds);
        }
        _ => {}
    }
    Effect::Nothing
}

/// Adds the tokens of one modality. Zero may be left away.
fn add(facts: &mut Facts, [text, image, audio]: [Tokens; 3]) {
    let kind = match facts.own {
        TEXT => Some(text),
        IMAGE => Some(image),
        AUDIO => Some(audio),
        _ => None,
    };
    if let Some(kind) = kind {
        let others = facts.usage.get(kind).unwrap_or(0);
        facts.usage.set(kind, others + u64::from(facts.total));
    }
    facts.own = 0;
    facts.total = 0;
}
