//! Which operation is current, and whose child a new one becomes.

use crate::attached::{self, Found};
use crate::engine::Engine;
use crate::engine::live::{Flags, Live, TraceFamily};
use crate::handle::OpRef;
use crate::operation::{Active, Operation};
use crate::propagation::TraceParent;
use crate::session::Session;
use crate::shared::Identity;
use crate::trust::Trust;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, ContextGuard};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// What of an operation the rest of OpenTelemetry sees while the operation is current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextMode {
    /// A span: spans and logs of others get its ids, and attributes, events, links, status and name set on the
    /// current span land in the operation. Two allocations per operation.
    #[default]
    Full,
    /// The ids only. One allocation per operation.
    IdsOnly,
    /// Nothing: only this crate knows what is current.
    Off,
}

/// Whose child a new operation is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Parent<'a> {
    /// The operation that is current on this thread, or the current OpenTelemetry span if that lies deeper; a new
    /// trace if there is neither.
    Current,
    /// The operation behind a handle, wherever it runs.
    Operation(&'a OpRef),
    /// A span known by its ids.
    Of(&'a SpanContext),
    /// What a request brought along, with the trust its sender has; a new trace if it brought nothing.
    Remote {
        /// The parsed `traceparent`.
        parent: TraceParent,
        /// The `tracestate` that came with it, validated; empty if none.
        tracestate: &'a str,
        /// How far it is believed.
        trust: Trust,
    },
    /// Nobody's: a new trace.
    Root,
}

/// Where an operation comes from, as `start` needs it.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// 0: a new trace.
    pub(crate) trace_id: u128,
    pub(crate) parent_id: u64,
    pub(crate) flags: Flags,
    pub(crate) trace_flags: u8,
    /// The head decision is still to be made.
    pub(crate) undecided: bool,
    pub(crate) tracestate: Option<Box<str>>,
    pub(crate) link: Option<SpanContext>,
    pub(crate) family: Option<Arc<TraceFamily>>,
    pub(crate) session: Option<Arc<Session>>,
}

impl Origin {
    #[inline(always)]
    fn root() -> Self {
        Self {
            undecided: true,
            ..Self::default()
        }
    }

    fn of_context(context: &SpanContext) -> Self {
        if !context.is_valid() {
            return Self::root();
        }
        let tracestate = context.trace_state().header();
        Self {
            trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
            parent_id: u64::from_be_bytes(context.span_id().to_bytes()),
            flags: Flags::HAS_PARENT.with_if(Flags::REMOTE, context.is_remote()),
            trace_flags: context.trace_flags().to_u8(),
            undecided: true,
            tracestate: (!tracestate.is_empty()).then(|| tracestate.into()),
            ..Self::default()
        }
    }

    fn of_identity(identity: Identity, engine: &Engine) -> Self {
        let sampled = identity.sampled;
        Self {
            trace_id: identity.trace_id,
            parent_id: identity.span_id,
            flags: Flags::HAS_PARENT.with_if(Flags::SAMPLED, sampled),
            trace_flags: identity.trace_flags,
            tracestate: identity.tracestate,
            family: identity
                .family
                .filter(|_| !sampled && std::ptr::eq(identity.engine, engine)),
            session: identity.session,
            ..Self::default()
        }
    }

    #[inline]
    fn of_live(live: &mut Live, engine: &'static Engine) -> Self {
        let sampled = live.flags.has(Flags::SAMPLED);
        let tracestate = if live.tracestate.1 == 0 {
            None
        } else {
            Some(live.tracestate().into())
        };
        Self {
            trace_id: live.trace_id,
            parent_id: live.span_id,
            flags: Flags::HAS_PARENT.with_if(Flags::SAMPLED, sampled),
            trace_flags: live.trace_flags,
            tracestate,
            family: if sampled || !std::ptr::eq(live.kind.engine, engine) {
                None
            } else {
                live.family_for_child()
            },
            session: live.session.clone(),
            ..Self::default()
        }
    }
}

#[inline(always)]
pub(crate) fn resolve(engine: &'static Engine, parent: Parent<'_>) -> Origin {
    match parent {
        Parent::Remote {
            parent,
            tracestate,
            trust: Trust::Trusted,
        } => {
            let trace_id = u128::from_be_bytes(parent.trace_id.to_bytes());
            Origin {
                trace_id,
                parent_id: u64::from_be_bytes(parent.span_id.to_bytes()),
                flags: Flags::HAS_PARENT.with_if(Flags::REMOTE, true),
                trace_flags: parent.flags.to_u8(),
                undecided: true,
                tracestate: if tracestate.is_empty() {
                    None
                } else {
                    Some(tracestate.into())
                },
                ..Origin::default()
            }
        }
        Parent::Current => resolve_current(engine),
        Parent::Root => Origin::root(),
        other => resolve_rare(engine, other),
    }
}

#[inline(never)]
fn resolve_rare(engine: &'static Engine, parent: Parent<'_>) -> Origin {
    match parent {
        Parent::Operation(handle) => Origin::of_identity(handle.identity_for_child(), engine),
        Parent::Of(context) => Origin::of_context(context),
        Parent::Remote { parent, .. } => Origin {
            link: Some(SpanContext::new(
                parent.trace_id,
                parent.span_id,
                parent.flags,
                true,
                Default::default(),
            )),
            ..Origin::root()
        },
        Parent::Current | Parent::Root => Origin::root(),
    }
}

#[inline]
fn resolve_current(engine: &'static Engine) -> Origin {
    CURRENT.with(|cell| match cell.take() {
        Some(mut live) => {
            let foreign = if live.kind.engine.config.context == ContextMode::Off {
                None
            } else {
                deeper_than(&live)
            };
            let origin = match foreign {
                Some(context) => below_foreign(&context, &mut live, engine),
                None => Origin::of_live(&mut live, engine),
            };
            cell.set(Some(live));
            origin
        }
        None if engine.config.context == ContextMode::Off => Origin::root(),
        None => resolve_attached(engine),
    })
}

/// The OpenTelemetry span that user code opened inside the current operation, if any.
#[inline]
fn deeper_than(live: &Live) -> Option<SpanContext> {
    Context::map_current(|context| {
        if !context.has_active_span() {
            return None;
        }
        let span = context.span();
        let ids = span.span_context();
        (ids.span_id() != live.span_id.into() && ids.is_valid()).then(|| ids.clone())
    })
}

/// A user's span lies between the operation and its child: the child's parent is that span, its family still ours.
#[inline(never)]
fn below_foreign(context: &SpanContext, live: &mut Live, engine: &'static Engine) -> Origin {
    let mut origin = Origin::of_context(context);
    if origin.trace_id == live.trace_id {
        let ours = Origin::of_live(live, engine);
        origin.flags = ours.flags;
        origin.trace_flags = ours.trace_flags;
        origin.undecided = false;
        origin.family = ours.family;
        origin.session = ours.session;
    } else if let Some(found) = attached::find_current() {
        return of_found(found, engine);
    }
    origin
}

/// No operation is polled on this thread: perhaps one's context was carried here, perhaps a user's span is open.
#[inline]
fn resolve_attached(engine: &'static Engine) -> Origin {
    if !Context::map_current(|context| context.has_active_span()) {
        return Origin::root();
    }
    match attached::find_current() {
        Some(found) => of_found(found, engine),
        None => Context::map_current(|context| Origin::of_context(context.span().span_context())),
    }
}

fn of_found(found: Found, engine: &Engine) -> Origin {
    Origin::of_identity(found.identity_for_child(), engine)
}

thread_local! {
    /// The operation being polled on this thread, by value. Without a destructor: it is empty whenever no poll is on
    /// the stack, and usable in other thread-locals' destructors.
    static CURRENT: ManuallyDrop<Cell<Option<Box<Live>>>> = const { ManuallyDrop::new(Cell::new(None)) };
}

/// Runs `work` with the operation that is current on this thread, if there is one and it is recorded.
#[inline(always)]
pub(crate) fn with_current<R>(work: impl FnOnce(Active<'_>) -> R) -> Option<R> {
    let mut borrowed = Borrowed(Some(CURRENT.with(|cell| cell.take())?));
    borrowed.0.as_deref_mut().map(|live| work(Active(live)))
}

/// Puts the current operation back, also when the code that looked at it unwinds.
struct Borrowed(Option<Box<Live>>);

impl Drop for Borrowed {
    #[inline(always)]
    fn drop(&mut self) {
        CURRENT.with(|cell| cell.set(self.0.take()));
    }
}

impl Operation {
    /// Makes it current until the guard is left or dropped. For layers that wrap a poll: guards must be left in the
    /// reverse order of entering, on the same thread. Everybody else uses [`scope`](Self::scope) and
    /// [`instrument`](Self::instrument).
    #[doc(hidden)]
    #[inline(always)]
    pub fn enter(&mut self) -> Entered<'_> {
        let Some(live) = &mut self.0 else {
            return Entered {
                operation: self,
                previous: None,
                entered: false,
                _context: None,
            };
        };
        let context = match live.kind.engine.config.context {
            ContextMode::Off => None,
            mode => Some(attached::attach(live, mode)),
        };
        let previous = CURRENT.with(|cell| cell.replace(self.0.take()));
        Entered {
            operation: self,
            previous,
            entered: true,
            _context: context,
        }
    }

    /// Runs `work` with this operation current.
    pub fn scope<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let entered = self.enter();
        let result = work();
        entered.leave();
        result
    }
}

/// An operation is current while this lives.
#[doc(hidden)]
#[derive(Debug)]
#[must_use]
pub struct Entered<'a> {
    operation: &'a mut Operation,
    previous: Option<Box<Live>>,
    entered: bool,
    _context: Option<ContextGuard>,
}

impl Entered<'_> {
    /// Leaves, on the way that does not unwind.
    #[inline(always)]
    pub fn leave(mut self) {
        self.restore();
        self.entered = false;
    }

    #[inline(always)]
    fn restore(&mut self) {
        if self.entered {
            self.operation.0 = CURRENT.with(|cell| cell.replace(self.previous.take()));
        }
    }
}

impl Drop for Entered<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.entered {
            self.unwind();
        }
    }
}

impl Entered<'_> {
    #[cold]
    #[inline(never)]
    fn unwind(&mut self) {
        self.restore();
        if let Some(live) = &mut self.operation.0
            && std::thread::panicking()
        {
            live.flags.set(Flags::PANICKED);
        }
    }
}
