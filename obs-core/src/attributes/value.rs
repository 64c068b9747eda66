//! Keys and values: as a setter takes them, as the encoders need them, as they are read back.

use std::net::IpAddr;

/// The key of an attribute: a static string behind one pointer. The conventions' keys stand in [`crate::semconv`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(&'static &'static str);

impl Key {
    /// A key: `const TENANT: Key = Key::new(&"app.tenant");`.
    pub const fn new(name: &'static &'static str) -> Self {
        Self(name)
    }

    /// A key made at set-up, once per name and process: it is never freed.
    pub fn leak(name: String) -> Self {
        Self(Box::leak(Box::new(&*Box::leak(name.into_boxed_str()))))
    }

    /// The key as text.
    #[inline]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A value as read back from a finished record.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// An address, exported as its text.
    Ip(IpAddr),
    /// A list, as user code gave it.
    List(&'a opentelemetry::Array),
}

impl<'a> From<&'a opentelemetry::Value> for Value<'a> {
    fn from(value: &'a opentelemetry::Value) -> Self {
        match value {
            opentelemetry::Value::Bool(value) => Self::Bool(*value),
            opentelemetry::Value::I64(value) => Self::I64(*value),
            opentelemetry::Value::F64(value) => Self::F64(*value),
            opentelemetry::Value::String(value) => Self::Str(value.as_str()),
            opentelemetry::Value::Array(list) => Self::List(list),
            _ => Self::Str(""),
        }
    }
}

/// A scalar as the encoders need it: text as bytes, known to be UTF-8 and not checked again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(&'a [u8]),
    Ip(IpAddr),
}

impl<'a> From<Scalar<'a>> for Value<'a> {
    fn from(value: Scalar<'a>) -> Self {
        match value {
            Scalar::Bool(value) => Self::Bool(value),
            Scalar::I64(value) => Self::I64(value),
            Scalar::F64(value) => Self::F64(value),
            Scalar::Ip(address) => Self::Ip(address),
            Scalar::Text(text) => Self::Str(std::str::from_utf8(text).unwrap_or_default()),
        }
    }
}

/// What a setter of an operation takes: numbers, truth values, and text either `'static` (kept by pointer) or borrowed
/// (copied).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Set<'a> {
    /// A truth value.
    Bool(bool),
    /// An integer.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text that lives as long as the program: 25 instructions.
    Static(&'static str),
    /// An address: its text is made where it is encoded.
    Ip(IpAddr),
    /// Text that is copied: about 100 instructions.
    Copied(&'a str),
    /// Bytes that are copied if they are UTF-8; what is not is counted as dropped.
    Bytes(&'a [u8]),
}

impl From<bool> for Set<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<i64> for Set<'_> {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}
impl From<u16> for Set<'_> {
    fn from(value: u16) -> Self {
        Self::I64(i64::from(value))
    }
}
impl From<u32> for Set<'_> {
    fn from(value: u32) -> Self {
        Self::I64(i64::from(value))
    }
}
impl From<u64> for Set<'_> {
    /// Above `i64::MAX` the value saturates: OTLP has no unsigned attribute.
    fn from(value: u64) -> Self {
        Self::I64(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<IpAddr> for Set<'_> {
    fn from(value: IpAddr) -> Self {
        Self::Ip(value)
    }
}
impl From<f64> for Set<'_> {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}
impl<'a> From<&'a str> for Set<'a> {
    fn from(value: &'a str) -> Self {
        Self::Copied(value)
    }
}
impl<'a> From<&'a [u8]> for Set<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}
impl<'a> From<&'a String> for Set<'a> {
    fn from(value: &'a String) -> Self {
        Self::Copied(value)
    }
}
