//! What part of an agent a run is of.

use std::fmt;

/// What part of an agent runs, as Eino tells them apart, with what Rust's frameworks have beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Component {
    /// A model answers.
    Model,
    /// A tool is called.
    Tool,
    /// Documents are looked up.
    Retriever,
    /// Texts become vectors.
    Embedding,
    /// Documents are stored.
    Indexer,
    /// A prompt is made from a template.
    Prompt,
    /// Documents are read from where they are.
    Loader,
    /// Documents become others: split, filtered, ranked.
    Transformer,
    /// A graph of nodes.
    Graph,
    /// Nodes one after another.
    Chain,
    /// What is made of agents and steps, and is known by a name of its own.
    Workflow,
    /// Code of the application.
    Lambda,
    /// An agent has a turn.
    Agent,
    /// An agent decides what to do.
    Plan,
    /// What is remembered is searched, written or deleted.
    Memory,
    /// A message of the Model Context Protocol.
    Mcp,
}

const NAMES: [&str; 16] = [
    "model",
    "tool",
    "retriever",
    "embedding",
    "indexer",
    "prompt",
    "loader",
    "transformer",
    "graph",
    "chain",
    "workflow",
    "lambda",
    "agent",
    "plan",
    "memory",
    "mcp",
];

impl Component {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Model,
        Self::Tool,
        Self::Retriever,
        Self::Embedding,
        Self::Indexer,
        Self::Prompt,
        Self::Loader,
        Self::Transformer,
        Self::Graph,
        Self::Chain,
        Self::Workflow,
        Self::Lambda,
        Self::Agent,
        Self::Plan,
        Self::Memory,
        Self::Mcp,
    ];

    /// Their names, in their order.
    pub(crate) const NAMES: [&'static str; 16] = NAMES;

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        NAMES[self as usize]
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
