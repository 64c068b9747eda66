//! An operation: it starts, reports events, and ends exactly once.

mod head;
mod writing;

use crate::attributes::{Key, Set};
use crate::engine::finish::finish;
use crate::engine::kind::Kind;
use crate::engine::live::{Flags, Live, Reason};
use crate::engine::local::Local;
use crate::event::Event;
use crate::handle::OpRef;
use crate::label::{LabelId, LabelValue, Labels};
use crate::level::StatsLevel;
use crate::outcome::Outcome;
use crate::parent::Parent;
use crate::propagation::baggage::{Allow, Baggage};
use crate::propagation::tracestate::TraceState as RemoteState;
use crate::propagation::{Remote, TraceParent};
use crate::semconv;
use crate::session::Session;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanContext;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A running operation. Owned, `Send`, one pointer wide; dropping it records a cancelled operation.
///
/// At [`StatsLevel::Disabled`] and after shutdown it is empty and every call on it is a no-op.
#[must_use = "dropping it records a cancelled operation"]
#[derive(Debug)]
pub struct Operation(pub(crate) Option<Box<Live>>);

impl Kind {
    /// Starts an operation of this kind. `labels` may be set later too, except for those of the in-flight gauge.
    pub fn start(&'static self, labels: Labels, parent: Parent<'_>) -> Operation {
        self.start_with(labels, None, parent)
    }

    /// The same with one more label given as text (the route, the method): its number is looked up on the way. Inlined,
    /// for layers that call it in one place.
    #[inline(always)]
    pub fn start_with(
        &'static self,
        mut labels: Labels,
        text: Option<(usize, &str)>,
        parent: Parent<'_>,
    ) -> Operation {
        let engine = self.engine;
        let start = self.clock.ticks();
        let mut local = engine.take_local();
        if let Some((index, text)) = text
            && let Some(space) = self.set.spaces.get(index)
        {
            match local.known(space, text) {
                Some(id) => labels = labels.with(index, id),
                None => {
                    let words = (labels.0[0], labels.0[1]);
                    return self.start_unmet(local, start, words, (index, text), parent);
                }
            }
        }
        let level = self.level_of(labels);
        // No closure: it would be kept out of line with all that it captures in memory.
        let live = if level == StatsLevel::Disabled {
            None
        } else {
            Some(self.begin(&mut local, (start, level), labels, &parent))
        };
        engine.put_local(local);
        Operation(live)
    }

    /// The same with a text that is a label only if it was met before or is configured; says whether it was. For layers that anybody
    /// can ask for anything.
    #[doc(hidden)]
    #[inline(always)]
    pub fn start_if_known(
        &'static self,
        mut labels: Labels,
        (index, text): (usize, &str),
        parent: Parent<'_>,
    ) -> (Operation, bool) {
        let start = self.clock.ticks();
        let mut local = self.engine.take_local();
        let space = self.set.spaces.get(index);
        let Some(id) = space.and_then(|space| local.known(space, text)) else {
            self.engine.put_local(local);
            return self.start_elsewhere_known(labels, (index, text), parent);
        };
        labels = labels.with(index, id);
        let level = self.level_of(labels);
        let live = if level == StatsLevel::Disabled {
            None
        } else {
            Some(self.begin(&mut local, (start, level), labels, &parent))
        };
        self.engine.put_local(local);
        (Operation(live), true)
    }

    #[cold]
    #[inline(never)]
    fn start_elsewhere_known(
        &'static self,
        labels: Labels,
        (index, text): (usize, &str),
        parent: Parent<'_>,
    ) -> (Operation, bool) {
        match self.known_label(index, text) {
            Some(id) => (self.start(labels.with(index, id), parent), true),
            None => (self.start_unnamed(labels, text, parent), false),
        }
    }

    /// The same with a text that this thread has not met, or for which there is no number left. All by value: what is passed by
    /// its place would lie in memory for the others too.
    #[cold]
    #[inline(never)]
    fn start_unmet(
        &'static self,
        mut local: Box<Local>,
        start: u64,
        labels: (u64, u64),
        (index, text): (usize, &str),
        parent: Parent<'_>,
    ) -> Operation {
        let id = match self.set.spaces.get(index) {
            Some(space) => local.intern(space, text),
            None => LabelId::ABSENT,
        };
        let labels = Labels([labels.0, labels.1]).with(index, id);
        let level = match id {
            LabelId::OVERFLOW if self.descriptor.method == Some(index) => {
                self.level_of_name(labels, text)
            }
            _ => self.level_of(labels),
        };
        let mut live = (level != StatsLevel::Disabled)
            .then(|| self.begin(&mut local, (start, level), labels, &parent));
        self.engine.put_local(local);
        if let Some(live) = &mut live
            && id == LabelId::OVERFLOW
        {
            live.keep_label(index, text);
        }
        Operation(live)
    }

    /// [`start`](Self::start) of a method that has no number yet, because anybody can ask for any: its level is that of its
    /// group, so that it has one from its first operation on.
    #[doc(hidden)]
    #[cold]
    #[inline(never)]
    pub fn start_unnamed(
        &'static self,
        labels: Labels,
        method: &str,
        parent: Parent<'_>,
    ) -> Operation {
        let start = self.clock.ticks();
        let level = self.level_of_name(labels, method);
        if level == StatsLevel::Disabled {
            return Operation(None);
        }
        let mut local = self.engine.take_local();
        let live = self.begin(&mut local, (start, level), labels, &parent);
        self.engine.put_local(local);
        Operation(Some(live))
    }

    #[inline(always)]
    fn begin(
        &'static self,
        local: &mut Local,
        (start, level): (u64, StatsLevel),
        labels: Labels,
        parent: &Parent<'_>,
    ) -> Box<Live> {
        let engine = self.engine;
        let mut live = local.take(self);
        live.kind = self;
        live.start = start;
        live.end = u64::MAX;
        live.labels = labels;
        live.level = level;
        live.reason = Reason::None;
        live.measured = 0;
        live.inherit(parent);
        if engine.config.asks_first {
            live.ask_first(local);
        } else {
            live.random_ids(&mut local.rng);
        }
        if live.flags.has(Flags::UNDECIDED) {
            live.decide_head(&engine.sampler);
        }
        if let Some((gauge, mask)) = &self.gauge {
            let owned = local.owned;
            let (index, slot) = local.series(gauge, labels.masked(*mask));
            live.in_flight = slot.series;
            live.in_flight_slot = index;
            if let Some(cells) = &slot.cells {
                cells.add(0, 1, owned);
            }
        }
        live
    }
}

/// What can be said about a running operation by whoever holds it: its owner, or code that runs inside it
/// ([`current`](crate::current)).
#[derive(Debug)]
pub struct Active<'a>(pub(crate) &'a mut Live);

impl Active<'_> {
    /// Sets an attribute; the last value of a key wins.
    #[inline(always)]
    pub fn set<'v>(&mut self, key: Key, value: impl Into<Set<'v>>) {
        self.0.set(key, value.into());
    }

    /// Sets an attribute to text that lives as long as the program: kept by pointer, not copied.
    #[inline(always)]
    pub fn set_static(&mut self, key: Key, value: &'static str) {
        self.0.set(key, Set::Static(value));
    }

    /// Sets an attribute whose key is made at run time, or whose value is a list. Allocates.
    pub fn set_dynamic(&mut self, attribute: KeyValue) {
        self.0
            .write_side(|side, bounds| side.set_attribute(attribute, bounds));
    }

    /// Sets an attribute whose text is of a format that a cut or a redactor would break, as JSON is: it is exported as it stands,
    /// or, where the operation has no room for it, not at all. Who sets it has shown each text in it to
    /// [`Telemetry::redact`](crate::Telemetry::redact). An SDK's span is told it as it stands, too.
    pub fn set_whole(&mut self, attribute: KeyValue) {
        self.0
            .write_side(|side, bounds| side.set_whole(attribute, bounds));
    }

    /// Stamps an event point. The first stamp of an event counts; below the event's level nothing happens.
    #[inline(always)]
    pub fn stamp(&mut self, event: Event) {
        self.0.stamp(event);
    }

    /// Stamps event points that coincide, with one reading of the clock.
    #[inline(always)]
    pub fn stamp_all(&mut self, events: &[Event]) {
        self.0.stamp_all(events);
    }

    /// Adds an event with attributes. Allocates; for moments without attributes see [`stamp`](Self::stamp).
    pub fn add_event(&mut self, name: impl Into<Cow<'static, str>>, attributes: Vec<KeyValue>) {
        self.0.event(name.into(), attributes);
    }

    /// Adds an `exception` event, by the conventions for exceptions. It does not decide the outcome.
    pub fn record_exception(&mut self, kind: &str, message: &str, stacktrace: Option<&str>) {
        let attributes = crate::handle::exception_attributes(kind, message, stacktrace);
        self.0.event(semconv::exception::EVENT.into(), attributes);
    }

    /// Adds a link to another span.
    pub fn add_link(&mut self, context: SpanContext, attributes: Vec<KeyValue>) {
        self.0
            .write_side(|side, bounds| side.add_link(context, attributes, bounds));
    }

    /// Sets a label. Those of the in-flight gauge are fixed at the start: changing one here changes the other metrics
    /// and the span only.
    #[inline(always)]
    pub fn set_label(&mut self, index: usize, value: LabelId) {
        self.0.labels = self.0.labels.with(index, value);
    }

    /// Sets a label by its text, through this thread's cache. Where the label's set is full the span has the text all the same.
    #[inline]
    pub fn set_label_text(&mut self, index: usize, value: &str) {
        let id = self.0.kind.label(index, value);
        self.set_label(index, id);
        if id == LabelId::OVERFLOW {
            self.0.keep_label(index, value);
        }
    }

    /// A label as it was last set.
    #[inline(always)]
    pub fn label(&self, index: usize) -> LabelId {
        self.0.labels.get(index)
    }

    /// Sets a measure: its `index` in [`Descriptor::measures`](crate::Descriptor::measures).
    #[inline(always)]
    pub fn set_measure(&mut self, index: usize, value: u64) {
        if let Some(slot) = self.0.measures.get_mut(index) {
            *slot = value;
            self.0.measured |= 1 << index;
        }
    }

    /// A label as it is exported: see [`Record::label_value`](crate::Record::label_value). For the end of an operation: it takes a
    /// lock and hold of the text.
    pub fn label_value(&self, index: usize) -> Option<LabelValue> {
        let id = self.0.labels.get(index);
        let kept = { self.0.side.as_deref() }
            .filter(|_| id == LabelId::OVERFLOW)
            .and_then(|side| side.label(index));
        match kept {
            Some(text) => Some(LabelValue::Text(text.clone())),
            None => self.0.kind.set.spaces.get(index)?.resolve(id),
        }
    }

    /// A measure as it was last set.
    #[inline(always)]
    pub fn measure(&self, index: usize) -> Option<u64> {
        let value = self.0.measures.get(index)?;
        (self.0.measured & 1 << index != 0).then_some(*value)
    }

    /// Takes over what is allowed of a trusted caller's baggage: it names session, conversation and user, goes on with outgoing calls, and
    /// becomes attributes as far as [`Allow::permits_attribute`] says.
    pub fn carry_baggage(&mut self, baggage: Baggage, allow: &Allow) {
        let baggage = baggage.keep(allow);
        if baggage.is_empty() {
            return;
        }
        for entry in baggage.iter() {
            if !Session::names(entry.key) && allow.permits_attribute(entry.key) {
                self.set_dynamic(KeyValue::new(entry.key.to_owned(), entry.value.to_string()));
            }
        }
        self.set_session(Session::from_baggage(baggage));
    }

    /// Session, conversation and user it is done for; children that start from now on carry them too, and what is sent from now on their
    /// baggage. OpenTelemetry's context has it from the next time on that the operation becomes current: the next poll.
    pub fn set_session(&mut self, session: Session) {
        self.0.set_session(session);
    }

    /// Session, conversation and user it is done for, as they were set last or came from its parent.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.0.session.as_ref()
    }

    /// What baggage there is in OpenTelemetry's context came from a stranger: it is not seen while the operation is current.
    /// So it is anyway where the parent is [linked only](crate::Trust::LinkOnly).
    pub fn clear_baggage(&mut self) {
        self.0.clear_baggage();
    }

    /// Keeps it although the head decision left it out.
    #[inline]
    pub fn force_keep(&mut self) {
        self.0.flags.set(Flags::FORCED);
    }

    /// Names the span, instead of the kind's rule.
    pub fn set_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.0
            .write_side(|side, bounds| side.set_name(name.into(), bounds));
    }

    /// From `after` on, ending by being dropped counts as timed out and not as cancelled. Observes only.
    pub fn set_deadline(&mut self, after: Duration) {
        self.0.end = self.0.start.saturating_add(self.0.kind.engine.ticks(after));
    }

    /// From now on, ending by being dropped means `outcome` and not cancelled: whoever drops it has got what it
    /// wanted, or knows already that it failed. A panic still is one, and so is a deadline that has passed, unless the
    /// outcome is an error of its own.
    pub fn set_dropped(&mut self, outcome: Outcome) {
        self.0.flags.set(Flags::FORESEEN);
        self.0.ended = outcome.end();
        self.0.error = outcome.error();
    }

    /// Its ids, as OpenTelemetry's type.
    pub fn span_context(&mut self) -> SpanContext {
        self.0.settle();
        self.0.span_context()
    }

    /// Its ids, to be propagated. Allocates nothing.
    #[inline]
    pub fn trace_parent(&mut self) -> TraceParent {
        self.0.settle();
        self.0.trace_parent()
    }

    /// The `tracestate` that goes with [`trace_parent`](Self::trace_parent); empty if there is none.
    pub fn trace_state(&mut self) -> &str {
        self.0.settle();
        self.0.tracestate()
    }

    /// Code of users that it called panicked.
    #[cold]
    pub(crate) fn count_panic(&self) {
        self.0.kind.engine.counts.panics.add(1);
    }

    /// Whether an outgoing call carries more than a `traceparent`: [`inject`](Self::inject) writes it.
    #[doc(hidden)]
    #[inline]
    pub fn carries_more(&self) -> bool {
        self.0.tracestate.1 != 0 || self.0.session.is_some()
    }

    /// Writes what an outgoing call carries, as the W3C's headers: `traceparent`, and `tracestate` and `baggage` where
    /// there are any. Allocates nothing of its own.
    pub fn inject(&mut self, set: impl FnMut(&'static str, &str)) {
        self.0.settle();
        self.0.inject(set);
    }

    /// The same for any propagator: [`Telemetry::propagator`](crate::Telemetry::propagator) writes it into a carrier.
    pub fn outgoing(&mut self) -> Remote {
        let tracestate = RemoteState::from_headers([self.trace_state().as_bytes()]);
        Remote {
            parent: Some(self.trace_parent()),
            tracestate: tracestate.ok().flatten(),
            baggage: self
                .0
                .session
                .as_ref()
                .map_or(Baggage::EMPTY, |session| session.baggage.clone()),
            ..Remote::default()
        }
    }

    /// A handle for other tasks and threads, and for children that start there.
    pub fn handle(&mut self) -> OpRef {
        OpRef::of(self.0)
    }

    /// Its labels as they are now.
    #[inline(always)]
    pub fn labels(&self) -> Labels {
        self.0.labels
    }

    /// The level it reports at.
    #[inline(always)]
    pub fn level(&self) -> StatsLevel {
        self.0.level
    }

    /// What kind it is.
    pub fn kind(&self) -> &'static Kind {
        self.0.kind
    }
}

impl Operation {
    /// An operation that records nothing.
    pub const fn disabled() -> Self {
        Self(None)
    }

    /// Whether it records anything.
    #[inline(always)]
    pub fn is_recording(&self) -> bool {
        self.0.is_some()
    }

    /// Access while nobody else has it: `None` where it is disabled.
    #[inline(always)]
    pub fn active(&mut self) -> Option<Active<'_>> {
        self.0.as_deref_mut().map(Active)
    }

    /// Sets an attribute; the last value of a key wins.
    #[inline(always)]
    pub fn set<'v>(&mut self, key: Key, value: impl Into<Set<'v>>) {
        if let Some(live) = &mut self.0 {
            live.set(key, value.into());
        }
    }

    /// Stamps an event point: see [`Active::stamp`].
    #[inline(always)]
    pub fn stamp(&mut self, event: Event) {
        if let Some(live) = &mut self.0 {
            live.stamp(event);
        }
    }

    /// A handle for other tasks and threads: `None` where it is disabled.
    pub fn handle(&mut self) -> Option<OpRef> {
        self.active().map(|mut active| active.handle())
    }

    /// Ends it.
    #[inline]
    pub fn end(mut self, outcome: Outcome) {
        if let Some(live) = self.0.take() {
            finish(live, outcome);
        }
    }

    /// Ends it if it has not ended, and leaves it empty: for owners that cannot give it away.
    #[inline]
    pub fn end_in_place(&mut self, outcome: Outcome) {
        if let Some(live) = self.0.take() {
            finish(live, outcome);
        }
    }

    /// Ends it as whoever drops it would: panicked if a poll unwound, as foreseen if that is an error, timed out if its
    /// deadline has passed, as foreseen, cancelled otherwise.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_dropped(mut live: Box<Live>) -> Outcome {
        let outcome = Self::if_dropped(&mut live);
        finish(live, outcome);
        outcome
    }

    /// How it would end if it were dropped now: `None` where it has ended. For layers that say more of such an ending.
    #[doc(hidden)]
    #[cold]
    pub fn outcome_if_dropped(&mut self) -> Option<Outcome> {
        self.0.as_deref_mut().map(Self::if_dropped)
    }

    fn if_dropped(live: &mut Live) -> Outcome {
        if std::thread::panicking() {
            live.flags.set(Flags::PANICKED);
        }
        let foreseen = live.flags.has(Flags::FORESEEN).then_some(Outcome {
            end: live.ended,
            error: live.error,
        });
        if live.flags.has(Flags::PANICKED) {
            Outcome::PANICKED
        } else if let Some(error) = foreseen.filter(|outcome| outcome.is_error()) {
            error
        } else if live.end <= live.kind.engine.clock.ticks() {
            Outcome::TIMED_OUT
        } else {
            foreseen.unwrap_or(Outcome::CANCELLED)
        }
    }
}

impl Drop for Operation {
    #[inline]
    fn drop(&mut self) {
        if let Some(live) = self.0.take() {
            Self::end_dropped(live);
        }
    }
}
