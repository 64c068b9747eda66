//! What a run is called, and where it stands among others.

use crate::component::Component;
use crate::current;
use obs_core::OpRef;
use obs_core::otel::trace::SpanContext;
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The id of a run. Those that are made here are of this process; a framework that has its own brings them along.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(u128);

impl RunId {
    /// One that no other run of this process has.
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(u128::from(LAST.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

/// A framework's: a UUID, a number.
impl From<u128> for RunId {
    fn from(id: u128) -> Self {
        Self(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

/// What a run is of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunInfo<'a> {
    /// Which part of an agent.
    pub component: Component,
    /// The name of the node, the agent, the tool, as the application gives it. It is of a small set, and may be empty.
    pub name: &'a str,
    /// What implements it: `OpenAI`, `rig`. It may be empty.
    pub kind: &'a str,
    /// The framework's own id; else one is made.
    pub id: Option<RunId>,
    /// How often it was tried before.
    pub attempt: u32,
}

impl<'a> RunInfo<'a> {
    /// A run of this component and name.
    pub const fn new(component: Component, name: &'a str) -> Self {
        Self {
            component,
            name,
            kind: "",
            id: None,
            attempt: 0,
        }
    }

    /// What implements it.
    #[must_use]
    pub const fn with_kind(self, kind: &'a str) -> Self {
        Self { kind, ..self }
    }

    /// By the framework's own id.
    #[must_use]
    pub const fn with_id(self, id: RunId) -> Self {
        Self {
            id: Some(id),
            ..self
        }
    }

    /// It was tried so often before.
    #[must_use]
    pub const fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }
}

/// What a run is part of.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub enum RunParent<'a> {
    /// The run in which this is called, if there is one: see [`RunRef::wrap`].
    #[default]
    Current,
    /// This one, wherever it runs.
    Of(&'a RunRef),
    /// None. What is around it besides, a request that is served, is still what its operation is part of.
    Root,
}

/// Operations by whose handler they are of.
pub(crate) type Operations = SmallVec<[(usize, OpRef); 1]>;

/// A run that is about to begin, as its handlers are told of it.
#[derive(Debug)]
pub struct Starting<'a> {
    pub(crate) info: &'a RunInfo<'a>,
    pub(crate) id: RunId,
    pub(crate) parent: Option<&'a RunRef>,
    pub(crate) step: u32,
    pub(crate) operations: Operations,
    /// Who is told just now.
    pub(crate) handler: usize,
}

impl Starting<'_> {
    /// What it is of.
    pub fn info(&self) -> &RunInfo<'_> {
        self.info
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// What it is part of.
    pub fn parent(&self) -> Option<&RunRef> {
        self.parent
    }

    /// How many runs are around it.
    pub fn depth(&self) -> u32 {
        self.parent.map_or(0, |parent| parent.depth() + 1)
    }

    /// The how-manieth run within its parent it is, from one on; 0 of one without a parent.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// The operation that this handler has of the run around it, for the parent of its own.
    pub fn operation_around(&self) -> Option<&OpRef> {
        self.parent?.operation_of(self.handler)
    }

    /// What this handler makes of the run is this operation: what is [polled in the run](RunRef::wrap) is within it, and so are the
    /// runs within the run.
    pub fn set_operation(&mut self, operation: OpRef) {
        self.operations.push((self.handler, operation));
    }
}

/// A run, for whoever is told of it, and for runs within it. Cheap to clone, for any task or thread. It does not keep the run going.
#[derive(Clone)]
pub struct RunRef(Arc<Shared>);

struct Shared {
    id: RunId,
    parent: Option<RunId>,
    root: RunId,
    depth: u32,
    step: u32,
    attempt: u32,
    component: Component,
    /// Its name, and behind that what implements it.
    names: Box<str>,
    name: usize,
    operations: Operations,
    within: AtomicU32,
    unwound: AtomicBool,
}

impl RunRef {
    pub(crate) fn new(starting: Starting<'_>) -> Self {
        let Starting { info, parent, .. } = starting;
        let mut names = String::with_capacity(info.name.len() + info.kind.len());
        names.push_str(info.name);
        names.push_str(info.kind);
        Self(Arc::new(Shared {
            id: starting.id,
            parent: parent.map(Self::id),
            root: parent.map_or(starting.id, Self::root),
            depth: starting.depth(),
            step: starting.step,
            attempt: info.attempt,
            component: info.component,
            names: names.into_boxed_str(),
            name: info.name.len(),
            operations: starting.operations,
            within: AtomicU32::new(0),
            unwound: AtomicBool::new(false),
        }))
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.0.id
    }

    /// The id of what it is part of.
    pub fn parent(&self) -> Option<RunId> {
        self.0.parent
    }

    /// The id of the outermost run that it is part of; its own if it is that.
    pub fn root(&self) -> RunId {
        self.0.root
    }

    /// How many runs are around it.
    pub fn depth(&self) -> u32 {
        self.0.depth
    }

    /// The how-manieth run within its parent it is, from one on.
    pub fn step(&self) -> u32 {
        self.0.step
    }

    /// What it is of.
    pub fn info(&self) -> RunInfo<'_> {
        let (name, kind) = self.0.names.split_at(self.0.name);
        RunInfo {
            component: self.0.component,
            name,
            kind,
            id: Some(self.0.id),
            attempt: self.0.attempt,
        }
    }

    /// The ids of its span, where a handler makes one.
    pub fn span_context(&self) -> Option<SpanContext> {
        self.operation().map(OpRef::span_context)
    }

    /// The operation that it is to whichever handler makes one, the outermost of them.
    pub fn operation(&self) -> Option<&OpRef> {
        self.0.operations.first().map(|(_, operation)| operation)
    }

    pub(crate) fn operation_of(&self, handler: usize) -> Option<&OpRef> {
        let mut operations = self.0.operations.iter();
        operations
            .find(|(of, _)| *of == handler)
            .map(|(_, operation)| operation)
    }

    /// Runs `work` as part of the run: runs and operations that begin there are within it.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        let work = || current::scope(self, work);
        match self.operation() {
            Some(operation) => operation.in_scope(work),
            None => work(),
        }
    }

    /// Polls `future` as part of the run, on whichever thread that is: for the run's own work, and for `spawn`.
    pub fn wrap<F: Future>(&self, future: F) -> current::Within<F> {
        current::Within::new(Some(self.clone()), future)
    }

    /// The next one within it.
    pub(crate) fn step_within(&self) -> u32 {
        self.0
            .within
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }

    /// Its own work panicked.
    pub(crate) fn unwind(&self) {
        self.0.unwound.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_unwound(&self) -> bool {
        self.0.unwound.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for RunRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunRef")
            .field("id", &self.0.id)
            .field("parent", &self.0.parent)
            .field("info", &self.info())
            .finish_non_exhaustive()
    }
}
