//! The hook: rig's events of a run, in their order.

use super::RigObserver;
use super::child::Child;
use super::course::{Begin, Course};
use super::messages;
use super::told;
use crate::current;
use crate::input::AgentInput;
use crate::run::RunRef;
use crate::text::Text;
use obs_llm::wire::Content;
use rig_agent::agent::{
    AgentHook, DispatchAction, DispatchEvent, HookContext, InvalidToolCallAction,
    InvalidToolCallContext, ModelSelection, ModelSelectionAction, ObservationAction, OutcomeAction,
    OutcomeEvent, ReasoningDelta, RunSettled, RunStart, RunStartAction, SettledOutcome,
    StepEventKind, TextDelta, ToolCallDelta,
};
use rig_core::completion::Message;
use rig_core::effect::{EffectKind, MemoryOp};
use rig_core::message::UserContent;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;

/// A hook that tells an agent's runs, for [`AgentBuilder::add_hook`](rig_agent::AgentBuilder::add_hook) and for
/// [`AgentRunner::add_hook`](rig_agent::AgentRunner::add_hook). It changes nothing and stops nothing.
#[derive(Debug)]
pub struct RigHook {
    id: u64,
    observer: RigObserver,
    parent: Option<RunRef>,
    /// Where the future around is told of the agent's run.
    place: Option<Arc<OnceLock<RunRef>>>,
}

/// Those of one run of rig's, by hook, in its own context of the run.
#[derive(Clone, Default)]
struct Courses(Arc<Mutex<Vec<Arc<Course>>>>);

impl RigHook {
    pub(super) fn new(observer: &RigObserver) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self {
            id: LAST.fetch_add(1, Ordering::Relaxed),
            observer: observer.clone(),
            parent: None,
            place: None,
        }
    }

    /// What the agent's runs are part of, wherever they are polled. Without it, what is current where they begin.
    #[must_use]
    pub fn within(self, parent: &RunRef) -> Self {
        Self {
            parent: Some(parent.clone()),
            ..self
        }
    }

    pub(super) fn telling(self, place: Arc<OnceLock<RunRef>>) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }

    fn courses(ctx: &HookContext) -> Courses {
        let pad = ctx.scratchpad();
        pad.get().unwrap_or_else(|| {
            let courses = Courses::default();
            pad.insert(courses.clone());
            courses
        })
    }

    fn course(&self, ctx: &HookContext) -> Option<Arc<Course>> {
        let courses: Courses = ctx.scratchpad().get()?;
        let courses = courses.0.lock().unwrap_or_else(PoisonError::into_inner);
        courses
            .iter()
            .find(|course| course.hook == self.id)
            .cloned()
    }

    /// The run of this hook, which begins unless it has begun. None where another hook tells it to the same handlers.
    fn begin(&self, ctx: &HookContext, input: AgentInput<'_>) -> Option<Arc<Course>> {
        let courses = Self::courses(ctx);
        let same = {
            let courses = courses.0.lock().unwrap_or_else(PoisonError::into_inner);
            let handlers = &self.observer.handlers;
            courses
                .iter()
                .find(|course| course.hook == self.id || course.is_told_to(handlers))
                .cloned()
        };
        let course = match same {
            Some(course) => course,
            None => {
                let begin = Begin {
                    hook: self.id,
                    handlers: &self.observer.handlers,
                    links: &self.observer.links,
                    parent: self.parent.as_ref(),
                    name: ctx.agent_name().unwrap_or_default(),
                };
                let about = self.observer.about(None);
                let course = Course::begin(
                    &begin,
                    AgentInput {
                        model: about.model.as_deref(),
                        ..input
                    },
                );
                course.select_model(about);
                let mut courses = courses.0.lock().unwrap_or_else(PoisonError::into_inner);
                courses.push(Arc::clone(&course));
                course
            }
        };
        if let (Some(place), Some(reference)) = (&self.place, course.reference()) {
            place.get_or_init(|| reference.clone());
        }
        Some(course).filter(|course| course.hook == self.id)
    }

    /// Goes on when it is polled within the agent's run, where something around does that.
    async fn enter(&self) {
        // rig polls a run twice each time that it is polled, and once more suffices.
        let mut patience = 4_u8;
        std::future::poll_fn(|cx| {
            let run = self.place.as_ref().and_then(|place| place.get());
            let is_within = run
                .is_none_or(|run| current::run().is_some_and(|current| current.id() == run.id()));
            if is_within || patience == 0 {
                return Poll::Ready(());
            }
            patience -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn piece(&self, ctx: &HookContext, tell: impl FnOnce(&Child)) -> ObservationAction {
        if let Some(course) = self.course(ctx) {
            course.piece(tell);
        }
        ObservationAction::Continue
    }
}

impl AgentHook for RigHook {
    fn name(&self) -> Option<String> {
        Some("obs-agent".to_owned())
    }

    async fn on_run_start(&self, ctx: &HookContext, event: RunStart<'_>) -> RunStartAction {
        {
            let messages = |out: &mut String| {
                messages::write(out, event.history.iter().chain([event.prompt]));
            };
            let input = AgentInput {
                turn: Some(turn(event.history)),
                messages: Some(Text::JsonBy(&messages)),
                ..AgentInput::default()
            };
            self.begin(ctx, input);
        }
        self.enter().await;
        RunStartAction::Continue
    }

    async fn on_run_settled(&self, ctx: &HookContext, event: RunSettled<'_>) {
        let Some(course) = self.begin(ctx, AgentInput::default()) else {
            return;
        };
        match event.outcome {
            SettledOutcome::Response(response) => course.answer(response),
            SettledOutcome::Error(text) => course.fail(text),
        }
    }

    fn on_model_select(
        &self,
        ctx: &HookContext,
        event: ModelSelection<'_>,
    ) -> ModelSelectionAction {
        if let Some(course) = self.course(ctx) {
            course.select_model(self.observer.about(Some(event.selected_model.as_str())));
        }
        ModelSelectionAction::Continue
    }

    async fn on_invalid_tool_call(
        &self,
        ctx: &HookContext,
        event: &InvalidToolCallContext,
    ) -> Option<InvalidToolCallAction> {
        if let Some(course) = self.course(ctx) {
            course.invalid_call(event);
        }
        None
    }

    async fn on_text_delta(&self, ctx: &HookContext, event: TextDelta<'_>) -> ObservationAction {
        self.piece(ctx, |child| told::said(child, Content::Text, event.delta))
    }

    async fn on_reasoning_delta(
        &self,
        ctx: &HookContext,
        event: ReasoningDelta<'_>,
    ) -> ObservationAction {
        self.piece(ctx, |child| {
            told::said(child, Content::Reasoning, event.delta)
        })
    }

    async fn on_tool_call_delta(
        &self,
        ctx: &HookContext,
        event: ToolCallDelta<'_>,
    ) -> ObservationAction {
        self.piece(ctx, |child| {
            told::said(child, Content::ToolCall, event.delta)
        })
    }

    async fn on_dispatch(&self, ctx: &HookContext, event: DispatchEvent<'_>) -> DispatchAction {
        {
            // A run with a memory reads that before anything else.
            let conversation = match event.kind {
                EffectKind::Memory {
                    op: MemoryOp::Load { conversation },
                } => Some(conversation.as_str()),
                _ => None,
            };
            let input = AgentInput {
                conversation_id: conversation,
                ..AgentInput::default()
            };
            if let Some(course) = self.begin(ctx, input) {
                let is_model = matches!(event.kind, EffectKind::Completion { .. });
                match is_model && !self.observer.settings.tells_models {
                    true => course.pass(event.id),
                    false => course.dispatch(event.id, event.kind, event.call_id),
                }
            }
        }
        self.enter().await;
        DispatchAction::Proceed
    }

    async fn on_outcome(&self, ctx: &HookContext, event: OutcomeEvent<'_>) -> OutcomeAction {
        if let Some(course) = self.course(ctx) {
            course.outcome(event.id, event.kind, event.call_id, event.outcome);
        }
        OutcomeAction::Proceed
    }

    /// All of them, those too that are not told of unless they are asked for.
    fn observes(&self, _: StepEventKind) -> bool {
        true
    }
}

/// Which turn of the conversation it is: one behind those that a user had before.
fn turn(history: &[Message]) -> u32 {
    let is_said = |message: &&Message| match message {
        Message::User { content } => content
            .iter()
            .any(|content| !matches!(content, UserContent::ToolResult(_))),
        _ => false,
    };
    let before = history.iter().filter(is_said).count();
    u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
}
