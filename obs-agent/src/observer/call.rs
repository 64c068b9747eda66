//! Calls of models, told as obs-llm tells them.

use super::Shared;
use super::agent::AgentScope;
use super::content;
use super::end::{node_labels, outcome};
use super::heard::of_a_run;
use super::place::count;
use crate::descriptor::status;
use crate::failure::{RunEnd, RunError};
use crate::handler::State;
use crate::input::{EmbeddingInput, Input, ModelInput, Server};
use crate::output::{EmbeddingOutput, ModelChunk, ModelOutput, Output};
use crate::run::{RunInfo, Starting};
use obs_core::otel::{Array, KeyValue, StringValue, Value};
use obs_core::semconv::obs;
use obs_core::{ErrorType, Key, OTHER, Outcome};
use obs_llm::wire::{RequestSink, ResponseSink};
use obs_llm::{LlmCall, LlmOperation, Provider};

/// As many tools are named on one span, each by as many bytes.
const TOOLS: usize = 64;
const TOOL_BYTES: usize = 128;

/// A call of a model that goes on.
pub(super) struct Call {
    call: LlmCall,
    /// Tools that it chose.
    chosen: Vec<StringValue>,
}

pub(super) fn model(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let input = match input {
        Input::Model(input) => *input,
        _ => ModelInput::default(),
    };
    if is_within(shared, run, LlmOperation::Chat) {
        return State::none();
    }
    let agent = run.kept_around::<AgentScope>();
    // What the call was told as before counts already.
    if let Some(agent) = agent.filter(|_| !run.tells_again()) {
        agent.count_inference();
    }
    if let (Some(agent), Some(provider)) = (agent, input.provider) {
        agent.asks(provider);
    }
    let Some(mut call) = begin(shared, run, LlmOperation::Chat, input.provider) else {
        return State::none();
    };
    if let Some(model) = input.model {
        call.model(model);
    }
    serve(&mut call, input.server);
    call.stream(input.stream);
    if let Some(tokens) = input.max_tokens {
        call.max_tokens(tokens);
    }
    if let Some(temperature) = input.temperature {
        call.temperature(temperature);
    }
    if let Some(mass) = input.top_p {
        call.top_p(mass);
    }
    offer(&mut call, input.tools);
    content::asked(&mut call, &input);
    State::new(Call {
        call,
        chosen: Vec::new(),
    })
}

pub(super) fn embedding(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let input = match input {
        Input::Embedding(input) => *input,
        _ => EmbeddingInput::default(),
    };
    if is_within(shared, run, LlmOperation::Embeddings) {
        return State::none();
    }
    let Some(mut call) = begin(shared, run, LlmOperation::Embeddings, input.provider) else {
        return State::none();
    };
    if let Some(model) = input.model {
        call.model(model);
    }
    serve(&mut call, input.server);
    if let Some(dimensions) = input.dimensions {
        call.dimensions(dimensions);
    }
    if let (Some(texts), Some(mut active)) = (input.texts, call.active()) {
        active.set(obs::agent::TEXTS, count(texts));
    }
    State::new(Call {
        call,
        chosen: Vec::new(),
    })
}

/// Whether somebody tells this call already, who stands around it: it counts once.
fn is_within(shared: &Shared, run: &Starting<'_>, operation: LlmOperation) -> bool {
    let around = run.operation_around();
    shared.llm.is_within_call(operation, around)
}

fn begin(
    shared: &Shared,
    run: &mut Starting<'_>,
    operation: LlmOperation,
    provider: Option<&str>,
) -> Option<LlmCall> {
    let provider = provider.map_or(Provider::named(OTHER), Provider::of_name);
    let parent = run.operation_parent();
    let mut call = of_a_run(|| shared.llm.call_of(operation, &provider, parent));
    let mut active = call.active()?;
    shared.place(run, &mut active);
    if run.info().second_hand {
        // Whoever sees it happen within it tells it.
        active.stand_aside();
    }
    run.set_operation(active.handle());
    Some(call)
}

/// Where the model is served.
fn serve(call: &mut LlmCall, server: Option<Server<'_>>) {
    if let Some(server) = server.filter(|server| !server.address.is_empty()) {
        call.set_server(server.address, server.port);
    }
}

/// Which tools it may call.
fn offer(call: &mut LlmCall, tools: &[&str]) {
    let Some(mut active) = call.active().filter(|_| !tools.is_empty()) else {
        return;
    };
    let named = tools.iter().take(TOOLS).map(|tool| name(tool));
    active.set_dynamic(list(obs::agent::TOOLS_OFFERED, named.collect()));
    if tools.len() > TOOLS {
        active.set(obs::agent::TOOLS_OFFERED_COUNT, count(tools.len() as u64));
    }
}

/// A tool's, cut where it is too long for one.
fn name(tool: &str) -> StringValue {
    let end = (0..=TOOL_BYTES.min(tool.len())).rev();
    let end = end.into_iter().find(|end| tool.is_char_boundary(*end));
    tool[..end.unwrap_or_default()].to_owned().into()
}

fn list(key: Key, texts: Vec<StringValue>) -> KeyValue {
    KeyValue::new(key.as_str(), Value::Array(Array::String(texts)))
}

impl Call {
    /// What it answers comes in pieces.
    pub(super) fn begins_to_answer(&mut self) {
        self.call.set_streams();
    }

    #[inline]
    pub(super) fn item(&mut self, chunk: &ModelChunk<'_>) {
        let call = &mut self.call;
        if let Some(content) = chunk.content {
            call.content(content);
        }
        content::piece(call, chunk);
        let rest = (chunk.tool_call, chunk.finish_reason, chunk.usage);
        if let (None, None, None) = rest
            && let (None, None) = (chunk.response_id, chunk.model)
        {
            return;
        }
        self.rest(chunk);
    }

    /// What few chunks say.
    fn rest(&mut self, chunk: &ModelChunk<'_>) {
        let call = &mut self.call;
        if let Some(id) = chunk.response_id {
            call.response_id(id);
        }
        if let Some(model) = chunk.model {
            call.response_model(model);
        }
        if let Some(reason) = chunk.finish_reason {
            call.finish_reason(0, reason);
        }
        if let Some(usage) = chunk.usage {
            call.usage(usage);
        }
        if let Some(tool) = chunk.tool_call {
            self.choose(tool.name);
        }
    }

    fn choose(&mut self, tool: &str) {
        if self.chosen.len() < TOOLS && self.call.is_recording() {
            self.chosen.push(name(tool));
        }
    }

    pub(super) fn end(mut self, output: &Output<'_>) {
        match output {
            Output::Model(output) => self.answered(output),
            Output::Embedding(output) => self.embedded(output),
            _ => {}
        }
        ResponseSink::complete(&mut self.call);
        self.decide();
        self.call.end();
    }

    /// It was told at second hand, and the call itself within it: it is a node in the trace.
    pub(super) fn end_as_node(self, shared: &Shared, info: &RunInfo<'_>) {
        self.call
            .end_as(shared.kinds.node, node_labels(shared, info));
    }

    fn answered(&mut self, output: &ModelOutput<'_>) {
        let call = &mut self.call;
        if let Some(id) = output.response_id {
            call.response_id(id);
        }
        if let Some(model) = output.model {
            call.response_model(model);
        }
        if let Some(provider) = output.provider {
            call.set_provider(&Provider::of_name(provider));
        }
        if let Some(model) = output.request_model {
            call.model(model);
        }
        if let Some(time) = output.time_to_first_chunk {
            call.first_chunk_after(time);
        }
        for (choice, reason) in output.finish_reasons.iter().enumerate() {
            call.finish_reason(choice as u32, reason);
        }
        if let Some(usage) = &output.usage {
            call.usage(usage);
        }
        content::answered(call, output);
        for tool in output.tool_calls {
            self.choose(tool.name);
        }
    }

    fn embedded(&mut self, output: &EmbeddingOutput<'_>) {
        if let Some(model) = output.model {
            self.call.response_model(model);
        }
        if let Some(usage) = &output.usage {
            self.call.usage(usage);
        }
    }

    pub(super) fn fail(mut self, error: &RunError<'_>) {
        self.decide();
        match (error.end, outcome(error)) {
            (RunEnd::Failed, _) => {
                match status(error.kind) {
                    Some(status) => self.call.set_status(status),
                    None => self.call.error(error.kind),
                }
                self.call.fail(ErrorType::OTHER);
            }
            (RunEnd::Panicked, _) => self.call.end_with(Outcome::PANICKED),
            (_, Some(outcome)) => self.call.end_with(outcome),
            // Dropped: by a reader who has all of it, or before.
            (_, None) => drop(self.call),
        }
    }

    /// What it decided to have done.
    fn decide(&mut self) {
        let chosen = std::mem::take(&mut self.chosen);
        if let Some(mut active) = self.call.active().filter(|_| !chosen.is_empty()) {
            active.set_dynamic(list(obs::agent::TOOLS_CHOSEN, chosen));
        }
    }
}
