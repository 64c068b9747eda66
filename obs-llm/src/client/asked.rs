//! What a request was seen to ask for: written by who sends its body, on whichever task, and read by who reads the answer.

use crate::call::LlmCall;
use crate::wire::RequestSink;
use std::sync::{Arc, Mutex, PoisonError};

/// Facts of a request as far as its body has passed.
#[derive(Debug, Default)]
struct Facts {
    model: Option<Box<str>>,
    stream: Option<bool>,
    include_usage: Option<bool>,
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    seed: Option<i64>,
    choice_count: Option<u64>,
    stops: Vec<Box<str>>,
    service_tier: Option<Box<str>>,
    reasoning: Option<Box<str>>,
    output: Option<&'static str>,
    encoding: Option<Box<str>>,
    dimensions: Option<u64>,
    previous: Option<Box<str>>,
    conversation: Option<Box<str>>,
}

/// The facts of one request, shared by its two sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Facts>>);

impl Asked {
    /// For the side that sends: facts are gathered while bytes pass, and locked for no longer.
    pub(crate) fn gather(&self, scan: impl FnOnce(&mut Gathered<'_>)) {
        let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scan(&mut Gathered(&mut facts));
    }

    /// Tells the call what has come to be known, and forgets it.
    pub(crate) fn tell(&self, call: &mut LlmCall) {
        let facts = {
            let mut facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *facts)
        };
        facts.tell(call);
    }
}

/// What a scanner of the request tells.
#[derive(Debug)]
pub(crate) struct Gathered<'a>(&'a mut Facts);

impl Facts {
    fn tell(self, call: &mut LlmCall) {
        fn each<T>(fact: Option<T>, tell: impl FnOnce(T)) {
            if let Some(fact) = fact {
                tell(fact);
            }
        }
        each(self.model, |model| call.model(&model));
        each(self.stream, |stream| call.stream(stream));
        each(self.max_tokens, |tokens| call.max_tokens(tokens));
        each(self.temperature, |value| call.temperature(value));
        each(self.top_p, |value| call.top_p(value));
        each(self.top_k, |value| call.top_k(value));
        each(self.frequency_penalty, |value| {
            call.frequency_penalty(value)
        });
        each(self.presence_penalty, |value| call.presence_penalty(value));
        each(self.seed, |seed| call.seed(seed));
        each(self.choice_count, |count| call.choice_count(count));
        for stop in &self.stops {
            call.stop_sequence(stop);
        }
        each(self.service_tier, |tier| {
            RequestSink::service_tier(call, &tier)
        });
        each(self.reasoning, |level| call.reasoning_level(&level));
        each(self.output, |kind| call.output_type(kind));
        each(self.encoding, |format| call.encoding_format(&format));
        each(self.dimensions, |dimensions| call.dimensions(dimensions));
        each(self.previous, |id| call.previous_response(&id));
        each(self.conversation, |id| call.conversation(&id));
    }
}

/// As many as a call takes.
const STOPS: usize = 8;

impl RequestSink for Gathered<'_> {
    fn model(&mut self, model: &str) {
        self.0.model = Some(model.into());
    }
    fn stream(&mut self, stream: bool) {
        self.0.stream = Some(stream);
    }
    fn include_usage(&mut self, include: bool) {
        self.0.include_usage = Some(include);
    }
    fn max_tokens(&mut self, tokens: u64) {
        self.0.max_tokens = Some(tokens);
    }
    fn temperature(&mut self, value: f64) {
        self.0.temperature = Some(value);
    }
    fn top_p(&mut self, value: f64) {
        self.0.top_p = Some(value);
    }
    fn top_k(&mut self, value: f64) {
        self.0.top_k = Some(value);
    }
    fn frequency_penalty(&mut self, value: f64) {
        self.0.frequency_penalty = Some(value);
    }
    fn presence_penalty(&mut self, value: f64) {
        self.0.presence_penalty = Some(value);
    }
    fn seed(&mut self, seed: i64) {
        self.0.seed = Some(seed);
    }
    fn choice_count(&mut self, count: u64) {
        self.0.choice_count = Some(count);
    }
    fn stop_sequence(&mut self, text: &str) {
        if self.0.stops.len() < STOPS {
            self.0.stops.push(text.into());
        }
    }
    fn service_tier(&mut self, tier: &str) {
        self.0.service_tier = Some(tier.into());
    }
    fn reasoning_level(&mut self, level: &str) {
        self.0.reasoning = Some(level.into());
    }
    fn output_type(&mut self, kind: &'static str) {
        self.0.output = Some(kind);
    }
    fn encoding_format(&mut self, format: &str) {
        self.0.encoding = Some(format.into());
    }
    fn dimensions(&mut self, dimensions: u64) {
        self.0.dimensions = Some(dimensions);
    }
    fn previous_response(&mut self, id: &str) {
        self.0.previous = Some(id.into());
    }
    fn conversation(&mut self, id: &str) {
        self.0.conversation = Some(id.into());
    }
}
