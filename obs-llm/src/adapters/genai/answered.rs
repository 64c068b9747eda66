//! What an answer says.

use super::content;
use super::failure;
use super::frames::Frames;
use super::provider;
use crate::adapters::within::Watch;
use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::descriptor::INCOMPLETE;
use crate::usage::{Tokens, Usage};
use crate::wire::{Content, Framing, ResponseScanner, ResponseSink, Wire};
use genai::ModelIden;
use genai::adapter::AdapterKind;
use genai::chat::{ChatResponse, ChatStreamEvent, StreamEnd};
use genai::embed::EmbedResponse;
use std::sync::Arc;

pub(super) fn chat(answer: &ChatResponse, call: &mut LlmCall) {
    call.response_model(&answer.provider_model_iden.model_name);
    if let Some(id) = &answer.response_id {
        call.response_id(id);
    }
    if let Some(reason) = &answer.stop_reason {
        call.finish_reason(0, reason.raw());
    }
    usage(&answer.usage, answer.model_iden.adapter_kind, call);
    content::answer(answer, call);
    call.complete();
}

pub(super) fn embeddings(answer: &EmbedResponse, call: &mut LlmCall) {
    call.response_model(&answer.provider_model_iden.model_name);
    usage(&answer.usage, answer.model_iden.adapter_kind, call);
    call.complete();
}

/// genai's counts are totals, with the parts in them: by each provider's arithmetic it has added what stood beside. Where it has
/// not, or has added what stood in it already, that is put right here.
fn usage(told: &genai::chat::Usage, kind: AdapterKind, call: &mut LlmCall) {
    let mut usage = Usage::new();
    let input = told.prompt_tokens_details.as_ref();
    let output = told.completion_tokens_details.as_ref();
    let written = input.and_then(|input| input.cache_creation_details.as_ref());
    let reasoning = output.and_then(|of| of.reasoning_tokens);
    for (tokens, count) in [
        (Tokens::Input, all_input(told, kind)),
        (Tokens::Output, all_output(told, reasoning)),
        (Tokens::CacheRead, input.and_then(|of| of.cached_tokens)),
        (
            Tokens::CacheWrite,
            input.and_then(|of| of.cache_creation_tokens),
        ),
        (
            Tokens::CacheWriteHour,
            written.and_then(|of| of.ephemeral_1h_tokens),
        ),
        (Tokens::AudioInput, input.and_then(|of| of.audio_tokens)),
        (Tokens::Reasoning, reasoning),
        (Tokens::AudioOutput, output.and_then(|of| of.audio_tokens)),
    ] {
        if let Some(count) = count.and_then(|count| u64::try_from(count).ok()) {
            usage.set(tokens, count);
        }
    }
    if !usage.is_empty() {
        call.usage(&usage);
    }
}

/// Caches of Bedrock's stand beside the input.
fn all_input(told: &genai::chat::Usage, kind: AdapterKind) -> Option<i32> {
    let input = told.prompt_tokens?;
    match &told.prompt_tokens_details {
        Some(of) if kind.as_lower_str().starts_with("bedrock") => {
            let caches = [of.cached_tokens, of.cache_creation_tokens];
            let caches = caches.into_iter().flatten();
            Some(caches.fold(input, i32::saturating_add))
        }
        _ => Some(input),
    }
}

/// Of xAI's output genai takes the reasoning to stand beside, as it does of some models: the total says which. Gemini tells no
/// other output of an answer that ended within its thoughts.
fn all_output(told: &genai::chat::Usage, reasoning: Option<i32>) -> Option<i32> {
    let (Some(output), Some(reasoning)) = (told.completion_tokens, reasoning) else {
        return told.completion_tokens.or(reasoning);
    };
    let sum = told
        .prompt_tokens
        .and_then(|input| input.checked_add(output));
    let twice = told.total_tokens.zip(sum).is_some_and(|(total, sum)| {
        reasoning > 0 && reasoning <= output && total.checked_add(reasoning) == Some(sum)
    });
    Some(if twice { output - reasoning } else { output })
}

/// Reads a stream: its frames where they are shown and their format is known, else genai's events.
#[derive(Debug)]
pub(super) struct Reader {
    kind: AdapterKind,
    wire: Option<Wire>,
    frames: Option<(Arc<Frames>, ResponseScanner)>,
    lost: bool,
}

impl Reader {
    /// Of a stream whose answer comes from this model.
    pub(super) fn new(call: &mut LlmCall, model: &ModelIden, frames: Option<Arc<Frames>>) -> Self {
        let wire = provider::wire(model);
        let frames = wire.zip(frames).map(|(wire, frames)| {
            let framing = match wire {
                Wire::Ollama => Framing::Lines,
                _ => Framing::EventStream,
            };
            frames.divide(framing);
            call.set_wire(wire);
            (frames, call.scanner(wire, framing))
        });
        Self {
            kind: model.adapter_kind,
            wire,
            frames,
            lost: false,
        }
    }

    fn read(&mut self, call: &mut LlmCall) {
        let Some((frames, scanner)) = &mut self.frames else {
            return;
        };
        if !frames.read(|bytes| call.read(scanner, bytes)) && !self.lost {
            self.lost = true;
            call.count_anomaly(Anomaly::Unreadable);
        }
    }

    /// Its last event, which says what was asked for by genai's options.
    fn end(&self, end: &StreamEnd, call: &mut LlmCall) {
        if self.frames.is_none() {
            if let Some(id) = &end.captured_response_id {
                call.response_id(id);
            }
            if let Some(reason) = &end.captured_stop_reason {
                call.finish_reason(0, reason.raw());
            }
            content::end(end, call);
        }
        if let (Some(told), true) = (&end.captured_usage, call.usage_so_far().is_empty()) {
            usage(told, self.kind, call);
        }
        call.complete();
    }
}

impl Watch<genai::Result<ChatStreamEvent>> for Reader {
    fn item(&mut self, item: &genai::Result<ChatStreamEvent>, call: &mut LlmCall) {
        self.read(call);
        let content = match item {
            Ok(ChatStreamEvent::Chunk(chunk)) => Some((Content::Text, chunk.content.is_empty())),
            Ok(ChatStreamEvent::ReasoningChunk(chunk)) => {
                Some((Content::Reasoning, chunk.content.is_empty()))
            }
            Ok(ChatStreamEvent::ToolCallChunk(_)) => Some((Content::ToolCall, false)),
            Ok(
                ChatStreamEvent::Start
                | ChatStreamEvent::ThoughtSignatureChunk(_)
                | ChatStreamEvent::Heartbeat,
            ) => None,
            Ok(ChatStreamEvent::End(end)) => {
                self.end(end, call);
                let outcome = call.outcome();
                return call.end_in_place(outcome);
            }
            Err(error) => return failure::end(call, error, self.wire),
        };
        if let (Some((content, false)), None) = (content, &self.frames) {
            call.content(content);
        }
    }

    fn over(&mut self, call: &mut LlmCall) {
        self.read(call);
        if !call.is_all_there() {
            call.set_error(INCOMPLETE);
        }
        let outcome = call.outcome();
        call.end_in_place(outcome);
    }

    fn meanwhile(&mut self, call: &mut LlmCall) {
        self.read(call);
    }
}
