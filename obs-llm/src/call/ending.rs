//! What is recorded when a call ends, however it does.

use super::finish::FinishReasons;
use super::{ASKS, LlmCall};
use crate::anomaly::Anomaly;
use crate::bill::Bill;
use crate::descriptor::{
    ADDRESS, COST, INPUT_USAGE, LlmOperation, MAIN_CACHE_READ, MAIN_CACHE_WRITE, MAIN_CALL_INPUT,
    MAIN_CALL_OUTPUT, MAIN_INPUT, MAIN_OUTPUT, MAIN_REASONING, MODEL, OPERATION, OUTPUT_USAGE,
    PROVIDER, RESPONSE_MODEL, by_length, cache_write_key,
};
use crate::dialect::Dialect;
use crate::usage::{Tokens, Usage};
use crate::wire::Wire;
use obs_core::otel::{Array, KeyValue, StringValue, Value};
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Active, Event, Key, LabelId, Labels, Milestone, Moment, Operation, Outcome, Set};

/// About so many attributes are set at the end.
const AT_THE_END: usize = 11;

impl LlmCall {
    /// Ends it if it has not ended: nothing that is told afterwards counts.
    pub(crate) fn end_in_place(&mut self, outcome: Outcome) {
        if self.is_recording() {
            self.record(outcome);
            self.pace.stop();
            self.operation.end_in_place(outcome);
        }
    }

    /// As whoever drops it ends it.
    #[cold]
    #[inline(never)]
    pub(super) fn end_dropped(&mut self) {
        let Some(outcome) = self.operation.outcome_if_dropped() else {
            return;
        };
        self.record(outcome);
        self.operation.end_as_dropped();
    }

    fn record(&mut self, outcome: Outcome) {
        if outcome.is_error() && self.asked.is_inference() {
            self.finish.cut(self.choices.into());
        }
        if let Some(mut active) = self.operation.active() {
            active.expect(AT_THE_END);
        }
        self.describe_request();
        let content = self.rare.as_mut().and_then(|rare| rare.content.take());
        let gathers = content.is_some();
        let said = content.and_then(|content| content.finish());
        self.estimate(said.as_ref(), outcome);
        annotate(&mut self.operation, self.pace.first(), self.pace.slow() > 0);
        self.describe();
        self.count_tokens(outcome);
        self.record_lengths();
        let is_priced = self.charge();
        if !outcome.is_error() && self.usage.is_empty() {
            self.count_anomaly(Anomaly::UsageMissing);
        }
        if is_priced == Some(false) {
            self.count_anomaly(Anomaly::Unpriced);
        }
        if gathers {
            self.record_content(said, outcome);
        }
        if outcome.is_error() {
            self.tell_exception(outcome);
        }
    }

    /// What is known of it from its first moment on, and kept in a few bits until its last: a call waits for most of its life.
    fn describe_request(&mut self) {
        if self.stream & ASKS != 0 {
            self.say(gen_ai::REQUEST_STREAM, true);
        }
        let Some(wire) = self.wire else { return };
        if let Some(mut active) = self.operation.active() {
            active.set_static(obs::LLM_WIRE, wire.as_str());
        }
        let kind = match wire {
            Wire::OpenAiChat if self.asked != LlmOperation::Embeddings => "chat_completions",
            Wire::OpenAiResponses => "responses",
            _ => return,
        };
        // Of who speaks OpenAI's format only OpenAI has its interfaces.
        if self.is_openai {
            self.say(gen_ai::OPENAI_API_TYPE, Set::Static(kind));
        }
    }

    fn describe(&mut self) {
        let (per_token, first_chunk) = (self.per_token(), self.first_chunk());
        let (kind, pace) = (self.kind, &self.pace);
        let Some(mut active) = self.operation.active() else {
            return;
        };
        let dialect = self.shared.settings.dialect;
        let stops = { self.rare.as_mut() }.map(|rare| std::mem::take(&mut rare.stops));
        let stops = stops.filter(|stops| !stops.is_empty());
        describe(&mut active, &self.finish, stops, &self.usage, dialect);
        if let Some(first) = pace.first() {
            active.stamp_at(Event::FIRST_OUTPUT, first);
        }
        // An answer in one piece has none.
        if let Some(seconds) = first_chunk {
            active.set(obs::LLM_CHUNKS, pace.counted() as i64);
            active.set(gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK, seconds);
        }
        if let Some(longest) = pace.longest() {
            active.set(obs::LLM_CHUNK_GAP_MAX, kind.seconds(longest));
        }
        if pace.slow() > 0 {
            active.set(obs::LLM_SLOW_COUNT, i64::from(pace.slow()));
        }
        if let Some(seconds) = per_token {
            active.set(obs::LLM_TIME_PER_OUTPUT_TOKEN_ATTRIBUTE, seconds);
        }
    }

    /// Time to the first chunk, in seconds.
    pub(crate) fn first_chunk(&mut self) -> Option<f64> {
        let first = self.pace.first()?;
        let started = self.operation.active()?.started();
        Some(self.kind.seconds(first.ticks_since(started)))
    }

    /// Time for each token after the first, in seconds: providers put several in a chunk.
    fn per_token(&self) -> Option<f64> {
        let (first, last) = self.pace.spread()?;
        let after = self.usage.get(Tokens::Output)?.checked_sub(1)?;
        let took = self.kind.seconds(last.ticks_since(first));
        (after > 0 && self.pace.counted() > 1).then(|| took / after as f64)
    }

    fn count_tokens(&mut self, outcome: Outcome) {
        let (kind, usage) = (self.kind, self.usage);
        let Some(active) = self.operation.active() else {
            return;
        };
        let labels = active.labels();
        self.pace.settle(labels, kind);
        let record = |quantity, count: u64| kind.record_quantity(labels, quantity, count as f64);
        match self.shared.settings.dialect {
            Dialect::V1_41 => {
                let parts = [(INPUT_USAGE, Tokens::Input), (OUTPUT_USAGE, Tokens::Output)];
                for (quantity, tokens) in parts {
                    // Vectors are no tokens of the model's.
                    let is_one = tokens == Tokens::Input || self.asked != LlmOperation::Embeddings;
                    if let (Some(count), true) = (usage.get(tokens), is_one) {
                        record(quantity, count);
                    }
                }
            }
            Dialect::Main if self.asked.is_inference() => {
                let input = [Tokens::TextInput, Tokens::ImageInput, Tokens::AudioInput];
                let output = [Tokens::TextOutput, Tokens::ImageOutput, Tokens::AudioOutput];
                for (at, total, parts) in [
                    (MAIN_INPUT, Tokens::Input, input),
                    (MAIN_OUTPUT, Tokens::Output, output),
                ] {
                    let total = usage.get(total).unwrap_or_default();
                    let mut left = total;
                    for (place, part) in parts.into_iter().enumerate() {
                        let count = usage.get(part).unwrap_or_default().min(left);
                        left -= count;
                        if count > 0 {
                            record(at + 1 + place, count);
                        }
                    }
                    // What no part says is unknown; where nothing was told, 0 of them.
                    if left > 0 || total == 0 {
                        record(at, left);
                    }
                }
                for (quantity, tokens) in [
                    (MAIN_CACHE_READ, Tokens::CacheRead),
                    (MAIN_CACHE_WRITE, Tokens::CacheWrite),
                    (MAIN_REASONING, Tokens::Reasoning),
                ] {
                    if let Some(count) = usage.get(tokens) {
                        record(quantity, count);
                    }
                }
                // These have the error, too.
                let labels = match outcome.is_error() {
                    true => labels.with(crate::descriptor::ERROR, outcome.error().into()),
                    false => labels,
                };
                for (quantity, tokens) in [
                    (MAIN_CALL_INPUT, Tokens::Input),
                    (MAIN_CALL_OUTPUT, Tokens::Output),
                ] {
                    let count = usage.get(tokens).unwrap_or_default();
                    kind.record_quantity(labels, quantity, count as f64);
                }
            }
            Dialect::Main => {}
        }
    }

    fn record_lengths(&mut self) {
        if !self.shared.settings.by_length {
            return;
        }
        let Some(active) = self.operation.active() else {
            return;
        };
        let (kind, started) = (self.shared.by_length, active.started());
        let input = by_length::input(self.usage.get(Tokens::Input));
        let output = by_length::output(self.usage.get(Tokens::Output));
        let (provider, model) = self.by_length;
        let labels = Labels::NONE
            .with(OPERATION, LabelId::closed(self.asked as u16))
            .with(by_length::PROVIDER, provider)
            .with(by_length::MODEL, model);
        let by_input = labels.with(by_length::INPUT, LabelId::closed(input));
        let by_output = labels.with(by_length::OUTPUT, LabelId::closed(output));
        if let Some(first) = self.pace.first() {
            kind.record_stage(by_input, by_length::FIRST_CHUNK, started, first);
        }
        kind.record_stage(by_output, by_length::DURATION, started, self.kind.now());
        if let Some(seconds) = self.per_token() {
            kind.record_quantity(by_output, by_length::PER_TOKEN, seconds);
        }
    }

    /// Whether there is a price, where there are prices and tokens.
    fn charge(&mut self) -> Option<bool> {
        let prices = self.shared.settings.prices.as_ref()?;
        if self.usage.is_empty() {
            return None;
        }
        let active = self.operation.active()?;
        let text = |label| Some(active.label_value(label)?.to_text().into_owned());
        let (provider, asked, answered) = (text(PROVIDER), text(MODEL), text(RESPONSE_MODEL));
        let server = text(ADDRESS);
        let labels = active.labels();
        let bill = Bill::new(
            provider.as_deref().unwrap_or_default(),
            self.asked.as_str(),
            &self.usage,
        )
        .with_request_model(asked.as_deref())
        .with_response_model(answered.as_deref())
        .with_service_tier(self.rare.as_ref().and_then(|rare| rare.tier.as_deref()))
        .with_server_address(server.as_deref())
        .with_unix_seconds(Some(self.kind.unix_nanos() / 1_000_000_000));
        let price = self.kind.contain(None, || prices.price(&bill));
        let Some(price) = price.filter(|price| price.is_finite() && *price >= 0.0) else {
            return Some(false);
        };
        self.kind.record_quantity(labels, COST, price);
        self.operation.set(obs::LLM_COST_USD, price);
        Some(true)
    }
}

/// Lets annotators say what they know of one that is about to end.
pub(crate) fn annotate(operation: &mut Operation, first_output: Option<Moment>, slow: bool) {
    if let Some(mut active) = operation.active() {
        let kind = active.kind();
        let ending = || Milestone::Ending {
            at: kind.now(),
            first_output,
            slow,
        };
        kind.annotate(ending, &mut active);
    }
}

/// What the spans of both sides say in the end: why each choice ended, what was to end them, tokens.
pub(crate) fn describe(
    active: &mut Active<'_>,
    finish: &FinishReasons,
    stops: Option<Vec<Box<str>>>,
    usage: &Usage,
    dialect: Dialect,
) {
    if finish.len() > 0 {
        let reasons = finish.iter().map(|reason| reason.to_owned().into());
        active.set_dynamic(list(gen_ai::RESPONSE_FINISH_REASONS, reasons.collect()));
    }
    if let Some(stops) = stops {
        let stops = stops.into_iter().map(|stop| String::from(stop).into());
        active.set_dynamic(list(gen_ai::REQUEST_STOP_SEQUENCES, stops.collect()));
    }
    for tokens in Tokens::ALL {
        if let (Some(count), Some(key)) = (usage.get(tokens), key(tokens, dialect)) {
            active.set(key, count as i64);
        }
    }
}

pub(crate) fn list(key: Key, texts: Vec<StringValue>) -> KeyValue {
    KeyValue::new(key.as_str(), Value::Array(Array::String(texts)))
}

/// The attribute of a count of tokens; main has more of them.
pub(crate) fn key(tokens: Tokens, dialect: Dialect) -> Option<Key> {
    let main = |key| (dialect == Dialect::Main).then_some(key);
    match tokens {
        Tokens::Input => Some(gen_ai::USAGE_INPUT_TOKENS),
        Tokens::Output => Some(gen_ai::USAGE_OUTPUT_TOKENS),
        Tokens::CacheRead => Some(gen_ai::USAGE_CACHE_READ_INPUT_TOKENS),
        Tokens::CacheWrite => Some(cache_write_key(dialect)),
        Tokens::Reasoning => Some(gen_ai::USAGE_REASONING_OUTPUT_TOKENS),
        Tokens::TextInput => main(gen_ai::USAGE_TEXT_INPUT_TOKENS),
        Tokens::ImageInput => main(gen_ai::USAGE_IMAGE_INPUT_TOKENS),
        Tokens::AudioInput => main(gen_ai::USAGE_AUDIO_INPUT_TOKENS),
        Tokens::TextOutput => main(gen_ai::USAGE_TEXT_OUTPUT_TOKENS),
        Tokens::ImageOutput => main(gen_ai::USAGE_IMAGE_OUTPUT_TOKENS),
        Tokens::AudioOutput => main(gen_ai::USAGE_AUDIO_OUTPUT_TOKENS),
        Tokens::CacheWriteHour => None,
    }
}
