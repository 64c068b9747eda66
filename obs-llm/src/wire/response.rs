//! An answer, in whatever pieces it comes.

use super::{
    Content, Malformed, ServerPart, Wire, anthropic,
    bedrock::{self, Messages},
    document::{Document, Format},
    framing::{BOM, Events, Lines},
    gemini, ollama, openai, responses,
    shape::{Recorder, Shape},
};
use crate::usage::Usage;

/// How an answer is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// One JSON document, or several in a list. What begins as events do is read as events.
    Json,
    /// Server-sent events: `text/event-stream`.
    EventStream,
    /// A JSON document on each line.
    Lines,
    /// Amazon's binary event stream: `application/vnd.amazon.eventstream`.
    AmazonEventStream,
}

/// Who is told what stands in an answer, as it is met. Texts are cut at 64 bytes, reasons and the codes of
/// errors at 40; but those of [`text`](Self::text) are not.
pub trait ResponseSink {
    /// The answer's id.
    fn response_id(&mut self, id: &str) {
        let _ = id;
    }
    /// The model that answers.
    fn response_model(&mut self, model: &str) {
        let _ = model;
    }
    /// An event, a line or a body brings content: once for each, by its first piece.
    fn content(&mut self, content: Content) {
        let _ = content;
    }
    /// Why a choice ended, as the provider says it.
    fn finish_reason(&mut self, choice: u32, reason: &str) {
        let _ = (choice, reason);
    }
    /// A report of tokens is complete: totals so far, by the provider's arithmetic.
    fn usage(&mut self, usage: &Usage) {
        let _ = usage;
    }
    /// The tier that serves.
    fn service_tier(&mut self, tier: &str) {
        let _ = tier;
    }
    /// What the model runs on.
    fn system_fingerprint(&mut self, fingerprint: &str) {
        let _ = fingerprint;
    }
    /// Where the answer is: `completed`, `incomplete`, `failed`, `cancelled`.
    fn status(&mut self, status: &str) {
        let _ = status;
    }
    /// The answer is an error, of this code; or of this type, where that is one that is known and the code is none.
    fn error(&mut self, code: &str) {
        let _ = code;
    }
    /// What the engine told of its own time.
    fn server_time(&mut self, part: ServerPart, nanos: u64) {
        let _ = (part, nanos);
    }
    /// What ends the answer by its format is there: `[DONE]`, `message_stop`, `response.completed`, `"done":true`, the end of a
    /// body.
    fn complete(&mut self) {}
    /// Something made no sense.
    fn malformed(&mut self, what: Malformed) {
        let _ = what;
    }
    /// A piece of content, as it stands in JSON between its quotes; of media nothing, and nothing of what a tool is called with
    /// where that is an object instead of a text (Gemini, Ollama, whole answers of Anthropic and Bedrock). Told only by a scanner
    /// that was made [to tell texts](ResponseScanner::with_texts).
    fn text(&mut self, content: Content, choice: u32, piece: &str) {
        let _ = (content, choice, piece);
    }
    /// The last so many bytes that were told as text of this choice are of this kind: Gemini says only after a text that it was
    /// thought.
    fn text_was(&mut self, content: Content, choice: u32, bytes: usize) {
        let _ = (content, choice, bytes);
    }
}

/// Reads an answer.
#[derive(Debug)]
pub struct ResponseScanner {
    document: Document,
    #[cfg_attr(
        not(any(feature = "client", feature = "stream")),
        allow(dead_code, reason = "who reads bytes wants it")
    )]
    pub(crate) of: (Wire, Framing),
    /// So much of a byte order mark was there; all of it, once something else was.
    bom: u8,
    /// Whether anything was there.
    #[cfg_attr(
        not(feature = "client"),
        allow(dead_code, reason = "who reads bodies wants it")
    )]
    pub(crate) has_begun: bool,
    reader: Reader,
}

/// Divides it.
#[derive(Debug)]
enum Reader {
    Json,
    /// Into events or lines, of which one is often like the other.
    Text(Shape, Text),
    /// Amazon's. Apart, so that all others need no room for it.
    Messages(Box<Messages>),
    /// A framing that the format has not: nothing is read.
    Nothing,
}

#[derive(Debug)]
enum Text {
    Events(Events),
    Lines(Lines),
}

impl ResponseScanner {
    /// For an answer of this format, divided so.
    pub fn new(wire: Wire, framing: Framing) -> Self {
        let reader = match framing {
            Framing::Json => Reader::Json,
            Framing::EventStream => Reader::Text(Shape::new(), Text::Events(Events::new())),
            Framing::Lines => Reader::Text(Shape::new(), Text::Lines(Lines::new())),
            Framing::AmazonEventStream => match wire {
                Wire::BedrockConverse => Reader::Messages(Box::new(Messages::conversed())),
                Wire::BedrockInvoke => Reader::Messages(Box::new(Messages::invoked())),
                _ => Reader::Nothing,
            },
        };
        Self {
            document: Document::new(format_of(wire)),
            of: (wire, framing),
            bom: 0,
            has_begun: false,
            reader,
        }
    }

    /// That tells pieces of content, too.
    #[must_use]
    pub fn with_texts(mut self) -> Self {
        self.document.tell_texts();
        self
    }

    /// Reads the next bytes.
    #[inline(always)]
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl ResponseSink) {
        // What comes at once is nearly always one event like the one before.
        let at = match &mut self.reader {
            Reader::Text(shape, _) => shape.read_at_once(bytes, &self.document, sink),
            _ => 0,
        };
        if at < bytes.len() {
            self.feed_rest(bytes, at, sink);
        }
    }

    /// What of these bytes is to be read, and as what: nothing, as long as it is not known what the answer is.
    #[cfg(any(feature = "client", feature = "stream"))]
    pub(crate) fn of_next<'a>(&mut self, bytes: &'a [u8]) -> (&'a [u8], Wire, Framing) {
        let bytes = self.behind_lead(bytes);
        let (wire, framing) = self.of;
        (bytes, wire, framing)
    }

    /// What is behind all that a JSON answer may have before its first byte, however that is cut. That byte says whether it is one:
    /// servers and gateways send events as `application/json`, and no JSON begins with what an event begins with: `data`, `event`,
    /// `id`, `retry`, a colon.
    #[inline]
    fn behind_lead<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !matches!(self.reader, Reader::Json) || !self.document.is_new() {
            return bytes;
        }
        self.has_begun |= !bytes.is_empty();
        let bytes = behind_bom(&mut self.bom, bytes);
        let lead = { bytes.iter() }.take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        let bytes = bytes.get(lead.count()..).unwrap_or_default();
        if let Some(b'd' | b'e' | b'i' | b'r' | b':') = bytes.first() {
            self.reader = Reader::Text(Shape::new(), Text::Events(Events::new()));
            self.of.1 = Framing::EventStream;
        }
        bytes
    }

    #[inline(never)]
    fn feed_rest(&mut self, bytes: &[u8], from: usize, sink: &mut impl ResponseSink) {
        self.has_begun = true;
        let bytes = self.behind_lead(bytes.get(from..).unwrap_or_default());
        let document = &mut self.document;
        match &mut self.reader {
            Reader::Json => document.feed(bytes, sink),
            Reader::Text(shape, Text::Events(events)) => events.feed(bytes, shape, document, sink),
            Reader::Text(shape, Text::Lines(lines)) => {
                let bytes = behind_bom(&mut self.bom, bytes);
                lines.feed(bytes, shape, document, sink);
            }
            Reader::Messages(messages) => messages.feed(bytes, document, sink),
            Reader::Nothing => {}
        }
    }

    /// Nothing follows.
    pub fn end(&mut self, sink: &mut impl ResponseSink) {
        match &mut self.reader {
            Reader::Json => {
                let mut recorder = Recorder::off();
                if self.document.finish(Malformed::Cut, sink, &mut recorder) {
                    self.document.complete(sink);
                }
            }
            Reader::Text(_, Text::Events(events)) => events.end(&mut self.document, sink),
            Reader::Text(_, Text::Lines(lines)) => lines.end(&mut self.document, sink),
            Reader::Messages(messages) => messages.end(&mut self.document, sink),
            Reader::Nothing => {}
        }
        self.document.end(sink);
    }
}

/// What is behind a byte order mark at the very beginning, which JSON must not have and some servers write.
#[inline]
fn behind_bom<'a>(seen: &mut u8, bytes: &'a [u8]) -> &'a [u8] {
    let mut rest = bytes;
    while let (Some(mark), Some((byte, after))) = (BOM.get(usize::from(*seen)), rest.split_first())
    {
        if mark != byte {
            *seen = BOM.len() as u8;
            break;
        }
        *seen += 1;
        rest = after;
    }
    rest
}

/// What the documents of a format hold.
fn format_of(wire: Wire) -> &'static Format {
    match wire {
        Wire::OpenAiChat => &openai::CHAT,
        Wire::OpenAiResponses => &responses::RESPONSES,
        Wire::AnthropicMessages => &anthropic::MESSAGES,
        Wire::Gemini => &gemini::GENERATED,
        Wire::Ollama => &ollama::OLLAMA,
        Wire::BedrockConverse => &bedrock::CONVERSED,
        Wire::BedrockInvoke => &bedrock::INVOKED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every node of a table exists, and something leads to each but the first.
    #[test]
    fn tables_are_whole() {
        for wire in [
            Wire::OpenAiChat,
            Wire::OpenAiResponses,
            Wire::AnthropicMessages,
            Wire::Gemini,
            Wire::Ollama,
            Wire::BedrockConverse,
            Wire::BedrockInvoke,
        ] {
            let nodes = format_of(wire).nodes;
            let mut reached = vec![false; nodes.len()];
            reached[0] = true;
            for node in nodes.iter().flat_map(|node| node.leads_to()) {
                reached[usize::from(node)] = true;
            }
            assert!(
                reached.iter().all(|reached| *reached),
                "{wire:?} {reached:?}"
            );
        }
    }
}
