//! Whose child a new operation becomes.

use crate::attached::{self, Found};
use crate::context::{self, ContextMode};
use crate::engine::Engine;
use crate::engine::live::{Flags, Live};
use crate::handle::OpRef;
use crate::propagation::TraceParent;
use crate::scope;
use crate::shared::Identity;
use crate::thread;
use crate::trust::Trust;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt};

/// Whose child a new operation is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Parent<'a> {
    /// The operation that is current on this thread (polled here, or behind a handle in whose scope this is), or the current
    /// OpenTelemetry span if that lies deeper; a new trace if there is neither.
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

impl Live {
    /// Takes trace, parent and head decision from where they come from. A trace id of 0 stays where a trace begins,
    /// and [`Flags::UNDECIDED`] where the head decision is still to be made.
    #[inline(always)]
    pub(crate) fn inherit(&mut self, parent: &Parent<'_>) {
        match parent {
            Parent::Remote {
                parent,
                tracestate,
                trust: Trust::Trusted,
            } => {
                self.trace_id = u128::from_be_bytes(parent.trace_id.to_bytes());
                self.parent_id = u64::from_be_bytes(parent.span_id.to_bytes());
                self.trace_flags = parent.flags.to_u8();
                self.flags = Flags::UNDECIDED;
                self.flags.set(Flags::HAS_PARENT);
                self.flags.set(Flags::REMOTE);
                self.tracestate = (0, 0);
                if !tracestate.is_empty() {
                    self.tracestate = self.attributes.keep_text(tracestate);
                }
            }
            Parent::Current => {
                self.inherit_nothing();
                self.inherit_current();
                if self.flags.around() != Flags::default() {
                    self.begin_anew_if_served();
                }
            }
            Parent::Root => self.inherit_nothing(),
            other => {
                self.inherit_nothing();
                self.inherit_rare(other);
            }
        }
    }

    #[inline(always)]
    fn inherit_nothing(&mut self) {
        self.trace_id = 0;
        self.parent_id = 0;
        self.trace_flags = 0;
        self.flags = Flags::UNDECIDED;
        self.tracestate = (0, 0);
    }

    /// What is served is work of its own, whoever asked for it in this process: with headers between, it would have begun anew.
    #[inline(never)]
    fn begin_anew_if_served(&mut self) {
        if let SpanKind::Server | SpanKind::Consumer = self.kind.descriptor.span_kind {
            self.flags.unset(self.flags.around());
        }
    }

    #[inline(never)]
    fn inherit_rare(&mut self, parent: &Parent<'_>) {
        match parent {
            Parent::Operation(handle) => self.inherit_identity(handle.identity_for_child()),
            Parent::Of(context) => self.inherit_context(context),
            Parent::Remote { parent, .. } => {
                self.flags.set(Flags::STRANGERS);
                let link = SpanContext::new(
                    parent.trace_id,
                    parent.span_id,
                    parent.flags,
                    true,
                    Default::default(),
                );
                let bounds = &self.kind.engine.config.side;
                self.side().add_link(link, Vec::new(), bounds);
            }
            Parent::Current | Parent::Root => {}
        }
    }

    #[inline(always)]
    fn inherit_current(&mut self) {
        let engine = self.kind.engine;
        context::peek(|current| match current {
            Some(current) => self.inherit_live(current, engine),
            None if !thread::is_plain() => self.inherit_elsewhere(),
            None if self.kind.context == ContextMode::Off => {}
            None => self.inherit_attached(),
        });
    }

    #[inline(never)]
    fn inherit_live(&mut self, current: &mut Self, engine: &'static Engine) {
        if current.kind.context != ContextMode::Off
            && let Some(foreign) = deeper_than(current.span_id)
        {
            return self.inherit_below(&foreign, current, engine);
        }
        self.parent_id = current.span_id;
        self.inherit_trace(current, engine);
    }

    /// Everything that a child shares with its parent.
    #[inline(always)]
    fn inherit_trace(&mut self, parent: &mut Self, engine: &'static Engine) {
        let sampled = parent.flags.has(Flags::SAMPLED);
        self.trace_id = parent.trace_id;
        self.trace_flags = parent.trace_flags;
        let flags = Flags::HAS_PARENT.with_if(Flags::SAMPLED, sampled);
        self.flags = flags.or(parent.around_child());
        if parent.tracestate.1 != 0 {
            self.tracestate = self.attributes.keep_text(parent.tracestate());
        }
        if let Some(session) = &parent.session {
            self.join_session(session, parent.kind.engine);
        }
        // Another telemetry's family would export this record to where it does not belong.
        if !sampled && std::ptr::eq(parent.kind.engine, engine) {
            self.joined = parent.family_for_child();
        }
    }

    /// Another span lies between the current operation and this one. One of ours (somebody works in the scope of a
    /// handle) is the parent with all it carries; a user's is the parent, and the family is still ours.
    #[inline(never)]
    fn inherit_below(
        &mut self,
        foreign: &SpanContext,
        current: &mut Self,
        engine: &'static Engine,
    ) {
        if let Some(found) = attached::find_current() {
            self.inherit_found(found);
        } else if u128::from_be_bytes(foreign.trace_id().to_bytes()) == current.trace_id {
            self.parent_id = u64::from_be_bytes(foreign.span_id().to_bytes());
            self.inherit_trace(current, engine);
        } else {
            self.inherit_context(foreign);
        }
        // Whoever's trace it is part of.
        self.flags.set(current.around_child());
    }

    /// No operation is polled on this thread, and there is more to be asked than what OpenTelemetry's context says.
    #[cold]
    #[inline(never)]
    fn inherit_elsewhere(&mut self) {
        if let Some(handle) = scope::handle() {
            self.inherit_scope(&handle);
        } else if thread::sees_otel() && self.kind.context != ContextMode::Off {
            self.inherit_attached();
        }
    }

    /// Somebody works in the scope of a handle, or in a user's span inside that.
    fn inherit_scope(&mut self, handle: &OpRef) {
        let parent = handle.identity_for_child();
        let off = parent.engine.config.context == ContextMode::Off;
        let Some(foreign) = deeper_than(parent.span_id).filter(|_| !off) else {
            return self.inherit_identity(parent);
        };
        if let Some(found) = attached::find_current() {
            self.inherit_found(found);
        } else if u128::from_be_bytes(foreign.trace_id().to_bytes()) == parent.trace_id {
            self.inherit_identity(parent);
            self.parent_id = u64::from_be_bytes(foreign.span_id().to_bytes());
        } else {
            self.inherit_context(&foreign);
            self.flags.set(parent.around);
        }
    }

    /// No operation is polled on this thread: perhaps one's context was carried here, perhaps a user's span is open.
    #[inline]
    fn inherit_attached(&mut self) {
        if !Context::map_current(|context| context.has_active_span()) {
            return;
        }
        match attached::find_current() {
            Some(found) => self.inherit_found(found),
            None => {
                Context::map_current(|context| self.inherit_context(context.span().span_context()))
            }
        }
    }

    fn inherit_found(&mut self, found: Found) {
        self.inherit_identity(found.identity_for_child());
    }

    #[inline(never)]
    fn inherit_context(&mut self, context: &SpanContext) {
        if !context.is_valid() {
            return;
        }
        self.trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
        self.parent_id = u64::from_be_bytes(context.span_id().to_bytes());
        self.trace_flags = context.trace_flags().to_u8();
        self.flags.set(Flags::HAS_PARENT);
        if context.is_remote() {
            self.flags.set(Flags::REMOTE);
        }
        let tracestate = context.trace_state().header();
        if !tracestate.is_empty() {
            self.tracestate = self.attributes.keep_text(&tracestate);
        }
    }

    #[inline(never)]
    fn inherit_identity(&mut self, parent: Identity) {
        self.trace_id = parent.trace_id;
        self.parent_id = parent.span_id;
        self.trace_flags = parent.trace_flags;
        self.flags = Flags::HAS_PARENT.with_if(Flags::SAMPLED, parent.sampled);
        self.flags.set(parent.around);
        if let Some(tracestate) = &parent.tracestate {
            self.tracestate = self.attributes.keep_text(tracestate);
        }
        if let Some(session) = &parent.session {
            self.join_session(session, parent.engine);
        }
        if !parent.sampled && std::ptr::eq(parent.engine, self.kind.engine) {
            self.joined = parent.family;
        }
    }
}

/// The OpenTelemetry span that user code opened inside the current operation, if any.
#[inline]
pub(crate) fn deeper_than(current: u64) -> Option<SpanContext> {
    if !thread::sees_otel() {
        return None;
    }
    Context::map_current(|context| {
        if !context.has_active_span() {
            return None;
        }
        let span = context.span();
        let ids = span.span_context();
        (ids.span_id() != current.into() && ids.is_valid()).then(|| ids.clone())
    })
}
