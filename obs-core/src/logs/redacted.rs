//! Fields on their way to a line or a record, shown to redactors first, and cut to their cap only then.

use super::fields::{Fields, MESSAGE, Name, Value, sources};
use super::otlp::Bounded;
use crate::redact::{Looking, Place};
use std::error::Error;
use std::fmt;

/// Which of an event's fields are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The message and the rest.
    All,
    Message,
    Rest,
    /// Those of a span, which has no message.
    OfSpan,
}

pub(super) struct Redacted<'a> {
    to: &'a mut dyn Fields,
    by: Looking<'a>,
    part: Part,
    /// Bytes of a value.
    limit: usize,
    /// Whether the message went by.
    said: bool,
    pub(super) panics: u64,
}

/// So much of a text is seen beyond what is written of it: a secret that begins before the cut is seen as one.
const BEYOND: usize = 8 << 10;

/// So much of the end of a text of which more was not seen is never written: it may be the first half of something, and stands
/// before the cut where much was taken out before it.
const HALF: usize = 4 << 10;

impl<'a> Redacted<'a> {
    pub(super) fn new(to: &'a mut dyn Fields, by: Looking<'a>, part: Part, limit: usize) -> Self {
        Self {
            to,
            by,
            part,
            limit,
            said: false,
            panics: 0,
        }
    }

    /// What is left of a value, as text that is not cut again; `None` where it is gone.
    fn left(&mut self, place: Place, key: &str, value: Value<'_>) -> Option<String> {
        let mut text = Bounded::new(self.limit.saturating_add(BEYOND));
        let written = value.write_text(&mut text);
        self.panics += u64::from(written.is_panic());
        let (text, missing) = text.into_parts();
        let left = self.by.left(place, key, &text)?;
        let most = match missing {
            0 => self.limit,
            _ => self.limit.min(left.len().saturating_sub(HALF)),
        };
        let kept = super::escape::floor(&left, most);
        let missing = missing + left.len() - kept;
        let mut left = left.into_owned();
        left.truncate(kept);
        if missing > 0 {
            left.push_str(&crate::attributes::mark(missing));
        }
        left.push_str(written.mark());
        Some(left)
    }

    fn error(&mut self, name: Name<'_>, error: &(dyn Error + 'static)) {
        let (place, key) = (Place::LogAttribute, name.as_str());
        let Some(text) = self.left(place, key, Value::Error(error)) else {
            return;
        };
        let mut causes: Vec<String> = Vec::new();
        for source in sources(error) {
            causes.extend(self.left(place, key, Value::Error(source)));
        }
        let mut source = None;
        for text in causes.into_iter().rev() {
            source = Some(Box::new(Left { text, source }));
        }
        self.to.field(name, Value::Error(&Left { text, source }));
    }
}

impl Fields for Redacted<'_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        let is_message = self.part != Part::OfSpan && !self.said && name.as_str() == MESSAGE;
        self.said |= is_message;
        match (self.part, is_message) {
            (Part::Message, false) => return,
            // Whoever takes the rest leaves the first of this name out.
            (Part::Rest, true) => return self.to.field(name, Value::Kept("")),
            _ => {}
        }
        match value {
            Value::Bool(_) | Value::I64(_) | Value::U64(_) | Value::F64(_) | Value::Kept(_) => {
                self.to.field(name, value);
            }
            _ if is_message => {
                // A message that is gone is empty: something was said.
                let left = self.left(Place::LogBody, "", value).unwrap_or_default();
                self.to.field(name, Value::Kept(&left));
            }
            Value::Error(error) => self.error(name, error),
            value => {
                if let Some(left) = self.left(Place::LogAttribute, name.as_str(), value) {
                    self.to.field(name, Value::Kept(&left));
                }
            }
        }
    }
}

/// What is left of an error, with what is left of its sources.
pub(super) struct Left {
    text: String,
    source: Option<Box<Left>>,
}

impl Error for Left {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
