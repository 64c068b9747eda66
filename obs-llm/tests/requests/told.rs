//! Writes down what a scanner tells, a line each.

use obs_llm::wire::{RequestScanner, RequestSink, Wire};

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told(pub(crate) Vec<String>);

impl Told {
    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push(format!("{name} {value}"));
    }
}

impl RequestSink for Told {
    fn model(&mut self, model: &str) {
        self.line("model", model);
    }
    fn stream(&mut self, stream: bool) {
        self.line("stream", stream);
    }
    fn include_usage(&mut self, include: bool) {
        self.line("include_usage", include);
    }
    fn max_tokens(&mut self, tokens: u64) {
        self.line("max_tokens", tokens);
    }
    fn temperature(&mut self, value: f64) {
        self.line("temperature", value);
    }
    fn top_p(&mut self, value: f64) {
        self.line("top_p", value);
    }
    fn top_k(&mut self, value: f64) {
        self.line("top_k", value);
    }
    fn frequency_penalty(&mut self, value: f64) {
        self.line("frequency_penalty", value);
    }
    fn presence_penalty(&mut self, value: f64) {
        self.line("presence_penalty", value);
    }
    fn seed(&mut self, seed: i64) {
        self.line("seed", seed);
    }
    fn choice_count(&mut self, count: u64) {
        self.line("choice_count", count);
    }
    fn stop_sequence(&mut self, text: &str) {
        self.line("stop_sequence", text);
    }
    fn service_tier(&mut self, tier: &str) {
        self.line("service_tier", tier);
    }
    fn reasoning_level(&mut self, level: &str) {
        self.line("reasoning_level", level);
    }
    fn output_type(&mut self, kind: &'static str) {
        self.line("output_type", kind);
    }
    fn encoding_format(&mut self, format: &str) {
        self.line("encoding_format", format);
    }
    fn dimensions(&mut self, dimensions: u64) {
        self.line("dimensions", dimensions);
    }
    fn previous_response(&mut self, id: &str) {
        self.line("previous_response", id);
    }
    fn conversation(&mut self, id: &str) {
        self.line("conversation", id);
    }
}

/// What is told of a request that comes in these pieces.
pub(crate) fn read<'a>(wire: Wire, pieces: impl IntoIterator<Item = &'a [u8]>) -> Told {
    let (mut told, mut scanner) = (Told::default(), RequestScanner::new(wire));
    for piece in pieces {
        scanner.feed(piece, &mut told);
    }
    told
}

/// A request tells these lines, wherever it is split.
#[track_caller]
pub(crate) fn check(wire: Wire, request: &str, expect: &[&str]) {
    let bytes = request.as_bytes();
    let whole = read(wire, [bytes]);
    assert_eq!(whole.0, expect);
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(read(wire, [head, tail]), whole, "split at {at}");
    }
    assert_eq!(read(wire, bytes.chunks(1)), whole);
}
