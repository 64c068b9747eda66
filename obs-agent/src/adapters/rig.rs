//! rig: a hook that tells an agent's runs, and handlers in whose runs its models and tools work.

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
