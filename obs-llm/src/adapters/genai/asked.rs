//! What a request asks for.

use crate::call::LlmCall;
use crate::wire::RequestSink;
use genai::chat::{ChatOptions, ChatRequest, ReasoningEffort};
use genai::embed::EmbedOptions;

/// The options of one call, over those that the client has by default: as genai has it, each by itself, but the stop sequences,
/// which are those of the call as soon as it has options.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) own: Option<&'a ChatOptions>,
    pub(super) default: Option<&'a ChatOptions>,
}

impl<'a> Options<'a> {
    fn get<T>(self, of: impl Fn(&'a ChatOptions) -> Option<T>) -> Option<T> {
        self.own.and_then(&of).or_else(|| self.default.and_then(of))
    }

    pub(super) fn tell(self, call: &mut LlmCall) {
        if let Some(tokens) = self.get(|options| options.max_tokens) {
            call.max_tokens(tokens.into());
        }
        if let Some(value) = self.get(|options| options.temperature) {
            call.temperature(value);
        }
        if let Some(value) = self.get(|options| options.top_p) {
            call.top_p(value);
        }
        if let Some(seed) = self.get(|options| options.seed) {
            call.seed(i64::try_from(seed).unwrap_or(i64::MAX));
        }
        if let Some(options) = self.own.or(self.default) {
            for stop in &options.stop_sequences {
                call.stop_sequence(stop);
            }
        }
        if let Some(tier) = self.get(|options| options.service_tier.as_ref()) {
            RequestSink::service_tier(call, tier.variant_name());
        }
        match self.get(|options| options.reasoning_effort.as_ref()) {
            Some(ReasoningEffort::Budget(_)) | None => {}
            Some(effort) => call.reasoning_level(effort.variant_name()),
        }
        // Both of its kinds are JSON.
        if self
            .get(|options| options.response_format.as_ref())
            .is_some()
        {
            call.output_type("json");
        }
    }
}

pub(super) fn request(request: &ChatRequest, call: &mut LlmCall) {
    if let Some(id) = &request.previous_response_id {
        call.previous_response(id);
    }
}

pub(super) fn embeddings(options: &EmbedOptions, call: &mut LlmCall) {
    if let Some(dimensions) = options.dimensions {
        call.dimensions(dimensions as u64);
    }
    if let Some(format) = &options.encoding_format {
        call.encoding_format(format);
    }
}
