//! What a span says, whoever has it.

use super::dialect::Dialect;
use super::table::Row;
use std::borrow::Cow;

/// What somebody says about a span: values by keys.
pub trait Attributes {
    /// What stands under a key.
    fn get(&self, key: &str) -> Option<Value<'_>>;
}

/// A value as it arrived. Types are as careless as the world is: numbers come as text, and lists as JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another one.
    Float(f64),
    /// A text.
    Str(&'a str),
    /// Texts.
    List(&'a [&'a str]),
}

impl<'a> Value<'a> {
    /// The text, unless it is empty.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self {
            Self::Str(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            Self::List([text, ..]) => Some(*text),
            _ => None,
        }
    }

    /// A count; none that is negative, and no part of one.
    pub(crate) fn count(self) -> Option<u64> {
        match self {
            Self::Int(count) => u64::try_from(count).ok(),
            Self::Float(count) => whole(count),
            Self::Str(text) => {
                let text = text.trim();
                { text.parse().ok() }.or_else(|| whole(text.parse().ok()?))
            }
            _ => None,
        }
    }

    pub(crate) fn number(self) -> Option<f64> {
        let number = match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
            Self::Str(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    pub(crate) fn flag(self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(flag),
            Self::Str(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// As text, whatever it is; nothing of lists.
    pub(crate) fn shown(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Bool(flag) => flag.to_string().into(),
            Self::Int(number) => number.to_string().into(),
            Self::Float(number) => number.to_string().into(),
            Self::Str(text) => text.into(),
            Self::List(_) => return None,
        })
    }
}

fn whole(number: f64) -> Option<u64> {
    let fits = number >= 0.0 && number < u64::MAX as f64 && number.fract() == 0.0;
    fits.then_some(number as u64)
}

/// The attributes of a span of a dialect.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) attributes: &'a dyn Attributes,
    pub(crate) dialect: Dialect,
}

impl<'a> Said<'a> {
    /// What the first of these names that says anything says.
    pub(crate) fn first<T>(&self, row: Row, read: impl Fn(Value<'a>) -> Option<T>) -> Option<T> {
        let of = self.dialect;
        let mut names = row
            .iter()
            .filter(|name| name.only.is_none_or(|only| only == of));
        names.find_map(|name| read(self.attributes.get(name.key)?))
    }

    pub(crate) fn text(&self, row: Row) -> Option<&'a str> {
        self.first(row, Value::text)
    }

    pub(crate) fn count(&self, row: Row) -> Option<u64> {
        self.first(row, Value::count)
    }

    pub(crate) fn number(&self, row: Row) -> Option<f64> {
        self.first(row, Value::number)
    }

    pub(crate) fn key_text(&self, key: &str) -> Option<&'a str> {
        self.attributes.get(key)?.text()
    }
}
