//! Several handlers as one, and the runs that are told to them.

use crate::contain::contain;
use crate::current;
use crate::failure::RunError;
use crate::handler::{Handler, InputTap, State, Timings};
use crate::input::Input;
use crate::output::{Item, Output};
use crate::run::{Operations, RunId, RunInfo, RunParent, RunRef, Starting};
use smallvec::SmallVec;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Handlers, in their order, and where runs begin. Cheap to clone.
///
/// At a start they are told in the order in which they were added, those that are [global](append_global) before all others; at
/// everything after it in the reverse order, so that the first one is around all others. Pieces of an input are told as the start is.
///
/// ```
/// use obs_agent::{Component, Handler, Handlers, Input, Output, RunInfo, RunParent, RunRef, Starting, State};
///
/// struct Print;
///
/// impl Handler for Print {
///     fn on_start(&self, run: &mut Starting<'_>, _: &Input<'_>) -> State {
///         println!("{} begins", run.info().name);
///         State::none()
///     }
///     fn on_end(&self, run: &RunRef, _: &mut State, _: &Output<'_>) {
///         println!("{} has ended", run.info().name);
///     }
/// }
///
/// let handlers = Handlers::new().with(Print);
/// let info = RunInfo::new(Component::Tool, "weather");
/// let run = handlers.start(info, RunParent::Current, &Input::Tool(Default::default()));
/// // … it is called, within `run.wrap(…)` …
/// run.end(&Output::Tool(Default::default()));
/// ```
#[derive(Clone, Default)]
pub struct Handlers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    handlers: Vec<Arc<dyn Handler>>,
    panics: Arc<AtomicU64>,
}

impl Drop for Inner {
    /// The last to hold a handler may be a run, in the middle of somebody's work.
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            contain(&self.panics, || drop(handler));
        }
    }
}

static GLOBAL: Mutex<Vec<Arc<dyn Handler>>> = Mutex::new(Vec::new());

/// Adds a handler that each [`Handlers::global`] of the process has from then on. For set-up: sets that are there stay as they are.
pub fn append_global(handler: impl Handler) {
    let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    global.push(Arc::new(handler));
}

impl Handlers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The global ones.
    pub fn global() -> Self {
        let global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Arc::new(Inner {
            handlers: global.clone(),
            panics: Arc::default(),
        }))
    }

    /// One more, behind the others: for all runs, or, of a clone, for those of one call.
    #[must_use]
    pub fn with(self, handler: impl Handler) -> Self {
        self.with_shared(Arc::new(handler))
    }

    /// The same of one that others have, too.
    #[must_use]
    pub fn with_shared(self, handler: Arc<dyn Handler>) -> Self {
        let mut handlers = self.0.handlers.clone();
        handlers.push(handler);
        Self(Arc::new(Inner {
            handlers,
            panics: Arc::clone(&self.0.panics),
        }))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.handlers.is_empty()
    }

    /// Whether it is this very set, and not another of the same handlers.
    #[cfg(any(feature = "rig", feature = "rmcp"))]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How often one of them panicked, of these and of all sets that were made of them.
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// A run begins.
    pub fn start(&self, info: RunInfo<'_>, parent: RunParent<'_>, input: &Input<'_>) -> Run {
        self.begin(&info, parent, false, |handler, starting, _| {
            handler.on_start(starting, input)
        })
    }

    /// A run begins whose input comes in pieces. Who passes them on tells the taps.
    pub fn start_streamed(&self, info: RunInfo<'_>, parent: RunParent<'_>) -> (Run, InputTaps) {
        let mut taps = InputTaps {
            taps: SmallVec::new(),
            panics: None,
        };
        let run = self.begin(&info, parent, true, |handler, starting, wants| {
            if !wants.has(Timings::STREAM_INPUT) {
                return handler.on_start(starting, &Input::Streamed);
            }
            let (state, tap) = handler.on_start_with_stream_input(starting);
            if let Some(tap) = tap {
                taps.add(tap, &self.0.panics);
            }
            state
        });
        (run, taps)
    }

    fn begin(
        &self,
        info: &RunInfo<'_>,
        parent: RunParent<'_>,
        is_streamed: bool,
        mut tell: impl FnMut(&dyn Handler, &mut Starting<'_>, Timings) -> State,
    ) -> Run {
        let ambient;
        let mut is_ambient = false;
        let mut remote = None;
        let parent = match parent {
            RunParent::Of(parent) => Some(parent),
            RunParent::Root => None,
            RunParent::Remote(from) => {
                remote = Some(from);
                None
            }
            RunParent::Current => {
                (ambient, is_ambient) = current::found();
                ambient.as_ref()
            }
        };
        let mut slots = Slots::new();
        for (index, handler) in self.0.handlers.iter().enumerate() {
            let wants = self.told(|| handler.needed(info)).unwrap_or(Timings::NONE);
            if !wants.is_empty() {
                slots.push(Slot {
                    handler: index,
                    wants,
                    state: State::none(),
                });
            }
        }
        let first = slots.first();
        let Some(first) = first.and_then(|slot| self.0.handlers.get(slot.handler)) else {
            // Nobody's: what is within it is within what is around it.
            return Run {
                told: None,
                reference: parent.cloned(),
            };
        };
        if let Some(parent) = parent {
            parent.has_within(info);
        }
        let mut starting = Starting {
            info,
            id: info.id.unwrap_or_else(RunId::next),
            parent,
            remote,
            is_ambient,
            step: parent.map_or(0, RunRef::step_within),
            operations: Operations::new(),
            handler: first,
        };
        for slot in &mut slots {
            let Some(handler) = self.0.handlers.get(slot.handler) else {
                continue;
            };
            starting.handler = handler;
            let wants_streams = is_streamed && slot.wants.has(Timings::STREAM_INPUT);
            if !wants_streams && !slot.wants.has(Timings::START) {
                continue;
            }
            match self.told(|| tell(&**handler, &mut starting, slot.wants)) {
                Some(state) => slot.state = state,
                None => {
                    slot.wants = Timings::NONE;
                    starting.unmake();
                }
            }
        }
        starting.inherit();
        Run {
            reference: Some(RunRef::new(starting)),
            told: Some(Told {
                handlers: self.clone(),
                slots,
            }),
        }
    }

    /// What a handler does must not unwind into what is observed.
    fn told<R>(&self, tell: impl FnOnce() -> R) -> Option<R> {
        contain(&self.0.panics, tell)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers")
            .field("count", &self.0.handlers.len())
            .field("panics", &self.panics())
            .finish()
    }
}

type Slots = SmallVec<[Slot; 2]>;

/// A handler's place in a run.
struct Slot {
    handler: usize,
    wants: Timings,
    state: State,
}

struct Told {
    handlers: Handlers,
    slots: Slots,
}

/// A run that goes on. Its handlers are told how it ends: [`end`](Self::end), [`fail`](Self::fail), or by its being dropped, which is
/// cancelled, or panicked where its own work was.
#[must_use = "dropping it tells handlers that it was cancelled"]
pub struct Run {
    /// Nothing once it has ended, or where nobody listens.
    told: Option<Told>,
    /// It, or where nobody listens what is around it.
    reference: Option<RunRef>,
}

impl Run {
    /// Whether anybody is told of it: not after its end.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// A reference, for runs within it and for other tasks and threads. Where nobody is told of it, that of the run around it;
    /// none where there is none.
    pub fn reference(&self) -> Option<&RunRef> {
        self.reference.as_ref()
    }

    /// What runs that begin within it have as their parent.
    pub fn as_parent(&self) -> RunParent<'_> {
        match &self.reference {
            Some(reference) => RunParent::Of(reference),
            None => RunParent::Root,
        }
    }

    /// Runs `work` as part of it: see [`RunRef::in_scope`].
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.reference {
            Some(reference) => reference.in_scope(work),
            None => work(),
        }
    }

    /// Polls `future` as part of it: see [`RunRef::wrap`]. Where nobody is told of it, as part of what is around it.
    pub fn wrap<F: Future>(&self, future: F) -> current::Within<F> {
        current::Within::new(self.reference.clone(), future)
    }

    /// It ended well.
    pub fn end(mut self, output: &Output<'_>) {
        self.end_in_place(output);
    }

    /// It did not.
    pub fn fail(mut self, error: &RunError<'_>) {
        self.fail_in_place(error);
    }

    pub(crate) fn end_in_place(&mut self, output: &Output<'_>) {
        self.last(Timings::END, |handler, run, state| {
            handler.on_end(run, state, output);
        });
    }

    pub(crate) fn fail_in_place(&mut self, error: &RunError<'_>) {
        self.last(Timings::ERROR, |handler, run, state| {
            handler.on_error(run, state, error);
        });
    }

    /// Its output begins to be streamed. [`stream_with`](Self::stream_with) does it for streams.
    pub fn begin_output(&mut self) {
        self.each(Timings::STREAM_OUTPUT, |handler, run, state| {
            handler.on_end_with_stream_output(run, state);
        });
    }

    /// A piece of its output passes.
    #[inline]
    pub fn item(&mut self, item: &Item<'_>) {
        self.each(Timings::STREAM_OUTPUT, |handler, run, state| {
            handler.on_output_item(run, state, item);
        });
    }

    #[inline]
    fn each(&mut self, timing: Timings, tell: impl Fn(&dyn Handler, &RunRef, &mut State)) {
        let (Some(told), Some(run)) = (&mut self.told, &self.reference) else {
            return;
        };
        told.each(timing, run, tell);
    }

    fn last(&mut self, timing: Timings, tell: impl Fn(&dyn Handler, &RunRef, &mut State)) {
        let (Some(told), Some(run)) = (&mut self.told, &self.reference) else {
            return;
        };
        told.each(timing, run, tell);
        // What they remember is theirs, and may do anything when it goes.
        for slot in &mut told.slots {
            if !slot.state.is_none() {
                told.handlers.told(|| slot.state.clear());
            }
        }
        self.told = None;
    }
}

impl Told {
    #[inline]
    fn each(
        &mut self,
        timing: Timings,
        run: &RunRef,
        tell: impl Fn(&dyn Handler, &RunRef, &mut State),
    ) {
        let Self { handlers, slots } = self;
        for slot in slots.iter_mut().rev() {
            if !slot.wants.has(timing) {
                continue;
            }
            let Some(handler) = handlers.0.handlers.get(slot.handler) else {
                continue;
            };
            if handlers
                .told(|| tell(&**handler, run, &mut slot.state))
                .is_none()
            {
                slot.wants = Timings::NONE;
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let Some(reference) = self.reference.as_ref().filter(|_| self.told.is_some()) else {
            return;
        };
        let is_panic = reference.is_unwound() || std::thread::panicking();
        let error = match is_panic {
            true => RunError::panicked(),
            false => RunError::cancelled(),
        };
        self.fail_in_place(&error);
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("is_told", &self.is_told())
            .field("reference", &self.reference)
            .finish()
    }
}

/// Who takes the pieces of a run's input.
pub struct InputTaps {
    taps: SmallVec<[Box<dyn InputTap>; 1]>,
    /// Where panics are counted: few runs have a tap at all.
    panics: Option<Arc<AtomicU64>>,
}

impl InputTaps {
    fn add(&mut self, tap: Box<dyn InputTap>, panics: &Arc<AtomicU64>) {
        self.taps.push(tap);
        self.panics.get_or_insert_with(|| Arc::clone(panics));
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }

    /// A piece passes.
    pub fn item(&mut self, item: &Item<'_>) {
        let Self { taps, panics } = self;
        if let Some(panics) = panics {
            // One that panics has had enough.
            taps.retain(|tap| {
                let goes_on = contain(panics, || tap.item(item)).is_some();
                if !goes_on {
                    let tap = std::mem::replace(tap, Box::new(Gone));
                    contain(panics, || drop(tap));
                }
                goes_on
            });
        }
    }

    /// There are no more.
    pub fn close(&mut self) {
        let Some(panics) = &self.panics else {
            return;
        };
        for tap in self.taps.drain(..) {
            contain(panics, || drop(tap));
        }
    }
}

/// Where a tap was.
struct Gone;

impl InputTap for Gone {
    fn item(&mut self, _: &Item<'_>) {}
}

impl fmt::Debug for InputTaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputTaps")
            .field("count", &self.taps.len())
            .finish()
    }
}

impl Drop for InputTaps {
    fn drop(&mut self) {
        self.close();
    }
}
