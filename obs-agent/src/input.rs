//! What runs begin with, by component. All is borrowed: a handler that keeps something copies it.

use crate::text::Text;

/// What a run begins with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A model's.
    Model(ModelInput<'a>),
    /// A tool's.
    Tool(ToolInput<'a>),
    /// A retriever's.
    Retriever(RetrieverInput<'a>),
    /// An embedding's.
    Embedding(EmbeddingInput<'a>),
    /// An indexer's, or a transformer's: so many documents.
    Documents(DocumentsInput),
    /// A prompt's.
    Prompt(PromptInput<'a>),
    /// A loader's: from where.
    Loader(LoaderInput<'a>),
    /// An agent's, or a plan's.
    Agent(AgentInput<'a>),
    /// A memory's.
    Memory(MemoryInput<'a>),
    /// A message's of MCP.
    Mcp(McpInput<'a>),
    /// A node's of a graph, a chain, a workflow, a lambda: whatever it takes.
    Node(NodeInput<'a>),
    /// It comes in pieces.
    Streamed,
}

/// Whom a call asks: `server.address` and `server.port`. Low in cardinality: they are labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server<'a> {
    /// Its name, as whoever asks it used it, without a port: `api.openai.com`.
    pub address: &'a str,
    /// Its port.
    pub port: Option<u16>,
}

impl<'a> Server<'a> {
    /// One of this name.
    pub const fn new(address: &'a str, port: Option<u16>) -> Self {
        Self { address, port }
    }
}

/// What a model is asked. Of the parameters those that are known.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ModelInput<'a> {
    /// Who serves it, as `gen_ai.provider.name` has it: `openai`, `anthropic`.
    pub provider: Option<&'a str>,
    /// Which model.
    pub model: Option<&'a str>,
    /// Where it is served.
    pub server: Option<Server<'a>>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The most tokens that it may answer.
    pub max_tokens: Option<u64>,
    /// The temperature.
    pub temperature: Option<f64>,
    /// The mass of probability that is sampled from.
    pub top_p: Option<f64>,
    /// Names of the tools that it may call.
    pub tools: &'a [&'a str],
    /// Instructions of the system.
    pub system: Option<Text<'a>>,
    /// The messages, as `gen_ai.input.messages` has them.
    pub messages: Option<Text<'a>>,
}

/// What a tool is called with.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ToolInput<'a> {
    /// The model's id of the call.
    pub call_id: Option<&'a str>,
    /// What the tool is for.
    pub description: Option<&'a str>,
    /// `function`, `extension` or `datastore`; `function` where it is not said.
    pub tool_type: Option<&'a str>,
    /// The arguments.
    pub arguments: Option<Text<'a>>,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RetrieverInput<'a> {
    /// Where: a knowledge base, a collection.
    pub data_source_id: Option<&'a str>,
    /// Who provides it, where somebody does.
    pub provider: Option<&'a str>,
    /// Where it is provided; of a store of vectors, where that is.
    pub server: Option<Server<'a>>,
    /// How many documents at most.
    pub top_k: Option<u64>,
    /// What for.
    pub query: Option<Text<'a>>,
    /// The vector store beneath, where the run is the question to it: `db.system.name`.
    pub store: Option<&'a str>,
    /// What that is asked, as `db.operation.name` has it: its own word, `search`, `query`. Low in cardinality: it is a label.
    pub store_operation: Option<&'a str>,
    /// Its collection.
    pub collection: Option<&'a str>,
    /// Its database or namespace.
    pub namespace: Option<&'a str>,
}

/// What becomes vectors.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EmbeddingInput<'a> {
    /// Who serves the model.
    pub provider: Option<&'a str>,
    /// Which model.
    pub model: Option<&'a str>,
    /// Where it is served.
    pub server: Option<Server<'a>>,
    /// How many texts.
    pub texts: Option<u64>,
    /// How many dimensions are asked for.
    pub dimensions: Option<u64>,
}

/// Documents that are stored or changed.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DocumentsInput {
    /// How many.
    pub documents: Option<u64>,
}

/// A template and what it is filled with.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PromptInput<'a> {
    /// The template's name; the run's where it is not said.
    pub name: Option<&'a str>,
    /// Its version.
    pub version: Option<&'a str>,
    /// What it is filled with.
    pub variables: Option<Text<'a>>,
}

/// What is loaded.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LoaderInput<'a> {
    /// From where: it may say more than a span should, so it is content.
    pub source: Option<Text<'a>>,
}

/// What an agent is asked to do.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AgentInput<'a> {
    /// Its id, which its provider gave it: no id of an instance in memory.
    pub id: Option<&'a str>,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Its version.
    pub version: Option<&'a str>,
    /// Who provides it, where it runs elsewhere: the call of it is a client's then.
    pub provider: Option<&'a str>,
    /// Where it is provided, of one that runs elsewhere.
    pub server: Option<Server<'a>>,
    /// The model that it is made with.
    pub model: Option<&'a str>,
    /// The conversation that the turn is of, as the framework or the user names it.
    pub conversation_id: Option<&'a str>,
    /// Which turn of the conversation it is, from one on.
    pub turn: Option<u32>,
    /// The messages.
    pub messages: Option<Text<'a>>,
    /// Its instructions.
    pub system: Option<Text<'a>>,
}

/// What is done with what is remembered.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MemoryInput<'a> {
    /// What.
    pub operation: MemoryOperation,
    /// Who provides it, where it is a service.
    pub provider: Option<&'a str>,
    /// Where it is provided.
    pub server: Option<Server<'a>>,
    /// Where.
    pub store_id: Option<&'a str>,
    /// Which record.
    pub record_id: Option<&'a str>,
    /// What for, of a search.
    pub query: Option<Text<'a>>,
    /// How many records are written.
    pub records: Option<u64>,
}

/// What is done with what is remembered, as `gen_ai.operation.name` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryOperation {
    /// `search_memory`.
    #[default]
    Search,
    /// `create_memory`.
    Create,
    /// `update_memory`.
    Update,
    /// `upsert_memory`.
    Upsert,
    /// `delete_memory`.
    Delete,
    /// `create_memory_store`.
    CreateStore,
    /// `delete_memory_store`.
    DeleteStore,
}

/// A request or a notification of the Model Context Protocol.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct McpInput<'a> {
    /// Whether it is received here, and not sent.
    pub is_server: bool,
    /// `tools/call`, `initialize`, `notifications/cancelled`.
    pub method: &'a str,
    /// The tool or prompt that it names.
    pub target: Option<&'a str>,
    /// The resource that it names.
    pub resource_uri: Option<&'a str>,
    /// The request's id; none of a notification.
    pub request_id: Option<&'a str>,
    /// `mcp.session.id`.
    pub session_id: Option<&'a str>,
    /// `mcp.protocol.version`.
    pub protocol_version: Option<&'a str>,
    /// `pipe`, `tcp`.
    pub transport: Option<&'a str>,
    /// The arguments of a tool.
    pub arguments: Option<Text<'a>>,
}

/// What a node takes.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NodeInput<'a> {
    /// It.
    pub value: Option<Text<'a>>,
}
