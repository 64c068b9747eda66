//! Calls of tools.

use super::Shared;
use super::agent::AgentScope;
use crate::descriptor::{EXECUTE_TOOL_OPERATION, NAME, TOOL_TYPE, TOOL_TYPES};
use crate::handler::State;
use crate::input::{Input, ToolInput};
use crate::run::Starting;
use obs_core::semconv::gen_ai;
use obs_core::{LabelId, Labels};

pub(super) fn start(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let told = input;
    let input = match input {
        Input::Tool(input) => *input,
        _ => ToolInput::default(),
    };
    let kind = match input.tool_type {
        Some(kind) => TOOL_TYPES.iter().position(|known| *known == kind),
        None => Some(0),
    };
    let kind = kind.map_or(LabelId::OVERFLOW, |kind| LabelId::closed(kind as u16));
    let labels = Labels::NONE.with(TOOL_TYPE, kind);
    let name = run.info().name;
    let mut operation = shared.begin(run, shared.kinds.tool, labels, (NAME, name));
    let agent = run.kept_around::<AgentScope>();
    if let Some(agent) = agent {
        agent.count_tool();
    }
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    active.set_static(gen_ai::OPERATION_NAME, EXECUTE_TOOL_OPERATION);
    if let Some(agent) = agent.filter(|agent| !agent.name.is_empty()) {
        active.set(gen_ai::AGENT_NAME, &*agent.name);
    }
    if let Some(id) = input.call_id {
        active.set(gen_ai::TOOL_CALL_ID, id);
    }
    if let Some(description) = input.description {
        active.set(gen_ai::TOOL_DESCRIPTION, description);
    }
    shared.tell_input(&mut active, told);
    State::of(operation)
}
