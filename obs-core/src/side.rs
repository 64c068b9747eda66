//! What few operations have: links, events with attributes, and what user code set through a handle or through the
//! current OpenTelemetry span. Bounded; what does not fit is counted.

use crate::event::Event;
use opentelemetry::trace::{SpanContext, Status};
use opentelemetry::{KeyValue, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// The rare parts of a record.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) events: Vec<SideEvent>,
    pub(crate) links: Vec<Link>,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) status: Option<Status>,
    /// Texts of labels that found their sets full, by the labels' indices.
    labels: Vec<(u8, Arc<str>)>,
    /// Event points stamped through a handle, by when: ticks of the telemetry's clock.
    pub(crate) stamps: Vec<(Event, u64)>,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
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
}

impl Side {
    pub(crate) fn set_attribute(&mut self, mut attribute: KeyValue, bounds: &SideBounds) {
        cut_value(&mut attribute.value, bounds.value_bytes);
        if let Some(known) = self
            .attributes
            .iter_mut()
            .find(|known| known.key == attribute.key)
        {
            known.value = attribute.value;
        } else if self.attributes.len() < bounds.attributes {
            self.attributes.push(attribute);
        } else {
            self.dropped_attributes += 1;
        }
    }

    pub(crate) fn add_event(
        &mut self,
        name: Cow<'static, str>,
        at: At,
        attributes: Vec<KeyValue>,
        bounds: &SideBounds,
    ) {
        if self.events.len() >= bounds.events {
            self.dropped_events += 1;
            return;
        }
        let (attributes, dropped_attributes) = bounded(attributes, bounds);
        self.events.push(SideEvent {
            name,
            at,
            attributes,
            dropped_attributes,
        });
    }

    pub(crate) fn add_link(
        &mut self,
        context: SpanContext,
        attributes: Vec<KeyValue>,
        bounds: &SideBounds,
    ) {
        if self.links.len() >= bounds.links {
            self.dropped_links += 1;
            return;
        }
        let (attributes, dropped_attributes) = bounded(attributes, bounds);
        self.links.push(Link {
            context,
            attributes,
            dropped_attributes,
        });
    }

    /// Of one label the last text counts.
    pub(crate) fn set_label(&mut self, index: u8, text: &str) {
        self.labels.retain(|(known, _)| *known != index);
        self.labels.push((index, text.into()));
    }

    /// What a label that found its set full says.
    pub(crate) fn label(&self, index: usize) -> Option<&Arc<str>> {
        let mut labels = self.labels.iter();
        labels
            .find(|(known, _)| usize::from(*known) == index)
            .map(|(_, text)| text)
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
    pub(crate) fn set_status(&mut self, status: Status) {
        if status > *self.status.as_ref().unwrap_or(&Status::Unset) {
            self.status = Some(status);
        }
    }

    /// Adds what was written on another thread.
    pub(crate) fn merge(&mut self, other: Self, bounds: &SideBounds) {
        for attribute in other.attributes {
            self.set_attribute(attribute, bounds);
        }
        let room = bounds.events.saturating_sub(self.events.len());
        self.dropped_events +=
            other.dropped_events + other.events.len().saturating_sub(room) as u32;
        self.events.extend(other.events.into_iter().take(room));
        let room = bounds.links.saturating_sub(self.links.len());
        self.dropped_links += other.dropped_links + other.links.len().saturating_sub(room) as u32;
        self.links.extend(other.links.into_iter().take(room));
        self.dropped_attributes += other.dropped_attributes;
        if other.name.is_some() {
            self.name = other.name;
        }
        if let Some(status) = other.status {
            self.set_status(status);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        let of = |attributes: &[KeyValue]| attributes.iter().map(key_value_bytes).sum::<usize>();
        let labels: usize = self.labels.iter().map(|(_, text)| text.len()).sum();
        size_of::<Self>()
            + labels
            + of(&self.attributes)
            + self
                .events
                .iter()
                .map(|event| size_of::<SideEvent>() + of(&event.attributes))
                .sum::<usize>()
            + self
                .links
                .iter()
                .map(|link| size_of::<Link>() + of(&link.attributes))
                .sum::<usize>()
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

pub(crate) fn key_value_bytes(attribute: &KeyValue) -> usize {
    let value = match &attribute.value {
        Value::String(text) => text.as_str().len(),
        Value::Array(opentelemetry::Array::String(list)) => {
            list.iter().map(|text| text.as_str().len() + 24).sum()
        }
        Value::Array(opentelemetry::Array::Bool(list)) => list.len(),
        Value::Array(opentelemetry::Array::I64(list)) => list.len() * 8,
        Value::Array(opentelemetry::Array::F64(list)) => list.len() * 8,
        _ => 0,
    };
    size_of::<KeyValue>() + attribute.key.as_str().len() + value
}

/// Lists are bounded too: in elements by the attribute limit's spirit, in bytes by the value limit.
fn cut_value(value: &mut Value, limit: usize) {
    const LONGEST_LIST: usize = 1024;
    match value {
        Value::String(text) if text.as_str().len() > limit => {
            *value = crate::attributes::cut(text.as_str(), limit)
                .into_owned()
                .into();
        }
        Value::Array(opentelemetry::Array::String(list)) => {
            list.truncate(LONGEST_LIST);
            for text in list.iter_mut().filter(|text| text.as_str().len() > limit) {
                *text = crate::attributes::cut(text.as_str(), limit)
                    .into_owned()
                    .into();
            }
        }
        Value::Array(opentelemetry::Array::Bool(list)) => list.truncate(LONGEST_LIST),
        Value::Array(opentelemetry::Array::I64(list)) => list.truncate(LONGEST_LIST),
        Value::Array(opentelemetry::Array::F64(list)) => list.truncate(LONGEST_LIST),
        _ => {}
    }
}
