//! Workflows, and what the conventions have no name for.

use super::Shared;
use super::end::{What, Work};
use super::place::count;
use crate::descriptor::{INVOKE_WORKFLOW_OPERATION, NAME, NODE_KIND, NODE_NAME};
use crate::handler::State;
use crate::input::Input;
use crate::run::Starting;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{LabelId, Labels};
use obs_llm::Dialect;

pub(super) fn workflow(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let name = run.info().name;
    let mut operation = shared.begin(run, shared.kinds.workflow, Labels::NONE, (NAME, name));
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    active.set_static(gen_ai::OPERATION_NAME, INVOKE_WORKFLOW_OPERATION);
    shared.tell_input(&mut active, input);
    Work::new(operation, What::Other).into_state()
}

pub(super) fn start(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let info = *run.info();
    let kind = LabelId::closed(info.component as u16);
    let labels = Labels::NONE.with(NODE_KIND, kind);
    let mut operation = shared.begin(run, shared.kinds.node, labels, (NODE_NAME, info.name));
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    match input {
        Input::Documents(input) => {
            if let Some(documents) = input.documents {
                active.set(obs::agent::DOCUMENTS, count(documents));
            }
        }
        Input::Prompt(input) => {
            let name = input.name.unwrap_or(info.name);
            if !name.is_empty() {
                active.set(gen_ai::PROMPT_NAME, name);
            }
            if let (Some(version), Dialect::Main) = (input.version, shared.dialect) {
                active.set(gen_ai::PROMPT_VERSION, version);
            }
        }
        _ => {}
    }
    shared.tell_input(&mut active, input);
    Work::new(operation, What::Other).into_state()
}
