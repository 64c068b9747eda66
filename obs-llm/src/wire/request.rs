//! A request, as it passes.

use super::Wire;

/// Who is told what stands in a request, as it is met. Texts are cut at 128 bytes.
pub trait RequestSink {
    /// The model that is asked for.
    fn model(&mut self, model: &str) {
        let _ = model;
    }
    /// Whether the answer is to be streamed.
    fn stream(&mut self, stream: bool) {
        let _ = stream;
    }
    /// Whether the stream is to end with a report of tokens; told only where the request says it.
    fn include_usage(&mut self, include: bool) {
        let _ = include;
    }
    /// The most tokens that the answer may have.
    fn max_tokens(&mut self, tokens: u64) {
        let _ = tokens;
    }
    /// The temperature.
    fn temperature(&mut self, value: f64) {
        let _ = value;
    }
    /// The mass of probability that is sampled from.
    fn top_p(&mut self, value: f64) {
        let _ = value;
    }
    /// How many tokens are sampled from.
    fn top_k(&mut self, value: f64) {
        let _ = value;
    }
    /// The penalty on frequent tokens.
    fn frequency_penalty(&mut self, value: f64) {
        let _ = value;
    }
    /// The penalty on tokens that were there.
    fn presence_penalty(&mut self, value: f64) {
        let _ = value;
    }
    /// The seed.
    fn seed(&mut self, seed: i64) {
        let _ = seed;
    }
    /// How many answers are asked for.
    fn choice_count(&mut self, count: u64) {
        let _ = count;
    }
    /// One of the texts that end the answer.
    fn stop_sequence(&mut self, text: &str) {
        let _ = text;
    }
    /// The tier that is asked for.
    fn service_tier(&mut self, tier: &str) {
        let _ = tier;
    }
    /// How much the model is to reason.
    fn reasoning_level(&mut self, level: &str) {
        let _ = level;
    }
    /// What kind of output is asked for: `text`, `json`, `image`, `speech`.
    fn output_type(&mut self, kind: &'static str) {
        let _ = kind;
    }
    /// The encoding that embeddings are asked for in.
    fn encoding_format(&mut self, format: &str) {
        let _ = format;
    }
    /// How many dimensions an embedding is to have.
    fn dimensions(&mut self, dimensions: u64) {
        let _ = dimensions;
    }
    /// The answer that this one goes on from.
    fn previous_response(&mut self, id: &str) {
        let _ = id;
    }
    /// The conversation, where the interface has them.
    fn conversation(&mut self, id: &str) {
        let _ = id;
    }
}

/// Reads a request.
#[derive(Debug)]
pub struct RequestScanner {
    wire: Wire,
}

impl RequestScanner {
    /// For a request of this format.
    pub fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl RequestSink) {
        let _ = (bytes, sink, self.wire);
    }
}
