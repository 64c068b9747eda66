//! How the operations of runs end.

use super::Shared;
use super::agent::{AgentScope, Asked};
use super::place::count;
use crate::descriptor::{INFERENCES, NODE_KIND, NODE_NAME, TOOLS, error_type};
use crate::failure::{RunEnd, RunError};
use crate::handler::State;
use crate::output::Output;
use crate::run::RunInfo;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Active, LabelId, Labels, Operation, Outcome};
use obs_llm::Dialect;
use std::sync::Arc;

/// A run that is an operation of ours: all but calls of models and messages of MCP.
pub(super) struct Work {
    pub(super) operation: Operation,
    /// Of a retrieval the question to its store, where one run is both.
    pub(super) beneath: Operation,
    pub(super) what: What,
}

/// What must be known of it in the end.
pub(super) enum What {
    /// Of an agent, what its calls count on, unless it runs elsewhere.
    Agent(Asked, Option<Arc<AgentScope>>),
    /// Of what is remembered.
    Memory,
    /// Of a question to a store that what was found is said by the retrieval around it.
    Store,
    /// Nothing.
    Other,
}

impl Work {
    pub(super) fn new(operation: Operation, what: What) -> Self {
        Self {
            operation,
            beneath: Operation::disabled(),
            what,
        }
    }

    /// What its run remembers of it: mostly the operation, and nothing else.
    pub(super) fn into_state(self) -> State {
        match self.what {
            What::Other if !self.beneath.is_recording() => State::of(self.operation),
            _ => State::new(self),
        }
    }

    pub(super) fn of(state: &mut State) -> Option<Self> {
        match state.take_operation() {
            Some(operation) => Some(Self::new(operation, What::Other)),
            None => state.take::<Self>().map(|work| *work),
        }
    }

    pub(super) fn end(mut self, shared: &Shared, output: &Output<'_>) {
        self.count();
        self.beneath.end(Outcome::ANSWERED);
        end(self.operation, &self.what, shared, output);
    }

    /// It was told at second hand, and is a node of its component in the trace.
    pub(super) fn end_as_node(self, shared: &Shared, info: &RunInfo<'_>) {
        let labels = node_labels(shared, info);
        self.operation
            .end_as(shared.kinds.node, labels, Outcome::ANSWERED);
    }

    pub(super) fn fail(mut self, error: &RunError<'_>) {
        self.count();
        fail(self.beneath, error);
        fail(self.operation, error);
    }

    /// What was called by an agent's turn.
    fn count(&mut self) {
        let What::Agent(_, Some(scope)) = &self.what else {
            return;
        };
        let Some(mut active) = self.operation.active() else {
            return;
        };
        let (inferences, tools) = scope.counts();
        let (kind, labels) = (active.kind(), active.labels());
        kind.record_quantity(labels, INFERENCES, f64::from(inferences));
        kind.record_quantity(labels, TOOLS, f64::from(tools));
        active.set(obs::agent::RUN_INFERENCES, i64::from(inferences));
        active.set(obs::agent::RUN_TOOLS, i64::from(tools));
        scope.tell_provider(&mut active);
    }
}

/// Ends it as a run ended that ended well.
pub(super) fn end(mut operation: Operation, what: &What, shared: &Shared, output: &Output<'_>) {
    if let Some(mut active) = operation.active() {
        what.tell(shared, &mut active, output);
        if !matches!(what, What::Store) {
            shared.tell_output(&mut active, output);
        }
    }
    operation.end(Outcome::ANSWERED);
}

impl What {
    fn tell(&self, shared: &Shared, active: &mut Active<'_>, output: &Output<'_>) {
        match (self, output) {
            (Self::Agent(asked, _), Output::Agent(output)) => {
                super::agent::tell(shared, active, *asked, output);
            }
            (Self::Memory, Output::Memory(output)) => {
                let key = match shared.dialect {
                    Dialect::Main => gen_ai::MEMORY_RECORD_COUNT,
                    _ => obs::agent::MEMORY_RECORD_COUNT,
                };
                if let Some(records) = output.count {
                    active.set(key, count(records));
                }
            }
            (_, Output::Documents(output)) => {
                if let Some(documents) = output.count {
                    active.set(obs::agent::DOCUMENTS, count(documents));
                }
            }
            _ => {}
        }
    }
}

/// Ends it as a run ended that did not end well.
pub(super) fn fail(operation: Operation, error: &RunError<'_>) {
    match outcome(error) {
        Some(outcome) => operation.end(outcome),
        // As whoever drops it ends it: it knows of deadlines.
        None => drop(operation),
    }
}

pub(super) fn node_labels(shared: &Shared, info: &RunInfo<'_>) -> Labels {
    let labels = Labels::NONE.with(NODE_KIND, LabelId::closed(info.component as u16));
    match info.name {
        "" => labels,
        name => labels.with(NODE_NAME, shared.kinds.node.label(NODE_NAME, name)),
    }
}

/// How it ended; nothing where it was dropped.
pub(super) fn outcome(error: &RunError<'_>) -> Option<Outcome> {
    let kind = error_type(error.kind);
    Some(match (error.end, error.kind) {
        (RunEnd::Cancelled, "cancelled" | "") => return None,
        (RunEnd::Cancelled, _) => Outcome::cancelled(kind),
        (RunEnd::TimedOut, "timeout" | "") => Outcome::TIMED_OUT,
        (RunEnd::TimedOut, _) => Outcome::timed_out(kind),
        (RunEnd::Panicked, _) => Outcome::PANICKED,
        (RunEnd::Failed, _) => Outcome::failed(kind),
    })
}
