//! What is written into the record while the operation runs, and read of it.

use crate::attributes::{Key, Set};
use crate::engine::finish;
use crate::engine::live::{Flags, Live};
use crate::event::Event;
use crate::operation::{Active, Operation};
use crate::propagation::TraceParent;
use crate::shared::Shared;
use crate::side::{At, Side, SideBounds};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use std::borrow::Cow;
use std::sync::Arc;

impl Active<'_> {
    /// The text that its owner set last under this key, as long as the record has it: not where there was no room for it, and cut
    /// where that was. For layers that need it once more, and would have to keep it.
    #[doc(hidden)]
    pub fn text(&self, key: Key) -> Option<&str> {
        self.0.attributes.text_of(key.as_str())
    }

    /// The whole number that was set last under this key, unless it was set through a handle.
    pub fn number(&self, key: Key) -> Option<i64> {
        self.0.attributes.number_of(key.as_str())
    }

    /// About so many attributes are set next: room for them is made once.
    #[doc(hidden)]
    pub fn expect(&mut self, attributes: usize) {
        self.0.attributes.reserve(attributes);
    }
}

impl Operation {
    /// Lets go of what OpenTelemetry and handles were shown of it, where nobody has kept that: for layers that go on for long after
    /// they were polled for the last time. Where it is asked for again, it is made again.
    #[doc(hidden)]
    #[inline]
    pub fn withdraw(&mut self) {
        if let Some(live) = &mut self.0
            && (live.context.is_some() || live.flags.has(Flags::SHARED))
        {
            finish::withdraw(live);
        }
    }
}

impl Live {
    /// The text of a label for whose metrics there is no number left: the span has it all the same.
    #[cold]
    #[inline(never)]
    pub(super) fn keep_label(&mut self, index: usize, text: &str) {
        let (kind, limit) = (self.kind, self.kind.bounds.value_bytes as usize);
        if let Some(space) = kind.set.spaces.get(index)
            && space.is_open()
        {
            let text = crate::attributes::cut(text, limit);
            self.side().set_label(index as u8, &text);
        }
    }

    #[inline]
    pub(crate) fn tracestate(&self) -> &str {
        self.attributes
            .text_at(self.tracestate.0, self.tracestate.1)
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, key: Key, value: Set<'_>) {
        if self.attributes.is_long_way() {
            return self.set_the_long_way(key, value);
        }
        self.attributes.push(key, value, &self.kind.bounds);
    }

    /// The attributes are full, or others can write beside them, who must know what was there when they did.
    #[cold]
    #[inline(never)]
    fn set_the_long_way(&mut self, key: Key, value: Set<'_>) {
        let bounds = &self.kind.bounds;
        if self.attributes.is_full(bounds) && !self.make_room(key) {
            return;
        }
        self.attributes.push(key, value, bounds);
        if let Some(shared) = self.shared_part() {
            shared.set_owners(self.attributes.len());
        }
    }

    /// Places shift, and what is written beside them remembers places.
    fn make_room(&mut self, key: Key) -> bool {
        let (bounds, shared) = (&self.kind.bounds, self.shared_part().cloned());
        let (attributes, mut own) = (&mut self.attributes, self.side.as_deref_mut());
        let mut make = |mut beside: Option<&mut Side>| {
            attributes.make_room(key, bounds, |place| {
                for side in [own.as_deref_mut(), beside.as_deref_mut()] {
                    side.into_iter().for_each(|side| side.forget(place));
                }
            });
            attributes.len()
        };
        let left = match shared {
            Some(shared) => shared.renumber(make),
            None => make(None),
        };
        left < bounds.count
    }

    /// What others can reach, if anybody asked for it.
    fn shared_part(&self) -> Option<&Arc<Shared>> {
        self.shared
            .as_ref()
            .filter(|_| self.flags.has(Flags::SHARED))
    }

    /// Writes into the table of what few operations have: the one that others write into where there is one, so that
    /// there is one order.
    pub(crate) fn write_side(&mut self, write: impl FnOnce(&mut Side, &SideBounds)) {
        match self.shared_part() {
            Some(shared) => shared.write(write),
            None => {
                let bounds = &self.kind.engine.config.side;
                write(self.side(), bounds);
            }
        }
    }

    #[inline(always)]
    pub(crate) fn stamp(&mut self, event: Event) {
        if self.level >= event.level() && !self.timeline.has(event) {
            let at = self.kind.clock.ticks().saturating_sub(self.start);
            self.timeline.stamp_first(event, at);
        }
    }

    /// Several event points that coincide share one reading of the clock, which is read only if one of them is wanted.
    #[inline(always)]
    pub(crate) fn stamp_all(&mut self, events: &[Event]) {
        if events.iter().all(|event| self.level < event.level()) {
            return;
        }
        let at = self.kind.clock.ticks().saturating_sub(self.start);
        for event in events {
            if self.level >= event.level() {
                self.timeline.stamp(*event, at);
            }
        }
    }

    pub(crate) fn event(&mut self, name: Cow<'static, str>, attributes: Vec<KeyValue>) {
        let at = At::Ticks(self.kind.engine.clock.ticks());
        self.write_side(|side, bounds| side.add_event(name, at, attributes, bounds));
    }

    #[inline]
    pub(crate) fn trace_parent(&self) -> TraceParent {
        TraceParent {
            trace_id: self.trace_id.into(),
            span_id: self.span_id.into(),
            flags: TraceFlags::new(self.trace_flags),
        }
    }

    pub(crate) fn inject(&self, set: impl FnMut(&'static str, &str)) {
        let session = self.session.as_deref();
        crate::ambient::write(&self.trace_parent(), self.tracestate(), session, set);
    }

    pub(crate) fn span_context(&self) -> SpanContext {
        SpanContext::new(
            TraceId::from(self.trace_id),
            SpanId::from(self.span_id),
            TraceFlags::new(self.trace_flags),
            false,
            match self.tracestate() {
                "" => TraceState::NONE,
                tracestate => tracestate.parse().unwrap_or_default(),
            },
        )
    }
}
