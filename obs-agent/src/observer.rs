//! The handler that emits.

mod agent;
mod call;
#[cfg(feature = "content")]
mod content;
#[cfg(not(feature = "content"))]
#[path = "observer/no_content.rs"]
mod content;
mod end;
mod heard;
mod kinds;
mod lookup;
mod mcp;
mod node;
mod place;
mod tool;

use crate::component::Component;
use crate::failure::RunError;
use crate::handler::{Handler, State, Timings};
use crate::input::Input;
use crate::output::{Item, ModelOutput, Output};
use crate::run::{RunInfo, RunRef, Starting};
use agent::AgentScope;
use call::Call;
use content::Contents;
use end::{What, Work};
use heard::Heard;
use kinds::Kinds;
use mcp::Message;
use obs_core::{Kind, Telemetry, current};
use obs_llm::{Dialect, Llm, LlmOperation};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The [`Handler`] that emits: a span and metrics for each run, by the conventions for generative AI. Make one at start-up; its
/// settings are leaked once, at the first run.
///
/// ```
/// use obs_agent::{AgentObserver, Handlers};
///
/// # let telemetry = obs_core::Telemetry::noop();
/// let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
/// # let _ = handlers;
/// ```
#[derive(Clone)]
pub struct AgentObserver {
    telemetry: Telemetry,
    settings: Settings,
    leaked: Arc<OnceLock<&'static Shared>>,
}

#[derive(Clone)]
struct Settings {
    llm: Llm,
    run_ids: bool,
}

/// What all runs of one observer share.
pub(crate) struct Shared {
    llm: Llm,
    dialect: Dialect,
    kinds: Kinds,
    contents: Contents,
    run_ids: bool,
}

impl AgentObserver {
    /// Runs are reported to `telemetry`, by the names that `OTEL_SEMCONV_STABILITY_OPT_IN` asks for.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: *telemetry,
            settings: Settings {
                llm: Llm::new(telemetry),
                run_ids: false,
            },
            leaked: Arc::default(),
        }
    }

    /// By which version of the conventions runs are named. All of a telemetry are to agree.
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        self.set(|settings| settings.llm = settings.llm.clone().with_dialect(dialect))
    }

    /// How calls of models are told: prices, thresholds, estimates; and the dialect of all runs, and what of content is recorded.
    #[must_use]
    pub fn with_llm(self, llm: &Llm) -> Self {
        self.set(|settings| settings.llm = llm.clone())
    }

    /// Whether spans have the ids of their runs, and of those around them: `obs.agent.run.id`, `obs.agent.run.parent_id`. Not by
    /// default: spans have ids of their own.
    #[must_use]
    pub fn with_run_ids(self, shows: bool) -> Self {
        self.set(|settings| settings.run_ids = shows)
    }

    /// What of all that is said is recorded: messages, arguments and results of tools, queries, documents, what is remembered. Where it
    /// is not said, what the environment asks for, and without that nothing: see [`obs_llm::content`], whose caps and redactors these
    /// are.
    #[cfg(feature = "content")]
    #[cfg_attr(docsrs, doc(cfg(feature = "content")))]
    #[must_use]
    pub fn with_content(self, capture: obs_llm::content::Capture) -> Self {
        self.set(|settings| settings.llm = settings.llm.clone().with_content(capture))
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.leaked = Arc::default();
        self
    }

    /// The kind of the operations of this component, for levels and thresholds, of all or per name. Of a graph or a chain that of
    /// those within others, of an agent that of those in this process, of MCP that of a client.
    pub fn kind(&self, component: Component) -> &'static Kind {
        self.shared().kind(component)
    }

    /// A name that is known at start-up, of an agent, a tool, a workflow: its label keeps its place whatever a flood of others does.
    pub fn reserve(&self, component: Component, name: &str) {
        self.shared().reserve(component, name);
    }

    fn shared(&self) -> &'static Shared {
        self.leaked.get_or_init(|| {
            let llm = self.settings.llm.clone();
            let dialect = llm.dialect();
            let shared: &'static Shared = Box::leak(Box::new(Shared {
                dialect,
                kinds: Kinds::new(&self.telemetry, dialect),
                contents: Contents::new(&self.telemetry, &llm),
                llm,
                run_ids: self.settings.run_ids,
            }));
            // Where there is no room for it, calls that no run tells do not count on agents.
            self.telemetry.annotate(Heard(shared));
            shared
        })
    }
}

impl Shared {
    fn kind(&self, component: Component) -> &'static Kind {
        let kinds = &self.kinds;
        match component {
            Component::Model => self.llm.kind(LlmOperation::Chat),
            Component::Embedding => self.llm.kind(LlmOperation::Embeddings),
            Component::Tool => kinds.tool,
            Component::Retriever => kinds.retrieval,
            Component::Workflow => kinds.workflow,
            Component::Agent => kinds.agent,
            Component::Plan => kinds.plan,
            Component::Memory => kinds.memory,
            Component::Mcp => kinds.mcp_client,
            _ => kinds.node,
        }
    }

    /// Whether runs of this component are made nothing of.
    fn is_disabled(&self, component: Component) -> bool {
        let kinds = &self.kinds;
        let also = match component {
            Component::Agent => Some(kinds.remote),
            Component::Retriever => Some(kinds.db),
            Component::Graph | Component::Chain => Some(kinds.workflow),
            Component::Mcp => Some(kinds.mcp_server),
            _ => None,
        };
        self.kind(component).is_disabled() && also.is_none_or(Kind::is_disabled)
    }
}

impl Handler for AgentObserver {
    fn needed(&self, info: &RunInfo<'_>) -> Timings {
        let shared = self.shared();
        let is_call = matches!(info.component, Component::Model | Component::Tool);
        if shared.is_disabled(info.component) {
            // An agent's calls count on it all the same.
            return match is_call && !shared.kinds.agent.is_disabled() {
                true => Timings::START,
                false => Timings::NONE,
            };
        }
        let all = Timings::START | Timings::END | Timings::ERROR;
        match info.component {
            Component::Model => all | Timings::STREAM_OUTPUT,
            _ => all,
        }
    }

    fn on_start(&self, run: &mut Starting<'_>, input: &Input<'_>) -> State {
        if current::is_suppressed() {
            return State::none();
        }
        let shared = self.shared();
        match run.info().component {
            Component::Model => call::model(shared, run, input),
            Component::Embedding => call::embedding(shared, run, input),
            Component::Tool => tool::start(shared, run, input),
            Component::Agent => agent::start(shared, run, input),
            Component::Plan => agent::plan(shared, run, input),
            Component::Retriever => lookup::retriever(shared, run, input),
            Component::Memory => lookup::memory(shared, run, input),
            Component::Mcp => mcp::start(shared, run, input),
            Component::Workflow => node::workflow(shared, run, input),
            Component::Graph | Component::Chain if run.parent().is_none() => {
                node::workflow(shared, run, input)
            }
            _ => node::start(shared, run, input),
        }
    }

    fn on_end(&self, run: &RunRef, state: &mut State, output: &Output<'_>) {
        if let Output::ToldWithin = output {
            return self.end_as_node(&run.info(), state);
        }
        if let Some(operation) = state.take_operation() {
            end::end(operation, &What::Other, self.shared(), output);
        } else if let Some(work) = state.take::<Work>() {
            work.end(self.shared(), output);
        } else if let Some(call) = state.take::<Call>() {
            if let Output::Model(ModelOutput {
                provider: Some(provider),
                ..
            }) = output
            {
                AgentScope::learn(self.shared(), run, provider);
            }
            call.end(output);
        } else if let Some(message) = state.take::<Message>() {
            message.end(self.shared(), output);
        }
    }

    fn on_error(&self, _: &RunRef, state: &mut State, error: &RunError<'_>) {
        if let Some(call) = state.take::<Call>() {
            call.fail(error);
        } else if let Some(work) = Work::of(state) {
            work.fail(error);
        } else if let Some(message) = state.take::<Message>() {
            message.fail(self.shared(), error);
        }
    }

    fn on_end_with_stream_output(&self, _: &RunRef, state: &mut State) {
        if let Some(call) = state.get_mut::<Call>() {
            call.begins_to_answer();
        }
    }

    fn on_output_item(&self, _: &RunRef, state: &mut State, item: &Item<'_>) {
        if let (Some(call), Item::Model(chunk)) = (state.get_mut::<Call>(), item) {
            call.item(chunk);
        }
    }
}

impl AgentObserver {
    #[cold]
    fn end_as_node(&self, info: &RunInfo<'_>, state: &mut State) {
        if let Some(call) = state.take::<Call>() {
            call.end_as_node(self.shared(), info);
        } else if let Some(work) = Work::of(state) {
            work.end_as_node(self.shared(), info);
        }
    }
}

impl fmt::Debug for AgentObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentObserver")
            .field("llm", &self.settings.llm)
            .field("run_ids", &self.settings.run_ids)
            .finish_non_exhaustive()
    }
}
