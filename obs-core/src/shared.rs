//! The part of a running operation that others can reach: handles on other threads, and the OpenTelemetry span that is
//! attached while the operation is current. Closed when the operation ends; what comes later is counted.

use crate::descriptor::Descriptor;
use crate::engine::Engine;
use crate::engine::live::{Flags, TraceFamily};
use crate::redact::UserIds;
use crate::session::Session;
use crate::side::{Side, SideBounds};
use crate::sync::{AtomicU32, Mutex, Ordering, lock};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// How many attributes the owner has set: what is written here beats those and no later ones.
    owners: AtomicU32,
}

struct State {
    open: bool,
    /// The session was set here, and its owner does not know.
    gives_session: bool,
    side: Option<Box<Side>>,
    identity: Identity,
}

impl State {
    fn set_session(&mut self, session: Session, users: &UserIds) -> Arc<Session> {
        let session = session.instead_of(self.identity.session.as_deref(), users);
        self.identity.session = Some(session.clone());
        session
    }
}

/// Nothing that was written into it.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("open", &self.open)
            .field("trace_id", &format_args!("{:032x}", self.identity.trace_id))
            .field("span_id", &format_args!("{:016x}", self.identity.span_id))
            .finish_non_exhaustive()
    }
}

/// What others have left for its end.
pub(crate) struct Left {
    pub(crate) side: Option<Box<Side>>,
    pub(crate) family: Option<Arc<TraceFamily>>,
    pub(crate) session: Option<Arc<Session>>,
}

/// Who the operation is; stays readable after its end.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) engine: &'static Engine,
    /// What kind of operation; the models of the tests have none.
    pub(crate) descriptor: Option<&'static Descriptor>,
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) trace_flags: u8,
    pub(crate) sampled: bool,
    /// Whether what is written is for anybody: a provider may have said no.
    pub(crate) recorded: bool,
    pub(crate) tracestate: Option<Box<str>>,
    pub(crate) family: Option<Arc<TraceFamily>>,
    pub(crate) session: Option<Arc<Session>>,
    /// Which watched kinds its children run within.
    pub(crate) around: Flags,
    /// Whether baggage around it is not ours to show.
    pub(crate) strangers: bool,
    /// Ticks.
    pub(crate) started: u64,
}

impl Identity {
    pub(crate) fn span_context(&self) -> SpanContext {
        SpanContext::new(
            TraceId::from(self.trace_id),
            SpanId::from(self.span_id),
            TraceFlags::new(self.trace_flags),
            false,
            self.tracestate
                .as_deref()
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
        )
    }

    fn ensure_family(&mut self) {
        // Nothing is kept late where a provider records.
        let keeps = !self.engine.config.recorder.is_sdk();
        if keeps && !self.sampled && self.family.is_none() {
            let family = Arc::new(TraceFamily::new(self.started));
            self.engine.parked.list(&family);
            self.family = Some(family);
        }
    }
}

impl Shared {
    pub(crate) fn new(identity: Identity) -> Self {
        Self {
            state: Mutex::new(State {
                open: true,
                gives_session: false,
                side: None,
                identity,
            }),
            owners: AtomicU32::new(0),
        }
    }

    /// For the next operation of the same pooled record; nobody else holds it.
    pub(crate) fn reopen(&self, identity: Identity) {
        *lock(&self.state) = State {
            open: true,
            gives_session: false,
            side: None,
            identity,
        };
    }

    /// Runs `write` on the side table while the operation runs; afterwards the call is counted as late.
    pub(crate) fn write(&self, write: impl FnOnce(&mut Side, &SideBounds)) {
        let mut state = lock(&self.state);
        let engine = state.identity.engine;
        if state.open {
            let side = state.side.get_or_insert_default();
            // Whoever synchronises with the owner sees its number; without that there is no order to keep.
            side.owners = self.owners.load(Ordering::Relaxed);
            write(side, &engine.config.side);
        } else {
            engine.counts.late_calls.add(1);
        }
    }

    /// The owner's, whose attributes are numbered anew by `work`, in what others have written too: all of it at once. It
    /// says how many are left.
    pub(crate) fn renumber(&self, work: impl FnOnce(Option<&mut Side>) -> u32) -> u32 {
        let mut state = lock(&self.state);
        let left = work(state.side.as_deref_mut());
        self.set_owners(left);
        left
    }

    /// The owner's: how many attributes it has set.
    pub(crate) fn set_owners(&self, count: u32) {
        self.owners.store(count, Ordering::Relaxed);
    }

    pub(crate) fn engine(&self) -> &'static Engine {
        lock(&self.state).identity.engine
    }

    pub(crate) fn is_open(&self) -> bool {
        lock(&self.state).open
    }

    pub(crate) fn is_recording(&self) -> bool {
        let state = lock(&self.state);
        state.open && state.identity.recorded
    }

    /// Ends it: nothing can be written any more. Hands over what was written, the session if one was set here, and the family if
    /// there is one; there is one where somebody still carries the operation and its trace is undecided.
    pub(crate) fn close(&self, carried: bool) -> Left {
        let mut state = lock(&self.state);
        if carried {
            state.identity.ensure_family();
        }
        state.open = false;
        let given = std::mem::take(&mut state.gives_session);
        Left {
            side: state.side.take(),
            family: state.identity.family.clone(),
            session: state.identity.session.as_ref().filter(|_| given).cloned(),
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        lock(&self.state).identity.clone()
    }

    /// The owner's, who has it back as it is from now on.
    pub(crate) fn set_session(&self, session: Session, users: &UserIds) -> Arc<Session> {
        let mut state = lock(&self.state);
        state.gives_session = false;
        state.set_session(session, users)
    }

    /// The owner's: baggage around it is a stranger's.
    pub(crate) fn clear_baggage(&self) {
        lock(&self.state).identity.strangers = true;
    }

    /// Anybody else's.
    pub(crate) fn give_session(&self, session: Session) {
        let mut state = lock(&self.state);
        let engine = state.identity.engine;
        if !state.open {
            return engine.counts.late_calls.add(1);
        }
        state.gives_session = true;
        state.set_session(session, &engine.config.user_ids);
    }

    /// What starts within it is within operations of these kinds, and not of its own.
    pub(crate) fn stand_aside(&self, around: Flags) {
        let identity = &mut lock(&self.state).identity;
        identity.descriptor = None;
        identity.around = around;
    }

    /// The identity for a child, which joins the family; the first one to ask makes it, if the trace is undecided.
    pub(crate) fn identity_for_child(&self) -> Identity {
        let mut state = lock(&self.state);
        if state.open {
            state.identity.ensure_family();
        }
        state.identity.clone()
    }

    /// Drops what the identity holds, when the record goes back to its pool.
    pub(crate) fn release(&self) {
        let mut state = lock(&self.state);
        state.identity.family = None;
        state.identity.session = None;
    }
}
