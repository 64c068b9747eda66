//! What few operations have: links, events with attributes, and what user code set through a handle or through the
//! current OpenTelemetry span. Bounded; what does not fit is counted.

use crate::event::Event;
use crate::recorder::BegunSpan;
use opentelemetry::trace::{SpanContext, Status};
use opentelemetry::{KeyValue, StringValue, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// The rare parts of a record.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) attributes: Vec<SideAttribute>,
    /// How many attributes the operation's owner has set by now.
    pub(crate) owners: u32,
    /// Of attributes, events and links.
    bytes: usize,
    pub(crate) events: Vec<SideEvent>,
    pub(crate) links: Vec<Link>,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) status: Option<Status>,
    /// Where a provider records spans.
    pub(crate) span: Option<Box<BegunSpan>>,
    /// Texts of labels that found their sets full, by the labels' indices.
    labels: Vec<(u8, Arc<str>)>,
    /// Event points stamped through a handle, by when: ticks of the telemetry's clock.
    pub(crate) stamps: Vec<(Event, u64)>,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
}

/// An attribute beside those of the owner.
#[derive(Debug, Clone)]
pub(crate) struct SideAttribute {
    pub(crate) pair: KeyValue,
    /// How many attributes the owner had set when it was written: it beats those, and later ones beat it.
    pub(crate) owners: u32,
    /// It is not cut, and not seen again: whoever wrote it has seen to both.
    pub(crate) whole: bool,
}

/// An event with attributes: an exception, or one that user code added.
#[derive(Debug, Clone)]
pub(crate) struct SideEvent {
    pub(crate) name: Cow<'static, str>,
    pub(crate) at: At,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) dropped_attributes: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// Ticks of the telemetry's clock.
    Ticks(u64),
    /// A time that user code gave.
    Unix(u64),
}

#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) context: SpanContext,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) dropped_attributes: u32,
}

/// What bounds the rare parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SideBounds {
    pub(crate) attributes: usize,
    pub(crate) events: usize,
    pub(crate) links: usize,
    pub(crate) per_event: usize,
    pub(crate) value_bytes: usize,
    /// Of all attributes, events and links of one operation, with what they take in memory.
    pub(crate) total_bytes: usize,
}

impl Side {
    pub(crate) fn set_attribute(&mut self, mut pair: KeyValue, bounds: &SideBounds) {
        cut_value(&mut pair.value, bounds.value_bytes);
        let owners = self.owners;
        let whole = false;
        self.put(
            SideAttribute {
                pair,
                owners,
                whole,
            },
            bounds,
        );
    }

    pub(crate) fn set_whole(&mut self, pair: KeyValue, bounds: &SideBounds) {
        let owners = self.owners;
        let whole = true;
        self.put(
            SideAttribute {
                pair,
                owners,
                whole,
            },
            bounds,
        );
    }

    fn put(&mut self, attribute: SideAttribute, bounds: &SideBounds) {
        let key = &attribute.pair.key;
        let known = self
            .attributes
            .iter()
            .position(|known| known.pair.key == *key);
        if let Some(known) = known {
            self.bytes -= self.attributes[known].bytes();
        }
        let room = known.is_some() || self.attributes.len() < bounds.attributes;
        match (known, room && self.take_bytes(attribute.bytes(), bounds)) {
            (Some(known), true) => self.attributes[known] = attribute,
            (None, true) => self.attributes.push(attribute),
            (known, false) => {
                // What it said before is no longer true.
                if let Some(known) = known {
                    self.attributes.remove(known);
                }
                self.dropped_attributes += 1;
            }
        }
    }

    /// Whether there is room for as many more.
    fn take_bytes(&mut self, bytes: usize, bounds: &SideBounds) -> bool {
        let room = self.bytes.saturating_add(bytes) <= bounds.total_bytes;
        if room {
            self.bytes += bytes;
        }
        room
    }

    /// The owner's attribute at this place is gone, and those behind it have moved up.
    pub(crate) fn forget(&mut self, place: u32) {
        for attribute in &mut self.attributes {
            if attribute.owners > place {
                attribute.owners -= 1;
            }
        }
    }

    pub(crate) fn add_event(
        &mut self,
        name: Cow<'static, str>,
        at: At,
        attributes: Vec<KeyValue>,
        bounds: &SideBounds,
    ) {
        let (attributes, dropped_attributes) = bounded(attributes, bounds);
        let event = SideEvent {
            name: cut_text(name, bounds.value_bytes),
            at,
            attributes,
            dropped_attributes,
        };
        self.push_event(event, bounds);
    }

    fn push_event(&mut self, event: SideEvent, bounds: &SideBounds) {
        if self.events.len() < bounds.events && self.take_bytes(event.bytes(), bounds) {
            self.events.push(event);
        } else {
            self.dropped_events += 1;
        }
    }

    pub(crate) fn add_link(
        &mut self,
        context: SpanContext,
        attributes: Vec<KeyValue>,
        bounds: &SideBounds,
    ) {
        let (attributes, dropped_attributes) = bounded(attributes, bounds);
        let link = Link {
            context,
            attributes,
            dropped_attributes,
        };
        self.push_link(link, bounds);
    }

    fn push_link(&mut self, link: Link, bounds: &SideBounds) {
        if self.links.len() < bounds.links && self.take_bytes(link.bytes(), bounds) {
            self.links.push(link);
        } else {
            self.dropped_links += 1;
        }
    }

    pub(crate) fn set_name(&mut self, name: Cow<'static, str>, bounds: &SideBounds) {
        self.name = Some(cut_text(name, bounds.value_bytes));
    }

    /// Of one label the last text counts.
    pub(crate) fn set_label(&mut self, index: u8, text: &str) {
        self.labels.retain(|(known, _)| *known != index);
        self.labels.push((index, text.into()));
    }

    /// They were those of another kind.
    pub(crate) fn forget_labels(&mut self) {
        self.labels.clear();
    }

    /// What a label that found its set full says.
    pub(crate) fn label(&self, index: usize) -> Option<&Arc<str>> {
        let mut labels = self.labels.iter();
        labels
            .find(|(known, _)| usize::from(*known) == index)
            .map(|(_, text)| text)
    }

    /// Each of those, and what is left of it: where nothing is, it reads as all that found no room.
    pub(crate) fn redact_labels(&mut self, see: impl Fn(u8, &str) -> Option<Arc<str>>) {
        self.labels.retain_mut(|(index, text)| {
            let left = see(*index, text);
            left.is_some_and(|left| {
                *text = left;
                true
            })
        });
    }

    /// After others have changed its texts: none is longer than a value may be, and it knows what it holds.
    pub(crate) fn put_right(&mut self, bounds: &SideBounds) {
        // What was cut when it was written has its mark behind it.
        let limit = bounds.value_bytes.saturating_add(crate::attributes::MARK);
        let cut = |text: &mut Cow<'static, str>| *text = cut_text(std::mem::take(text), limit);
        for own in self.attributes.iter_mut().filter(|own| !own.whole) {
            cut_value(&mut own.pair.value, limit);
        }
        for event in &mut self.events {
            cut(&mut event.name);
            for pair in &mut event.attributes {
                cut_value(&mut pair.value, limit);
            }
        }
        for pair in self.links.iter_mut().flat_map(|link| &mut link.attributes) {
            cut_value(&mut pair.value, limit);
        }
        self.name.iter_mut().for_each(&cut);
        if let Some(Status::Error { description }) = &mut self.status {
            cut(description);
        }
        let attributes: usize = self.attributes.iter().map(SideAttribute::bytes).sum();
        let events: usize = self.events.iter().map(SideEvent::bytes).sum();
        let links: usize = self.links.iter().map(Link::bytes).sum();
        self.bytes = attributes + events + links;
        if self.bytes > bounds.total_bytes {
            self.make_room(bounds);
        }
    }

    /// What does not fit any more goes, the last first.
    fn make_room(&mut self, bounds: &SideBounds) {
        self.bytes = 0;
        for attribute in std::mem::take(&mut self.attributes) {
            self.put(attribute, bounds);
        }
        for event in std::mem::take(&mut self.events) {
            self.push_event(event, bounds);
        }
        for link in std::mem::take(&mut self.links) {
            self.push_link(link, bounds);
        }
    }

    pub(crate) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// The first stamp of an event counts, so there are never more than events.
    pub(crate) fn stamp(&mut self, event: Event, at: u64) {
        if !self.stamps.iter().any(|(known, _)| *known == event) {
            self.stamps.push((event, at));
        }
    }

    /// The order of the conventions: Ok is final, Error beats unset, and setting it to unset says nothing.
    pub(crate) fn set_status(&mut self, status: Status, bounds: &SideBounds) {
        if status > *self.status.as_ref().unwrap_or(&Status::Unset) {
            self.status = Some(match status {
                Status::Error { description } => Status::Error {
                    description: cut_text(description, bounds.value_bytes),
                },
                other => other,
            });
        }
    }

    /// Adds what was written through handles and the attached span, all of it after what is here.
    pub(crate) fn merge(&mut self, other: Self, bounds: &SideBounds) {
        for attribute in other.attributes {
            self.put(attribute, bounds);
        }
        for event in other.events {
            self.push_event(event, bounds);
        }
        for link in other.links {
            self.push_link(link, bounds);
        }
        self.dropped_events += other.dropped_events;
        self.dropped_links += other.dropped_links;
        self.dropped_attributes += other.dropped_attributes;
        if other.name.is_some() {
            self.name = other.name;
        }
        if let Some(status) = other.status {
            self.set_status(status, bounds);
        }
    }

    /// What its lists have beyond what is in them.
    fn room(&self) -> usize {
        (self.attributes.capacity() - self.attributes.len()) * size_of::<SideAttribute>()
            + (self.events.capacity() - self.events.len()) * size_of::<SideEvent>()
            + (self.links.capacity() - self.links.len()) * size_of::<Link>()
            + self.labels.capacity() * size_of::<(u8, Arc<str>)>()
            + self.stamps.capacity() * size_of::<(Event, u64)>()
    }

    pub(crate) fn bytes(&self) -> usize {
        let description = match &self.status {
            Some(Status::Error { description }) => description.len(),
            _ => 0,
        };
        let name = self.name.as_ref().map_or(0, |name| name.len());
        let labels: usize = self.labels.iter().map(|(_, text)| text.len()).sum();
        size_of::<Self>() + self.bytes + self.room() + name + description + labels
    }
}

impl SideAttribute {
    fn bytes(&self) -> usize {
        size_of::<u64>() + key_value_bytes(&self.pair)
    }
}

impl SideEvent {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + pairs_bytes(&self.attributes)
    }
}

impl Link {
    fn bytes(&self) -> usize {
        let state = self.context.trace_state().header().len();
        size_of::<Self>() + state + pairs_bytes(&self.attributes)
    }
}

/// The text itself where it is short enough.
fn cut_text(text: Cow<'static, str>, limit: usize) -> Cow<'static, str> {
    if text.len() > limit {
        return crate::attributes::cut(&text, limit).into_owned().into();
    }
    match text {
        // It has room for more than it may say.
        Cow::Owned(long) if long.capacity() > limit => long.into_boxed_str().into_string().into(),
        text => text,
    }
}

fn bounded(mut attributes: Vec<KeyValue>, bounds: &SideBounds) -> (Vec<KeyValue>, u32) {
    let dropped = attributes.len().saturating_sub(bounds.per_event);
    attributes.truncate(bounds.per_event);
    for attribute in &mut attributes {
        cut_value(&mut attribute.value, bounds.value_bytes);
    }
    (attributes, dropped as u32)
}

/// With the room that is left.
pub(crate) fn pairs_bytes(pairs: &Vec<KeyValue>) -> usize {
    let room = pairs.capacity() - pairs.len();
    let all: usize = pairs.iter().map(key_value_bytes).sum();
    all + room * size_of::<KeyValue>()
}

pub(crate) fn key_value_bytes(attribute: &KeyValue) -> usize {
    let value = match &attribute.value {
        Value::String(text) => text.as_str().len(),
        Value::Array(opentelemetry::Array::String(list)) => {
            let texts: usize = list.iter().map(|text| text.as_str().len()).sum();
            list.capacity() * size_of::<StringValue>() + texts
        }
        Value::Array(opentelemetry::Array::Bool(list)) => list.capacity(),
        Value::Array(opentelemetry::Array::I64(list)) => list.capacity() * 8,
        Value::Array(opentelemetry::Array::F64(list)) => list.capacity() * 8,
        _ => 0,
    };
    size_of::<KeyValue>() + attribute.key.as_str().len() + value
}

/// Lists are bounded too: in elements by the attribute limit's spirit, in bytes by the value limit.
pub(crate) fn cut_value(value: &mut Value, limit: usize) {
    match value {
        Value::String(text) if text.as_str().len() > limit => {
            *text = crate::attributes::cut(text.as_str(), limit)
                .into_owned()
                .into();
        }
        Value::Array(opentelemetry::Array::String(list)) => {
            let missing = list.len().saturating_sub(LONGEST_LIST);
            // One beyond is the mark of those that were cut before.
            let cut = missing > 1;
            list.truncate(LONGEST_LIST + usize::from(!cut));
            for text in list.iter_mut().filter(|text| text.as_str().len() > limit) {
                *text = crate::attributes::cut(text.as_str(), limit)
                    .into_owned()
                    .into();
            }
            if cut {
                list.push(format!("…[+{missing} elements]").into());
            }
            shorten(list, LONGEST_LIST + 1);
        }
        Value::Array(opentelemetry::Array::Bool(list)) => shorten(list, LONGEST_LIST),
        Value::Array(opentelemetry::Array::I64(list)) => shorten(list, LONGEST_LIST),
        Value::Array(opentelemetry::Array::F64(list)) => shorten(list, LONGEST_LIST),
        _ => {}
    }
}

/// Elements of one list.
const LONGEST_LIST: usize = 1024;

/// Room that nothing is in is held, too.
fn shorten<T>(list: &mut Vec<T>, most: usize) {
    list.truncate(most);
    if list.capacity() > 2 * most {
        list.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::Array;

    fn cut_list(list: impl Into<Array>) -> Array {
        let mut value = Value::Array(list.into());
        cut_value(&mut value, 32);
        // As after redactors.
        cut_value(&mut value, 32);
        match value {
            Value::Array(list) => list,
            other => panic!("no list: {other:?}"),
        }
    }

    #[test]
    fn a_list_that_is_cut_does_not_hold_what_it_was() {
        let Array::I64(list) = cut_list(vec![7_i64; 1 << 20]) else {
            panic!("no numbers");
        };
        assert_eq!(list.len(), LONGEST_LIST);
        assert!(list.capacity() <= 2 * LONGEST_LIST, "{}", list.capacity());
        let mut roomy = Vec::with_capacity(1 << 20);
        roomy.push(true);
        let Array::Bool(list) = cut_list(roomy) else {
            panic!("no truth values");
        };
        assert!(list.capacity() <= 2 * LONGEST_LIST, "{}", list.capacity());
        let pair = KeyValue::new("list", Value::Array(Array::F64(Vec::with_capacity(1000))));
        assert!(key_value_bytes(&pair) >= 8000);
    }

    #[test]
    fn a_list_of_texts_that_is_cut_says_how_many_are_missing() {
        let of = |texts: usize| -> Vec<StringValue> { vec!["ab".into(); texts] };
        for (texts, left) in [(1024, 1024), (1025, 1025), (1026, 1025), (5000, 1025)] {
            let Array::String(list) = cut_list(of(texts)) else {
                panic!("no texts");
            };
            assert_eq!(list.len(), left);
            let last = list.last().map(StringValue::as_str);
            match texts {
                1024 | 1025 => assert_eq!(last, Some("ab")),
                _ => {
                    let mark = format!("…[+{} elements]", texts - LONGEST_LIST);
                    assert_eq!(last, Some(&*mark));
                }
            }
        }
    }

    #[test]
    fn a_name_does_not_hold_more_than_it_may_say() {
        let mut name = String::with_capacity(1 << 20);
        name.push('x');
        let Cow::Owned(name) = cut_text(name.into(), 1024) else {
            panic!("owned");
        };
        assert!(name.capacity() <= 1024 && name == "x");
    }
}
