//! A layer of a subscriber that writes down what happens to spans.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A span as a subscriber saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenSpan {
    id: u64,
    pub(crate) name: &'static str,
    pub(crate) target: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) entered: usize,
    pub(crate) left: usize,
    pub(crate) closed: usize,
}

impl SeenSpan {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().rfind(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Visit for SeenSpan {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<SeenSpan>>>);

impl Seen {
    fn spans(&self) -> MutexGuard<'_, Vec<SeenSpan>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn change(&self, id: &Id, change: impl FnOnce(&mut SeenSpan)) {
        let mut spans = self.spans();
        // Numbers are used again.
        if let Some(span) = spans.iter_mut().rfind(|span| span.id == id.into_u64()) {
            change(span);
        }
    }

    pub(crate) fn take(&self) -> Vec<SeenSpan> {
        std::mem::take(&mut *self.spans())
    }

    #[track_caller]
    pub(crate) fn one(&self) -> SeenSpan {
        let mut spans = self.take();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let metadata: &Metadata<'_> = attributes.metadata();
        let mut span = SeenSpan {
            id: id.into_u64(),
            name: metadata.name(),
            target: metadata.target().to_owned(),
            ..SeenSpan::default()
        };
        attributes.record(&mut span);
        self.spans().push(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |span| values.record(span));
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        self.change(id, |span| span.entered += 1);
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.change(id, |span| span.left += 1);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |span| span.closed += 1);
    }
}
