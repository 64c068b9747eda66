//! What an OpenTelemetry SDK of the user's recorded, shown to redactors before it waits in an intake.

use super::texts::Looking;
use super::{Place, Redaction, WITHHELD};
use opentelemetry::logs::AnyValue;
use opentelemetry::trace::Status;
use opentelemetry::{InstrumentationScope, KeyValue, StringValue};
use opentelemetry_sdk::trace::SpanData;
use std::borrow::Cow;

impl Looking<'_> {
    /// All texts of a span, in place: it is ours.
    #[cold]
    pub(crate) fn span(self, span: &mut SpanData) {
        self.context(&mut span.span_context);
        self.name(Place::SpanName, &mut span.name);
        self.pairs(Place::SpanAttribute, &mut span.attributes);
        for event in &mut span.events.events {
            self.name(Place::EventName, &mut event.name);
            self.pairs(Place::EventAttribute, &mut event.attributes);
        }
        for link in &mut span.links.links {
            self.context(&mut link.span_context);
            self.pairs(Place::LinkAttribute, &mut link.attributes);
        }
        if let Status::Error { description } = &mut span.status
            && !self.cow(Place::SpanStatus, "", description)
        {
            *description = "".into();
        }
        if let Some(scope) = self.scope(&span.instrumentation_scope) {
            span.instrumentation_scope = scope;
        }
    }

    fn name(self, place: Place, name: &mut Cow<'static, str>) {
        if !self.cow(place, "", name) {
            *name = WITHHELD.into();
        }
    }

    /// What is left of a scope with attributes; `None` where there is nothing to see.
    pub(crate) fn scope(self, scope: &InstrumentationScope) -> Option<InstrumentationScope> {
        scope.attributes().next()?;
        let attributes = scope.attributes();
        let left = attributes.filter_map(|pair| self.pair(Place::ScopeAttribute, pair));
        let name = scope.name().to_owned();
        let mut builder = InstrumentationScope::builder(name).with_attributes(left);
        if let Some(version) = scope.version() {
            builder = builder.with_version(version.to_owned());
        }
        if let Some(url) = scope.schema_url() {
            builder = builder.with_schema_url(url.to_owned());
        }
        Some(builder.build())
    }

    /// A copy of what is left of a pair that others see, too.
    pub(crate) fn pair(self, place: Place, pair: &KeyValue) -> Option<KeyValue> {
        let mut pair = pair.clone();
        let KeyValue { key, value, .. } = &mut pair;
        self.value(place, key.as_str(), value).then_some(pair)
    }

    /// A copy of what is left of a value of a log record, which others see, too; of lists and maps down to so many levels, below
    /// which nothing is exported.
    pub(crate) fn any(
        self,
        place: Place,
        key: &str,
        value: &AnyValue,
        levels: usize,
    ) -> Option<AnyValue> {
        let inner = |key: &str, item: &AnyValue| self.any(place, key, item, levels - 1);
        Some(match value {
            AnyValue::String(text) => match self.text(place, key, text.as_str()) {
                Redaction::Keep => value.clone(),
                Redaction::Replace(text) => AnyValue::String(StringValue::from(text)),
                Redaction::Remove => return None,
            },
            AnyValue::Bytes(bytes) => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    return Some(value.clone());
                };
                // Half of an image is none, and this may be one.
                match self.uncut().text(place, key, text) {
                    Redaction::Keep => value.clone(),
                    Redaction::Replace(text) => AnyValue::Bytes(Box::new(text.into_owned().into())),
                    Redaction::Remove => return None,
                }
            }
            AnyValue::ListAny(_) | AnyValue::Map(_) if levels == 0 => {
                AnyValue::ListAny(Box::default())
            }
            AnyValue::ListAny(list) => {
                let left = list.iter().filter_map(|item| inner(key, item));
                AnyValue::ListAny(Box::new(left.collect()))
            }
            AnyValue::Map(map) => {
                let left = map
                    .iter()
                    .filter_map(|(key, item)| Some((key.clone(), inner(key.as_str(), item)?)));
                AnyValue::Map(Box::new(left.collect()))
            }
            other => other.clone(),
        })
    }
}
