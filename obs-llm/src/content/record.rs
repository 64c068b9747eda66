//! What was said, recorded where its call ends.

use super::message::Exchange;
use super::redact::Redactors;
use super::render::{self, Caps, Told};
use super::{Capture, Finished, Uploaded};
use crate::anomaly::Anomaly;
use crate::call::LlmCall;
use crate::call::ending::{key, list};
use crate::descriptor::{
    ADDRESS, ERROR, MODEL, OPERATION, PORT, PROVIDER, RESPONSE_MODEL, SCOPE, SCOPE_MAIN,
};
use crate::dialect::Dialect;
use crate::usage::Tokens;
use obs_core::otel::{KeyValue, Value};
use obs_core::semconv::{self, gen_ai, obs};
use obs_core::{Body, Key, LogEvent, Outcome, Severity};

impl LlmCall {
    /// At the end, when all else is known.
    pub(crate) fn record_content(&mut self, said: Option<Finished>, outcome: Outcome) {
        let shared = self.shared;
        let capture = &shared.settings.content;
        if !capture.is_on() {
            return;
        }
        let Some(Finished {
            mut exchange,
            facts,
            mut cut,
            _share,
        }) = said
        else {
            return self.count_anomaly(Anomaly::ContentDropped);
        };
        Redactors(&shared.telemetry).exchange(&mut exchange);
        let uploaded = self.upload(capture, &mut exchange);
        let caps = Caps {
            text: capture.text_bytes,
            message: capture.message_bytes,
            call: capture.call_bytes,
        };
        let told = match capture.spans || capture.events {
            true => render::tell(exchange, caps),
            false => Told::default(),
        };
        cut += told.cut;
        self.refer(&uploaded);
        if capture.spans {
            self.tell_span(capture, &told, cut);
        }
        if capture.events {
            self.tell_event((told, facts), &uploaded, cut, outcome);
        }
    }

    fn upload(&self, capture: &Capture, exchange: &mut Exchange) -> Uploaded {
        match &capture.upload {
            Some(upload) => { self.kind }.contain(Uploaded::default(), || upload.upload(exchange)),
            None => Uploaded::default(),
        }
    }

    fn refer(&mut self, uploaded: &Uploaded) {
        if let Some(mut active) = self.operation.active() {
            for (key, uri) in references(uploaded) {
                active.set(key, uri);
            }
        }
    }

    fn tell_span(&mut self, capture: &Capture, told: &Told, mut cut: usize) {
        let limit = capture.attribute_bytes_of(&self.shared.telemetry);
        let Some(mut active) = self.operation.active() else {
            return;
        };
        for (key, items) in [
            (gen_ai::SYSTEM_INSTRUCTIONS, &told.system),
            (gen_ai::INPUT_MESSAGES, &told.input),
            (gen_ai::OUTPUT_MESSAGES, &told.output),
            (gen_ai::TOOL_DEFINITIONS, &told.tools),
        ] {
            match render::json(items, limit) {
                Some((json, more)) => {
                    cut += more;
                    active.set_whole(KeyValue::new(key.as_str(), json));
                }
                None => cut += items.iter().map(render::texts).sum::<usize>(),
            }
        }
        if cut > 0 {
            active.set(obs::LLM_CONTENT_CUT, count(cut));
        }
    }

    fn tell_event(
        &mut self,
        (told, facts): (Told, Vec<KeyValue>),
        uploaded: &Uploaded,
        cut: usize,
        outcome: Outcome,
    ) {
        let shared = self.shared;
        let first_chunk = self.first_chunk();
        let dialect = shared.settings.dialect;
        let usage = self.usage;
        let reasons = self.finish.iter().map(|reason| reason.to_owned().into());
        let reasons: Vec<_> = reasons.collect();
        let id = self.answer_id();
        let Some(mut active) = self.operation.active() else {
            return;
        };
        let mut event = LogEvent::new(gen_ai::OPERATION_DETAILS, Body::Empty)
            .with_scope(match dialect {
                Dialect::V1_41 => &SCOPE,
                Dialect::Main => &SCOPE_MAIN,
            })
            .with_severity(Severity::Debug)
            .of(active.trace_parent());
        if let Some(session) = active.session().cloned() {
            event = event.with_session(session);
        }
        if outcome.is_error() {
            // As the end sets it.
            active.set_label(ERROR, outcome.error().into());
        }
        for label in [OPERATION, PROVIDER, MODEL, RESPONSE_MODEL, ADDRESS, ERROR] {
            if let Some(value) = active.label_value(label) {
                let key = active.kind().descriptor().labels[label].key;
                event = with(event, key, value.to_text().into_owned());
            }
        }
        if let Some(port) = active.label_value(PORT)
            && let Ok(port) = port.to_text().parse::<i64>()
        {
            event = with(event, semconv::network::SERVER_PORT, port);
        }
        for fact in facts {
            event = event.with_attribute(fact);
        }
        if let Some(seconds) = first_chunk {
            event = with(event, gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK, seconds);
        }
        if let Some(id) = id {
            event = with(event, gen_ai::RESPONSE_ID, String::from(id));
        }
        if !reasons.is_empty() {
            event = event.with_attribute(list(gen_ai::RESPONSE_FINISH_REASONS, reasons));
        }
        for tokens in Tokens::ALL {
            if let (Some(told), Some(key)) = (usage.get(tokens), key(tokens, dialect)) {
                event = with(event, key, told as i64);
            }
        }
        for (key, uri) in references(uploaded) {
            event = with(event, key, uri.to_owned());
        }
        if cut > 0 {
            event = with(event, obs::LLM_CONTENT_CUT, count(cut));
        }
        for (key, items) in [
            (gen_ai::SYSTEM_INSTRUCTIONS, told.system),
            (gen_ai::INPUT_MESSAGES, told.input),
            (gen_ai::OUTPUT_MESSAGES, told.output),
            (gen_ai::TOOL_DEFINITIONS, told.tools),
        ] {
            if !items.is_empty() {
                event = event.with_structured(key, Body::List(items));
            }
        }
        shared.telemetry.emit(event.with_structured_seen());
    }
}

fn with(event: LogEvent, key: Key, value: impl Into<Value>) -> LogEvent {
    event.with_attribute(KeyValue::new(key.as_str(), value))
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn references(uploaded: &Uploaded) -> impl Iterator<Item = (Key, &str)> {
    [
        (obs::LLM_INPUT_MESSAGES_REF, &uploaded.input),
        (obs::LLM_OUTPUT_MESSAGES_REF, &uploaded.output),
        (obs::LLM_SYSTEM_INSTRUCTIONS_REF, &uploaded.system),
        (obs::LLM_TOOL_DEFINITIONS_REF, &uploaded.tools),
    ]
    .into_iter()
    .filter_map(|(key, uri)| Some((key, uri.as_deref()?)))
}
