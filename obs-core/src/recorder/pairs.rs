//! The attributes of a record as pairs of OpenTelemetry's API, without those that a span was given before.

use crate::attributes::Scalar;
use crate::engine::kind::Kind;
use crate::label::{LabelId, LabelRef, Labels, Space};
use crate::record::{Record, Sink};
use opentelemetry::{KeyValue, Value};
use std::sync::Arc;

/// All of them.
pub(crate) fn attributes_of(record: &Record<'_>) -> Vec<KeyValue> {
    new_ones(record, &[])
}

/// Those that `given` has not, or with another value. Collected before anybody is told: labels are read behind a lock.
pub(super) fn new_ones(record: &Record<'_>, given: &[KeyValue]) -> Vec<KeyValue> {
    let mut pairs = Pairs {
        given,
        next: 0,
        new: Vec::with_capacity(ROOM),
    };
    record.walk(&mut pairs);
    pairs.new
}

/// What an HTTP exchange has.
const ROOM: usize = 14;

struct Pairs<'g> {
    given: &'g [KeyValue],
    /// Where in `given` the next one is: the order is the same, but for what has come in between.
    next: usize,
    new: Vec<KeyValue>,
}

impl Pairs<'_> {
    /// Whether it was given. The value is compared as it lies there, so that nothing is copied for what is not needed.
    fn was_given(&mut self, key: &str, same: impl Fn(&Value) -> bool) -> bool {
        let is_it = |pair: &KeyValue| pair.key.as_str() == key && same(&pair.value);
        if self.given.get(self.next).is_some_and(is_it) {
            self.next += 1;
            return true;
        }
        match self.given.iter().position(is_it) {
            Some(place) => {
                self.next = place + 1;
                true
            }
            None => false,
        }
    }

    fn text(&mut self, key: &'static str, text: &str) {
        let same = |value: &Value| matches!(value, Value::String(known) if known.as_str() == text);
        if !self.was_given(key, same) {
            // Counted, because the span and whoever remembers what it was given share it.
            self.new.push(KeyValue::new(key, Arc::<str>::from(text)));
        }
    }

    fn value(&mut self, key: &'static str, value: Value) {
        if !self.was_given(key, |known| *known == value) {
            self.new.push(KeyValue::new(key, value));
        }
    }
}

impl Sink for Pairs<'_> {
    fn labels(&mut self, kind: &'static Kind, labels: Labels) {
        for (index, space) in kind.spaces() {
            self.label(space, labels.get(index));
        }
    }

    fn label(&mut self, space: &Space, id: LabelId) {
        let key = space.key().as_str();
        space.read(id, |value| match value {
            LabelRef::Text(text) => self.text(key, text),
            LabelRef::Number(number) => self.value(key, number.into()),
            LabelRef::Bool(flag) => self.value(key, flag.into()),
        });
    }

    fn scalar(&mut self, key: &'static str, value: Scalar<'_>) {
        match value {
            Scalar::Bool(flag) => self.value(key, flag.into()),
            Scalar::I64(number) => self.value(key, number.into()),
            Scalar::F64(number) => self.value(key, number.into()),
            Scalar::Text(text) => self.text(key, std::str::from_utf8(text).unwrap_or_default()),
            Scalar::Ip(address) => self.text(key, &address.to_string()),
        }
    }

    fn pair(&mut self, attribute: &KeyValue) {
        if !self.was_given(attribute.key.as_str(), |known| *known == attribute.value) {
            self.new.push(attribute.clone());
        }
    }
}
