//! Amazon Bedrock's two interfaces, as one document or as a binary stream of events.
//!
//! `converse` has one format for all models. `invoke` has that of each model; in a stream, each event holds one document of it in
//! base64. Which model it is need not stand in the path (an application's inference profile has a name of its own), so one table
//! holds the formats of all: what they call things never means two. The references are Amazon's: "ConverseStream",
//! "InvokeModelWithResponseStream", and "Inference request parameters and response fields for foundation models".

mod chunk;
mod invoke;

use super::{
    Content::{Media, Reasoning, Text, ToolCall},
    Malformed, ResponseSink, ServerPart,
    anthropic::with_caches,
    document::{Act, Document, Effect, Facts, Format, Word},
    eventstream::{EventStream, Message, Part},
    json::Value,
    shape::Recorder,
    table::{At, Node},
};
use crate::usage::{Tokens, Usage};
use chunk::Chunk;

pub(crate) use invoke::INVOKED;

/// As answers to `converse` are.
pub(crate) static CONVERSED: Format = Format {
    nodes: &NODES,
    // The last event of each stream.
    events: &[("metadata", Word::Complete)],
    own,
};

/// What the headers of an answer to `invoke` tell of its tokens, for models whose documents do not: `get` looks one up by its
/// name, in lower case. What is told of the body counts more.
///
/// Bedrock counts what was read from a cache and written to one beside the input; here the input is all of it, as everywhere.
///
/// ```
/// use obs_llm::{Tokens, wire::usage_of_bedrock_headers};
///
/// let headers = [("x-amzn-bedrock-input-token-count", "20"), ("x-amzn-bedrock-output-token-count", "7")];
/// let usage = usage_of_bedrock_headers(|name| {
///     headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
/// });
/// assert_eq!(usage.get(Tokens::Input), Some(20));
/// assert_eq!(usage.get(Tokens::Output), Some(7));
/// ```
pub fn usage_of_bedrock_headers<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Usage {
    let mut usage = Usage::new();
    for (name, tokens) in [
        ("x-amzn-bedrock-input-token-count", Tokens::Input),
        ("x-amzn-bedrock-output-token-count", Tokens::Output),
        (
            "x-amzn-bedrock-cache-read-input-token-count",
            Tokens::CacheRead,
        ),
        (
            "x-amzn-bedrock-cache-write-input-token-count",
            Tokens::CacheWrite,
        ),
    ] {
        if let Some(count) = get(name).and_then(|count| count.trim().parse().ok()) {
            usage.set(tokens, count);
        }
    }
    if let Some(input) = usage.get(Tokens::Input) {
        let count = |tokens| usage.get(tokens).unwrap_or(0);
        let all = input + count(Tokens::CacheRead) + count(Tokens::CacheWrite);
        usage.set(Tokens::Input, all);
    }
    usage
}

/// Reads a stream of messages.
#[derive(Debug)]
pub(crate) struct Messages {
    stream: EventStream,
    /// Whether what passes is the document, or what holds it.
    chunk: Option<Chunk>,
    is_event: bool,
}

impl Messages {
    pub(crate) const fn conversed() -> Self {
        Self {
            stream: EventStream::new(),
            chunk: None,
            is_event: false,
        }
    }

    pub(crate) const fn invoked() -> Self {
        Self {
            chunk: Some(Chunk::new()),
            ..Self::conversed()
        }
    }

    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        document: &mut Document,
        sink: &mut impl ResponseSink,
    ) {
        while let Some(part) = self.stream.next(&mut bytes) {
            match part {
                Part::Head(message) => {
                    self.is_event = message == Message::Event;
                    document.begin();
                    match message {
                        Message::Event => document.event(self.stream.name(), sink),
                        Message::Exception | Message::Error => {
                            sink.error(match self.stream.name() {
                                "" => "_OTHER",
                                name => name,
                            })
                        }
                        Message::Other => {}
                    }
                    if let Some(chunk) = &mut self.chunk {
                        *chunk = Chunk::new();
                    }
                }
                Part::Payload(piece) if self.is_event => match &mut self.chunk {
                    Some(chunk) => chunk.feed(piece, |piece| document.feed(piece, sink)),
                    None => document.feed(piece, sink),
                },
                Part::Payload(_) => {}
                Part::End => {
                    document.finish(Malformed::Json, sink, &mut Recorder::off());
                }
                Part::Broken => {
                    document.begin();
                    sink.malformed(Malformed::Frame);
                }
            }
        }
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self, document: &mut Document, sink: &mut impl ResponseSink) {
        document.begin();
        if self.stream.is_within() {
            sink.malformed(Malformed::Cut);
        }
        self.stream = EventStream::new();
    }
}

const BLOCK: u8 = 1;
const TOOL: u8 = 2;
const THOUGHT: u8 = 3;
const MEDIA: u8 = 4;
const CITED: u8 = 5;
const OUTPUT: u8 = 6;
const MESSAGE: u8 = 7;
const BLOCKS: u8 = 8;
const USAGE: u8 = 9;
const WRITTEN: u8 = 10;
const WRITE: u8 = 11;
const METRICS: u8 = 12;
const TIER: u8 = 13;

// The format's own acts, which `invoke` has, too.
const STOP: u8 = 0;
const REPORT: u8 = 1;
const TIME_TO_LIVE: u8 = 2;
const END_WRITE: u8 = 3;
const ERROR: u8 = 4;

static NODES: [Node<Act>; 14] = [
    // An event, or an answer.
    Node::object(&[
        ("start", At::node(BLOCK)),
        ("delta", At::node(BLOCK)),
        ("stopReason", At::act(Act::Own(STOP))),
        ("usage", At::node(USAGE)),
        ("metrics", At::node(METRICS)),
        ("output", At::node(OUTPUT)),
        ("serviceTier", At::node(TIER)),
        ("__type", At::act(Act::Own(ERROR))),
    ]),
    Node::object(&[
        ("text", At::act(Act::Content(Text))),
        ("toolUse", At::node(TOOL)),
        ("reasoningContent", At::node(THOUGHT)),
        ("image", At::node(MEDIA)),
        ("audio", At::node(MEDIA)),
        ("citationsContent", At::node(CITED)),
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
    Node::object(&[]).opens(Act::Brings(Media)),
    Node::object(&[("content", At::node(BLOCKS))]),
    Node::object(&[("message", At::node(MESSAGE))]),
    Node::object(&[("content", At::node(BLOCKS))]),
    Node::list(At::node(BLOCK)),
    Node::object(&[
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
        ("cacheDetails", At::node(WRITTEN)),
    ])
    .closes(Act::Own(REPORT)),
    Node::list(At::node(WRITE)),
    Node::object(&[
        ("ttl", At::act(Act::Own(TIME_TO_LIVE))),
        ("inputTokens", At::act(Act::Total)),
    ])
    .closes(Act::Own(END_WRITE)),
    Node::object(&[("latencyMs", At::act(Act::Time(ServerPart::Total, 1e6)))]),
    Node::object(&[("type", At::act(Act::Tier))]),
];

/// An entry of what was written is for an hour, in `Facts::own`.
const HOUR: u16 = 1;

fn own(facts: &mut Facts, id: u8, value: Value<'_>) -> Effect {
    match (id, value) {
        (STOP, Value::Text(reason)) => {
            facts.hold(2, reason);
            return Effect::Finish;
        }
        (REPORT, Value::Close) => {
            with_caches(facts);
            return Effect::Usage;
        }
        (TIME_TO_LIVE, Value::Text("1h")) => facts.own |= HOUR,
        (END_WRITE, Value::Close) => {
            if facts.own & HOUR != 0 {
                let others = facts.usage.get(Tokens::CacheWriteHour).unwrap_or(0);
                let all = others + u64::from(facts.total);
                facts.usage.set(Tokens::CacheWriteHour, all);
            }
            facts.own &= !HOUR;
            facts.total = 0;
        }
        // `com.amazon.coral.service#ThrottlingException`.
        (ERROR, Value::Text(kind)) => {
            facts.hold(3, kind.rsplit_once('#').map_or(kind, |(_, name)| name));
            return Effect::Error;
        }
        _ => {}
    }
    Effect::Nothing
}
