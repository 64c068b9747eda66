//! What spans of `tracing` say, kept until they close.

use super::attributes::{Attributes, Rows, Value};
use super::site::Site;
use crate::contain::contained;
use smallvec::SmallVec;
use std::fmt::{self, Write};
use tracing_core::Field;
use tracing_core::field::Visit;

/// As long as a fact may be, in bytes: longer ones are no names.
const FACT: usize = 512;
/// As long as what was said may be.
const SAID: usize = 64 << 10;

/// Fields of one span. There are no more than its call site declares, and each is capped.
#[derive(Debug)]
pub(super) struct Fields {
    site: &'static Site,
    /// By their places at the call site.
    kept: SmallVec<[(usize, Kept); 8]>,
    /// Which places those are, bit by bit.
    places: u64,
    /// And which rows they stand in.
    rows: u64,
}

#[derive(Debug)]
enum Kept {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
}

impl Fields {
    pub(super) fn new(site: &'static Site) -> Self {
        Self {
            site,
            kept: SmallVec::new(),
            places: 0,
            rows: 0,
        }
    }

    /// Takes over what is newer.
    pub(super) fn update(&mut self, newer: Self) {
        for (place, value) in newer.kept {
            self.set(place, value);
        }
    }

    fn set(&mut self, place: usize, value: Kept) {
        if self.places >> place & 1 == 0 {
            self.places |= 1 << place;
            self.rows |= self.site.rows_of(place);
            self.kept.push((place, value));
        } else if let Some((_, known)) = { self.kept.iter_mut() }.find(|(at, _)| *at == place) {
            *known = value;
        }
    }

    #[inline]
    fn at(&self, place: usize) -> Option<Value<'_>> {
        if self.places >> place & 1 == 0 {
            return None;
        }
        let (_, kept) = self.kept.iter().find(|(at, _)| *at == place)?;
        Some(match kept {
            Kept::Bool(flag) => Value::Bool(*flag),
            Kept::Int(number) => Value::Int(*number),
            Kept::Float(number) => Value::Float(*number),
            Kept::Text(text) => Value::Str(text),
        })
    }
}

impl Attributes for Fields {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        self.at(self.site.place(key)?)
    }
}

impl Rows for Fields {
    fn told(&self) -> u64 {
        self.rows
    }

    #[inline]
    fn next(&self, row: usize, from: &mut usize) -> Option<Value<'_>> {
        for place in self.site.row(row).get(*from..)? {
            *from += 1;
            if let Some(value) = self.at(usize::from(*place)) {
                return Some(value);
            }
        }
        None
    }
}

/// Takes over what is read of a span's values.
pub(super) struct Keep<'a> {
    pub(super) with_content: bool,
    pub(super) fields: &'a mut Fields,
}

impl Keep<'_> {
    /// Its place, and how much of it is kept, if it is read.
    #[inline]
    fn place(&self, field: &Field) -> Option<(usize, usize)> {
        let site = self.fields.site;
        let place = site.reads(field.index(), self.with_content)?;
        let most = if site.is_said(place) { SAID } else { FACT };
        Some((place, most))
    }

    fn keep(&mut self, field: &Field, value: impl FnOnce(usize) -> Kept) {
        if let Some((place, most)) = self.place(field) {
            self.fields.set(place, value(most));
        }
    }
}

impl Visit for Keep<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, |_| Kept::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, |_| Kept::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, |_| {
            Kept::Int(i64::try_from(value).unwrap_or(i64::MAX))
        });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, |_| Kept::Float(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, |most| Kept::Text(cut(value, most).into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let Some((place, most)) = self.place(field) else {
            return;
        };
        if let Some(text) = written(value, most) {
            self.fields.set(place, Kept::Text(text));
        }
    }
}

/// What a value says, as far as it may; nothing of one that panics, which is code of the user's.
fn written(value: &dyn fmt::Debug, most: usize) -> Option<Box<str>> {
    let mut text = Capped {
        text: String::new(),
        most,
    };
    // Whoever has enough says so by an error.
    contained(|| write!(text, "{value:?}"))?.ok();
    Some(text.text.into())
}

/// No longer than that.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Takes so many bytes of what is written.
struct Capped {
    text: String,
    most: usize,
}

impl Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.most - self.text.len();
        let taken = cut(text, room);
        self.text.push_str(taken);
        match taken.len() == text.len() {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

/// What an event at `ERROR` says: which kind of error, and the error.
#[derive(Debug, Default)]
pub(super) struct Failure {
    pub(super) kind: Option<Box<str>>,
    pub(super) message: Option<Box<str>>,
}

impl Failure {
    fn take(&mut self, name: &str, text: impl FnOnce(usize) -> Option<Box<str>>) {
        use obs_core::semconv::{exception, http};
        let is = |key: obs_core::Key| name == key.as_str();
        if is(http::ERROR_TYPE) || is(exception::TYPE) {
            self.kind = text(FACT).or(self.kind.take());
        } else if is(exception::MESSAGE)
            || name == "error"
            || (name == "message" && self.message.is_none())
        {
            self.message = text(FACT).or(self.message.take());
        }
    }
}

impl Visit for Failure {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), |most| Some(cut(value, most).into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field.name(), |most| written(value, most));
    }
}
