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

/// Attributes of which it is known which of them stand in a row, so that nobody has to look for names.
pub(crate) trait Rows {
    /// In which rows anything stands, bit by bit.
    #[cfg(feature = "tracing")]
    fn told(&self) -> u64;

    /// What the next one of a row says, from there on, which it leaves behind that.
    fn next(&self, row: usize, from: &mut usize) -> Option<Value<'_>>;
}

/// The attributes of a span of a dialect.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) attributes: &'a dyn Attributes,
    /// The same, where their rows are known.
    rows: Option<&'a dyn Rows>,
    /// In which rows something may stand.
    told: u64,
    pub(crate) dialect: Dialect,
}

impl<'a> Said<'a> {
    pub(crate) fn new(attributes: &'a dyn Attributes, dialect: Dialect) -> Self {
        Self {
            attributes,
            rows: None,
            told: u64::MAX,
            dialect,
        }
    }

    /// The same by rows.
    #[cfg(feature = "tracing")]
    pub(crate) fn by_rows(self, rows: &'a dyn Rows) -> Self {
        Self {
            rows: Some(rows),
            told: rows.told(),
            ..self
        }
    }

    /// What the first of these names that says anything says.
    #[inline]
    pub(crate) fn first<T>(&self, row: Row, read: impl Fn(Value<'a>) -> Option<T>) -> Option<T> {
        if self.told >> row.at & 1 == 0 {
            return None;
        }
        self.look(row, read)
    }

    fn look<T>(&self, row: Row, read: impl Fn(Value<'a>) -> Option<T>) -> Option<T> {
        let Some(rows) = self.rows else {
            let mut names = row.of(self.dialect);
            return names.find_map(|name| read(self.attributes.get(name)?));
        };
        let mut from = 0;
        loop {
            let value = rows.next(row.at, &mut from)?;
            if let Some(read) = read(value) {
                return Some(read);
            }
        }
    }

    /// Whether anything is said under these names.
    pub(crate) fn has(&self, row: Row) -> bool {
        self.first(row, Some).is_some()
    }

    #[inline]
    pub(crate) fn text(&self, row: Row) -> Option<&'a str> {
        self.first(row, Value::text)
    }

    #[inline]
    pub(crate) fn count(&self, row: Row) -> Option<u64> {
        self.first(row, Value::count)
    }

    #[inline]
    pub(crate) fn number(&self, row: Row) -> Option<f64> {
        self.first(row, Value::number)
    }
}
