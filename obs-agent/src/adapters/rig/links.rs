//! Which dispatch of a bus is which run: the hook begins it, and whoever serves the dispatch finds it here, by its id. Nothing
//! ambient could say so: rig polls handlers wherever any run of the agent is polled.

use super::child::Child;
use super::course::Course;
use super::told::About;
use crate::run::RunRef;
use rig_core::effect::EffectId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

/// What the hooks and handlers of one agent share.
#[derive(Default)]
pub(super) struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    dispatches: HashMap<EffectId, Link>,
    courses: Vec<Weak<Course>>,
    models: HashMap<String, About>,
    /// Two agents use them, and each has a bus that counts from one: nobody knows which dispatch is whose any more.
    is_shared: bool,
}

/// The links are of two agents.
#[derive(Debug)]
pub(super) struct Shared;

/// What is known of a dispatch.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// It is this run.
    Run(Child, Weak<Course>),
    /// It is told by others, within this.
    Around(Option<RunRef>),
}

impl Links {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A dispatch is about to be served.
    pub(super) fn insert(&self, id: EffectId, link: Link) {
        let mut state = self.state();
        if state.is_shared {
            return;
        }
        let before = state.dispatches.insert(id, link);
        state.is_shared = before.is_some();
        drop(state);
        // What it holds may end a run, which is told outside of the lock.
        drop(before);
    }

    /// What it is. `Err` where nobody knows.
    pub(super) fn get(&self, id: EffectId) -> Result<Option<Link>, Shared> {
        let state = self.state();
        match state.is_shared {
            true => Err(Shared),
            false => Ok(state.dispatches.get(&id).cloned()),
        }
    }

    pub(super) fn forget(&self, id: EffectId) {
        let forgotten = self.state().dispatches.remove(&id);
        drop(forgotten);
    }

    /// A run of the agent begins.
    pub(super) fn begin(&self, course: Weak<Course>) {
        let mut state = self.state();
        state.courses.retain(|course| course.strong_count() > 0);
        state.courses.push(course);
    }

    /// The agent's run, where there is one only: what its bus serves is then of it.
    pub(super) fn only(&self) -> Option<RunRef> {
        let (mut live, mut only) = (0, None);
        let courses = self.state().courses.clone();
        for course in courses.iter().filter_map(Weak::upgrade) {
            live += 1;
            only = course.reference().cloned();
        }
        only.filter(|_| live == 1)
    }

    /// What a model is that is served under this label.
    pub(super) fn name_model(&self, label: &str, about: About) {
        self.state().models.insert(label.to_owned(), about);
    }

    pub(super) fn model(&self, label: &str) -> Option<About> {
        self.state().models.get(label).cloned()
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Links")
            .field("dispatches", &state.dispatches.len())
            .field("courses", &state.courses.len())
            .finish_non_exhaustive()
    }
}
