//! A handle to an operation that others own.

use crate::attached;
use crate::attributes::{Key, Set};
use crate::context::ContextMode;
use crate::engine::Engine;
use crate::engine::live::{Flags, Live, TraceFamily};
use crate::event::Event;
use crate::instrument::Within;
use crate::scope::InScope;
use crate::semconv;
use crate::session::Session;
use crate::shared::{Identity, Shared};
use crate::side::At;
use crate::thread;
use opentelemetry::trace::SpanContext;
use opentelemetry::{Context, KeyValue, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// A handle to an operation that somebody else owns: cloneable, for any task or thread. It does not keep the
/// operation running; what is written through it after the end is counted as a late call and nothing else.
#[derive(Clone, Debug)]
pub struct OpRef(pub(crate) Arc<Shared>);

impl OpRef {
    pub(crate) fn of(live: &mut Live) -> Self {
        live.family_for_child();
        Self(live.share())
    }

    /// Sets an attribute. Allocates, behind a lock that only handles of the same operation use.
    pub fn set_attribute(&self, attribute: KeyValue) {
        self.0
            .write(|side, bounds| side.set_attribute(attribute, bounds));
    }

    /// Adds an event.
    pub fn add_event(&self, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
        let at = At::Ticks(self.0.engine().clock.ticks());
        self.0
            .write(|side, bounds| side.add_event(name.into(), at, attributes, bounds));
    }

    /// Adds an `exception` event, by the conventions for exceptions. It does not decide the outcome.
    pub fn record_exception(&self, kind: &str, message: &str, stacktrace: Option<&str>) {
        let attributes = exception_attributes(kind, message, stacktrace);
        self.add_event(semconv::exception::EVENT, attributes);
    }

    /// Stamps an event point. Of all stamps of an event the earliest counts; below the event's level nothing happens.
    pub fn stamp(&self, event: Event) {
        let at = self.0.engine().clock.ticks();
        self.0.write(|side, _| side.stamp(event, at));
    }

    /// Adds a link.
    pub fn add_link(&self, context: SpanContext, attributes: Vec<KeyValue>) {
        self.0
            .write(|side, bounds| side.add_link(context, attributes, bounds));
    }

    /// Sets an attribute of the owner's kind.
    pub(crate) fn set(&self, key: Key, value: Set<'_>) {
        self.0.write(|side, bounds| match to_value(value) {
            Some(value) => side.set_attribute(KeyValue::new(key.as_str(), value), bounds),
            None => side.dropped_attributes += 1,
        });
    }

    /// Whether the operation still runs.
    pub fn is_running(&self) -> bool {
        self.0.is_open()
    }

    /// Its ids, readable after its end too.
    pub fn span_context(&self) -> SpanContext {
        self.0.identity().span_context()
    }

    /// Session, conversation and user of the operation.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.0.identity().session
    }

    /// Session, conversation and user it is done for, as [`Active::set_session`](crate::Active::set_session) sets them, for whoever
    /// has no more of it than this: children that start through a handle or where it is in scope carry them, and the operation has
    /// them when it ends.
    pub fn set_session(&self, session: Session) {
        self.0.give_session(session);
    }

    /// Runs `work` as part of the operation, also on another thread: it is the current one there, and what is started
    /// becomes its child. See [`current`](crate::current) for what can be said about it.
    pub fn in_scope<R>(&self, work: impl FnOnce() -> R) -> R {
        let _scope = InScope::enter(self, self.context());
        work()
    }

    /// [`in_scope`](Self::in_scope) for whoever works in it again and again, as one that is polled does: with what OpenTelemetry is
    /// [shown](Self::otel_context), which is made once.
    #[doc(hidden)]
    pub fn in_scope_shown<R>(&self, shown: Option<&Context>, work: impl FnOnce() -> R) -> R {
        let _scope = InScope::enter(self, shown.cloned());
        work()
    }

    /// Polls `future` as part of the operation, as [`in_scope`](Self::in_scope) does: for `spawn`. Not `instrument`, which
    /// `tracing::Instrument` gives to every value, and by which it would come before ours.
    pub fn wrap<F: Future>(&self, future: F) -> Within<F> {
        Within::new(Some(self.clone()), future)
    }

    /// The context of OpenTelemetry's that has it as the current span, for whoever cannot nest scopes strictly, as
    /// [`in_scope`](Self::in_scope) does: while it is attached, what begins is within the operation. None in
    /// [`ContextMode::Off`].
    #[doc(hidden)]
    pub fn otel_context(&self) -> Option<Context> {
        self.context()
    }

    /// What OpenTelemetry is shown of it, as far as it is; nothing on a thread that is past its context.
    pub(crate) fn context(&self) -> Option<Context> {
        let mode = self.0.engine().config.context;
        (mode != ContextMode::Off && thread::sees_otel())
            .then(|| attached::of_handle(&self.0, mode))
    }

    pub(crate) fn identity_for_child(&self) -> Identity {
        self.0.identity_for_child()
    }
}

/// As a value of its own; `None` for bytes that are no text.
fn to_value(value: Set<'_>) -> Option<Value> {
    Some(match value {
        Set::Bool(value) => value.into(),
        Set::I64(value) => value.into(),
        Set::F64(value) => value.into(),
        Set::Static(text) => text.into(),
        Set::Ip(address) => address.to_string().into(),
        Set::Copied(text) => text.to_owned().into(),
        Set::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.to_owned().into(),
    })
}

/// By the conventions for exceptions.
pub(crate) fn exception_attributes(
    kind: &str,
    message: &str,
    stacktrace: Option<&str>,
) -> Vec<KeyValue> {
    use semconv::exception as keys;
    let mut attributes = vec![
        KeyValue::new(keys::TYPE.as_str(), kind.to_owned()),
        KeyValue::new(keys::MESSAGE.as_str(), message.to_owned()),
    ];
    if let Some(stacktrace) = stacktrace {
        attributes.push(KeyValue::new(
            keys::STACKTRACE.as_str(),
            stacktrace.to_owned(),
        ));
    }
    attributes
}

impl Live {
    /// The part that others can reach, made at first use and used again by the next operation of this record.
    pub(crate) fn share(&mut self) -> Arc<Shared> {
        self.settle();
        if self.flags.has(Flags::SHARED)
            && let Some(shared) = &self.shared
        {
            return shared.clone();
        }
        self.flags.set(Flags::SHARED);
        self.flags.set(Flags::RARE);
        let identity = self.identity();
        let shared = match self.shared.take() {
            Some(shared) if Arc::strong_count(&shared) == 1 => {
                shared.reopen(identity);
                shared
            }
            _ => Arc::new(Shared::new(identity)),
        };
        shared.set_owners(self.attributes.len());
        self.attributes.watch();
        self.shared = Some(shared.clone());
        shared
    }

    /// Nobody sees what baggage is around it, by a handle or an attached context either.
    pub(crate) fn clear_baggage(&mut self) {
        self.flags.set(Flags::STRANGERS);
        if self.flags.has(Flags::SHARED)
            && let Some(shared) = &self.shared
        {
            shared.clear_baggage();
        }
        // The next poll's is made without.
        self.context = None;
    }

    /// Children that start through a handle or an attached context get it too.
    pub(crate) fn set_session(&mut self, session: Session) {
        let users = &self.kind.engine.config.user_ids;
        self.session = Some(match &self.shared {
            Some(shared) if self.flags.has(Flags::SHARED) => shared.set_session(session, users),
            _ => session.instead_of(self.session.as_deref(), users),
        });
        // The next poll's is made with its baggage.
        self.context = None;
        self.watch_session();
    }

    /// That of its parent. Another telemetry may show less of its user.
    #[inline(never)]
    pub(crate) fn join_session(&mut self, session: &Arc<Session>, of: &'static Engine) {
        let engine = self.kind.engine;
        self.session = Some(match std::ptr::eq(engine, of) {
            true => session.clone(),
            false => session.left_by(&engine.config.user_ids),
        });
        self.watch_session();
    }

    /// It was set through a handle.
    pub(crate) fn take_session(&mut self, session: Arc<Session>) {
        self.session = Some(session);
        self.watch_session();
    }

    fn watch_session(&mut self) {
        if self.kind.engine.witnesses.are_there() {
            self.flags.set(Flags::WITNESSED);
        }
    }

    fn identity(&self) -> Identity {
        let sampled = self.flags.has(Flags::SAMPLED);
        let family = if self.flags.has(Flags::LEADS) {
            &self.family
        } else {
            &self.joined
        };
        Identity {
            engine: self.kind.engine,
            trace_id: self.trace_id,
            span_id: self.span_id,
            trace_flags: self.trace_flags,
            sampled,
            recorded: !self.flags.has(Flags::UNRECORDED),
            descriptor: Some(self.kind.descriptor),
            tracestate: (self.tracestate.1 > 0).then(|| self.tracestate().into()),
            family: family.clone(),
            session: self.session.clone(),
            around: self.around_child(),
            strangers: self.flags.has(Flags::STRANGERS),
            started: self.start,
        }
    }

    /// The family that a child of this operation belongs to: none where the head decision keeps everything, or a provider decides.
    pub(crate) fn family_for_child(&mut self) -> Option<Arc<TraceFamily>> {
        if self.flags.has(Flags::SAMPLED.or(Flags::SDK)) {
            return None;
        }
        if self.joined.is_some() {
            return self.joined.clone();
        }
        if !self.flags.has(Flags::LEADS) {
            self.lead();
        }
        self.family.clone()
    }

    #[inline(never)]
    fn lead(&mut self) {
        self.flags.set(Flags::LEADS);
        if self.flags.has(Flags::SHARED)
            && let Some(shared) = &self.shared
        {
            // A handle may have needed it first.
            self.family = shared.identity_for_child().family;
            return;
        }
        match &self.family {
            Some(family) if Arc::strong_count(family) == 1 => family.reset(self.start),
            _ => {
                let family = Arc::new(TraceFamily::new(self.start));
                self.kind.engine.parked.list(&family);
                self.family = Some(family);
            }
        }
    }
}
