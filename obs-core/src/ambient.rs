//! Who the current operation is, for those who write it down or send it on: the same that
//! [`Parent::Current`](crate::Parent::Current) makes a parent of.

use crate::context::lend;
use crate::operation::Active;
use crate::propagation::{TraceParent, baggage, traceparent, tracestate};
use crate::scope;
use crate::session::Session;
use crate::shared::Identity;
use opentelemetry::trace::TraceFlags;
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
        lend(|active| Self::of(&active)).or_else(Self::of_scope)
    }

    fn of(active: &Active<'_>) -> Self {
        Self {
            ids: active.trace_parent(),
            tracestate: None,
            session: active.0.session.clone(),
        }
    }

    fn of_scope() -> Option<Self> {
        let handle = scope::handle()?;
        Some(handle.0.identity().into())
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
    if lend(|active| active.inject(&mut set)).is_some() {
        return true;
    }
    match Ambient::of_scope() {
        Some(ambient) => {
            let tracestate = ambient.tracestate.as_deref().unwrap_or_default();
            write(&ambient.ids, tracestate, ambient.session.as_deref(), set);
            true
        }
        None => false,
    }
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
