//! Who the current operation is, for those who write it down: the same that
//! [`Parent::Current`](crate::Parent::Current) makes a parent of.

use crate::attached;
use crate::context::{self, ContextMode};
use crate::engine::live::Live;
use crate::parent::deeper_than;
use crate::propagation::TraceParent;
use crate::session::Session;
use crate::shared::Identity;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Ambient {
    pub(crate) ids: TraceParent,
    pub(crate) session: Option<Arc<Session>>,
}

impl Ambient {
    /// Of this place on this thread, if anything is current.
    pub(crate) fn here() -> Option<Self> {
        context::with_current(|active| Self::of(active.0)).or_else(|| {
            let foreign = Context::map_current(|context| {
                let span = context.has_active_span().then(|| context.span())?;
                let ids = span.span_context();
                ids.is_valid().then(|| ids.clone())
            });
            foreign.map(|foreign| Self::below(&foreign, None))
        })
    }

    fn of(live: &Live) -> Self {
        if live.kind.context != ContextMode::Off
            && let Some(foreign) = deeper_than(live)
        {
            return Self::below(&foreign, Some(live));
        }
        Self {
            ids: TraceParent {
                trace_id: live.trace_id.into(),
                span_id: live.span_id.into(),
                flags: TraceFlags::new(live.trace_flags),
            },
            session: live.session.clone(),
        }
    }

    /// Of a span inside what is current: one of ours that was carried here, or a user's, which goes with the session of the
    /// operation around it where it is of the same trace.
    fn below(foreign: &SpanContext, around: Option<&Live>) -> Self {
        if let Some(found) = attached::find_current() {
            return found.identity().into();
        }
        let trace_id = u128::from_be_bytes(foreign.trace_id().to_bytes());
        Self {
            ids: TraceParent {
                trace_id: foreign.trace_id(),
                span_id: foreign.span_id(),
                flags: foreign.trace_flags(),
            },
            session: around
                .filter(|live| live.trace_id == trace_id)
                .and_then(|live| live.session.clone()),
        }
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
            session: identity.session,
        }
    }
}
