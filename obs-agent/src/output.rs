//! What runs end with, by component, and the pieces of what is streamed.

use crate::text::Text;
use obs_llm::Usage;
use obs_llm::wire::Content;
use std::time::Duration;

/// What a run ends with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Output<'a> {
    /// A model's.
    Model(ModelOutput<'a>),
    /// A tool's.
    Tool(ToolOutput<'a>),
    /// A retriever's, an indexer's, a loader's, a transformer's.
    Documents(DocumentsOutput<'a>),
    /// An embedding's.
    Embedding(EmbeddingOutput<'a>),
    /// An agent's, or a plan's.
    Agent(AgentOutput<'a>),
    /// A memory's.
    Memory(MemoryOutput<'a>),
    /// A message's of MCP.
    Mcp(McpOutput<'a>),
    /// Of a prompt, a graph, a chain, a workflow, a lambda: whatever it gives.
    Node(NodeOutput<'a>),
    /// It came in pieces, which were told one by one.
    Streamed,
    /// Of a run that was told [at second hand](crate::RunInfo::with_second_hand): the same was told within it, and that counts. This
    /// one is no call of a model, no agent's turn.
    ToldWithin,
}

/// What a model answered.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ModelOutput<'a> {
    /// The answer's id.
    pub response_id: Option<&'a str>,
    /// Which model answered.
    pub model: Option<&'a str>,
    /// Why it ended, one for each choice.
    pub finish_reasons: &'a [&'a str],
    /// Its tokens.
    pub usage: Option<Usage>,
    /// Who served it, where that was not known at the start.
    pub provider: Option<&'a str>,
    /// The model that was asked for, where that was not known at the start.
    pub request_model: Option<&'a str>,
    /// When the first of it came, since the call began: of what nobody saw coming, and somebody timed.
    pub time_to_first_chunk: Option<Duration>,
    /// Tools that it wants to be called.
    pub tool_calls: &'a [ToolRequest<'a>],
    /// The messages, as `gen_ai.output.messages` has them.
    pub messages: Option<Text<'a>>,
}

/// A tool that a model wants to be called.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ToolRequest<'a> {
    /// Its name.
    pub name: &'a str,
    /// The model's id of the call.
    pub id: Option<&'a str>,
}

impl<'a> ToolRequest<'a> {
    /// One of this name.
    pub const fn new(name: &'a str, id: Option<&'a str>) -> Self {
        Self { name, id }
    }
}

/// What a tool gave.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ToolOutput<'a> {
    /// The result.
    pub result: Option<Text<'a>>,
}

/// What was found, stored, loaded or made.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DocumentsOutput<'a> {
    /// How many documents.
    pub count: Option<u64>,
    /// What they are: `[{"id":…,"score":…}]`.
    pub documents: Option<Text<'a>>,
}

/// Vectors.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EmbeddingOutput<'a> {
    /// Which model made them.
    pub model: Option<&'a str>,
    /// Its tokens.
    pub usage: Option<Usage>,
}

/// What an agent answered.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AgentOutput<'a> {
    /// The tokens of all its calls, as the framework adds them up. They are told of the span, and counted nowhere: the calls count.
    pub usage: Option<Usage>,
    /// Why it ended.
    pub finish_reason: Option<&'a str>,
    /// The messages.
    pub messages: Option<Text<'a>>,
}

/// What was remembered.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MemoryOutput<'a> {
    /// How many records.
    pub count: Option<u64>,
    /// What they are.
    pub records: Option<Text<'a>>,
}

/// The answer to a request of MCP.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct McpOutput<'a> {
    /// Whether it says `isError`: the tool failed, not the message.
    pub is_tool_error: bool,
    /// The result.
    pub result: Option<Text<'a>>,
}

/// What a node gives.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NodeOutput<'a> {
    /// It.
    pub value: Option<Text<'a>>,
}

/// A piece of what is streamed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A model's.
    Model(ModelChunk<'a>),
    /// Of anything else.
    Node(NodeOutput<'a>),
}

/// A piece of a model's answer. What it does not say it does not change.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ModelChunk<'a> {
    /// What it holds. Without it, it is no chunk with content and has no time: a role, a heartbeat, usage.
    pub content: Option<Content>,
    /// It.
    pub text: Option<Text<'a>>,
    /// A tool that it asks for, told once for each.
    pub tool_call: Option<ToolRequest<'a>>,
    /// Why it ended.
    pub finish_reason: Option<&'a str>,
    /// Tokens so far.
    pub usage: Option<&'a Usage>,
    /// The answer's id.
    pub response_id: Option<&'a str>,
    /// Which model answers.
    pub model: Option<&'a str>,
}
