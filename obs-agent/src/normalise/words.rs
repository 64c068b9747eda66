//! What others' words are in ours: for providers, for operations, and what frameworks call their spans. The table again, of values.

use super::dialect::Dialect;
use super::operation::Operation;
use obs_core::semconv::dialects;

/// Words for providers that are not those of the conventions.
pub(crate) const PROVIDERS: &[(&str, &str)] = &[
    ("az.ai.openai", "azure.ai.openai"),
    ("az.ai.inference", "azure.ai.inference"),
    ("azure_openai", "azure.ai.openai"),
    ("azure-openai", "azure.ai.openai"),
    ("azure", "azure.ai.openai"),
    ("azure-ai", "azure.ai.inference"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("vertexai", "gcp.vertex_ai"),
    ("google_vertexai", "gcp.vertex_ai"),
    ("google.vertex", "gcp.vertex_ai"),
    ("vertex", "gcp.vertex_ai"),
    ("gemini", "gcp.gemini"),
    ("google_genai", "gcp.gemini"),
    ("google.generative-ai", "gcp.gemini"),
    ("gcp_gemini", "gcp.gemini"),
    ("google", "gcp.gen_ai"),
    ("bedrock", "aws.bedrock"),
    ("amazon-bedrock", "aws.bedrock"),
    ("amazon_bedrock", "aws.bedrock"),
    ("aws", "aws.bedrock"),
    ("watsonx", "ibm.watsonx.ai"),
    ("mistral", "mistral_ai"),
    ("mistralai", "mistral_ai"),
    ("xai", "x_ai"),
    ("moonshot", "moonshot_ai"),
    ("moonshotai", "moonshot_ai"),
    ("openai-responses", "openai"),
];

/// What Vercel puts behind the name of a provider: which of its interfaces.
pub(crate) const INTERFACES: [&str; 8] = [
    ".chat",
    ".messages",
    ".responses",
    ".completion",
    ".embedding",
    ".textEmbedding",
    ".image",
    ".speech",
];

/// What the conventions call operations, and what others call them there.
pub(crate) const OPERATIONS: &[(&str, Operation)] = &[
    ("chat", Operation::Chat),
    ("generate_content", Operation::GenerateContent),
    ("text_completion", Operation::TextCompletion),
    ("completion", Operation::TextCompletion),
    ("embeddings", Operation::Embeddings),
    ("embedding", Operation::Embeddings),
    ("retrieval", Operation::Retrieval),
    ("execute_tool", Operation::ExecuteTool),
    ("invoke_agent", Operation::InvokeAgent),
    ("invoke_workflow", Operation::InvokeWorkflow),
    ("plan", Operation::Plan),
    ("rerank", Operation::Rerank),
    ("search_memory", Operation::SearchMemory),
    ("create_memory", Operation::CreateMemory),
    ("update_memory", Operation::UpdateMemory),
    ("upsert_memory", Operation::UpsertMemory),
    ("delete_memory", Operation::DeleteMemory),
    ("create_memory_store", Operation::CreateMemoryStore),
    ("delete_memory_store", Operation::DeleteMemoryStore),
];

/// OpenInference's kinds of spans, without regard to case.
pub(crate) const OPEN_INFERENCE: &[(&str, Operation)] = &[
    ("LLM", Operation::Chat),
    ("EMBEDDING", Operation::Embeddings),
    ("RETRIEVER", Operation::Retrieval),
    ("RERANKER", Operation::Rerank),
    ("TOOL", Operation::ExecuteTool),
    ("AGENT", Operation::InvokeAgent),
    ("CHAIN", Operation::Chain),
    ("PROMPT", Operation::Prompt),
];

/// OpenLLMetry's kinds of what it calls entities.
pub(crate) const TRACELOOP: &[(&str, Operation)] = &[
    ("workflow", Operation::InvokeWorkflow),
    ("task", Operation::Task),
    ("agent", Operation::InvokeAgent),
    ("tool", Operation::ExecuteTool),
];

/// What OpenLLMetry asks a model for.
pub(crate) const REQUEST_TYPES: &[(&str, Operation)] = &[
    ("chat", Operation::Chat),
    ("completion", Operation::TextCompletion),
    ("embedding", Operation::Embeddings),
    ("rerank", Operation::Rerank),
];

/// Vercel's functions. What asks a model ends in `.do…`; what is around that repeats its numbers.
pub(crate) const VERCEL: &[(&str, Operation)] = &[
    ("ai.generateText", Operation::InvokeAgent),
    ("ai.streamText", Operation::InvokeAgent),
    ("ai.generateObject", Operation::InvokeAgent),
    ("ai.streamObject", Operation::InvokeAgent),
    ("ai.embed", Operation::Chain),
    ("ai.embedMany", Operation::Chain),
    ("ai.rerank", Operation::Chain),
    ("ai.toolCall", Operation::ExecuteTool),
];

/// LangSmith's kinds of runs.
pub(crate) const LANGSMITH: &[(&str, Operation)] = &[
    ("llm", Operation::Chat),
    ("embedding", Operation::Embeddings),
    ("retriever", Operation::Retrieval),
    ("tool", Operation::ExecuteTool),
    ("chain", Operation::Chain),
    ("prompt", Operation::Prompt),
];

/// How the name of a span is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Called {
    /// As it stands.
    Is(&'static str),
    /// With the name of the tool or the model behind it.
    Begins(&'static str),
}

/// A span of a framework that is known by what it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken {
    pub(crate) by: Dialect,
    pub(crate) name: Called,
    pub(crate) operation: Operation,
}

const fn of(by: Dialect, name: Called, operation: Operation) -> Spoken {
    Spoken {
        by,
        name,
        operation,
    }
}

/// Where nothing says which operation a span is.
pub(crate) const SPAN_NAMES: &[Spoken] = &[
    // https://docs.rs/crate/langchain-rust/7.0.0/source/src/observability.rs
    of(
        Dialect::LangChainRust,
        Called::Is("llm.generate"),
        Operation::Chat,
    ),
    of(
        Dialect::LangChainRust,
        Called::Is("embed.documents"),
        Operation::Embeddings,
    ),
    of(
        Dialect::LangChainRust,
        Called::Is("embed.query"),
        Operation::Embeddings,
    ),
    of(
        Dialect::LangChainRust,
        Called::Is("chain.call"),
        Operation::Chain,
    ),
    of(
        Dialect::LangChainRust,
        Called::Is("agent.run"),
        Operation::InvokeAgent,
    ),
    of(
        Dialect::LangChainRust,
        Called::Is("agent.plan"),
        Operation::Plan,
    ),
    of(
        Dialect::LangChainRust,
        Called::Is("tool.call"),
        Operation::ExecuteTool,
    ),
    // https://docs.rs/crate/adk-telemetry/2.3.0/source/src/spans.rs, adk-runner's runner.rs, adk-agent's llm_agent.rs
    of(
        Dialect::Adk,
        Called::Is(dialects::ADK_GENERATE),
        Operation::Chat,
    ),
    of(
        Dialect::Adk,
        Called::Is("agent.execute"),
        Operation::InvokeAgent,
    ),
    of(
        Dialect::Adk,
        Called::Is("tool.execute"),
        Operation::ExecuteTool,
    ),
    of(
        Dialect::Adk,
        Called::Begins("execute_tool "),
        Operation::ExecuteTool,
    ),
    of(
        Dialect::Adk,
        Called::Is("team.run"),
        Operation::InvokeWorkflow,
    ),
    // https://docs.rs/crate/swiftide-agents/0.32.1/source/src/agent.rs
    of(
        Dialect::Swiftide,
        Called::Is("agent.query"),
        Operation::InvokeAgent,
    ),
    of(
        Dialect::Swiftide,
        Called::Is("agent.query_once"),
        Operation::InvokeAgent,
    ),
    of(
        Dialect::Swiftide,
        Called::Is("agent.run"),
        Operation::InvokeAgent,
    ),
    of(
        Dialect::Swiftide,
        Called::Is("agent.run_once"),
        Operation::InvokeAgent,
    ),
    of(
        Dialect::Swiftide,
        Called::Begins("tool."),
        Operation::ExecuteTool,
    ),
    of(
        Dialect::Swiftide,
        Called::Is("task.run"),
        Operation::InvokeWorkflow,
    ),
];
