//! Who the current operation is, for those who write it down or send it on: the same that
//! [`Parent::Current`](crate::Parent::Current) makes a parent of.

use crate::attached;
use crate::context::{ContextMode, lend};
use crate::engine::live::Live;
use crate::parent::deeper_than;
use crate::propagation::{TraceParent, baggage, traceparent, tracestate};
use crate::scope;
use crate::session::Session;
use crate::shared::Identity;
use opentelemetry::trace::{SpanContext, TraceFlags};
use std::sync::Arc;

/// What of it goes along.
#[derive(Debug)]
pub(crate) struct Ambient {
    pub(crate) ids: TraceParent,
    tracestate: Option<Box<str>>,
    pub(crate) session: Option<Arc<Session>>,
}

impl Ambient {
    /// Of this place on this thread, if anything is current.
    pub(crate) fn here() -> Option<Self> {
        match lend(|active| Self::below_live(active.0).unwrap_or_else(|| Self::of(active.0))) {
            Some(ambient) => Some(ambient),
            None => Self::elsewhere(),
        }
    }

    fn of(live: &Live) -> Self {
        Self {
            ids: live.trace_parent(),
            tracestate: None,
            session: live.session.clone(),
        }
    }

    /// Nothing is polled here: a handle's scope, or a span that only OpenTelemetry's context knows.
    fn elsewhere() -> Option<Self> {
        let Some(handle) = scope::handle() else {
            let foreign = deeper_than(0)?;
            return Some(Self::below(&foreign, 0, None));
        };
        let identity = handle.0.identity();
        let off = identity.engine.config.context == ContextMode::Off;
        Some(match deeper_than(identity.span_id).filter(|_| !off) {
            Some(foreign) => Self::below(&foreign, identity.trace_id, identity.session.as_ref()),
            None => identity.into(),
        })
    }

    /// Of a user's span inside the operation, if there is one.
    fn below_live(live: &Live) -> Option<Self> {
        if live.kind.context == ContextMode::Off {
            return None;
        }
        let foreign = deeper_than(live.span_id)?;
        Some(Self::below(&foreign, live.trace_id, live.session.as_ref()))
    }

    /// Of a span inside what is current: one of ours that was carried here, or a user's, which goes with the session of the
    /// operation around it where it is of the same trace.
    #[cold]
    fn below(foreign: &SpanContext, trace_id: u128, session: Option<&Arc<Session>>) -> Self {
        if let Some(found) = attached::find_current() {
            return found.identity().into();
        }
        let state = foreign.trace_state().header();
        let same = u128::from_be_bytes(foreign.trace_id().to_bytes()) == trace_id;
        Self {
            ids: TraceParent {
                trace_id: foreign.trace_id(),
                span_id: foreign.span_id(),
                flags: foreign.trace_flags(),
            },
            tracestate: Some(state.into()),
            session: session.filter(|_| same).cloned(),
        }
    }

    fn inject(&self, set: impl FnMut(&'static str, &str)) {
        let state = self.tracestate.as_deref().unwrap_or_default();
        write(&self.ids, state, self.session.as_deref(), set);
    }
}

impl From<Identity> for Ambient {
    fn from(identity: Identity) -> Self {
        Self {
            ids: TraceParent {
                trace_id: identity.trace_id.into(),
                span_id: identity.span_id.into(),
                flags: TraceFlags::new(identity.trace_flags),
            },
            tracestate: identity.tracestate,
            session: identity.session,
        }
    }
}

/// Writes what is current here, if anything is.
pub(crate) fn inject(mut set: impl FnMut(&'static str, &str)) -> bool {
    let written = lend(|active| match Ambient::below_live(active.0) {
        Some(ambient) => ambient.inject(&mut set),
        None => active.0.inject(&mut set),
    });
    if written.is_some() {
        return true;
    }
    let ambient = Ambient::elsewhere();
    if let Some(ambient) = &ambient {
        ambient.inject(set);
    }
    ambient.is_some()
}

/// What an outgoing call carries, as the W3C's headers. Allocates nothing.
pub(crate) fn write(
    ids: &TraceParent,
    state: &str,
    session: Option<&Session>,
    mut set: impl FnMut(&'static str, &str),
) {
    let mut text = [0; traceparent::LEN];
    traceparent::write(ids, &mut text);
    set(
        traceparent::TRACEPARENT,
        std::str::from_utf8(&text).unwrap_or_default(),
    );
    if !state.is_empty() {
        set(tracestate::TRACESTATE, state);
    }
    if let Some(session) = session
        && !session.baggage().is_empty()
    {
        set(baggage::BAGGAGE, session.baggage().as_str());
    }
}
