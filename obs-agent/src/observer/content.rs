//! What runs say, where content is asked for.

use super::Shared;
use super::place::count;
use crate::descriptor::mcp::{self, CALL};
use crate::descriptor::{SCOPE, SCOPE_MAIN};
use crate::input::{Input, ModelInput};
use crate::output::{ModelChunk, ModelOutput, Output};
use crate::text::Text;
use obs_core::otel::KeyValue;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Active, Body, Key, LabelId, LogEvent, Severity, Telemetry};
use obs_llm::content::{Capture, Said, messages};
use obs_llm::wire::Content;
use obs_llm::{Dialect, Llm, LlmCall};

/// What of it is recorded.
pub(super) struct Contents {
    capture: Capture,
    telemetry: Telemetry,
}

impl Contents {
    pub(super) fn new(telemetry: &Telemetry, llm: &Llm) -> Self {
        Self {
            capture: llm.content().clone(),
            telemetry: *telemetry,
        }
    }
}

/// What one text is.
#[derive(Clone, Copy)]
enum Kind {
    /// A text or JSON.
    Value,
    /// Messages; a text is one of this role.
    Messages(&'static str),
    /// What a system is told.
    Instructions,
}

type Found<'a> = Option<(Key, Text<'a>, Kind)>;

const fn found<'a>(key: Key, text: Option<Text<'a>>, kind: Kind) -> Found<'a> {
    match text {
        Some(text) => Some((key, text, kind)),
        None => None,
    }
}

impl Shared {
    /// What a run begins with, but for what a model is asked.
    #[inline]
    pub(super) fn tell_input(&self, active: &mut Active<'_>, input: &Input<'_>) {
        if self.contents.capture.is_capturing() {
            self.tell(active, self.of_input(input));
        }
    }

    /// What it ends with.
    #[inline]
    pub(super) fn tell_output(&self, active: &mut Active<'_>, output: &Output<'_>) {
        if self.contents.capture.is_capturing() {
            let calls_tool = active.label(mcp::OPERATION) != LabelId::ABSENT;
            self.tell(active, self.of_output(output, calls_tool));
        }
    }

    fn of_input<'a>(&self, input: &Input<'a>) -> [Found<'a>; 2] {
        use Kind::{Instructions, Messages, Value};
        let one = match input {
            Input::Tool(input) => found(gen_ai::TOOL_CALL_ARGUMENTS, input.arguments, Value),
            Input::Mcp(input) if input.method == CALL => {
                found(gen_ai::TOOL_CALL_ARGUMENTS, input.arguments, Value)
            }
            // The conventions have variables of prompts, each as a key of its own, which anybody could make up.
            Input::Mcp(input) => found(obs::agent::INPUT, input.arguments, Value),
            Input::Retriever(input) => found(gen_ai::RETRIEVAL_QUERY_TEXT, input.query, Value),
            Input::Memory(input) => found(self.memory_query(), input.query, Value),
            Input::Prompt(input) => found(obs::agent::INPUT, input.variables, Value),
            Input::Loader(input) => found(obs::agent::INPUT, input.source, Value),
            Input::Node(input) => found(obs::agent::INPUT, input.value, Value),
            Input::Agent(input) => {
                return [
                    found(gen_ai::INPUT_MESSAGES, input.messages, Messages("user")),
                    found(gen_ai::SYSTEM_INSTRUCTIONS, input.system, Instructions),
                ];
            }
            _ => None,
        };
        [one, None]
    }

    /// Of a message of MCP it matters whether that calls a tool.
    fn of_output<'a>(&self, output: &Output<'a>, calls_tool: bool) -> [Found<'a>; 2] {
        use Kind::{Messages, Value};
        let one = match output {
            Output::Tool(output) => found(gen_ai::TOOL_CALL_RESULT, output.result, Value),
            Output::Mcp(output) if calls_tool => {
                found(gen_ai::TOOL_CALL_RESULT, output.result, Value)
            }
            Output::Mcp(output) => found(obs::agent::OUTPUT, output.result, Value),
            Output::Documents(output) => {
                found(gen_ai::RETRIEVAL_DOCUMENTS, output.documents, Value)
            }
            Output::Memory(output) => found(self.memory_records(), output.records, Value),
            Output::Node(output) => found(obs::agent::OUTPUT, output.value, Value),
            Output::Agent(output) => found(
                gen_ai::OUTPUT_MESSAGES,
                output.messages,
                Messages("assistant"),
            ),
            _ => None,
        };
        [one, None]
    }

    const fn memory_query(&self) -> Key {
        match self.dialect {
            Dialect::Main => gen_ai::MEMORY_QUERY_TEXT,
            _ => obs::agent::MEMORY_QUERY_TEXT,
        }
    }

    const fn memory_records(&self) -> Key {
        match self.dialect {
            Dialect::Main => gen_ai::MEMORY_RECORDS,
            _ => obs::agent::MEMORY_RECORDS,
        }
    }

    #[cold]
    fn tell(&self, active: &mut Active<'_>, found: [Found<'_>; 2]) {
        let Contents { capture, telemetry } = &self.contents;
        let said = found.into_iter().flatten().filter_map(|(key, text, kind)| {
            // What makes a text is an adapter's.
            let made = active.kind().contain(None, || {
                text.with(|said| {
                    let is_json = text.is_json();
                    match kind {
                        Kind::Value => capture.say(telemetry, key, said, is_json),
                        Kind::Messages(role) => {
                            Some(capture.say_messages(telemetry, said, is_json, role))
                        }
                        Kind::Instructions => {
                            Some(capture.say_instructions(telemetry, said, is_json))
                        }
                    }
                })
            });
            Some((key, made?))
        });
        let said: Vec<(Key, Said)> = said.collect();
        if capture.is_on_spans() {
            tell_span(active, &said);
        }
        if capture.is_on_events() && !said.is_empty() {
            self.tell_event(active, said);
        }
    }

    fn tell_event(&self, active: &mut Active<'_>, said: Vec<(Key, Said)>) {
        let mut event = LogEvent::new(obs::agent::DETAILS, Body::Empty)
            .with_scope(match self.dialect {
                Dialect::Main => &SCOPE_MAIN,
                _ => &SCOPE,
            })
            .with_severity(Severity::Debug)
            .of(active.trace_parent());
        if let Some(session) = active.handle().session() {
            event = event.with_session(session);
        }
        let mut missing = 0;
        for (key, said) in said {
            let (body, cut) = said.into_body();
            missing += cut;
            event = event.with_structured(key, body);
        }
        if missing > 0 {
            let missing = KeyValue::new(obs::LLM_CONTENT_CUT.as_str(), count(missing as u64));
            event = event.with_attribute(missing);
        }
        self.contents.telemetry.emit(event.with_structured_seen());
    }
}

fn tell_span(active: &mut Active<'_>, said: &[(Key, Said)]) {
    let mut missing = 0;
    for (key, said) in said {
        let (text, cut) = said.attribute();
        missing += cut;
        if let Some(text) = text {
            active.set_whole(KeyValue::new(key.as_str(), text));
        }
    }
    if missing > 0 {
        // With what was missing at its beginning.
        let before = active.number(obs::LLM_CONTENT_CUT).unwrap_or_default();
        active.set(
            obs::LLM_CONTENT_CUT,
            before.saturating_add(count(missing as u64)),
        );
    }
}

/// Lends the call a text. What makes it is an adapter's, and may panic: then it is left out.
fn lend(call: &mut LlmCall, text: Text<'_>, read: impl FnOnce(&mut LlmCall, &str)) {
    if let Some(kind) = call.active().map(|active| active.kind()) {
        kind.contain((), || text.with(|said| read(call, said)));
    }
}

/// What a model is asked.
pub(super) fn asked(call: &mut LlmCall, input: &ModelInput<'_>) {
    if !call.wants_content() {
        return;
    }
    if let Some(system) = input.system {
        lend(call, system, |call, text| call.system_instruction(text));
    }
    if let Some(text) = input.messages {
        lend(call, text, |call, said| {
            for message in messages(said, text.is_json(), "user") {
                call.input_message(message);
            }
        });
    }
}

/// What it answered.
pub(super) fn answered(call: &mut LlmCall, output: &ModelOutput<'_>) {
    if !call.wants_content() {
        return;
    }
    if let Some(text) = output.messages {
        lend(call, text, |call, said| {
            let said = messages(said, text.is_json(), "assistant");
            for (choice, mut message) in said.into_iter().enumerate() {
                if message.finish_reason.is_none() {
                    let reason = output.finish_reasons.get(choice);
                    message.finish_reason = reason.map(|reason| (*reason).to_owned());
                }
                call.output_message(message);
            }
        });
    }
}

/// A piece of it.
#[inline]
pub(super) fn piece(call: &mut LlmCall, chunk: &ModelChunk<'_>) {
    if call.wants_content() {
        say(call, chunk);
    }
}

#[cold]
fn say(call: &mut LlmCall, chunk: &ModelChunk<'_>) {
    if let Some(tool) = chunk.tool_call {
        call.output_tool_call(tool.name, tool.id);
    }
    if let Some(text) = chunk.text {
        let kind = chunk.content.unwrap_or(Content::Text);
        lend(call, text, |call, piece| call.output_piece(kind, piece));
    }
    if let Some(reason) = chunk.finish_reason {
        call.output_finished(reason);
    }
}
