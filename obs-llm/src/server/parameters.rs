//! What a request asks for, and what its answer says beside its tokens.

use super::InferenceRequest;
use crate::descriptor::{MODEL, RESPONSE_MODEL};
use crate::dialect::Dialect;
use crate::usage::Usage;
use crate::wire::{RequestSink, ResponseSink};
use obs_core::otel::{Array, KeyValue, Value};
use obs_core::semconv::gen_ai;
use obs_core::{Key, LabelId};

/// OpenAI takes four.
const MOST_STOPS: usize = 8;

impl InferenceRequest {
    fn set_count(&mut self, key: Key, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.operation.set(key, count);
    }

    fn is_main(&self) -> bool {
        self.shared.dialect == Dialect::Main
    }
}

impl RequestSink for InferenceRequest {
    /// The name that it is asked for by. Metrics have it if it is the model's or [an alias](super::ModelServer::with_alias).
    fn model(&mut self, model: &str) {
        let (kind, own) = (self.shared.kind, &*self.shared.model);
        let Some(mut active) = self.operation.active() else {
            return;
        };
        if model == own {
            return;
        }
        match kind.known_label(MODEL, model) {
            Some(known) => active.set_label(MODEL, known),
            None => {
                active.set_label(MODEL, LabelId::OVERFLOW);
                active.set(gen_ai::REQUEST_MODEL, model);
            }
        }
    }

    fn stream(&mut self, stream: bool) {
        // Only if it is.
        if stream {
            self.operation.set(gen_ai::REQUEST_STREAM, true);
        }
    }

    fn max_tokens(&mut self, tokens: u64) {
        self.set_count(gen_ai::REQUEST_MAX_TOKENS, tokens);
    }

    fn temperature(&mut self, value: f64) {
        self.operation.set(gen_ai::REQUEST_TEMPERATURE, value);
    }

    fn top_p(&mut self, value: f64) {
        self.operation.set(gen_ai::REQUEST_TOP_P, value);
    }

    fn top_k(&mut self, value: f64) {
        match self.shared.dialect {
            Dialect::V1_41 => self.operation.set(gen_ai::REQUEST_TOP_K, value),
            Dialect::Main => self.operation.set(gen_ai::REQUEST_TOP_K, value as i64),
        }
    }

    fn frequency_penalty(&mut self, value: f64) {
        self.operation.set(gen_ai::REQUEST_FREQUENCY_PENALTY, value);
    }

    fn presence_penalty(&mut self, value: f64) {
        self.operation.set(gen_ai::REQUEST_PRESENCE_PENALTY, value);
    }

    fn seed(&mut self, seed: i64) {
        self.operation.set(gen_ai::REQUEST_SEED, seed);
    }

    fn choice_count(&mut self, count: u64) {
        if count != 1 {
            self.choices = u32::try_from(count).unwrap_or(u32::MAX);
            self.set_count(gen_ai::REQUEST_CHOICE_COUNT, count);
        }
    }

    fn stop_sequence(&mut self, text: &str) {
        if self.is_recording() {
            let stops = self.stops.get_or_insert_default();
            if stops.len() < MOST_STOPS {
                stops.push(text.into());
            }
        }
    }

    fn reasoning_level(&mut self, level: &str) {
        if self.is_main() {
            self.operation.set(gen_ai::REQUEST_REASONING_LEVEL, level);
        }
    }

    fn output_type(&mut self, kind: &'static str) {
        self.operation.set(gen_ai::OUTPUT_TYPE, kind);
    }

    fn encoding_format(&mut self, format: &str) {
        if let Some(mut active) = self.operation.active() {
            let list = Value::Array(Array::String(vec![format.to_owned().into()]));
            active.set_dynamic(KeyValue::new(
                gen_ai::REQUEST_ENCODING_FORMATS.as_str(),
                list,
            ));
        }
    }

    fn dimensions(&mut self, dimensions: u64) {
        self.set_count(gen_ai::EMBEDDINGS_DIMENSION_COUNT, dimensions);
    }

    fn previous_response(&mut self, id: &str) {
        if self.is_main() {
            self.operation.set(gen_ai::REQUEST_PREVIOUS_RESPONSE_ID, id);
        }
    }

    fn conversation(&mut self, id: &str) {
        self.operation.set(gen_ai::CONVERSATION_ID, id);
    }
}

/// Tokens are told by [`token`](Self::token) and its kin; content that a scanner finds is none.
impl ResponseSink for InferenceRequest {
    fn response_id(&mut self, id: &str) {
        self.operation.set(gen_ai::RESPONSE_ID, id);
    }

    /// The model that answers, where it is another than the server's: an adapter on it.
    fn response_model(&mut self, model: &str) {
        if let Some(mut active) = self.operation.active() {
            active.set_label_text(RESPONSE_MODEL, model);
        }
    }

    fn finish_reason(&mut self, choice: u32, reason: &str) {
        if self.is_recording() {
            self.finish.set(choice, reason);
        }
    }

    /// Totals so far. What is told here goes before what was counted.
    fn usage(&mut self, usage: &Usage) {
        self.usage.update(usage);
    }

    fn status(&mut self, status: &str) {
        if self.is_main() {
            self.operation.set(gen_ai::RESPONSE_STATUS, status);
        }
    }

    fn system_fingerprint(&mut self, fingerprint: &str) {
        self.operation
            .set(gen_ai::OPENAI_RESPONSE_SYSTEM_FINGERPRINT, fingerprint);
    }
}
