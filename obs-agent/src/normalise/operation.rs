//! Which operation a span is.

use super::attributes::Said;
use super::table;
use super::words::{self, Called, Spoken};
use crate::component::Component;
use crate::input::MemoryOperation;

/// What a span is of, as the conventions call it, and what they have no name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `chat`.
    Chat,
    /// `generate_content`.
    GenerateContent,
    /// `text_completion`.
    TextCompletion,
    /// `embeddings`.
    Embeddings,
    /// `retrieval`.
    Retrieval,
    /// `execute_tool`.
    ExecuteTool,
    /// `invoke_agent`.
    InvokeAgent,
    /// `invoke_workflow`.
    InvokeWorkflow,
    /// `plan`.
    Plan,
    /// `search_memory`.
    SearchMemory,
    /// `create_memory`.
    CreateMemory,
    /// `update_memory`.
    UpdateMemory,
    /// `upsert_memory`.
    UpsertMemory,
    /// `delete_memory`.
    DeleteMemory,
    /// `create_memory_store`.
    CreateMemoryStore,
    /// `delete_memory_store`.
    DeleteMemoryStore,
    /// Steps one after another, within something else.
    Chain,
    /// A step.
    Task,
    /// A prompt is made from a template.
    Prompt,
    /// Documents are put into another order.
    Rerank,
}

impl Operation {
    /// Whether a model answers.
    pub const fn is_inference(self) -> bool {
        matches!(
            self,
            Self::Chat | Self::GenerateContent | Self::TextCompletion
        )
    }

    /// What a run of it is of.
    pub const fn component(self) -> Component {
        match self {
            Self::Chat | Self::GenerateContent | Self::TextCompletion => Component::Model,
            Self::Embeddings => Component::Embedding,
            Self::Retrieval => Component::Retriever,
            Self::ExecuteTool => Component::Tool,
            Self::InvokeAgent => Component::Agent,
            Self::InvokeWorkflow => Component::Workflow,
            Self::Plan => Component::Plan,
            Self::Chain => Component::Chain,
            Self::Task => Component::Lambda,
            Self::Prompt => Component::Prompt,
            Self::Rerank => Component::Transformer,
            Self::SearchMemory
            | Self::CreateMemory
            | Self::UpdateMemory
            | Self::UpsertMemory
            | Self::DeleteMemory
            | Self::CreateMemoryStore
            | Self::DeleteMemoryStore => Component::Memory,
        }
    }

    /// What is done with a memory, where it is one of its operations.
    pub const fn memory(self) -> MemoryOperation {
        match self {
            Self::CreateMemory => MemoryOperation::Create,
            Self::UpdateMemory => MemoryOperation::Update,
            Self::UpsertMemory => MemoryOperation::Upsert,
            Self::DeleteMemory => MemoryOperation::Delete,
            Self::CreateMemoryStore => MemoryOperation::CreateStore,
            Self::DeleteMemoryStore => MemoryOperation::DeleteStore,
            _ => MemoryOperation::Search,
        }
    }

    /// That of a span of this name, the outermost of its trace or not.
    pub(crate) fn of(name: &str, is_root: bool, said: &Said<'_>) -> Option<Self> {
        let mut keys = table::KINDS.iter();
        let told = keys.find_map(|row| Some((row.names[0].key, said.text(*row)?)));
        let operation = match told {
            // What says itself which operation it is, and is none of these, is none of ours.
            Some((key, text)) => Self::told(key, text)?,
            None => Self::called(name, said)?,
        };
        Some(match operation {
            Self::Chain if is_root => Self::InvokeWorkflow,
            other => other,
        })
    }

    fn told(key: &'static str, text: &str) -> Option<Self> {
        let known = match key {
            table::OPERATION => words::OPERATIONS,
            table::OPEN_INFERENCE_KIND => words::OPEN_INFERENCE,
            table::TRACELOOP_KIND => words::TRACELOOP,
            table::REQUEST_TYPE => words::REQUEST_TYPES,
            table::LANGSMITH_KIND => words::LANGSMITH,
            _ => return Self::of_vercel(text),
        };
        let mut known = known.iter();
        let found = known.find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, operation)| *operation)
    }

    fn of_vercel(text: &str) -> Option<Self> {
        // `ai.generateText my-function`, where the function has a name.
        let text = text.split_whitespace().next().unwrap_or(text);
        if let Some((_, last)) = text.rsplit_once(".do") {
            return match last {
                "Embed" => Some(Self::Embeddings),
                "Rerank" => Some(Self::Rerank),
                "Generate" | "Stream" => Some(Self::Chat),
                _ => None,
            };
        }
        let mut known = words::VERCEL.iter();
        known
            .find(|(name, _)| *name == text)
            .map(|(_, operation)| *operation)
    }

    fn called(name: &str, said: &Said<'_>) -> Option<Self> {
        let fits = |spoken: &&Spoken| {
            let named = match spoken.name {
                Called::Is(whole) => name == whole,
                Called::Begins(start) => name.len() > start.len() && name.starts_with(start),
            };
            named && spoken.by == said.dialect
        };
        if let Some(spoken) = words::SPAN_NAMES.iter().find(fits) {
            return Some(spoken.operation);
        }
        // By the conventions: the operation, and behind it what of. Anybody may call a span so; one that is meant says more.
        let first = name.split(' ').next().unwrap_or(name);
        let mut known = words::OPERATIONS.iter();
        let (_, operation) = known.find(|(operation, _)| *operation == first)?;
        let rows = [
            table::PROVIDER,
            table::REQUEST_MODEL,
            table::TOOL_NAME,
            table::AGENT_NAME,
        ];
        let is_meant = rows.into_iter().any(|row| said.text(row).is_some());
        is_meant.then_some(*operation)
    }
}

/// What stands behind the operation in a span's name: a tool's name.
pub(crate) fn name_behind<'a>(name: &'a str, said: &Said<'_>) -> Option<&'a str> {
    let mut spoken = words::SPAN_NAMES.iter();
    let behind = spoken.find_map(|spoken| match spoken.name {
        Called::Begins(start) if spoken.by == said.dialect => name.strip_prefix(start),
        _ => None,
    });
    behind.filter(|name| !name.is_empty())
}
