//! What a run is called, and where it stands among others.

use crate::component::Component;
use crate::contain::Kept;
use crate::current;
use crate::handler::Handler;
use obs_core::otel::KeyValue;
use obs_core::otel::trace::SpanContext;
use obs_core::propagation::Remote;
use obs_core::propagation::baggage::Allow;
use obs_core::semconv::obs;
use obs_core::trust::Trust;
use obs_core::{OpRef, Parent};
use smallvec::SmallVec;
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The id of a run. Those that are made here are of this process; a framework that has its own brings them along.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(u128);

impl RunId {
    /// One that was given to no other run of this process; a framework's own may be the same.
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
    /// Whether it is told by what a framework says of itself, and not by whoever does it: see
    /// [`with_second_hand`](Self::with_second_hand).
    pub second_hand: bool,
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
            second_hand: false,
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

    /// It is told at second hand, by what a framework says of itself. Where the same is told within it by a layer or an adapter that
    /// saw it happen, that counts, and this ends with [`Output::ToldWithin`](crate::Output::ToldWithin).
    #[must_use]
    pub const fn with_second_hand(self) -> Self {
        Self {
            second_hand: true,
            ..self
        }
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
    /// None here: it is asked for by another process, whose message said where it stands. Where nobody is told of the run nobody
    /// reads that, and runs within it are within what is around.
    Remote(RemoteParent<'a>),
}

/// What a message of another process brought along.
#[derive(Clone, Copy, Debug)]
pub struct RemoteParent<'a> {
    /// It, as it was read. Where it names no parent, what is around is that of the run's operation.
    pub remote: &'a Remote,
    /// How far it is believed: a stranger's is linked, and its baggage is dropped.
    pub trust: Trust,
    /// Which entries of a trusted sender's baggage are taken over.
    pub baggage: &'a Allow,
}

/// What handlers have of a run, each one's own.
pub(crate) type Operations = SmallVec<[Made; 1]>;

/// What one handler has of a run.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// Whose it is, by where that stands: nobody else stands there as long as this is here.
    handler: Weak<dyn Handler>,
    /// Its operation, or where it makes none the one around it.
    operation: Option<OpRef>,
    is_own: bool,
    /// What it keeps of it, or of what is around it.
    kept: Kept,
}

impl Made {
    fn is_of(&self, handler: &Weak<dyn Handler>) -> bool {
        self.is_at(place(Weak::as_ptr(handler)))
    }

    fn is_at(&self, handler: usize) -> bool {
        place(Weak::as_ptr(&self.handler)) == handler
    }
}

/// Where a handler stands, whatever set it is in.
fn place(handler: *const dyn Handler) -> usize {
    handler.cast::<()>().addr()
}

/// A run that is about to begin, as its handlers are told of it.
pub struct Starting<'a> {
    pub(crate) info: &'a RunInfo<'a>,
    pub(crate) id: RunId,
    pub(crate) parent: Option<&'a RunRef>,
    pub(crate) remote: Option<RemoteParent<'a>>,
    /// Whether the parent is the run in which this is called.
    pub(crate) is_ambient: bool,
    pub(crate) step: u32,
    pub(crate) operations: Operations,
    /// Who is told just now.
    pub(crate) handler: &'a Arc<dyn Handler>,
}

impl<'a> Starting<'a> {
    /// What it is of.
    pub fn info(&self) -> &'a RunInfo<'a> {
        self.info
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// What it is part of.
    pub fn parent(&self) -> Option<&'a RunRef> {
        self.parent
    }

    /// What another process said of where it stands, if that is who asks for it.
    pub fn remote(&self) -> Option<RemoteParent<'a>> {
        self.remote
    }

    /// Whether it tells again what the run around it tells at second hand: a call of a model.
    pub fn tells_again(&self) -> bool {
        let around = self.parent.map(RunRef::info);
        around.is_some_and(|around| around.second_hand && around.component == self.info.component)
    }

    /// How many runs are around it.
    pub fn depth(&self) -> u32 {
        self.parent.map_or(0, |parent| parent.depth() + 1)
    }

    /// The how-manieth run within its parent it is, from one on; 0 of one without a parent.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// The operation that this handler has of the run around it, for the parent of its own. Where it made none of that, it is the
    /// one around that.
    pub fn operation_around(&self) -> Option<&'a OpRef> {
        self.parent?.made(self.handler)?.operation.as_ref()
    }

    /// The operation that this handler made of the parent itself.
    pub fn operation_of_parent(&self) -> Option<&'a OpRef> {
        let made = self.parent?.made(self.handler)?;
        made.operation.as_ref().filter(|_| made.is_own)
    }

    /// Whose child this handler's operation is: that of the [operation around](Self::operation_around) or, where the run begins
    /// [within it](RunParent::Current), of what the user has opened there besides; or [another process's](Self::remote).
    pub fn operation_parent(&self) -> Parent<'a> {
        if let Some(RemoteParent { remote, trust, .. }) = self.remote
            && let Some(parent) = remote.parent
        {
            let tracestate = remote.tracestate.as_ref();
            return Parent::Remote {
                parent,
                tracestate: tracestate.map_or("", |state| state.as_str()),
                trust,
            };
        }
        match self.operation_around() {
            Some(around) if !self.is_current(around) => Parent::Operation(around),
            _ => Parent::Current,
        }
    }

    /// Whether whoever works in the scope of the parent has this operation around.
    fn is_current(&self, operation: &OpRef) -> bool {
        let current = self.parent.and_then(RunRef::operation);
        self.is_ambient && current.is_some_and(|current| std::ptr::eq(current, operation))
    }

    /// What this handler makes of the run is this operation: what is [polled in the run](RunRef::wrap) is within it, and so are the
    /// runs within the run.
    pub fn set_operation(&mut self, operation: OpRef) {
        match self.made() {
            Some(made) => (made.operation, made.is_own) = (Some(operation), true),
            None => self.make(Some(operation), Kept::default()),
        }
    }

    /// What this handler keeps of the run for the runs within it, however deep, until one of those keeps something else.
    pub fn keep<T: Any + Send + Sync>(&mut self, kept: Arc<T>) {
        let kept = Kept::new(kept);
        match self.made() {
            Some(made) => made.kept = kept,
            None => self.make(None, kept),
        }
    }

    /// What this handler [kept](Self::keep) of the runs around it, if it is of this type.
    pub fn kept_around<T: Any + Send + Sync>(&self) -> Option<&'a T> {
        self.parent?.made(self.handler)?.kept.get()
    }

    /// What this handler made so far. Handlers are told one after another, so it is the last of all.
    fn made(&mut self) -> Option<&mut Made> {
        let at = place(Arc::as_ptr(self.handler));
        self.operations.last_mut().filter(|made| made.is_at(at))
    }

    fn make(&mut self, operation: Option<OpRef>, kept: Kept) {
        self.operations.push(Made {
            handler: Arc::downgrade(self.handler),
            is_own: operation.is_some(),
            operation,
            kept,
        });
    }

    /// The handler that was told last panicked: what it made has ended with it.
    pub(crate) fn unmake(&mut self) {
        let at = place(Arc::as_ptr(self.handler));
        self.operations.retain(|made| !made.is_at(at));
    }

    /// What handlers have of the parent they have of the run, too, where they made nothing of their own.
    pub(crate) fn inherit(&mut self) {
        for around in self.parent.iter().flat_map(|parent| &parent.0.operations) {
            let own = { self.operations.iter_mut() }.find(|own| own.is_of(&around.handler));
            match own {
                Some(own) => {
                    own.operation = own.operation.take().or_else(|| around.operation.clone());
                    if own.kept.is_none() {
                        own.kept = around.kept.clone();
                    }
                }
                None => self.operations.push(Made {
                    is_own: false,
                    ..around.clone()
                }),
            }
        }
    }
}

impl fmt::Debug for Starting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting")
            .field("id", &self.id)
            .field("parent", &self.parent)
            .field("info", self.info)
            .finish_non_exhaustive()
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
    /// Its name, and behind that what implements it; in here as long as they are short, as names are.
    names: SmallVec<[u8; 40]>,
    name: usize,
    operations: Operations,
    within: AtomicU32,
    unwound: AtomicBool,
    second_hand: bool,
    told_within: AtomicBool,
}

impl RunRef {
    pub(crate) fn new(starting: Starting<'_>) -> Self {
        let Starting { info, parent, .. } = starting;
        let mut names = SmallVec::from_slice(info.name.as_bytes());
        if !info.kind.is_empty() {
            names.extend_from_slice(info.kind.as_bytes());
        }
        Self(Arc::new(Shared {
            id: starting.id,
            parent: parent.map(Self::id),
            root: parent.map_or(starting.id, Self::root),
            depth: starting.depth(),
            step: starting.step,
            attempt: info.attempt,
            component: info.component,
            names,
            name: info.name.len(),
            operations: starting.operations,
            within: AtomicU32::new(0),
            unwound: AtomicBool::new(false),
            second_hand: info.second_hand,
            told_within: AtomicBool::new(false),
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

    /// The how-manieth run within its parent it is, from one on; 0 of one without a parent.
    pub fn step(&self) -> u32 {
        self.0.step
    }

    /// What it is of.
    pub fn info(&self) -> RunInfo<'_> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let (name, kind) = self.0.names.split_at(self.0.name);
        let (name, kind) = (text(name), text(kind));
        RunInfo {
            component: self.0.component,
            name,
            kind,
            id: Some(self.0.id),
            attempt: self.0.attempt,
            second_hand: self.0.second_hand,
        }
    }

    /// Whether what it tells [at second hand](RunInfo::with_second_hand) was told within it since.
    pub fn is_told_within(&self) -> bool {
        self.0.told_within.load(Ordering::Relaxed)
    }

    /// A call of a model begins within it, whoever tells that: of a run that is told at second hand and is one of this component, that
    /// is the call. For who tells such calls by other means than runs.
    pub fn tell_within(&self, component: Component) {
        if self.0.second_hand && self.0.component == component {
            self.0.told_within.store(true, Ordering::Relaxed);
        }
    }

    /// This run begins right within it: perhaps it is the same. A model's call is one call, however often it is told; an agent can
    /// have another one within it, so that there it takes who saw it happen, of the same framework.
    pub(crate) fn has_within(&self, info: &RunInfo<'_>) {
        let is_call = matches!(info.component, Component::Model | Component::Embedding);
        if is_call || !info.second_hand && info.kind == self.info().kind {
            self.tell_within(info.component);
        }
    }

    /// The ids of its span, where a handler makes one, or of that around it.
    pub fn span_context(&self) -> Option<SpanContext> {
        self.operation().map(OpRef::span_context)
    }

    /// The operation that it is to whichever handler makes one, the outermost of them; where none does, the one around it.
    pub fn operation(&self) -> Option<&OpRef> {
        let made = || self.0.operations.iter();
        let own = made().find(|made| made.is_own);
        let own = own.or_else(|| made().find(|made| made.operation.is_some()));
        own.and_then(|made| made.operation.as_ref())
    }

    /// All that handlers keep of it, or of what is around it, of this type.
    pub(crate) fn kept<T: Any + Send + Sync>(&self) -> impl Iterator<Item = &T> {
        { self.0.operations.iter() }.filter_map(|made| made.kept.get())
    }

    fn made(&self, handler: &Arc<dyn Handler>) -> Option<&Made> {
        let at = place(Arc::as_ptr(handler));
        let mut operations = self.0.operations.iter();
        operations.find(|made| made.is_at(at))
    }

    /// It goes on with what another run handed over, an agent to an agent: its span gets a link to that one's, with the name of
    /// whose it was. For runs of which neither is within the other.
    pub fn handed_from(&self, from: &Self) {
        let mades = self.0.operations.iter().filter(|made| made.is_own);
        for made in mades {
            let mut others = from.0.operations.iter();
            let other = others.find(|other| other.is_of(&made.handler));
            let other = other.and_then(|other| other.operation.as_ref());
            if let (Some(operation), Some(other)) = (&made.operation, other) {
                let name = KeyValue::new(obs::agent::HANDOFF.as_str(), from.info().name.to_owned());
                operation.add_link(other.span_context(), vec![name]);
            }
        }
    }

    /// Runs `work` as part of the run: runs and operations that begin there are within it.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        let work = || current::scope(self, work);
        match self.operation() {
            Some(operation) => operation.in_scope(work),
            None => work(),
        }
    }

    /// To work in it again and again.
    #[cfg(feature = "stream")]
    pub(crate) fn scope(&self) -> current::Scope {
        current::Scope::of(self)
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
