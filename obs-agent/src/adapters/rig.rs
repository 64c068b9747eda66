//! rig 0.44: a hook that tells an agent's runs, and handlers in whose runs its models and tools work.
//!
//! ```
//! use obs_agent::Handlers;
//! use obs_agent::adapters::rig::RigObserver;
//! # use rig_agent::Agent;
//! # use rig_core::tool::Tool;
//! # use rig_core::{DynModel, operation::Completion};
//!
//! # fn doc(handlers: &Handlers, model: DynModel<Completion>, weather: impl Tool + 'static) -> Agent {
//! let rig = RigObserver::new(handlers);
//! let agent = rig.agent(model)        // in place of `AgentBuilder::new(model)`
//!     .name("guide")
//!     .tool(rig.tool(weather))        // in place of `.tool(weather)`
//!     .build();
//! # agent
//! # }
//! ```
//!
//! That is all: each `agent.prompt(…)`, run, streamed or split in two, is then a run of the agent with its calls of models and tools
//! within it. One observer is of one agent, since rig counts what an agent dispatches from one on, and by that number the hook and
//! the handlers know of each other. Of two agents that share an observer nothing is lost or told twice, but from the first clash on
//! they are told as by hooks alone.
//!
//! An agent that is made elsewhere can have the hook alone, for all its runs or for one:
//! `agent.prompt(…).add_hook(rig.hook())`. [`RigObserver::run`] and [`RigObserver::stream`] do so, and poll what drives the run
//! within the run. Where an agent has several hooks that tell the same [`Handlers`], the first does; hooks of other handlers tell
//! them the same run once more.
//!
//! # What becomes of what
//!
//! | rig | run | parent | begins | ends |
//! |---|---|---|---|---|
//! | a run of an agent | `Agent`, by the agent's name | the run that is current where it is first polled, or [as told](RigHook::within) | before its memory is loaded, or its first hook is called | when it settles, or is dropped |
//! | a call of a model | `Model`, by the model's name | the agent's run | when it is dispatched | with its answer; of a stream with its last item |
//! | a call of a tool | `Tool`, by the tool's name | the agent's run | when it is dispatched | with its result |
//! | a call of a tool that cannot be called so | `Tool`, `_OTHER` where there is none of the name | the agent's run | when rig asks its hooks what to do | at once: `tool_not_found`, `permission_denied`, `invalid_arguments` |
//! | a memory that is read, written, cleared | `Memory`: `search_memory`, `create_memory`, `delete_memory` | the agent's run | when it is dispatched | with its answer |
//! | tools that are chosen by an index | `Retriever` | the agent's run | when it is dispatched | with its answer |
//! | documents of `dynamic_context`, embeddings, rerankings | `Retriever`, `Embedding`, `Transformer`, where [a handler](RigObserver::handler) serves them | the agent's run, where one runs on that bus; else the current one | when it is served | with its answer |
//!
//! - **Steps** are [counted](crate::RunRef::step) over all that runs within an agent's run. A **turn** is that of the conversation:
//!   one more than what a user has said before.
//! - **Attempts**: of a model, how many calls came right before it with no tool between, since an answer that a hook or rig
//!   refuses is asked for again; of a tool, how often a call of it with the same arguments has failed before.
//! - **Errors**: a status of the provider's as a number, `429`; else a word. Of models `service_error` before they answer,
//!   `body_error` and `incomplete_response` while they do, `model_error` of their own, and `invalid_output` of an answer that was
//!   thrown away; of tools `tool_error`, `not_found` and [what else](rig_core::tool::ToolErrorKind) they say of themselves; of runs
//!   `max_turns`, `tool_not_found`, and whatever failed within. What a hook refuses is cancelled: `skipped`.
//! - **Tokens** are the provider's, as rig reads them, one count for each call; the agent's are their sum, and count nowhere.
//! - **Content** is made where somebody asks for it: messages and arguments, without the bytes of media.
//!
//! # What it sees
//!
//! | | with model and tools, as above | the hook alone |
//! |---|---|---|
//! | start, end, parent of agents, models, tools | yes | yes |
//! | dropped, panicked | yes | yes |
//! | parameters, tools that are offered, tools that are chosen, reason, id, model that answers, tokens | yes | yes; of an answer that is thrown away only that it was ([1]) |
//! | provider and model before they answer | yes | [as told](RigObserver::with_model) ([2]) |
//! | pieces of a stream | all | text, reasoning and arguments ([3]) |
//! | why a model failed | status, kind, message | the run's message ([4]) |
//! | why a run failed | as what failed within it; else by rig's words | by rig's words ([5]) |
//! | what models and tools do is within their runs: requests, spans, agents as tools, spawned tasks that [are given the run](crate::RunRef::wrap) | yes | – ([6]) |
//! | what other hooks do is within the agent's run | by [`RigObserver::run`] and [`stream`](RigObserver::stream) | by them, too |
//! | documents of `dynamic_context`, embeddings, rerankings | by [handlers](RigObserver::handler) | – ([7]) |
//! | the prompt of an agent with a memory, by the agent's own run | – ([8]); its models' runs have it | – |
//! | the conversation | its memory's; of an agent without one – ([9]) | its memory's |
//! | instructions, description, limits of an agent, by its own run | – ([9]); its models' runs have what they are sent | – |
//! | a run that is resumed with a memory that is not there | – ([10]) | – |
//! | a query that an index embeds | – ([11]); `obs-llm`'s layer around that model, within the retriever's run | – |
//! | the server's address | – ([12]); `obs-http` beneath, within the model's run | – |
//! | attempts of HTTP | – ([13]): rig sends once; `obs-http` beneath | – |
//!
//! [1]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/engine.rs.html#1289
//! [2]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/hook.rs.html#639
//! [3]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/hook.rs.html#486
//! [4]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/engine.rs.html#1987
//! [5]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/hook.rs.html#579
//! [6]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/drive.rs.html#406
//! [7]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/hook.rs.html#222
//! [8]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/runner.rs.html#730
//! [9]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/hook.rs.html#126
//! [10]: https://docs.rs/rig-agent/0.44.0/src/rig_agent/agent/runner.rs.html#726
//! [11]: https://docs.rs/rig-core/0.44.0/src/rig_core/vector_store/in_memory_store.rs.html#435
//! [12]: https://docs.rs/rig-core/0.44.0/src/rig_core/wire.rs.html#454
//! [13]: https://docs.rs/rig-core/0.44.0/src/rig_core/driver.rs.html#296
//!
//! rig serves what a run dispatches wherever any run of the same agent is polled, so that nothing ambient says whose it is ([6]).
//! The hook is told the number of a dispatch before it is served, and whoever serves it is told the same number: by that, and by
//! nothing else, a request finds its run.
//!
//! The hook keeps what it knows in rig's own [scratchpad](rig_agent::agent::Scratchpad) of the run, which goes when the run goes: so it
//! hears of a run that is dropped. A hook of yours that keeps a clone of that keeps the run open.
//!
//! # Nothing double
//!
//! - **`obs-llm`'s layers** around the model or around its client for HTTP: within the run of a model that is [given
//!   here](RigObserver::agent) they find a call of a model around, and do nothing. A hook alone cannot be around anything, and cannot
//!   know of them; [`without_models`](RigObserver::without_models) leaves calls of models to them. With both, a call is told by them
//!   within the agent's run.
//! - **rig's own spans** are `tracing`'s, and beside these. The normaliser (feature `tracing`) makes runs of them and counts a call of
//!   a model once, where an adapter's run is within its span; what rig says of the agent's run is a node around all of it then. Its
//!   `without("rig")` leaves them alone.
//!
//! On a bus that a host drives (`AgentBuilder::over_bus`) it is the same: the hook on the agent, and a
//! [model](RigObserver::model) of ours among the host's handlers. A tool that panics there takes the bus with it; its own run says so,
//! and the agent's that it got no answer.
//!
//! It changes nothing: the hook proceeds, handlers are described as those inside of them, and so logs of what was served read the
//! same, but for the hook's name (`obs-agent`) among the program's. It needs rustc 1.95, as rig 0.44 does.

mod child;
mod course;
mod driven;
mod failure;
mod handler;
mod hook;
mod links;
mod messages;
mod told;
mod tool;

pub use driven::Driven;
pub use handler::ObservedHandler;
pub use hook::RigHook;
pub use tool::ObservedTool;

use crate::handlers::Handlers;
use links::Links;
use rig_agent::agent::{PromptResponse, StreamingResult};
use rig_agent::completion::PromptError;
use rig_agent::{AgentBuilder, AgentRunner};
use rig_core::DynModel;
use rig_core::operation::Completion;
use rig_core::serve::Serve;
use rig_core::serve::adapters::ModelAdapter;
use rig_core::tool::Tool;
use std::sync::{Arc, OnceLock};
use told::About;

/// Tells handlers of **one** agent and of all its runs. Cheap to clone: clones are of the same agent.
#[derive(Clone, Debug)]
pub struct RigObserver {
    handlers: Handlers,
    links: Arc<Links>,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    tells_models: bool,
    about: About,
}

impl RigObserver {
    /// Of an agent whose runs these handlers are told of.
    pub fn new(handlers: &Handlers) -> Self {
        Self {
            handlers: handlers.clone(),
            links: Arc::default(),
            settings: Settings {
                tells_models: true,
                about: About::default(),
            },
        }
    }

    /// Who serves the agent's models, as `gen_ai.provider.name` has it. Without it, what rig calls the provider of a model that is
    /// [given here](Self::agent): `openai` may be anybody who speaks that format.
    #[must_use]
    pub fn with_provider(mut self, provider: &str) -> Self {
        self.settings.about.provider = Some(provider.into());
        self
    }

    /// Which model the agent asks, where it is not [given here](Self::agent): a hook is not told before it has answered.
    #[must_use]
    pub fn with_model(mut self, model: &str) -> Self {
        self.settings.about.model = Some(model.into());
        self
    }

    /// Calls of models are told by whoever observes them beneath (`obs-llm`'s layers around a model or its client for HTTP), and not
    /// here. It is needed for a [hook alone](Self::hook); a model that is [given here](Self::agent) is asked within its own run, and
    /// whoever is beneath does nothing there.
    #[must_use]
    pub fn without_models(mut self) -> Self {
        self.settings.tells_models = false;
        self
    }

    /// An agent with this model, in place of [`AgentBuilder::new`]: with the hook, and with the model asked within its runs.
    pub fn agent(&self, model: impl Into<DynModel<Completion>>) -> AgentBuilder {
        const LABEL: &str = "default";
        let model = model.into();
        AgentBuilder::named_model(LABEL, model.clone())
            // The same key: it takes the place of the one before.
            .model_route_handler(LABEL, self.model(LABEL, model))
            .add_hook(self.hook())
    }

    /// A hook for an agent that is made elsewhere, or for one run of it. It sees less: the table says what.
    pub fn hook(&self) -> RigHook {
        RigHook::new(self)
    }

    /// A further model of the agent's, for [`AgentBuilder::model_route_handler`] under the same label.
    pub fn model(
        &self,
        label: &str,
        model: impl Into<DynModel<Completion>>,
    ) -> ObservedHandler<ModelAdapter<Completion>> {
        let model = model.into();
        let told = &self.settings.about;
        let about = About {
            provider: told
                .provider
                .clone()
                .or_else(|| Some(provider(model.name()).into())),
            model: told.model.clone().or_else(|| model.id().map(Into::into)),
        };
        self.links.name_model(label, about.clone());
        ObservedHandler::new(ModelAdapter::new(label, model), self, about)
    }

    /// Anything else that serves on the agent's bus: a memory, an index, an embedding model, a tool.
    pub fn handler<S: Serve>(&self, handler: S) -> ObservedHandler<S> {
        ObservedHandler::new(handler, self, self.settings.about.clone())
    }

    /// A tool that is called within its run, so that what it does is within that.
    pub fn tool<T: Tool>(&self, tool: T) -> ObservedTool<T> {
        ObservedTool::new(tool, self)
    }

    /// Runs an agent with the hook, unless that has it already, and polls it within its run: what other hooks do is within that.
    pub fn run(
        &self,
        runner: AgentRunner,
    ) -> Driven<impl Future<Output = Result<PromptResponse, PromptError>> + Send + use<>> {
        let place = Arc::<OnceLock<_>>::default();
        let hook = self.hook().telling(Arc::clone(&place));
        Driven::new(runner.add_hook(hook).run(), place)
    }

    /// The same, with its answer as a stream.
    pub fn stream(&self, runner: AgentRunner) -> Driven<StreamingResult> {
        let place = Arc::<OnceLock<_>>::default();
        let hook = self.hook().telling(Arc::clone(&place));
        Driven::new(runner.add_hook(hook).stream(), place)
    }

    /// What is known of the model under this label; of the agent's own where none is said.
    fn about(&self, label: Option<&str>) -> About {
        let known = self.links.model(label.unwrap_or("default"));
        known.unwrap_or_else(|| self.settings.about.clone())
    }
}

/// What rig calls a provider, as the conventions do.
fn provider(name: &str) -> &str {
    match name {
        "chatgpt" => "openai",
        "azure.openai" => "azure.ai.openai",
        "mistral" => "mistral_ai",
        "moonshot" => "moonshot_ai",
        "xai" => "x_ai",
        name => name,
    }
}
