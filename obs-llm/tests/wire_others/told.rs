//! Writes down what a scanner tells, a line each, so that a file can hold what is expected.

use obs_llm::wire::{Content, Framing, Malformed, ResponseScanner, ResponseSink, ServerPart, Wire};
use obs_llm::{Tokens, Usage};
use std::fmt::Write;

/// What was told, but texts; and these joined, by kind and choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) lines: String,
    texts: Vec<(Content, u32, String)>,
}

impl Told {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.lines, "{line}").expect("a string takes all");
    }

    /// As the corpus has it.
    pub(crate) fn page(&self) -> String {
        let mut page = self.lines.clone();
        let mut texts: Vec<_> = self
            .texts
            .iter()
            .filter(|(.., text)| !text.is_empty())
            .collect();
        texts.sort_by_key(|(content, choice, _)| (kind(*content), *choice));
        for (content, choice, text) in texts {
            writeln!(page, "text {} {choice} {text}", kind(*content)).expect("a string takes all");
        }
        page
    }
}

pub(crate) fn kind(content: Content) -> &'static str {
    match content {
        Content::Text => "text",
        Content::Reasoning => "reasoning",
        Content::ToolCall => "tool_call",
        Content::Media => "media",
        _ => "?",
    }
}

impl ResponseSink for Told {
    fn response_id(&mut self, id: &str) {
        self.line(format_args!("id {id}"));
    }
    fn response_model(&mut self, model: &str) {
        self.line(format_args!("model {model}"));
    }
    fn content(&mut self, content: Content) {
        self.line(format_args!("content {}", kind(content)));
    }
    fn finish_reason(&mut self, choice: u32, reason: &str) {
        self.line(format_args!("finish {choice} {reason}"));
    }
    fn usage(&mut self, usage: &Usage) {
        let names = [
            (Tokens::Input, "input"),
            (Tokens::Output, "output"),
            (Tokens::CacheRead, "cache_read"),
            (Tokens::CacheWrite, "cache_write"),
            (Tokens::CacheWriteHour, "cache_write_hour"),
            (Tokens::Reasoning, "reasoning"),
            (Tokens::TextInput, "text_input"),
            (Tokens::ImageInput, "image_input"),
            (Tokens::AudioInput, "audio_input"),
            (Tokens::TextOutput, "text_output"),
            (Tokens::ImageOutput, "image_output"),
            (Tokens::AudioOutput, "audio_output"),
        ];
        assert_eq!(names.len(), Tokens::ALL.len());
        let told = names
            .iter()
            .filter_map(|(tokens, name)| Some((name, usage.get(*tokens)?)));
        let told: Vec<_> = told
            .map(|(name, count)| format!("{name}={count}"))
            .collect();
        self.line(format_args!("usage {}", told.join(" ")));
    }
    fn service_tier(&mut self, tier: &str) {
        self.line(format_args!("tier {tier}"));
    }
    fn system_fingerprint(&mut self, fingerprint: &str) {
        self.line(format_args!("fingerprint {fingerprint}"));
    }
    fn status(&mut self, status: &str) {
        self.line(format_args!("status {status}"));
    }
    fn error(&mut self, code: &str) {
        self.line(format_args!("error {code}"));
    }
    fn server_time(&mut self, part: ServerPart, nanos: u64) {
        let part = match part {
            ServerPart::Load => "load",
            ServerPart::Prefill => "prefill",
            ServerPart::Decode => "decode",
            ServerPart::Total => "total",
            _ => "?",
        };
        self.line(format_args!("server {part} {nanos}"));
    }
    fn complete(&mut self) {
        self.line(format_args!("complete"));
    }
    fn malformed(&mut self, what: Malformed) {
        let what = match what {
            Malformed::Json => "json",
            Malformed::Frame => "frame",
            Malformed::Cut => "cut",
            _ => "?",
        };
        self.line(format_args!("malformed {what}"));
    }
    fn text(&mut self, content: Content, choice: u32, piece: &str) {
        assert!(!piece.is_empty());
        let of = |(kind, at, _): &(_, _, _)| (*kind, *at) == (content, choice);
        match self.texts.iter_mut().find(|text| of(text)) {
            Some((.., text)) => text.push_str(piece),
            None => self.texts.push((content, choice, piece.to_owned())),
        }
    }
    fn text_was(&mut self, content: Content, choice: u32, bytes: usize) {
        let was = (Content::Text, choice);
        let from = self
            .texts
            .iter_mut()
            .find(|(kind, at, _)| (*kind, *at) == was);
        let (.., from) = from.expect("a text was told");
        let piece = from.split_off(from.len() - bytes);
        self.text(content, choice, &piece);
    }
}

/// What is told of an answer that comes in these pieces.
pub(crate) fn read<'a>(
    wire: Wire,
    framing: Framing,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Told {
    let mut told = Told::default();
    let mut scanner = ResponseScanner::new(wire, framing).with_texts();
    for piece in pieces {
        scanner.feed(piece, &mut told);
    }
    scanner.end(&mut told);
    told
}

/// The same by a scanner that tells no texts: it has to tell all else.
pub(crate) fn read_without_texts<'a>(
    wire: Wire,
    framing: Framing,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Told {
    let mut told = Told::default();
    let mut scanner = ResponseScanner::new(wire, framing);
    for piece in pieces {
        scanner.feed(piece, &mut told);
    }
    scanner.end(&mut told);
    told
}
