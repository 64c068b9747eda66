//! Turns of agents, and what they plan.

use super::Shared;
use super::end::{What, Work};
use super::place::place_server;
use crate::descriptor::{
    INVOKE_AGENT_OPERATION, MODEL, NAME, OPERATION, PLAN_OPERATION, PROVIDER, REMOTE_ADDRESS,
    REMOTE_NAME,
};
use crate::handler::State;
use crate::input::{AgentInput, Input};
use crate::output::AgentOutput;
use crate::run::{RunRef, Starting};
use obs_core::otel::{Array, KeyValue, Value};
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Active, LabelId, Labels, OTHER, Session};
use obs_llm::{Dialect, Provider, Tokens};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// What the runs within an agent's turn know of it.
pub(super) struct AgentScope {
    pub(super) name: Box<str>,
    /// The observer whose it is.
    pub(super) shared: &'static Shared,
    inferences: AtomicU32,
    tools: AtomicU32,
    /// Who serves the model that it asks first, if that is told.
    provider: OnceLock<Provider>,
}

impl AgentScope {
    fn new(name: &str, shared: &'static Shared) -> Self {
        Self {
            name: name.into(),
            shared,
            inferences: AtomicU32::new(0),
            tools: AtomicU32::new(0),
            provider: OnceLock::new(),
        }
    }

    pub(super) fn count_inference(&self) {
        self.inferences.fetch_add(1, Ordering::Relaxed);
    }

    /// By v1.41 an agent here has a provider as well, and the best that is known of it is who serves its model.
    pub(super) fn asks(&self, provider: &str) {
        if self.shared.dialect != Dialect::Main && provider != OTHER {
            self.provider.get_or_init(|| Provider::of_name(provider));
        }
    }

    /// The same of a call whose provider was told at its end.
    #[cold]
    pub(super) fn learn(shared: &Shared, run: &RunRef, provider: &str) {
        let mut scopes = run.kept::<Self>();
        if let Some(scope) = scopes.find(|scope| std::ptr::eq(scope.shared, shared)) {
            scope.asks(provider);
        }
    }

    pub(super) fn tell_provider(&self, active: &mut Active<'_>) {
        if self.shared.dialect == Dialect::Main {
            return;
        }
        match self.provider.get() {
            Some(provider) => active.set(gen_ai::PROVIDER_NAME, provider.as_str()),
            None => active.set_static(gen_ai::PROVIDER_NAME, OTHER),
        }
    }

    pub(super) fn count_tool(&self) {
        self.tools.fetch_add(1, Ordering::Relaxed);
    }

    /// Inferences and calls of tools by now.
    pub(super) fn counts(&self) -> (u32, u32) {
        let counts = [&self.inferences, &self.tools];
        let [inferences, tools] = counts.map(|count| count.load(Ordering::Relaxed));
        (inferences, tools)
    }
}

/// Where an agent runs that was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Here.
    Here,
    /// At a provider's.
    Elsewhere,
}

pub(super) fn start(shared: &'static Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let told = input;
    let input = match input {
        Input::Agent(input) => *input,
        _ => AgentInput::default(),
    };
    let name = run.info().name;
    let scope = Arc::new(AgentScope::new(name, shared));
    run.keep(Arc::clone(&scope));
    let mut operation = match input.provider {
        Some(_) => {
            let labels = Labels::NONE.with(OPERATION, LabelId::closed(0));
            shared.begin(run, shared.kinds.remote, labels, (REMOTE_NAME, name))
        }
        None => shared.begin(run, shared.kinds.agent, Labels::NONE, (NAME, name)),
    };
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    if let Some(conversation) = input.conversation_id {
        converse(&mut active, conversation, run.depth());
    }
    let asked = describe(shared, &mut active, &input);
    shared.tell_input(&mut active, told);
    let scope = Some(scope).filter(|_| asked == Asked::Here);
    Work::new(operation, What::Agent(asked, scope)).into_state()
}

/// What it does is done for its conversation, whoever records it.
fn converse(active: &mut Active<'_>, conversation: &str, depth: u32) {
    let around = active
        .session()
        .map(|session| Session::clone(session))
        .unwrap_or_default();
    let is_known =
        around.session_id.is_some() || around.conversation_id.as_deref() == Some(conversation);
    if depth > 0 && !is_known {
        active.set(obs::agent::OUTERMOST, true);
    }
    active.set_session(around.with_conversation(conversation));
}

/// What its span says of what it was asked.
fn describe(shared: &Shared, active: &mut Active<'_>, input: &AgentInput<'_>) -> Asked {
    let asked = match input.provider {
        Some(provider) => {
            active.set_label_text(PROVIDER, provider);
            place_server(active, REMOTE_ADDRESS, input.server);
            if let Some(model) = input.model {
                active.set_label_text(MODEL, model);
            }
            Asked::Elsewhere
        }
        None => {
            active.set_static(gen_ai::OPERATION_NAME, INVOKE_AGENT_OPERATION);
            if let Some(model) = input.model {
                active.set(gen_ai::REQUEST_MODEL, model);
            }
            Asked::Here
        }
    };
    // Main's conventions want these of an agent that runs elsewhere alone: one here is told by its name.
    let is_known = asked == Asked::Elsewhere || shared.dialect != Dialect::Main;
    let of_one = |text: Option<_>| text.filter(|_| is_known);
    for (key, text) in [
        (gen_ai::AGENT_ID, of_one(input.id)),
        (gen_ai::AGENT_VERSION, of_one(input.version)),
        (gen_ai::AGENT_DESCRIPTION, input.description),
    ] {
        if let Some(text) = text {
            active.set(key, text);
        }
    }
    if let Some(turn) = input.turn {
        active.set(obs::agent::TURN, i64::from(turn));
    }
    asked
}

/// What its span says of what it gave. The tokens are those of its calls, and counted there.
pub(super) fn tell(
    shared: &Shared,
    active: &mut Active<'_>,
    asked: Asked,
    output: &AgentOutput<'_>,
) {
    if let Some(reason) = output.finish_reason {
        let reasons = Value::Array(Array::String(vec![reason.to_owned().into()]));
        active.set_dynamic(KeyValue::new(
            gen_ai::RESPONSE_FINISH_REASONS.as_str(),
            reasons,
        ));
    }
    let Some(usage) = &output.usage else {
        return;
    };
    let is_here_by_main = asked == Asked::Here && shared.dialect == Dialect::Main;
    for tokens in Tokens::ALL {
        let is_cache = matches!(tokens, Tokens::CacheRead | Tokens::CacheWrite);
        if is_cache && is_here_by_main {
            continue;
        }
        if let (Some(count), Some(key)) = (usage.get(tokens), shared.dialect.usage_key(tokens)) {
            active.set(key, super::place::count(count));
        }
    }
}

/// An agent decides what to do: the span has the agent's name, or where no agent is around the run's own.
pub(super) fn plan(shared: &Shared, run: &mut Starting<'_>, input: &Input<'_>) -> State {
    let around = run.kept_around::<AgentScope>();
    let name = match around {
        Some(agent) if !agent.name.is_empty() => &agent.name,
        _ => run.info().name,
    };
    let mut operation = shared.begin(run, shared.kinds.plan, Labels::NONE, (NAME, name));
    let Some(mut active) = operation.active() else {
        return State::none();
    };
    active.set_static(gen_ai::OPERATION_NAME, PLAN_OPERATION);
    if let Input::Agent(input) = input
        && let Some(model) = input.model
    {
        active.set(gen_ai::REQUEST_MODEL, model);
    }
    shared.tell_input(&mut active, input);
    Work::new(operation, What::Agent(Asked::Here, None)).into_state()
}
