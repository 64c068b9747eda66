//! What others say of models, agents and tools, in our words.
//!
//! A [`SpanView`] is a span as its instrumentation told it, whoever has it: [`read`](SpanView::read) says what it is and what is said
//! of it. Behind it is one table, first match wins.
//!
//! | what | from, in order |
//! |---|---|
//! | operation | `gen_ai.operation.name`; `openinference.span.kind`; `traceloop.span.kind`, `llm.request.type`; `ai.operationId` (`….do…` is a call of a model, what is around it an agent's turn); `langsmith.span.kind`; the name of the span. A chain is a workflow where it is outermost |
//! | provider | `gen_ai.provider.name`, `gen_ai.system`, `llm.provider`, `llm.system`, `ai.model.provider`, `ls_provider`, by the conventions' words |
//! | models | the conventions', `llm.{request,response}.model_name`, `llm.model_name`, `ai.model.id`, `ai.response.model`, `ls_model_name` |
//! | tokens | the conventions' of all versions, `llm.token_count.*`, `llm.usage.*`, `ai.usage.*`, each by its own arithmetic: parts are added to totals that are without them |
//! | time to the first chunk | the conventions', `gen_ai.response.time_to_first_token`, `ai.response.msToFirstChunk`; that of a model's server is another time, and kept apart |
//! | conversation, user | `gen_ai.conversation.id`, `session.id`, …; `user.id`, `enduser.id`, … |
//! | agent, tool, workflow | the conventions', `agent.name`, `tool.name`, `traceloop.entity.name`, `ai.toolCall.*` |
//! | cost | kept aside, whoever reckons it: it is in no sum |
//!
//! Rust's frameworks that have fields of their own, langchain-rust, adk-rust and swiftide, are known by their crates.
#![cfg_attr(
    feature = "tracing",
    doc = "
# In this process

[`Normaliser`] is a layer of `tracing_subscriber` that makes [runs](crate::Handlers) of the spans by which frameworks tell of
themselves.

| framework | agent | call of a model | tool | its spans do not say |
|---|---|---|---|---|
| rig 0.44 | `invoke_agent` | `chat`, with tokens | `execute_tool`, with errors | why a call failed, why it ended, when its chunks came |
| genai 0.7, feature `otel` | | `chat`, with tokens, errors, the time to the first chunk | | what becomes of a stream that is dropped |
| langchain-rust 7.0 | `agent.run`, without a name | `llm.generate`, with tokens and errors | `tool.call`, with errors | what kind of error it was, when chunks came |
| adk-rust 2.3 | `agent.execute`, with its conversation | `gen_ai.generate`, with tokens | `execute_tool …` | that something failed |
| swiftide 0.32 | `agent.query` and its like, with errors | | `tool.…` | anything of a model: put `obs-llm`'s layer beneath |"
)]

mod attributes;
mod dialect;
mod messages;
mod operation;
mod reading;
mod table;
mod usage;
mod words;

#[cfg(feature = "tracing")]
mod entered;
#[cfg(feature = "tracing")]
mod fields;
#[cfg(feature = "tracing")]
mod heard;
#[cfg(feature = "tracing")]
mod layer;
#[cfg(feature = "tracing")]
mod open;
#[cfg(feature = "tracing")]
mod site;
#[cfg(feature = "tracing")]
mod tell;
#[cfg(feature = "tracing")]
mod whose;

pub use attributes::{Attributes, Value};
pub use dialect::{Dialect, framework};
pub use messages::{Content, Side};
pub use operation::Operation;
pub use reading::{Reading, SpanView};

#[cfg(feature = "tracing")]
pub(crate) use entered::entered;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use layer::{Normaliser, NormaliserLayer};
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use site::GenAiSpans;
