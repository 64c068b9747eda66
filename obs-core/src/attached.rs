//! The OpenTelemetry context of a current operation, with a real span of ours in it.

use crate::context::ContextMode;
use crate::engine::live::{Flags, Live};
use crate::session::Session;
use crate::shared::{Identity, Shared};
use crate::side::At;
use crate::thread;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Span, SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, ContextGuard, KeyValue};
use std::borrow::Cow;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::SystemTime;

/// What user code gets as the current span while an operation is polled. What is set on it lands in the operation;
/// `end()` does not end it: only its owner knows when it is over.
#[derive(Debug)]
pub(crate) struct AttachedSpan {
    context: SpanContext,
    shared: Arc<Shared>,
}

impl Span for AttachedSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        let at = At::Unix(crate::clock::unix_nanos_of(timestamp));
        self.shared
            .write(|side, bounds| side.add_event(name.into(), at, attributes, bounds));
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        PROBE.with(|probe| {
            if let Probe::Asking = probe.take() {
                probe.set(Probe::Found(self.shared.clone()));
            }
        });
        self.shared.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.shared
            .write(|side, bounds| side.set_attribute(attribute, bounds));
    }

    fn set_status(&mut self, status: Status) {
        self.shared
            .write(|side, bounds| side.set_status(status, bounds));
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.shared
            .write(|side, bounds| side.set_name(new_name.into(), bounds));
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.shared
            .write(|side, bounds| side.add_link(span_context, attributes, bounds));
    }

    fn end_with_timestamp(&mut self, _timestamp: SystemTime) {
        self.shared.engine().counts.foreign_ends.add(1);
    }
}

/// Attaches the context of the operation, which is made at the first call and kept for the further polls. Nothing where the
/// thread is past OpenTelemetry's own context.
#[inline]
pub(crate) fn attach(live: &mut Live, mode: ContextMode) -> Option<ContextGuard> {
    live.settle();
    if !thread::sees_otel() {
        return None;
    }
    Some(match &live.context {
        Some(context) => context.clone().attach(),
        None if mode == ContextMode::Off => return None,
        None => make(live, mode).attach(),
    })
}

#[inline(never)]
fn make(live: &mut Live, mode: ContextMode) -> Context {
    let context = match mode {
        ContextMode::IdsOnly => ids_only(live.span_context()),
        _ => {
            let span = AttachedSpan {
                context: live.span_context(),
                shared: live.share(),
            };
            Context::map_current(|current| current.with_span(span))
        }
    };
    let context = without_strangers(context, live.flags.has(Flags::STRANGERS));
    let context = with_baggage(context, live.session.as_deref());
    live.flags.set(Flags::RARE);
    live.context = Some(context.clone());
    context
}

/// The context of an operation that is polled elsewhere.
pub(crate) fn of_handle(shared: &Arc<Shared>, mode: ContextMode) -> Context {
    let identity = shared.identity();
    let context = match mode {
        ContextMode::IdsOnly => ids_only(identity.span_context()),
        _ => {
            let span = AttachedSpan {
                context: identity.span_context(),
                shared: shared.clone(),
            };
            Context::map_current(|current| current.with_span(span))
        }
    };
    let context = without_strangers(context, identity.strangers);
    with_baggage(context, identity.session.as_deref())
}

/// What a layer outside has put into it by headers that are not believed.
fn without_strangers(context: Context, is_strangers: bool) -> Context {
    match is_strangers && !context.baggage().is_empty() {
        true => context.with_cleared_baggage(),
        false => context,
    }
}

fn ids_only(ids: SpanContext) -> Context {
    Context::map_current(|current| current.with_remote_span_context(ids))
}

pub(crate) fn with_baggage(context: Context, session: Option<&Session>) -> Context {
    match session {
        Some(session) if !session.baggage().is_empty() => {
            context.with_baggage(session.baggage().to_otel())
        }
        _ => context,
    }
}

/// The operation behind a span of ours.
pub(crate) struct Found(Arc<Shared>);

impl Found {
    pub(crate) fn identity_for_child(&self) -> Identity {
        self.0.identity_for_child()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.0.identity()
    }
}

#[derive(Default)]
enum Probe {
    #[default]
    Idle,
    Asking,
    Found(Arc<Shared>),
}

thread_local! {
    /// Without a destructor: contexts are dropped in other thread-locals' destructors too. It is idle but for the length of
    /// a question.
    static PROBE: ManuallyDrop<Cell<Probe>> = const { ManuallyDrop::new(Cell::new(Probe::Idle)) };
}

/// Whether the current OpenTelemetry span is one of ours, and then whose. OpenTelemetry hands out no reference to the
/// span object, so it is asked a harmless question (`is_recording`) that ours answers in a thread-local beside.
///
/// Only where the thread [sees](thread::sees_otel) that context.
pub(crate) fn find_current() -> Option<Found> {
    Context::map_current(find_in)
}

/// The same of any context.
pub(crate) fn find_in(context: &Context) -> Option<Found> {
    PROBE.with(|probe| {
        probe.set(Probe::Asking);
        context.span().is_recording();
        match probe.take() {
            Probe::Found(shared) => Some(Found(shared)),
            _ => None,
        }
    })
}
