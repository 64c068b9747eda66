//! What a request asks for, as the spans of both sides say it.

/// What of [`RequestSink`](crate::wire::RequestSink) is said alike by a call and by a request on the side that answers: whoever has
/// an `operation` and `stops()`, is told by `set_choices()`, and says its `dialect()`.
macro_rules! parameters {
    () => {
        fn max_tokens(&mut self, tokens: u64) {
            self.set_count(gen_ai::REQUEST_MAX_TOKENS, tokens);
        }

        fn temperature(&mut self, value: f64) {
            self.say(gen_ai::REQUEST_TEMPERATURE, value);
        }

        fn top_p(&mut self, value: f64) {
            self.say(gen_ai::REQUEST_TOP_P, value);
        }

        fn top_k(&mut self, value: f64) {
            match self.dialect() {
                Dialect::V1_41 => self.say(gen_ai::REQUEST_TOP_K, value),
                Dialect::Main => self.say(gen_ai::REQUEST_TOP_K, value as i64),
            }
        }

        fn frequency_penalty(&mut self, value: f64) {
            self.say(gen_ai::REQUEST_FREQUENCY_PENALTY, value);
        }

        fn presence_penalty(&mut self, value: f64) {
            self.say(gen_ai::REQUEST_PRESENCE_PENALTY, value);
        }

        fn seed(&mut self, seed: i64) {
            self.say(gen_ai::REQUEST_SEED, seed);
        }

        fn choice_count(&mut self, count: u64) {
            if count != 1 {
                // Of none that is asked for there is an answer all the same: what it was refused with, or one.
                self.set_choices(count.max(1));
                self.set_count(gen_ai::REQUEST_CHOICE_COUNT, count);
            }
        }

        fn stop_sequence(&mut self, text: &str) {
            /// OpenAI takes four, Anthropic thousands.
            const MOST: usize = 8;
            if self.is_recording() {
                let stops = self.stops();
                if stops.len() < MOST {
                    stops.push(text.into());
                }
            }
        }

        fn reasoning_level(&mut self, level: &str) {
            if self.dialect() == Dialect::Main {
                self.say(gen_ai::REQUEST_REASONING_LEVEL, level);
            }
        }

        fn output_type(&mut self, kind: &'static str) {
            self.say(gen_ai::OUTPUT_TYPE, kind);
        }

        fn encoding_format(&mut self, format: &str) {
            if let Some(mut active) = self.operation.active() {
                let format = vec![format.to_owned().into()];
                active.set_dynamic(list(gen_ai::REQUEST_ENCODING_FORMATS, format));
            }
        }

        fn dimensions(&mut self, dimensions: u64) {
            self.set_count(gen_ai::EMBEDDINGS_DIMENSION_COUNT, dimensions);
        }

        fn previous_response(&mut self, id: &str) {
            if self.dialect() == Dialect::Main {
                self.say(gen_ai::REQUEST_PREVIOUS_RESPONSE_ID, id);
            }
        }

        fn conversation(&mut self, id: &str) {
            self.say(gen_ai::CONVERSATION_ID, id);
        }
    };
}

pub(crate) use parameters;
