//! What a request asks for, and what its answer says beside its tokens.

use super::InferenceRequest;
use crate::call::ending::list;
use crate::call::parameters::parameters;
use crate::descriptor::{MODEL, RESPONSE_MODEL};
use crate::dialect::Dialect;
use crate::usage::Usage;
use crate::wire::{RequestSink, ResponseSink};
use obs_core::semconv::gen_ai;
use obs_core::{Key, LabelId, Set};

impl InferenceRequest {
    fn set_count(&mut self, key: Key, count: u64) {
        self.say(key, i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn say<'v>(&mut self, key: Key, value: impl Into<Set<'v>>) {
        self.operation.set(key, value);
    }

    fn set_choices(&mut self, count: u64) {
        self.choices = u32::try_from(count).unwrap_or(u32::MAX);
    }

    fn stops(&mut self) -> &mut Vec<Box<str>> {
        self.stops.get_or_insert_default()
    }

    fn dialect(&self) -> Dialect {
        self.shared.dialect
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

    parameters!();
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
        if self.dialect() == Dialect::Main {
            self.operation.set(gen_ai::RESPONSE_STATUS, status);
        }
    }

    fn system_fingerprint(&mut self, fingerprint: &str) {
        self.operation
            .set(gen_ai::OPENAI_RESPONSE_SYSTEM_FINGERPRINT, fingerprint);
    }
}
