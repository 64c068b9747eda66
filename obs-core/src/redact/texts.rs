//! Showing texts to redactors: one by one, in lists, in bodies.

use super::{Place, Redaction, Redactor, Text, WITHHELD};
use crate::attributes::mark;
use crate::contain::contain;
use crate::engine::counts::Count;
use crate::log_event::Body;
use crate::semconv::resource::SERVICE_NAME;
use opentelemetry::trace::{SpanBuilder, SpanContext, TraceState};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

/// The redactors of a telemetry, in the order in which they look.
#[derive(Clone, Default)]
pub(crate) struct Redactors(Vec<Arc<dyn Redactor>>);

impl Redactors {
    pub(crate) fn push(&mut self, redactor: impl Redactor) {
        self.0.push(Arc::new(redactor));
    }

    /// One that sees texts before all others.
    pub(crate) fn push_first(&mut self, redactor: impl Redactor) {
        self.0.insert(0, Arc::new(redactor));
    }

    /// `None` where there is nobody to look, and nothing to cut.
    #[inline]
    pub(crate) fn looking<'a>(&'a self, panics: &'a Count, caps: Caps) -> Option<Looking<'a>> {
        let redactors = self.0.as_slice();
        (!redactors.is_empty() || caps != Caps::NONE).then_some(Looking {
            redactors,
            panics,
            caps,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Redactors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} redactors", self.0.len())
    }
}

thread_local! {
    /// Whether this thread is within a redactor. Without a destructor: operations end in those of others.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Bytes beyond which a text is cut once redactors have seen it; [`usize::MAX`] where it is cut elsewhere, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    pub(crate) value: usize,
    pub(crate) body: usize,
}

impl Caps {
    pub(crate) const NONE: Self = Self {
        value: usize::MAX,
        body: usize::MAX,
    };

    fn of(self, place: Place) -> usize {
        match place {
            Place::LogBody => self.body,
            // Half a label is another series, and half a `tracestate` none.
            Place::Label | Place::Resource | Place::ScopeAttribute | Place::TraceState => {
                usize::MAX
            }
            _ => self.value,
        }
    }
}

/// Whether what is recorded now is a redactor's own: what is withheld of that is no answer for others who say the same.
pub(crate) fn is_within() -> bool {
    WITHIN.get()
}

/// Whoever shows texts to redactors.
#[derive(Clone, Copy)]
pub(crate) struct Looking<'a> {
    redactors: &'a [Arc<dyn Redactor>],
    panics: &'a Count,
    caps: Caps,
}

impl Looking<'_> {
    /// What becomes of a text. Of one that was cut before, the last word goes: it may be half a secret, and looks like none.
    pub(crate) fn text(self, place: Place, key: &str, value: &str) -> Redaction {
        let Some((text, missing)) = before_mark(value) else {
            return self.whole(place, key, value);
        };
        let words = without_last_word(text);
        let mark = mark(missing.saturating_add(text.len() - words.len()));
        match self.whole(place, key, words) {
            Redaction::Keep => Redaction::Replace(format!("{words}{mark}").into()),
            Redaction::Replace(left) => Redaction::Replace(format!("{left}{mark}").into()),
            Redaction::Remove => Redaction::Remove,
        }
    }

    /// Each redactor sees what the one before it left.
    fn whole(self, place: Place, key: &str, value: &str) -> Redaction {
        if value.is_empty() {
            return Redaction::Keep;
        }
        // What a redactor says itself has nobody to look at it.
        if WITHIN.replace(true) {
            return Redaction::Replace(WITHHELD.into());
        }
        let mut left = Redaction::Keep;
        for redactor in self.redactors {
            let value = match &left {
                Redaction::Replace(text) => text,
                _ => value,
            };
            match contain(|| redactor.redact(Text::new(place, key, value))) {
                Some(Redaction::Keep) => {}
                Some(Redaction::Remove) => {
                    left = Redaction::Remove;
                    break;
                }
                Some(replaced) => left = replaced,
                None => {
                    self.panics.add(1);
                    left = Redaction::Replace(WITHHELD.into());
                    break;
                }
            }
        }
        WITHIN.set(false);
        let text = match &left {
            Redaction::Keep => value,
            Redaction::Replace(text) => text,
            Redaction::Remove => return left,
        };
        let cap = self.caps.of(place);
        match text.len() > cap {
            true => Redaction::replace(crate::attributes::cut(text, cap).into_owned()),
            false => left,
        }
    }

    /// The same for what is not cut.
    #[cfg(feature = "sdk")]
    pub(super) fn uncut(self) -> Self {
        let caps = Caps::NONE;
        Self { caps, ..self }
    }

    /// The text that is left; `None` where it is gone.
    pub(crate) fn left<'t>(self, place: Place, key: &str, value: &'t str) -> Option<Cow<'t, str>> {
        match self.text(place, key, value) {
            Redaction::Keep => Some(Cow::Borrowed(value)),
            Redaction::Replace(text) => Some(text),
            Redaction::Remove => None,
        }
    }

    /// In place. Says whether it stays.
    pub(crate) fn cow(self, place: Place, key: &str, value: &mut Cow<'static, str>) -> bool {
        match self.text(place, key, value) {
            Redaction::Keep => true,
            Redaction::Replace(text) => {
                *value = text;
                true
            }
            Redaction::Remove => false,
        }
    }

    fn string(self, place: Place, key: &str, value: &mut StringValue) -> bool {
        match self.text(place, key, value.as_str()) {
            Redaction::Keep => true,
            Redaction::Replace(text) => {
                *value = text.into();
                true
            }
            Redaction::Remove => false,
        }
    }

    pub(crate) fn value(self, place: Place, key: &str, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.string(place, key, text),
            Value::Array(Array::String(list)) => {
                list.retain_mut(|text| self.string(place, key, text));
                true
            }
            _ => true,
        }
    }

    pub(crate) fn pairs(self, place: Place, pairs: &mut Vec<KeyValue>) {
        pairs.retain_mut(|pair| {
            let KeyValue { key, value, .. } = pair;
            self.value(place, key.as_str(), value)
        });
    }

    /// Of a resource, which always has a service's name if it had one.
    pub(crate) fn resource(self, pairs: &mut Vec<KeyValue>) {
        let named = |pairs: &[KeyValue]| pairs.iter().any(|pair| pair.key.as_str() == SERVICE_NAME);
        let was_named = named(pairs);
        self.pairs(Place::Resource, pairs);
        if was_named && !named(pairs) {
            pairs.push(KeyValue::new(SERVICE_NAME, WITHHELD));
        }
    }

    /// The body of a log event, however deep: the depth is the service's own, and its stack has held it.
    pub(crate) fn body(self, key: &str, body: &mut Body) -> bool {
        self.tree(Place::LogBody, key, body)
    }

    /// The same of any tree of values.
    pub(crate) fn tree(self, place: Place, key: &str, body: &mut Body) -> bool {
        match body {
            Body::Text(text) => match self.text(place, key, text) {
                Redaction::Keep => true,
                Redaction::Replace(other) => {
                    *text = other.into_owned();
                    true
                }
                Redaction::Remove => false,
            },
            Body::Bytes(bytes) => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    return true;
                };
                match self.text(place, key, text) {
                    Redaction::Keep => true,
                    Redaction::Replace(other) => {
                        *bytes = other.into_owned().into_bytes();
                        true
                    }
                    Redaction::Remove => false,
                }
            }
            Body::List(list) => {
                list.retain_mut(|item| self.tree(place, key, item));
                true
            }
            Body::Map(map) => {
                map.retain_mut(|(key, item)| self.tree(place, key, item));
                true
            }
            _ => true,
        }
    }

    /// What a provider's span begins with.
    pub(crate) fn builder(self, mut builder: SpanBuilder) -> SpanBuilder {
        if !self.cow(Place::SpanName, "", &mut builder.name) {
            builder.name = WITHHELD.into();
        }
        if let Some(attributes) = &mut builder.attributes {
            self.pairs(Place::SpanAttribute, attributes);
        }
        for link in builder.links.iter_mut().flatten() {
            self.context(&mut link.span_context);
            self.pairs(Place::LinkAttribute, &mut link.attributes);
        }
        builder
    }

    /// With what is left of its `tracestate`.
    pub(crate) fn context(self, context: &mut SpanContext) {
        let state = context.trace_state().header();
        let left = match self.text(Place::TraceState, "", &state) {
            Redaction::Keep => return,
            Redaction::Replace(text) => text.parse().unwrap_or(TraceState::NONE),
            Redaction::Remove => TraceState::NONE,
        };
        *context = SpanContext::new(
            context.trace_id(),
            context.span_id(),
            context.trace_flags(),
            context.is_remote(),
            left,
        );
    }
}

/// What was left of a text that says at its end that it was cut, and how many bytes it says are missing.
fn before_mark(text: &str) -> Option<(&str, usize)> {
    let (text, missing) = text.strip_suffix(" bytes]")?.rsplit_once("…[+")?;
    Some((text, missing.parse().ok()?))
}

/// Up to the last white space, if that is near enough: of a text without any the last part goes.
fn without_last_word(text: &str) -> &str {
    const NEAR: usize = 1 << 10;
    let mut near = text.len() - NEAR.min(text.len() / 4);
    while !text.is_char_boundary(near) {
        near -= 1;
    }
    let end = text[near..].rfind(char::is_whitespace);
    text[..near + end.unwrap_or_default()].trim_end()
}

impl std::fmt::Debug for Looking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Looking")
            .field(&self.redactors.len())
            .finish()
    }
}
