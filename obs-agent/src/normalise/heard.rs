//! Calls of models that are told by who sees them happen.

use crate::component::Component;
use crate::current;
use obs_core::{Active, Annotator, LabelId, Milestone};
use obs_llm::{LLM_CLIENT, LLM_CLIENT_MAIN, LLM_OPERATION_MAIN, LlmOperation};
use std::ptr;

/// Where a call of a model begins within a framework's span of the same, that span is none.
pub(super) struct Hearing;

/// The label of calls that says what is asked for.
const OPERATION: usize = 0;

impl Annotator for Hearing {
    fn annotate(&self, milestone: &Milestone, operation: &mut Active<'_>) {
        if *milestone != Milestone::Started {
            return;
        }
        let descriptor = operation.kind().descriptor();
        let calls = [&LLM_CLIENT, &LLM_CLIENT_MAIN, &LLM_OPERATION_MAIN];
        if !calls.iter().any(|call| ptr::eq(*call, descriptor)) {
            return;
        }
        let embeddings = LabelId::closed(LlmOperation::Embeddings as u16);
        let component = match operation.label(OPERATION) == embeddings {
            true => Component::Embedding,
            false => Component::Model,
        };
        if let Some(run) = current::run() {
            run.tell_within(component);
        }
    }
}
