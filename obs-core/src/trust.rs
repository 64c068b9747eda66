//! Whom to believe: what a listener does with a trace context from outside.
//!
//! A caller can choose its trace ids, set `sampled` to make us pay, or clear it to hide. Where callers are strangers
//! their context is linked, not obeyed.
//!
//! Baggage takes two permissions, because it is the application's own and may say anything of anybody: its sender has to be
//! trusted, and its entries have to be allowed by name ([`Allow`](crate::propagation::baggage::Allow)). Without an allow
//! list nothing of it is taken over, not even from those who are trusted.

use opentelemetry::trace::SpanContext;

use crate::propagation::Remote;
use crate::propagation::baggage::Baggage;
use crate::propagation::traceparent::TraceParent;
use crate::propagation::tracestate::TraceState;

/// What a listener does with the context its callers send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trust {
    /// Callers are part of the same system: their operation is the parent of ours, their decision to sample is kept,
    /// `tracestate` is carried on, and of their baggage what is allowed by name: none by default.
    #[default]
    Trusted,
    /// Callers are strangers (a public listener): ours is the root of a new trace with a link to theirs; `tracestate`
    /// and baggage are dropped, whatever is allowed.
    LinkOnly,
}

/// What is left of a [`Remote`] after [`apply`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// The parent of our operation; without one it is a root.
    pub parent: Option<TraceParent>,
    /// What our operation is linked with.
    pub link: Option<TraceParent>,
    /// What to carry on for other tracing systems.
    pub tracestate: Option<TraceState>,
    /// What a trusted caller sent for the application, all of it: [`keep`](Baggage::keep) what is allowed.
    pub baggage: Baggage,
}

impl Accepted {
    /// The link as a span context of OpenTelemetry's API.
    #[must_use]
    pub fn link_context(&self) -> Option<SpanContext> {
        self.link
            .map(|link| link.to_span_context(opentelemetry::trace::TraceState::NONE))
    }
}

/// Decides what of a remote context may be taken over. Which entries of the baggage are is said elsewhere, by name.
#[inline]
#[must_use]
pub fn apply(trust: Trust, remote: Remote) -> Accepted {
    match trust {
        Trust::Trusted => Accepted {
            parent: remote.parent,
            link: None,
            tracestate: remote.tracestate,
            baggage: remote.baggage,
        },
        Trust::LinkOnly => Accepted {
            link: remote.parent,
            ..Accepted::default()
        },
    }
}
