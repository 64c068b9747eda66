//! Inferences of an agent that nobody tells as runs: what obs-llm's layers and adapters see in its turn counts as its calls, too.

use super::Shared;
use super::agent::AgentScope;
use crate::component::Component;
use crate::current;
use obs_core::{Active, Annotator, LabelId, LabelValue, Milestone};
use obs_llm::LlmOperation;
use std::cell::Cell;

thread_local! {
    /// Whether the call that begins here is a run's, which counts it.
    static OF_A_RUN: Cell<bool> = const { Cell::new(false) };
}

/// Begins a call that is a run's.
pub(super) fn of_a_run<R>(begin: impl FnOnce() -> R) -> R {
    let set = |value| OF_A_RUN.try_with(|of_a_run| of_a_run.replace(value));
    let before = set(true);
    let begun = begin();
    if let Ok(before) = before {
        // It is the thread's until it ends, and nothing can be done where that has happened meanwhile.
        let _ = set(before);
    }
    begun
}

/// Hears of calls of models as they begin.
pub(super) struct Heard(pub(super) &'static Shared);

/// `gen_ai.operation.name`, which is the first label of the kind.
const OPERATION: usize = 0;
/// `gen_ai.provider.name`, which is the second.
const PROVIDER: usize = 1;

impl Annotator for Heard {
    fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>) {
        let Self(shared) = *self;
        let is_new = matches!(milestone, Milestone::Started);
        if !is_new || OF_A_RUN.try_with(Cell::get).unwrap_or(true) {
            return;
        }
        let inferences = shared.llm.kind(LlmOperation::Chat).descriptor();
        let vectors = LabelId::closed(LlmOperation::Embeddings as u16);
        let is_one = std::ptr::eq(operation.kind().descriptor(), inferences)
            && operation.label(OPERATION) != vectors;
        if !is_one {
            return;
        }
        let Some(run) = current::run() else {
            return;
        };
        // Within a run of a model that one counts.
        if run.info().component != Component::Model {
            let mut scopes = run.kept::<AgentScope>();
            if let Some(scope) = scopes.find(|scope| std::ptr::eq(scope.shared, shared)) {
                scope.count_inference();
                if let Some(LabelValue::Text(provider)) = operation.label_value(PROVIDER) {
                    scope.asks(&provider);
                }
            }
        }
    }
}
