//! The fields of an event, whoever logged it and whatever becomes of it.

use crate::contain::contain;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tracing_core::field::{Field, Visit};

/// The field that `tracing` puts the text of an event into.
pub(super) const MESSAGE: &str = "message";

/// A field's name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'a> {
    Static(&'static str),
    #[cfg_attr(
        not(feature = "log"),
        expect(dead_code, reason = "only records of `log` have such names")
    )]
    Text(&'a str),
}

impl<'a> Name<'a> {
    pub(super) fn as_str(self) -> &'a str {
        match self {
            Self::Static(name) => name,
            Self::Text(name) => name,
        }
    }
}

/// A field's value, not yet formatted.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(&'a str),
    /// Text that was cut where it was kept.
    Kept(&'a str),
    Debug(&'a dyn Debug),
    #[cfg_attr(
        not(feature = "log"),
        expect(dead_code, reason = "only records of `log` have such values")
    )]
    Display(&'a dyn Display),
    Error(&'a (dyn Error + 'static)),
}

impl Value<'_> {
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Kept(_) => true,
            Self::Error(error) => error.is::<super::redacted::Left>(),
            _ => false,
        }
    }

    /// As text, however it is written elsewhere.
    pub(super) fn write_text(&self, into: &mut dyn Write) -> Written {
        match self {
            Self::Bool(value) => write(into, value),
            Self::I64(value) => write(into, value),
            Self::U64(value) => write(into, value),
            Self::F64(value) => write(into, value),
            Self::Text(text) | Self::Kept(text) => match into.write_str(text) {
                Ok(()) => Written::Whole,
                Err(fmt::Error) => Written::Failed,
            },
            Self::Debug(value) => write_foreign(into, format_args!("{value:?}")),
            Self::Display(value) => write_foreign(into, format_args!("{value}")),
            Self::Error(error) => write_foreign(into, format_args!("{error}")),
        }
    }
}

/// How formatting went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Whole,
    /// The value says that it cannot be formatted.
    Failed,
    Panicked,
}

impl Written {
    pub(super) fn is_panic(self) -> bool {
        self == Self::Panicked
    }

    /// What stands for the rest of the value.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Failed => "[not printable]",
            Self::Panicked => "[panicked]",
        }
    }
}

fn write(into: &mut dyn Write, value: impl Display) -> Written {
    match write!(into, "{value}") {
        Ok(()) => Written::Whole,
        Err(fmt::Error) => Written::Failed,
    }
}

/// Formats what has code of the user's in it.
fn write_foreign(into: &mut dyn Write, value: fmt::Arguments<'_>) -> Written {
    match catch_unwind(AssertUnwindSafe(|| into.write_fmt(value))) {
        Ok(Ok(())) => Written::Whole,
        Ok(Err(fmt::Error)) => Written::Failed,
        Err(payload) => {
            // Its destructor is theirs as well.
            std::mem::forget(payload);
            Written::Panicked
        }
    }
}

/// The sources of an error, the nearest first; at most eight, as a chain may be a ring.
pub(super) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(source(error), |error| source(*error)).take(8)
}

fn source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    contain(|| error.source()).flatten()
}

/// What takes fields.
pub(super) trait Fields {
    fn field(&mut self, name: Name<'_>, value: Value<'_>);
}

/// Takes the fields of a `tracing` event.
pub(super) struct Visited<'a>(pub(super) &'a mut dyn Fields);

impl Visited<'_> {
    fn put(&mut self, field: &Field, value: Value<'_>) {
        self.0.field(Name::Static(raw(field.name())), value);
    }
}

/// `r#type` is called `type`.
fn raw(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

impl Visit for Visited<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::F64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::U64(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, wide(value.try_into(), value.try_into(), &value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, wide(value.try_into(), value.try_into(), &value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, Value::Error(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::Debug(value));
    }
}

/// A number of 128 bits: as one of 64 where it fits, else as text, which no reader rounds.
pub(super) fn wide<'a, E, F>(
    signed: Result<i64, E>,
    unsigned: Result<u64, F>,
    value: &'a dyn Debug,
) -> Value<'a> {
    match (signed, unsigned) {
        (Ok(value), _) => Value::I64(value),
        (_, Ok(value)) => Value::U64(value),
        _ => Value::Debug(value),
    }
}
