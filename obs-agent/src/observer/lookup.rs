//! What is looked up: documents, stores of vectors, what is remembered.

use super::Shared;
use super::end::{What, Work};
use super::place::{count, place_server};
use crate::component::Component;
use crate::descriptor::{DATA_SOURCE, MEMORY_ADDRESS, OPERATION, PROVIDER, RETRIEVAL_ADDRESS, db};
use crate::handler::State;
use crate::input::{Input, MemoryInput, RetrieverInput};
use crate::run::Starting;
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Active, LabelId, Labels, Operation, Parent};
use obs_llm::Dialect;

/// A retrieval; the question to its store; or, where one run is both, the one within the other.
pub(super) fn retriever(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let told = input;
    let input = match input {
        Input::Retriever(input) => *input,
        _ => RetrieverInput::default(),
    };
    let is_beneath = { run.parent() }.is_some_and(|parent| {
        parent.info().component == Component::Retriever && run.operation_of_parent().is_some()
    });
    if let (Some(store), true) = (input.store, is_beneath) {
        let kind = shared.kinds.db;
        let operation = shared.begin(run, kind, Labels::NONE, (db::SYSTEM, store));
        return question(operation, &input).map_or_else(State::none, |operation| {
            Work::new(operation, What::Store).into_state()
        });
    }
    let labels = Labels::NONE.with(OPERATION, LabelId::closed(0));
    let source = input.data_source_id.unwrap_or_default();
    let mut operation = shared.begin(run, shared.kinds.retrieval, labels, (DATA_SOURCE, source));
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    provide(shared, &mut active, input.provider);
    // Of a run that is both, it is where the store is.
    if input.store.is_none() {
        place_server(&mut active, RETRIEVAL_ADDRESS, input.server);
    }
    if let Some(most) = input.top_k {
        match shared.dialect {
            Dialect::Main => active.set(gen_ai::RETRIEVAL_TOP_K, count(most)),
            // A double there.
            _ => active.set(gen_ai::REQUEST_TOP_K, most as f64),
        }
    }
    name(run, &mut active);
    shared.tell_input(&mut active, told);
    let handle = active.handle();
    let mut work = Work::new(operation, What::Other);
    if let Some(store) = input.store {
        let text = Some((db::SYSTEM, store)).filter(|(_, store)| !store.is_empty());
        let parent = Parent::Operation(&handle);
        let beneath = shared.kinds.db.start_with(Labels::NONE, text, parent);
        if let Some(mut beneath) = question(beneath, &input) {
            // What the run does is what its store is asked.
            if let Some(handle) = beneath.handle() {
                run.set_operation(handle);
            }
            work.beneath = beneath;
        }
    }
    work.into_state()
}

/// What the span of a question to a store says.
fn question(mut operation: Operation, input: &RetrieverInput<'_>) -> Option<Operation> {
    let mut active = operation.active()?;
    if let Some(collection) = input.collection {
        active.set_label_text(db::COLLECTION, collection);
    }
    if let Some(namespace) = input.namespace {
        active.set_label_text(db::NAMESPACE, namespace);
    }
    if let Some(asked) = input.store_operation {
        active.set_label_text(db::OPERATION, asked);
    }
    place_server(&mut active, db::SERVER, input.server);
    Some(operation)
}

pub(super) fn memory(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let told = input;
    let input = match input {
        Input::Memory(input) => *input,
        _ => MemoryInput::default(),
    };
    let labels = Labels::NONE.with(OPERATION, LabelId::closed(input.operation as u16));
    let mut operation = shared.begin(run, shared.kinds.memory, labels, (OPERATION, ""));
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    let [store, record, records] = match shared.dialect {
        Dialect::Main => [
            gen_ai::MEMORY_STORE_ID,
            gen_ai::MEMORY_RECORD_ID,
            gen_ai::MEMORY_RECORD_COUNT,
        ],
        _ => [
            obs::agent::MEMORY_STORE_ID,
            obs::agent::MEMORY_RECORD_ID,
            obs::agent::MEMORY_RECORD_COUNT,
        ],
    };
    for (key, text) in [(store, input.store_id), (record, input.record_id)] {
        if let Some(text) = text {
            active.set(key, text);
        }
    }
    if let Some(written) = input.records {
        active.set(records, count(written));
    }
    provide(shared, &mut active, input.provider);
    place_server(&mut active, MEMORY_ADDRESS, input.server);
    name(run, &mut active);
    shared.tell_input(&mut active, told);
    Work::new(operation, What::Memory).into_state()
}

/// Who is asked. By v1.41 the duration of every call says so; main wants it where somebody provides what is asked.
fn provide(shared: &Shared, active: &mut Active<'_>, provider: Option<&str>) {
    match provider {
        Some(provider) => active.set_label_text(PROVIDER, provider),
        None if shared.dialect == Dialect::Main => {}
        None => active.set_label(PROVIDER, LabelId::OVERFLOW),
    }
}

/// What the conventions have no label for: the name of the node.
fn name(run: &Starting<'_>, active: &mut Active<'_>) {
    let name = run.info().name;
    if !name.is_empty() {
        active.set(obs::agent::NODE_NAME, name);
    }
}
