//! A finished operation, shown to redactors before it waits anywhere.

use super::texts::Looking;
use super::{Place, Redaction};
use crate::engine::live::Live;
use crate::propagation::tracestate::MAX_BYTES;
use crate::session::{Session, bounded};
use crate::side::{Side, SideBounds};
use opentelemetry::trace::Status;
use std::sync::Arc;

impl Live {
    /// All its texts. Nobody writes to it any more.
    pub(crate) fn redact(&mut self) {
        let engine = self.kind.engine;
        let Some(by) = engine.looking() else { return };
        // Each key once: where a value goes, what was there before it must not come back.
        self.forget_overwritten();
        let mut side = self.side.take();
        self.attributes.redact(
            &self.kind.bounds,
            |key, text| by.text(Place::SpanAttribute, key.as_str(), text),
            |place| {
                if let Some(side) = &mut side {
                    side.forget(place);
                }
            },
        );
        if let Some(side) = &mut side {
            self.redact_side(side, by, &engine.config.side);
        }
        self.side = side;
        let state = by.text(Place::TraceState, "", self.tracestate());
        match state {
            Redaction::Keep => {}
            Redaction::Replace(text) if text.len() <= MAX_BYTES => {
                self.tracestate = self.attributes.append_text(&text);
            }
            // Half of one is none.
            Redaction::Replace(_) | Redaction::Remove => self.tracestate = (0, 0),
        }
        if let Some(session) = &self.session
            && let Some(left) = session.redacted(Place::SpanAttribute, by)
        {
            self.session = Some(left);
        }
    }

    /// Of the values of a key only the last is kept.
    fn forget_overwritten(&mut self) {
        let mut side = self.side.take();
        if let Some(side) = &mut side {
            let attributes = &self.attributes;
            side.attributes.retain(|own| {
                let (from, key) = (own.owners as usize, own.pair.key.as_str());
                !attributes.holds(from, key)
            });
        }
        let mut index = 0;
        while let Some(key) = self.attributes.key_at(index) {
            let beside = |side: &Side| {
                side.attributes
                    .iter()
                    .any(|own| own.owners as usize > index && own.pair.key.as_str() == key.as_str())
            };
            let again = self.attributes.set_after(index, key.as_str())
                || side.as_deref().is_some_and(beside);
            if again {
                self.attributes.remove(index);
                if let Some(side) = &mut side {
                    side.forget(index as u32);
                }
            } else {
                index += 1;
            }
        }
        self.side = side;
    }

    fn redact_side(&self, side: &mut Side, by: Looking<'_>, bounds: &SideBounds) {
        side.attributes.retain_mut(|own| {
            let key = own.pair.key.as_str().to_owned();
            own.whole || by.value(Place::SpanAttribute, &key, &mut own.pair.value)
        });
        for event in &mut side.events {
            if !by.cow(Place::EventName, "", &mut event.name) {
                event.name = super::WITHHELD.into();
            }
            by.pairs(Place::EventAttribute, &mut event.attributes);
        }
        for link in &mut side.links {
            by.context(&mut link.context);
            by.pairs(Place::LinkAttribute, &mut link.attributes);
        }
        if let Some(name) = &mut side.name
            && !by.cow(Place::SpanName, "", name)
        {
            side.name = None;
        }
        if let Some(Status::Error { description }) = &mut side.status
            && !by.cow(Place::SpanStatus, "", description)
        {
            *description = "".into();
        }
        side.redact_labels(|index, text| {
            let space = self.kind.set.spaces.get(usize::from(index));
            let key = space.map_or("", |space| space.key().as_str());
            by.left(Place::Label, key, text).map(Into::into)
        });
        side.put_right(bounds);
    }
}

impl Session {
    /// What is left of its ids; `None` where it stays as it is.
    pub(crate) fn redacted(&self, place: Place, by: Looking<'_>) -> Option<Arc<Self>> {
        let mut changed = false;
        let [session_id, conversation_id, user_id] = self.ids().map(|(key, id)| {
            let id = id?;
            let left = by.left(place, key.as_str(), id);
            changed |= left.as_deref() != Some(id);
            left.map(|left| bounded(&left))
        });
        changed.then(|| {
            Arc::new(Self {
                session_id,
                conversation_id,
                user_id,
                baggage: self.baggage.clone(),
                notes: self.notes.clone(),
            })
        })
    }
}
