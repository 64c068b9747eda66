//! What an answer says.

use super::content;
use super::failure;
use super::frames::Frames;
use crate::adapters::within::Watch;
use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::descriptor::INCOMPLETE;
use crate::usage::{Tokens, Usage};
use crate::wire::{Content, Framing, ResponseScanner, ResponseSink, Wire};
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
    usage(&answer.usage, call);
    content::answer(answer, call);
    call.complete();
}

pub(super) fn embeddings(answer: &EmbedResponse, call: &mut LlmCall) {
    call.response_model(&answer.provider_model_iden.model_name);
    usage(&answer.usage, call);
    call.complete();
}

/// genai's counts are totals, with the parts in them: by each provider's arithmetic it has added what stood beside.
fn usage(told: &genai::chat::Usage, call: &mut LlmCall) {
    let mut usage = Usage::new();
    let input = told.prompt_tokens_details.as_ref();
    let output = told.completion_tokens_details.as_ref();
    let written = input.and_then(|input| input.cache_creation_details.as_ref());
    for (tokens, count) in [
        (Tokens::Input, told.prompt_tokens),
        (Tokens::Output, told.completion_tokens),
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
        (Tokens::Reasoning, output.and_then(|of| of.reasoning_tokens)),
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

/// Reads a stream: its frames where they are shown and their format is known, else genai's events.
#[derive(Debug)]
pub(super) struct Reader {
    wire: Option<Wire>,
    frames: Option<(Arc<Frames>, ResponseScanner)>,
    lost: bool,
}

impl Reader {
    /// Of a stream whose answer comes in this format.
    pub(super) fn new(call: &mut LlmCall, wire: Option<Wire>, frames: Option<Arc<Frames>>) -> Self {
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
            usage(told, call);
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
