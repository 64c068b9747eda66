//! One run of an agent, from its first event to its last: it stands in rig's own context of the run and goes when that goes, so a
//! run that is given up is told of as well as one that ends.

use super::child::Child;
use super::failure::{Failure, INVALID_ARGUMENTS, INVALID_OUTPUT, TOOL_NOT_FOUND};
use super::links::{Link, Links};
use super::told::{self, About, Telling};
use crate::component::Component;
use crate::failure::RunEnd;
use crate::handlers::{Handlers, Run};
use crate::input::{AgentInput, Input, ToolInput};
use crate::output::{AgentOutput, Output};
use crate::run::{RunInfo, RunParent, RunRef};
use crate::text::Text;
use obs_core::OTHER;
use rig_agent::agent::{InvalidToolCallContext, InvalidToolCallReason, PromptResponse};
use rig_core::effect::{EffectFamily, EffectId, EffectKind, Outcome};
use rig_core::error::ErrorReport;
use rig_core::message::CallId;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many calls of tools that failed are remembered, to know them when they are tried again.
const REMEMBERED: usize = 64;

/// A run of an agent.
pub(super) struct Course {
    /// Of which hook it is.
    pub(super) hook: u64,
    handlers: Handlers,
    links: Arc<Links>,
    this: Weak<Self>,
    reference: Option<RunRef>,
    agent: Mutex<Option<Run>>,
    state: Mutex<State>,
}

/// What runs within it.
type Open = (EffectId, EffectFamily, Child);

#[derive(Default)]
struct State {
    open: Vec<Open>,
    /// A call of a model that others tell.
    passed: Option<EffectId>,
    /// What the hook was told of the model that is to be called.
    about: About,
    /// Calls of models in a row, with no tool between.
    asked: u32,
    /// Calls of tools that failed, by what they were called with.
    failed: HashMap<u64, u32>,
    last_failure: Option<Failure>,
}

/// What a course is of, and who is told of it.
pub(super) struct Begin<'a> {
    pub(super) hook: u64,
    pub(super) handlers: &'a Handlers,
    pub(super) links: &'a Arc<Links>,
    pub(super) parent: Option<&'a RunRef>,
    pub(super) name: &'a str,
}

impl Course {
    pub(super) fn begin(begin: &Begin<'_>, input: AgentInput<'_>) -> Arc<Self> {
        let parent = match begin.parent {
            Some(parent) => RunParent::Of(parent),
            None => RunParent::Current,
        };
        let info = RunInfo::new(Component::Agent, begin.name).with_kind(told::KIND);
        let agent = begin.handlers.start(info, parent, &Input::Agent(input));
        let course = Arc::new_cyclic(|this| Self {
            hook: begin.hook,
            handlers: begin.handlers.clone(),
            links: Arc::clone(begin.links),
            this: this.clone(),
            reference: agent.reference().cloned(),
            agent: Mutex::new(Some(agent)),
            state: Mutex::default(),
        });
        begin.links.begin(Arc::downgrade(&course));
        course
    }

    /// The agent's run, or where nobody is told of it what is around it.
    pub(super) fn reference(&self) -> Option<&RunRef> {
        self.reference.as_ref()
    }

    /// Whether these very handlers are told of it.
    pub(super) fn is_told_to(&self, handlers: &Handlers) -> bool {
        self.handlers.is(handlers)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parent(&self) -> RunParent<'_> {
        match &self.reference {
            Some(reference) => RunParent::Of(reference),
            None => RunParent::Current,
        }
    }

    /// The model that is asked next.
    pub(super) fn select_model(&self, about: About) {
        self.state().about = about;
    }

    /// Something is about to be served.
    pub(super) fn dispatch(&self, id: EffectId, kind: &EffectKind, call_id: Option<&CallId>) {
        let family = kind.family();
        self.replace(family);
        let (about, attempt) = {
            let mut state = self.state();
            let attempt = match kind {
                EffectKind::Completion { .. } => {
                    state.asked += 1;
                    state.asked - 1
                }
                EffectKind::ToolCall { name, args } => {
                    state.asked = 0;
                    state.failed.get(&called(name, args)).copied().unwrap_or(0)
                }
                _ => 0,
            };
            (state.about.clone(), attempt)
        };
        let telling = Telling {
            handlers: &self.handlers,
            parent: self.parent(),
            about: &about,
            call_id,
            attempt,
        };
        let Some(run) = telling.begin(kind) else {
            return;
        };
        let child = Child::new(run);
        self.state().open.push((id, family, child.clone()));
        self.links.insert(id, Link::Run(child, self.this.clone()));
    }

    /// Others tell what is about to be served; it is within the agent's run all the same.
    pub(super) fn pass(&self, id: EffectId) {
        self.forget_passed();
        self.state().passed = Some(id);
        let link = Link::Around(self.reference.clone());
        self.links.insert(id, link);
    }

    /// Of those that fail the hook is not told.
    fn forget_passed(&self) {
        let passed = self.state().passed.take();
        if let Some(id) = passed {
            self.links.forget(id);
        }
    }

    /// A model is asked anew, and of the answer before nobody was told how it ended: it was thrown away.
    fn replace(&self, family: EffectFamily) {
        if family != EffectFamily::Completion {
            return;
        }
        for child in self.take_open(|(_, of, _)| *of == family) {
            if let Some(run) = child.take() {
                run.fail(&Failure::new(RunEnd::Failed, INVALID_OUTPUT, "").error());
            }
        }
    }

    /// It was served.
    pub(super) fn outcome(
        &self,
        id: EffectId,
        kind: &EffectKind,
        call_id: Option<&CallId>,
        outcome: &Result<Outcome, ErrorReport>,
    ) {
        let mut child = self.take_open(|(of, ..)| *of == id).pop();
        if child.is_none() && kind.family() == EffectFamily::Tool {
            // A hook before this one refused it.
            self.dispatch(id, kind, call_id);
            child = self.take_open(|(of, ..)| *of == id).pop();
        }
        let Some(child) = child else {
            return;
        };
        let failure = match outcome {
            Ok(Outcome::Completion(response)) if child.is_streamed() => {
                told::chosen(&child, response);
                told::completed(&child, response);
                None
            }
            _ if child.reference().is_some_and(RunRef::is_unwound) => {
                // Where the bus is driven by others it does not take this run with it: here an answer is missing.
                drop(child.take());
                Some(Failure::new(RunEnd::Panicked, "panic", ""))
            }
            outcome => child.take().and_then(|run| told::end(run, outcome)),
        };
        self.failed(kind, failure);
    }

    fn failed(&self, kind: &EffectKind, failure: Option<Failure>) {
        let mut state = self.state();
        if let EffectKind::ToolCall { name, args } = kind {
            let called = called(name, args);
            let is_known = state.failed.contains_key(&called);
            match &failure {
                None => drop(state.failed.remove(&called)),
                Some(_) if is_known || state.failed.len() < REMEMBERED => {
                    *state.failed.entry(called).or_default() += 1;
                }
                Some(_) => {}
            }
        }
        state.last_failure = failure;
    }

    /// Who served it has told how it ended.
    pub(super) fn served(&self, id: EffectId, failure: Option<Failure>) {
        drop(self.take_open(|(of, ..)| *of == id));
        self.state().last_failure = failure;
    }

    fn take_open(&self, is_it: impl Fn(&Open) -> bool) -> SmallVec<[Child; 1]> {
        let taken: SmallVec<[Open; 1]> = {
            let mut state = self.state();
            state.open.extract_if(.., |open| is_it(open)).collect()
        };
        let forget = |(id, _, child)| {
            self.links.forget(id);
            child
        };
        taken.into_iter().map(forget).collect()
    }

    /// A piece of an answer that nobody but the hook sees.
    pub(super) fn piece(&self, tell: impl FnOnce(&Child)) {
        let child = {
            let state = self.state();
            let mut open = state.open.iter().rev();
            let child = open.find(|(_, family, _)| *family == EffectFamily::Completion);
            child.map(|(_, _, child)| child.clone())
        };
        if let Some(child) = child.filter(|child| !child.is_taken()) {
            tell(&child);
        }
    }

    /// A model calls a tool that it may not call, or cannot call so. No tool is called.
    pub(super) fn invalid_call(&self, call: &InvalidToolCallContext) {
        let (name, kind) = match call.reason {
            // What a model makes up is no name of a small set.
            InvalidToolCallReason::UnknownTool => (OTHER, TOOL_NOT_FOUND),
            InvalidToolCallReason::DisallowedByToolChoice => {
                (&*call.tool_name, "permission_denied")
            }
            _ => (&*call.tool_name, INVALID_ARGUMENTS),
        };
        let id = call.tool_call_id.as_ref().map(CallId::wire);
        let input = ToolInput {
            call_id: id.as_deref(),
            arguments: call.args.as_deref().map(Text::Plain),
            ..ToolInput::default()
        };
        let info = RunInfo::new(Component::Tool, name).with_kind(told::KIND);
        let run = self
            .handlers
            .start(info, self.parent(), &Input::Tool(input));
        let failure = Failure::new(RunEnd::Failed, kind, &call.tool_name);
        run.fail(&failure.error());
    }

    /// It has answered.
    pub(super) fn answer(&self, response: &PromptResponse) {
        self.give_up();
        let last = response.completion_calls.last();
        let reason = last.and_then(|call| call.finish_reason.as_ref());
        let reason = reason.map(told::reason_name);
        let messages = |out: &mut String| {
            super::messages::write_answer(out, response.content(), reason);
        };
        if let Some(agent) = self.take_agent() {
            agent.end(&Output::Agent(AgentOutput {
                usage: told::usage(&response.usage),
                finish_reason: reason,
                messages: Some(Text::JsonBy(&messages)),
            }));
        }
    }

    /// It has failed, and this is all that rig says of it.
    pub(super) fn fail(&self, text: &str) {
        self.forget_passed();
        let failure = Failure::of_run(text, self.state().last_failure.as_ref());
        // What still runs failed with it: of an answer that breaks the hook is told nothing else.
        for child in self.take_open(|_| true) {
            if let Some(run) = child.take() {
                run.fail(&failure.error());
            }
        }
        if let Some(agent) = self.take_agent() {
            agent.fail(&failure.error());
        }
    }

    fn take_agent(&self) -> Option<Run> {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        agent.take()
    }

    /// Nobody waits any more for what still runs.
    fn give_up(&self) {
        self.forget_passed();
        for child in self.take_open(|_| true) {
            drop(child.take());
        }
    }
}

/// rig drops what it knows of a run with the run, whenever and wherever that is.
impl Drop for Course {
    fn drop(&mut self) {
        self.give_up();
        drop(self.take_agent());
    }
}

impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course")
            .field("run", &self.reference)
            .field("open", &self.state().open.len())
            .finish_non_exhaustive()
    }
}

fn called(name: &str, args: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, args).hash(&mut hasher);
    hasher.finish()
}
