//! What an agent does, told to whoever wants to know: which node ran, why a tool was called, what each turn cost, by the OpenTelemetry
//! conventions for generative AI.
//!
//! An agent's work is made of **runs**: a turn of the agent, a call of a model, a call of a tool, a retrieval, a node of a graph. Whoever
//! does the work tells [`Handlers`] of each run, as it begins and as it ends; what comes of it is theirs. [`AgentObserver`] is the
//! handler that emits:
//!
//! ```
//! use obs_agent::input::{AgentInput, ModelInput};
//! use obs_agent::output::{ModelOutput, ToolRequest};
//! use obs_agent::{AgentObserver, Component, Handlers, Input, Output, RunInfo, RunParent};
//! use obs_testing::{Capture, assert_tree};
//! use std::time::Duration;
//!
//! let capture = Capture::new();
//! let handlers = Handlers::new().with(AgentObserver::new(capture.telemetry()));
//! let begin = |component, name, parent: RunParent<'_>, input| {
//!     handlers.start(RunInfo::new(component, name), parent, &input)
//! };
//!
//! let mut asked = AgentInput::default();
//! asked.conversation_id = Some("conv_1");
//! let agent = begin(Component::Agent, "forecaster", RunParent::Current, Input::Agent(asked));
//!
//! // A model decides; its answer could be streamed as well.
//! let mut asked = ModelInput::default();
//! (asked.provider, asked.model, asked.tools) = (Some("openai"), Some("gpt-4o"), &["weather"]);
//! let model = begin(Component::Model, "", agent.as_parent(), Input::Model(asked));
//! capture.clock().advance(Duration::from_millis(700));
//! let mut answer = ModelOutput::default();
//! let chosen = [ToolRequest::new("weather", Some("call_1"))];
//! (answer.finish_reasons, answer.tool_calls) = (&["tool_calls"], &chosen);
//! model.end(&Output::Model(answer));
//!
//! // What it decided is done. Work that is awaited is polled within its run: `tool.wrap(…).await`.
//! let tool = begin(Component::Tool, "weather", agent.as_parent(), Input::Tool(Default::default()));
//! let rain = tool.in_scope(|| "rain at noon");
//! tool.end(&Output::Tool(Default::default()));
//! agent.end(&Output::Agent(Default::default()));
//!
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       invoke_agent forecaster [internal]
//!         - gen_ai.agent.name: "forecaster"
//!         - gen_ai.conversation.id: "conv_1"
//!         - gen_ai.operation.name: "invoke_agent"
//!         - gen_ai.provider.name: "openai"
//!         - obs.agent.depth: 0
//!         - obs.agent.run.inferences: 1
//!         - obs.agent.run.tools: 1
//!         chat gpt-4o [client]
//!           - gen_ai.conversation.id: "conv_1"
//!           - gen_ai.operation.name: "chat"
//!           - gen_ai.provider.name: "openai"
//!           - gen_ai.request.model: "gpt-4o"
//!           - gen_ai.response.finish_reasons: ["tool_calls"]
//!           - obs.agent.depth: 1
//!           - obs.agent.step: 1
//!           - obs.agent.tools.chosen: ["weather"]
//!           - obs.agent.tools.offered: ["weather"]
//!         execute_tool weather [internal]
//!           - gen_ai.agent.name: "forecaster"
//!           - gen_ai.conversation.id: "conv_1"
//!           - gen_ai.operation.name: "execute_tool"
//!           - gen_ai.tool.name: "weather"
//!           - gen_ai.tool.type: "function"
//!           - obs.agent.depth: 1
//!           - obs.agent.step: 2
//! "#);
//! assert_eq!(capture.count("obs.agent.execute_tool.duration"), 1);
//! # assert_eq!(rain, "rain at noon");
//! ```
//!
//! Most programs tell no runs themselves: a framework with a place for it has an [adapter](adapters), and one that tells of itself
//! through `tracing` is understood by a layer (features `normalise`, `tracing`). Any number of handlers are told beside the observer, and
//! [sessions](session) add up what all of it came to.
//!
//! # Where a run stands
//!
//! The parent of a run is said: [`RunParent::Of`] a [`RunRef`], which goes to any task or thread; or it is the run in which it begins,
//! where [`Run::wrap`], [`RunRef::wrap`] or `in_scope` polls that. Its span is the child of that run's span, or of what the program has
//! opened within it; a run without a parent is part of what is around it, the request that is served. What a handler makes nothing of is
//! no hole: runs within it are within what is around it. What another process asks for is within what that says of itself,
//! [as far as it is believed](RunParent::Remote).
//!
//! Where one agent **hands over** to another that is not within it, [`RunRef::handed_from`] links the one's span to the other's, with
//! `obs.agent.handoff` on the link: the name of whose it was.
//!
//! # What it emits
//!
//! A **span** for each run. All that is of the conventions for generative AI and for MCP is in development; those for databases are
//! stable.
//!
//! | component | span, kind | by the conventions |
//! |---|---|---|
//! | `Agent` | `invoke_agent {name}`, internal; client where its provider is told: it runs elsewhere | yes |
//! | `Workflow`, and an outermost `Graph` or `Chain` | `invoke_workflow {name}`, internal | yes |
//! | `Plan` | `plan {agent}`, internal: the agent around it, else its own name | on main |
//! | `Model`, `Embedding` | `chat {model}`, `embeddings {model}`, client: told by [obs-llm](obs_llm) | yes |
//! | `Tool` | `execute_tool {name}`, internal | yes |
//! | `Retriever` | `retrieval {data source}`, client | yes |
//! | with a store of vectors | `{operation} {collection}`, else namespace, without these the system, client: beneath the retrieval around it, or beneath its own where there is none | as a database |
//! | `Memory` | `search_memory`, `create_memory`, `update_memory`, `upsert_memory`, `delete_memory`, `create_memory_store`, `delete_memory_store`, client | on main |
//! | `Mcp` | `{method} {tool or prompt}`, client or server | yes |
//! | `Mcp`, a client's `tools/call` right within a `Tool` | none: the tool's span has the attributes | yes |
//! | `Mcp` without a method | none: a session, which has a duration | yes |
//! | `Indexer`, `Prompt`, `Loader`, `Transformer`, `Lambda`, inner `Graph` and `Chain` | `{component} {name}`, internal | ours |
//!
//! Without a name a span is called by its operation alone.
//!
//! | attribute | on | when |
//! |---|---|---|
//! | `obs.agent.depth`, `obs.agent.step`, `obs.agent.attempt` | all | how many runs are around it; the how-manieth within its parent; if it was tried before |
//! | `obs.agent.implementation` | all | it is said: `rig` |
//! | `obs.agent.run.id`, `obs.agent.run.parent_id` | all | [asked for](AgentObserver::with_run_ids) |
//! | `error.type` | all | the outcome is an error: see below |
//! | `gen_ai.operation.name` | all but nodes, databases, and messages of MCP that call no tool | always |
//! | `gen_ai.conversation.id` | agents and all within | the agent was told it, or the [session](obs_core::Session) has it |
//! | `gen_ai.agent.name` | agents, plans, tools | there is an agent that has one |
//! | `gen_ai.provider.name` | agents here, by v1.41 | always: who serves the model that it asks first, as far as that is told by its end; else `_OTHER` |
//! | `gen_ai.agent.id`, `.version`, `.description`, `gen_ai.request.model` | agents | told; of one in this process main wants no id and no version |
//! | `obs.agent.turn` | agents | told: which turn of its conversation |
//! | `obs.agent.run.inferences`, `obs.agent.run.tools` | agents here | always: its own calls, failed ones too, and not those of agents within it |
//! | `gen_ai.usage.*`, `gen_ai.response.finish_reasons` | agents | told. The tokens are those of its calls, and counted there alone |
//! | `obs.agent.tools.offered`, `.tools.chosen` | models | told: at most 64 names each; `obs.agent.tools.offered.count` where there are more |
//! | `gen_ai.tool.name`, `.type`, `.call.id`, `.description` | tools | told; a `function` unless it is said |
//! | `gen_ai.provider.name` | agents elsewhere, retrievals, memories | told; of retrievals and memories by v1.41 `_OTHER` where it is not, as the duration wants one |
//! | `gen_ai.data_source.id`, `gen_ai.request.top_k` (on main `gen_ai.retrieval.top_k`), `obs.agent.documents` | retrievals | told |
//! | `db.system.name`, `db.collection.name`, `db.namespace`, `db.operation.name` | stores of vectors | told |
//! | `server.address`, `server.port` | models, embeddings, retrievals, stores, memories, agents elsewhere | told |
//! | `obs.agent.memory.store.id`, `.record.id`, `.record.count` (on main `gen_ai.memory.*`) | memories | told |
//! | `mcp.method.name`, `mcp.session.id`, `mcp.protocol.version`, `mcp.resource.uri`, `jsonrpc.request.id`, `network.transport`, `gen_ai.tool.name`, `gen_ai.prompt.name`, `rpc.response.status_code` | MCP | told; a method that the protocol has not is `_OTHER` |
//! | `obs.agent.node.kind`, `obs.agent.node.name`, `gen_ai.prompt.name` | nodes | always; named; prompts |
//! | `gen_ai.tool.call.arguments`, `.result`, `gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions`, `gen_ai.retrieval.query.text`, `.documents`, `obs.agent.memory.query.text`, `.records` (on main `gen_ai.memory.*`), `obs.agent.input`, `obs.agent.output` (nodes, and messages of MCP that call no tool), `obs.llm.content.cut` | what says it | **content is asked for** on spans (feature `content`) |
//!
//! **Metrics**, which do not depend on sampling. By v1.41's names, which are the default, those that only main has are ours; it is one
//! or the other, never both.
//!
//! | metric | on main | unit | kind | attributes beside `error.type` |
//! |---|---|---|---|---|
//! | `obs.agent.invoke_agent.duration` | `gen_ai.invoke_agent.duration` | s | histogram | `gen_ai.agent.name` |
//! | `obs.agent.invoke_agent.inference_calls` | `gen_ai.invoke_agent.inference_calls` | {inference_call} | histogram, a point for each turn | `gen_ai.agent.name`, no error |
//! | `obs.agent.invoke_agent.tool_calls` | `gen_ai.invoke_agent.tool_calls` | {tool_call} | histogram, the same | the same |
//! | `obs.agent.execute_tool.duration` | `gen_ai.execute_tool.duration` | s | histogram | `gen_ai.tool.name`, `gen_ai.tool.type` |
//! | `obs.agent.invoke_workflow.duration` | `gen_ai.invoke_workflow.duration` | s | histogram | `gen_ai.workflow.name` |
//! | `gen_ai.client.operation.duration` | the same | s | histogram, of agents elsewhere, retrievals, memories | `gen_ai.operation.name`, provider, model, agent or data source, server |
//! | `mcp.client.operation.duration`, `mcp.server.operation.duration` | the same | s | histograms | method, tool, prompt, transport, version, status |
//! | `mcp.client.session.duration`, `mcp.server.session.duration` | the same | s | histograms | transport, version |
//! | `db.client.operation.duration` | the same | s | histogram | system, collection, namespace, operation, server |
//! | `obs.agent.plan.duration`, `obs.agent.node.duration` | the same | s | histograms | agent; `obs.agent.node.kind` and `.name` |
//! | `obs.agent.active_agents`, `obs.agent.active_tools` | the same | {run}, {call} | in-flight gauges | the name alone, no error |
//!
//! Those of models and embeddings are obs-llm's. An inference counts on the agent in whose turn it is made, told as a run or seen by a
//! layer or an adapter of obs-llm's that is polled within the turn.
//!
//! Labels are closed sets or capped: 256 agents, workflows and servers, 512 tools and nodes, 128 sources, 64 providers. What is beyond
//! reads `_OTHER` in metrics and by its name on spans; [`AgentObserver::reserve`] keeps the place of a name that is known.
//!
//! **Events**: with content asked for on events, `obs.agent.details` at the beginning and the end of what says something, with the ids
//! of its span; of models obs-llm's. `obs.agent.session.summary` is the [ledger's](session).
//!
//! # How a run ends
//!
//! Exactly once, whatever happens:
//!
//! | what happens | outcome | `error.type` |
//! |---|---|---|
//! | [`Run::end`], or the end of its stream | answered | – |
//! | an answer of MCP that says `isError` | failed | `tool_error` |
//! | [`Run::fail`] with an error that failed, or an item that [fails](Tap::fail) | failed | its kind if it is of the closed list, a status of three digits, a code of JSON-RPC; of models as obs-llm has it; else `_OTHER` |
//! | it is dropped, or its stream is | cancelled | `cancelled`; of a model whose every choice has its reason, none: whoever drops it has it all |
//! | a failure that [says so](RunError::timed_out); a model's call dropped after the [deadline](obs_core::Active::set_deadline) it was given | timed out | `timeout` |
//! | what is polled in it panics, or it is dropped by a thread that does | panicked | `panic` |
//!
//! # Nothing twice
//!
//! A model's call is told once, by whoever tells it first: a layer or an adapter of obs-llm's that is polled within a run of a model finds
//! a call around and does nothing, and so does a run of a model within such a call, or within another run of a model. Told so, an
//! inference has what the outer one knows. What an agent adds up of its calls is on its span and in no sum.
//!
//! # What it costs
//!
//! A run asks twice for memory: the reference to it, and what the observer remembers; an agent's four times, and a piece
//! of a stream never (`tests/observer_allocations.rs`). What is polled within a run asks for what [OpenTelemetry is shown of
//! it](obs_core::ContextMode), once for each future or stream. What is [switched off](obs_core::StatsLevel::Disabled) is
//! not told, and costs nothing beside the question whether it is wanted: nodes by `agent.node`, or one kind of them by its method,
//! `prompt`; agents, tools, workflows by their names.
//!
//! # What it never records
//!
//! Texts of errors; and prompts, answers, arguments, results, queries, documents and what is remembered, unless they are asked for (feature
//! `content`), and then in no metric. Ids of runs, calls, sessions, conversations, records and resources as attributes of metrics.
//!
//! Every name, with units, attributes and what the conventions promise of each, is in `docs/emitted.md`.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapters;
mod component;
mod contain;
pub mod current;
pub mod descriptor;
mod failure;
mod handler;
mod handlers;
pub mod input;
#[cfg(feature = "normalise")]
#[cfg_attr(docsrs, doc(cfg(feature = "normalise")))]
pub mod normalise;
mod observer;
pub mod output;
mod run;
pub mod session;
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub mod stream;
mod text;

pub use component::Component;
pub use failure::{RunEnd, RunError};
pub use handler::{Handler, InputTap, State, Timings};
pub use handlers::{Handlers, InputTaps, Run, append_global};
pub use input::Input;
pub use observer::AgentObserver;
pub use output::{Item, Output};
pub use run::{RemoteParent, RunId, RunInfo, RunParent, RunRef, Starting};
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub use stream::{ObservedInput, ObservedStream, Tap};
pub use text::Text;

pub use obs_core;
pub use obs_llm;
