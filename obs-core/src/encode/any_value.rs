//! Attributes and bodies: OTLP's `KeyValue` and `AnyValue`.

use super::protobuf::{Buffer, Wire, message, tag, varint_len};
use crate::attributes::Scalar;
use crate::label::LabelRef;
use crate::log_event::Body;
use opentelemetry::{Array, KeyValue, Value};
use std::fmt::{self, Write};
use std::net::IpAddr;

mod field {
    pub(super) const KEY: u8 = 1;
    pub(super) const VALUE: u8 = 2;
    pub(super) const STRING: u8 = 1;
    pub(super) const BOOL: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const DOUBLE: u8 = 4;
    pub(super) const ARRAY: u8 = 5;
    pub(super) const MAP: u8 = 6;
    pub(super) const BYTES: u8 = 7;
    /// Of `ArrayValue` and `KeyValueList`.
    pub(super) const VALUES: u8 = 1;
}

/// Below this many levels of lists and maps a body is cut off. Each level is up to three messages, and decoders stop
/// at a depth of 100.
pub(crate) const DEEPEST: usize = 24;

impl Buffer {
    /// An attribute under `field` of whatever message is open.
    #[inline(always)]
    pub(crate) fn attribute(&mut self, field: u8, key: &str, value: Scalar<'_>) {
        match value {
            Scalar::Bool(value) => self.attribute_small(field, key, &[BOOL, u8::from(value)]),
            Scalar::I64(value) => self.attribute_i64(field, key, value),
            Scalar::F64(value) => {
                let mut any = [DOUBLE; 9];
                any[1..].copy_from_slice(&value.to_le_bytes());
                self.attribute_small(field, key, &any);
            }
            Scalar::Text(text) => self.attribute_text(field, key, text),
            Scalar::Ip(address) => {
                let text = AddressText::of(address);
                self.attribute_text(field, key, text.as_bytes());
            }
        }
    }

    /// An attribute with a text, which is UTF-8.
    #[inline(always)]
    fn attribute_text(&mut self, field: u8, key: &str, text: &[u8]) {
        let any = 1 + varint_len(text.len()) + text.len();
        let pair = key_len(key) + 1 + varint_len(any) + any;
        // What nearly all attributes are: every length fits in one byte.
        if pair < 0x80 && !key.is_empty() {
            self.raw(&[message(field), pair as u8, KEY, key.len() as u8]);
            self.raw(key.as_bytes());
            self.raw(&[VALUE, any as u8, STRING, text.len() as u8]);
            self.raw(text);
            return;
        }
        self.long_text(field, key, text, pair, any);
    }

    #[inline(never)]
    fn long_text(&mut self, field: u8, key: &str, text: &[u8], pair: usize, any: usize) {
        self.raw(&[message(field)]);
        self.varint(pair as u64);
        self.text(field::KEY, key);
        self.raw(&[VALUE]);
        self.varint(any as u64);
        self.bytes(field::STRING, text);
    }

    #[inline(always)]
    fn attribute_i64(&mut self, field: u8, key: &str, value: i64) {
        // A negative number takes ten bytes, as protobuf's `int64` has it.
        let mut any = [INT; 11];
        let mut rest = value as u64;
        let mut len = 1;
        while rest >= 0x80 {
            any[len] = rest as u8 | 0x80;
            rest >>= 7;
            len += 1;
        }
        any[len] = rest as u8;
        self.attribute_small(field, key, &any[..=len]);
    }

    /// An attribute whose value is encoded already and is shorter than 128 bytes.
    #[inline(always)]
    fn attribute_small(&mut self, field: u8, key: &str, any: &[u8]) {
        let pair = key_len(key) + 2 + any.len();
        self.raw(&[message(field)]);
        self.varint(pair as u64);
        self.text(field::KEY, key);
        self.raw(&[VALUE, any.len() as u8]);
        self.raw(any);
    }

    pub(crate) fn key_value(&mut self, field: u8, attribute: &KeyValue) {
        self.pair(field, attribute.key.as_str(), &attribute.value);
    }

    pub(crate) fn pair(&mut self, field: u8, key: &str, value: &Value) {
        match value {
            Value::Bool(value) => self.attribute(field, key, Scalar::Bool(*value)),
            Value::I64(value) => self.attribute(field, key, Scalar::I64(*value)),
            Value::F64(value) => self.attribute(field, key, Scalar::F64(*value)),
            Value::String(text) => {
                self.attribute(field, key, Scalar::Text(text.as_str().as_bytes()));
            }
            Value::Array(list) => self.nested::<1>(field, |pair| {
                pair.text(field::KEY, key);
                pair.nested::<1>(field::VALUE, |any| any.list(list));
            }),
            // A kind of value that came after this code: the key without a value says at least that it was there.
            _ => self.nested::<1>(field, |pair| {
                pair.text(field::KEY, key);
                pair.bytes(field::VALUE, &[]);
            }),
        }
    }

    pub(crate) fn label(&mut self, field: u8, key: &str, value: LabelRef<'_>) {
        match value {
            LabelRef::Text(text) => self.attribute(field, key, Scalar::Text(text.as_bytes())),
            LabelRef::Number(number) => self.attribute(field, key, Scalar::I64(number)),
            LabelRef::Bool(value) => self.attribute(field, key, Scalar::Bool(value)),
        }
    }

    fn list(&mut self, list: &Array) {
        self.nested::<1>(field::ARRAY, |values| match list {
            Array::Bool(list) => list
                .iter()
                .for_each(|value| values.bytes(field::VALUES, &[BOOL, u8::from(*value)])),
            Array::I64(list) => list
                .iter()
                .for_each(|value| values.nested::<1>(field::VALUES, |any| any.int(*value))),
            Array::F64(list) => list.iter().for_each(|value| {
                values.nested::<1>(field::VALUES, |any| {
                    any.fixed64(field::DOUBLE, value.to_bits());
                });
            }),
            Array::String(list) => list.iter().for_each(|text| {
                values.nested::<1>(field::VALUES, |any| {
                    any.bytes(field::STRING, text.as_str().as_bytes());
                });
            }),
            _ => {}
        });
    }

    /// Written even if 0: inside a `oneof` the field says which kind it is.
    fn int(&mut self, value: i64) {
        self.raw(&[INT]);
        self.varint(value as u64);
    }

    /// An `AnyValue` under `field`; left out if there is nothing.
    pub(crate) fn body(&mut self, field: u8, body: &Body) {
        if *body != Body::Empty {
            self.nested::<1>(field, |any| any.any(body, DEEPEST));
        }
    }

    /// An attribute that is a map, or a list of maps.
    pub(crate) fn structured(&mut self, field: u8, key: &str, value: &Body) {
        self.nested::<1>(field, |pair| {
            pair.text(field::KEY, key);
            pair.nested::<1>(field::VALUE, |any| any.any(value, DEEPEST));
        });
    }

    fn any(&mut self, body: &Body, levels: usize) {
        match body {
            Body::Empty => {}
            Body::Bool(value) => self.raw(&[BOOL, u8::from(*value)]),
            Body::I64(value) => self.int(*value),
            Body::F64(value) => self.fixed64(field::DOUBLE, value.to_bits()),
            Body::Text(text) => self.bytes(field::STRING, text.as_bytes()),
            Body::Bytes(bytes) => self.bytes(field::BYTES, bytes),
            Body::List(_) | Body::Map(_) if levels == 0 => {
                self.bytes(field::STRING, TOO_DEEP.as_bytes());
            }
            Body::List(list) => self.nested::<1>(field::ARRAY, |values| {
                for item in list {
                    values.nested::<1>(field::VALUES, |any| any.any(item, levels - 1));
                }
            }),
            Body::Map(map) => self.nested::<1>(field::MAP, |values| {
                for (key, item) in map {
                    values.nested::<1>(field::VALUES, |pair| {
                        pair.text(field::KEY, key);
                        pair.nested::<1>(field::VALUE, |any| any.any(item, levels - 1));
                    });
                }
            }),
        }
    }
}

/// What stands in for what is nested deeper than [`DEEPEST`].
const TOO_DEEP: &str = "…[nested too deeply]";

/// The same for the values of the SDK's log records.
#[cfg(feature = "sdk")]
mod of_sdk {
    use super::{BOOL, Buffer, TOO_DEEP, field};
    use opentelemetry::logs::AnyValue;

    impl Buffer {
        /// What a `KeyValue` holds.
        pub(crate) fn pair_of_sdk(&mut self, key: &str, value: &AnyValue, levels: usize) {
            self.text(field::KEY, key);
            self.nested::<1>(field::VALUE, |any| any.any_of_sdk(value, levels));
        }

        /// What an `AnyValue` holds.
        pub(crate) fn any_of_sdk(&mut self, value: &AnyValue, levels: usize) {
            match value {
                AnyValue::Boolean(value) => self.raw(&[BOOL, u8::from(*value)]),
                AnyValue::Int(value) => self.int(*value),
                AnyValue::Double(value) => self.fixed64(field::DOUBLE, value.to_bits()),
                AnyValue::String(text) => self.bytes(field::STRING, text.as_str().as_bytes()),
                AnyValue::Bytes(bytes) => self.bytes(field::BYTES, bytes),
                AnyValue::ListAny(_) | AnyValue::Map(_) if levels == 0 => {
                    self.bytes(field::STRING, TOO_DEEP.as_bytes());
                }
                AnyValue::ListAny(list) => self.nested::<1>(field::ARRAY, |values| {
                    for item in list.iter() {
                        values.nested::<1>(field::VALUES, |any| any.any_of_sdk(item, levels - 1));
                    }
                }),
                AnyValue::Map(map) => self.nested::<1>(field::MAP, |values| {
                    for (key, item) in map.iter() {
                        values.nested::<1>(field::VALUES, |pair| {
                            pair.pair_of_sdk(key.as_str(), item, levels - 1);
                        });
                    }
                }),
                // A kind of value that came after this code: an empty one says at least that it was there.
                _ => {}
            }
        }
    }
}

/// An address as text, on the stack.
struct AddressText {
    bytes: [u8; 46],
    len: usize,
}

impl AddressText {
    #[inline(never)]
    fn of(address: IpAddr) -> Self {
        let mut text = Self {
            bytes: [0; 46],
            len: 0,
        };
        text.put(address);
        text
    }

    fn put(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        self.byte(b'.');
                    }
                    if octet >= 100 {
                        self.byte(b'0' + octet / 100);
                    }
                    if octet >= 10 {
                        self.byte(b'0' + octet / 10 % 10);
                    }
                    self.byte(b'0' + octet % 10);
                }
            }
            // The standard library knows where the zeros are left out.
            IpAddr::V6(address) => drop(write!(self, "{address}")),
        }
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}

const KEY: u8 = message(field::KEY);
const VALUE: u8 = message(field::VALUE);
const STRING: u8 = message(field::STRING);
const BOOL: u8 = tag(field::BOOL, Wire::Varint);
const INT: u8 = tag(field::INT, Wire::Varint);
const DOUBLE: u8 = tag(field::DOUBLE, Wire::Fixed64);

/// The key's field with its tag and length.
#[inline(always)]
fn key_len(key: &str) -> usize {
    if key.is_empty() {
        0
    } else {
        1 + varint_len(key.len()) + key.len()
    }
}
