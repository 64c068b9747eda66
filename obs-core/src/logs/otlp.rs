//! One event as a log record: typed attributes, the message as the body.

use super::core::text_of;
use super::fields::{Fields, MESSAGE, Name, Value, sources};
use super::json::{Kept, KeptValue};
use super::limits::Limits;
use super::site::Site;
use crate::ambient::Ambient;
use crate::attributes::Key;
use crate::log_event::{Body, LogEvent};
use crate::semconv::{code, exception, obs};
use opentelemetry::{Array, KeyValue, StringValue};
use std::borrow::Cow;
use std::fmt::{self, Write};

pub(super) fn event(
    site: &Site,
    ambient: Option<&Ambient>,
    attributes: Attributes<'_>,
    now: u64,
) -> LogEvent {
    let mut event = LogEvent::new(site.name, attributes.body).with_severity(site.severity);
    event.unix_nanos = now;
    event.scope = site.scope;
    event.attributes = attributes.list;
    if attributes.cut > 0 {
        let cut = i64::try_from(attributes.cut).unwrap_or(i64::MAX);
        let cut = KeyValue::new(obs::LOG_CUT_FIELDS.as_str(), cut);
        event.attributes.push(cut);
    }
    let ids = ambient.map(|ambient| ambient.ids);
    event.trace_id = ids.map(|ids| ids.trace_id);
    event.span_id = ids.map(|ids| ids.span_id);
    event.trace_flags = ids.map_or(0, |ids| ids.flags.to_u8());
    // Of the place that logged, not of this one, which may be another's who tells what was held back.
    event.session = ambient.and_then(|ambient| ambient.session.clone());
    event
}

pub(super) fn place(event: &mut LogEvent, site: &Site) {
    if let Some(file) = &site.file {
        event.attributes.push(text(code::FILE_PATH, file));
    }
    if let Some(line) = site.line {
        let line = KeyValue::new(code::LINE_NUMBER.as_str(), i64::from(line));
        event.attributes.push(line);
    }
}

pub(super) fn text(key: Key, text: &str) -> KeyValue {
    KeyValue::new(key.as_str(), text.to_owned())
}

/// The attributes of an event.
#[derive(Debug)]
pub(super) struct Attributes<'a> {
    limits: &'a Limits,
    body: Body,
    list: Vec<KeyValue>,
    own: usize,
    cut: u64,
    pub(super) panics: u64,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            body: Body::Empty,
            list: Vec::new(),
            own: 0,
            cut: 0,
            panics: 0,
        }
    }

    pub(super) fn say(&mut self, message: &str) {
        self.body = Body::Text(message.to_owned());
    }

    /// The event's own are all there; what comes now is of the spans around it.
    pub(super) fn end_own(&mut self) {
        self.own = self.list.len();
    }

    /// The fields of a span around it, the outermost first: what lies deeper comes before it, and the event's own before all.
    pub(super) fn around(&mut self, fields: &[Kept]) {
        for (name, value) in fields {
            let known = |known: &KeyValue| known.key.as_str() == *name;
            match self.list.iter().position(known) {
                Some(index) if index < self.own => {}
                Some(index) => self.list[index].value = self.attribute(value.borrowed()),
                None => self.field(Name::Static(name), value.borrowed()),
            }
        }
    }

    fn attribute(&mut self, value: Value<'_>) -> opentelemetry::Value {
        match value {
            Value::Bool(value) => value.into(),
            Value::I64(value) => value.into(),
            Value::F64(value) => value.into(),
            Value::U64(value) if i64::try_from(value).is_ok() => (value as i64).into(),
            other => text_of(other, self.limits.value, &mut self.panics).into(),
        }
    }
}

impl Fields for Attributes<'_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        if name.as_str() == MESSAGE && self.body == Body::Empty {
            self.body = Body::Text(text_of(value, self.limits.value, &mut self.panics));
            return;
        }
        if self.list.len() >= self.limits.fields {
            self.cut += 1;
            return;
        }
        let key = match name {
            Name::Static(name) => Cow::Borrowed(name),
            Name::Text(name) => crate::attributes::cut(name, 256).into_owned().into(),
        };
        if let Value::Error(error) = value {
            self.error(&key, error);
        }
        let value = self.attribute(value);
        self.set(key, value);
    }
}

impl Attributes<'_> {
    /// The keys of a log record are unique, by the rules of OTLP: of fields that share a name the last one counts.
    fn set(&mut self, key: Cow<'static, str>, value: opentelemetry::Value) {
        let known = |known: &&mut KeyValue| known.key.as_str() == key;
        match self.list.iter_mut().find(known) {
            Some(known) => known.value = value,
            None => self.list.push(KeyValue::new(key, value)),
        }
    }

    /// Its text under the name of the conventions too, and where it came from.
    fn error(&mut self, key: &str, error: &(dyn std::error::Error + 'static)) {
        let named = |list: &[KeyValue], name: &str| list.iter().any(|own| own.key.as_str() == name);
        let message = exception::MESSAGE.as_str();
        if key != message && !named(&self.list, message) {
            let text = text_of(Value::Error(error), self.limits.value, &mut self.panics);
            self.list.push(KeyValue::new(message, text));
        }
        let sources: Vec<StringValue> = sources(error)
            .map(|source| text_of(Value::Error(source), self.limits.value, &mut self.panics).into())
            .collect();
        if !sources.is_empty() {
            let list = opentelemetry::Value::Array(Array::String(sources));
            self.list
                .push(KeyValue::new(format!("{key}.sources"), list));
        }
    }
}

/// The fields of a span, formatted.
#[derive(Debug)]
pub(super) struct Keeping<'a> {
    limits: &'a Limits,
    pub(super) fields: Vec<Kept>,
    panics: u64,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            fields: Vec::new(),
            panics: 0,
        }
    }
}

impl Fields for Keeping<'_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        let Name::Static(name) = name else { return };
        if self.fields.len() >= self.limits.fields {
            return;
        }
        let value = match value {
            Value::Bool(value) => KeptValue::Bool(value),
            Value::I64(value) => KeptValue::I64(value),
            Value::U64(value) => KeptValue::U64(value),
            Value::F64(value) => KeptValue::F64(value),
            other => KeptValue::Text(text_of(other, self.limits.value, &mut self.panics).into()),
        };
        self.fields.push((name, value));
    }
}

/// Text up to a number of bytes; what is left out is counted.
#[derive(Debug)]
pub(super) struct Bounded {
    text: String,
    most: usize,
    cut: usize,
}

impl Bounded {
    pub(super) fn new(most: usize) -> Self {
        Self {
            text: String::new(),
            most,
            cut: 0,
        }
    }

    /// The text, and how many bytes of it are missing.
    pub(super) fn into_parts(self) -> (String, usize) {
        (self.text, self.cut)
    }

    pub(super) fn finish(mut self, mark: &str) -> String {
        if self.cut > 0 {
            let _ = write!(self.text, "…[+{} bytes]", self.cut);
        }
        self.text.push_str(mark);
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = if self.cut > 0 {
            0
        } else {
            self.most - self.text.len()
        };
        let taken = super::escape::floor(text, room);
        self.text.push_str(&text[..taken]);
        self.cut += text.len() - taken;
        Ok(())
    }
}
