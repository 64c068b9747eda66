//! What the `OTEL_*` limits leave of a record: counted and cut where it is handed out, over all the places it lies in.
//!
//! While an operation runs, each place has bounds of its own, in bytes and in number; those are there for memory's sake and
//! are never narrower than these.

use super::{Record, Sink};
use crate::attributes::Scalar;
use crate::engine::kind::Kind;
use crate::label::{LabelId, LabelRef, Labels, Space};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use std::borrow::Cow;

/// How much of a span is exported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) attributes: usize,
    pub(crate) events: usize,
    pub(crate) links: usize,
    pub(crate) per_event: usize,
    pub(crate) per_link: usize,
    /// Of a text; [`usize::MAX`] where nobody set one.
    pub(crate) characters: usize,
}

impl Default for Limits {
    /// `trace/sdk.md` of the specification, §"Span limits".
    fn default() -> Self {
        Self {
            attributes: 128,
            events: 128,
            links: 128,
            per_event: 128,
            per_link: 128,
            characters: usize::MAX,
        }
    }
}

impl Limits {
    /// Of the attributes of an event or a link: those that are exported, and how many are not.
    pub(super) fn of<'a>(
        &self,
        attributes: &'a [KeyValue],
        most: usize,
    ) -> (Cow<'a, [KeyValue]>, u32) {
        let (shown, over) = attributes.split_at(attributes.len().min(most));
        let short = |pair: &KeyValue| shortened(&pair.value, self.characters).is_none();
        if self.characters == usize::MAX || shown.iter().all(short) {
            return (shown.into(), over.len() as u32);
        }
        let pairs = shown.iter().map(|pair| {
            let cut = shortened(&pair.value, self.characters);
            KeyValue::new(pair.key.clone(), cut.unwrap_or_else(|| pair.value.clone()))
        });
        (pairs.collect(), over.len() as u32)
    }
}

impl<'a> Record<'a> {
    pub(crate) fn limits(&self) -> &'static Limits {
        &self.live.kind.engine.config.limits
    }

    /// Whether its attributes may be more than are exported; where not, nobody counts them.
    #[inline(always)]
    pub(super) fn may_have_too_many(&self) -> bool {
        let side = self
            .live
            .side
            .as_ref()
            .map_or(0, |side| side.attributes.len());
        // Labels, measures, what the session has, why it was kept.
        const ELSEWHERE: usize = 8 + 4 + 3 + 2;
        self.live.attributes.entries().len() + side + ELSEWHERE > self.limits().attributes
    }

    /// Attributes beyond the limit.
    pub(super) fn attributes_over(&self) -> u32 {
        if self.may_have_too_many() {
            self.walk_limited(&mut Nobody)
        } else {
            0
        }
    }

    /// Hands `sink` what the limits leave, and says how many attributes they do not.
    #[cold]
    #[inline(never)]
    pub(super) fn walk_limited(&self, sink: &mut dyn Sink) -> u32 {
        let limits = self.limits();
        let mut limited = Limited {
            sink,
            left: limits.attributes,
            characters: limits.characters,
            over: 0,
        };
        self.walk_all(&mut limited);
        limited.over
    }
}

/// Counts and cuts on the way.
struct Limited<'s> {
    sink: &'s mut dyn Sink,
    left: usize,
    characters: usize,
    over: u32,
}

impl Limited<'_> {
    fn has_room(&mut self) -> bool {
        let room = self.left > 0;
        self.left -= usize::from(room);
        self.over += u32::from(!room);
        room
    }
}

impl Sink for Limited<'_> {
    fn labels(&mut self, kind: &'static Kind, labels: Labels) {
        for (index, space) in kind.spaces() {
            let id = labels.get(index);
            if id != LabelId::ABSENT {
                self.label(space, id);
            }
        }
    }

    fn label(&mut self, space: &Space, id: LabelId) {
        if !self.has_room() {
            return;
        }
        // Only read within: the values are behind a lock, and the sink reads them, too.
        let cut = space.read(id, |value| match value {
            LabelRef::Text(text) => cut(text, self.characters).map(str::to_owned),
            _ => None,
        });
        match cut.flatten() {
            Some(text) => {
                let text = Scalar::Text(text.as_bytes());
                self.sink.scalar(space.key().as_str(), text);
            }
            None => self.sink.label(space, id),
        }
    }

    fn scalar(&mut self, key: &'static str, value: Scalar<'_>) {
        if !self.has_room() {
            return;
        }
        let address;
        let text = match value {
            Scalar::Text(text) => std::str::from_utf8(text).unwrap_or_default(),
            Scalar::Ip(ip) => {
                address = ip.to_string();
                &address
            }
            _ => "",
        };
        match cut(text, self.characters) {
            Some(text) => self.sink.scalar(key, Scalar::Text(text.as_bytes())),
            None => self.sink.scalar(key, value),
        }
    }

    fn pair(&mut self, attribute: &KeyValue) {
        if !self.has_room() {
            return;
        }
        match shortened(&attribute.value, self.characters) {
            Some(value) => {
                let cut = KeyValue::new(attribute.key.clone(), value);
                self.sink.pair(&cut);
            }
            None => self.sink.pair(attribute),
        }
    }
}

/// Takes nothing, for those who only count.
struct Nobody;

impl Sink for Nobody {
    fn labels(&mut self, _: &'static Kind, _: Labels) {}
    fn label(&mut self, _: &Space, _: LabelId) {}
    fn scalar(&mut self, _: &'static str, _: Scalar<'_>) {}
    fn pair(&mut self, _: &KeyValue) {}
}

/// The first characters of a text that has more.
fn cut(text: &str, characters: usize) -> Option<&str> {
    if text.len() <= characters {
        return None;
    }
    let (end, _) = text.char_indices().nth(characters)?;
    text.get(..end)
}

/// The value with its texts cut, if any of them is too long.
fn shortened(value: &Value, characters: usize) -> Option<Value> {
    match value {
        Value::String(text) => cut(text.as_str(), characters).map(|cut| cut.to_owned().into()),
        Value::Array(Array::String(list)) => {
            let cut = |text: &StringValue| cut(text.as_str(), characters).map(str::to_owned);
            list.iter().any(|text| cut(text).is_some()).then(|| {
                let each = |text: &StringValue| cut(text).map_or_else(|| text.clone(), Into::into);
                Value::Array(Array::String(list.iter().map(each).collect()))
            })
        }
        _ => None,
    }
}
