//! The layer that takes events of `tracing`.

use super::core::{Core, Entry, Settings};
use super::fields::{Fields, Name, Value, Visited};
use super::flood::Flood;
use super::json::Kept;
use super::limits::Limits;
use super::site::{Origin, Site, severity_of};
use super::writer::Lines;
use crate::foreign::{OPERATION_SPAN, SPAN_ID_FIELD, TRACE_ID_FIELD};
use crate::semconv::code;
use crate::setup::Telemetry;
use std::sync::{Arc, OnceLock};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A layer of `tracing_subscriber` that writes events as JSON lines and hands them to the telemetry as log records, both with
/// the ids of the operation they belong to.
///
/// JSON lines go to the standard output unless told otherwise. See [the module](super) for what it emits.
pub struct LogLayer {
    telemetry: Telemetry,
    settings: Settings,
    core: OnceLock<Arc<Core>>,
}

impl LogLayer {
    /// JSON lines to the standard output, log records to `telemetry`.
    pub fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: *telemetry,
            settings: Settings {
                lines: Some(Arc::new(std::io::stdout)),
                records: true,
                location: false,
                thread: false,
                spans: false,
                limits: Limits::default(),
                flood: Flood::default(),
            },
            core: OnceLock::new(),
        }
    }

    /// Lines go there: a function that gives a writer, such as `std::io::stderr`, or a [`NonBlocking`](super::NonBlocking).
    #[must_use]
    pub fn with_lines(self, lines: impl Lines) -> Self {
        self.with(|settings| settings.lines = Some(Arc::new(lines)))
    }

    /// No lines.
    #[must_use]
    pub fn without_lines(self) -> Self {
        self.with(|settings| settings.lines = None)
    }

    /// No log records. There are none either where neither an exporter nor a subscriber of the telemetry takes them.
    #[must_use]
    pub fn without_records(self) -> Self {
        self.with(|settings| settings.records = false)
    }

    /// With `code.file.path` and `code.line.number`; off by default. Paths are what the compiler was given: of dependencies
    /// they name folders of the machine that built the program.
    #[must_use]
    pub fn with_location(self, on: bool) -> Self {
        self.with(|settings| settings.location = on)
    }

    /// With `thread.name`; off by default.
    #[must_use]
    pub fn with_thread(self, on: bool) -> Self {
        self.with(|settings| settings.thread = on)
    }

    /// With the fields of the `tracing` spans around the event; off by default. In lines they stand under `spans`, the
    /// outermost first; in log records they are attributes, the event's own before those of a span, those of an inner span
    /// before those of an outer one.
    #[must_use]
    pub fn with_span_fields(self, on: bool) -> Self {
        self.with(|settings| settings.spans = on)
    }

    /// With other bounds on the size of an event.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.with(|settings| settings.limits = limits)
    }

    /// With other bounds on the number of events of a call site.
    #[must_use]
    pub fn with_flood(self, flood: Flood) -> Self {
        self.with(|settings| settings.flood = flood)
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        // Whoever shares the old one goes on with it.
        self.core = OnceLock::new();
        self
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        self.core
            .get_or_init(|| Core::new(self.telemetry, self.settings.clone()))
    }

    /// Names the layer in what spans keep, as there may be several.
    fn id(&self) -> usize {
        Arc::as_ptr(self.core()).addr()
    }
}

impl std::fmt::Debug for LogLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogLayer")
            .field("lines", &self.settings.lines.is_some())
            .field("records", &self.settings.records)
            .field("limits", &self.settings.limits)
            .field("flood", &self.settings.flood)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        self.core();
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !self.settings.spans {
            return;
        }
        // Before the span's extensions are locked: values are formatted by code of the user's.
        let fields = self
            .core()
            .keep(|fields| attributes.record(&mut Visited(fields)));
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<SpanFields>() {
            Some(kept) => kept.0.push((self.id(), fields)),
            None => extensions.insert(SpanFields(vec![(self.id(), fields)])),
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if !self.settings.spans {
            return;
        }
        let fields = self
            .core()
            .keep(|fields| values.record(&mut Visited(fields)));
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(kept) = extensions.get_mut::<SpanFields>() else {
            return;
        };
        let Some(own) = kept.of_mut(self.id()) else {
            return;
        };
        for (name, value) in fields {
            match own.iter().position(|(known, _)| *known == name) {
                Some(index) => own[index].1 = value,
                None if own.len() < self.settings.limits.fields => own.push((name, value)),
                None => {}
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let seen = Seen {
            event,
            context: &context,
            layer: self.id(),
            bridged: false,
        };
        let meta = event.metadata();
        if is_bridged(meta) {
            return self.on_bridged(seen);
        }
        self.core()
            .log(Site::key_of(meta), || Site::of(meta), &seen);
    }
}

impl LogLayer {
    /// An event that `tracing_log::LogTracer` made of a record of `log`: all of a level have one call site, and tell in fields
    /// where they come from.
    #[cold]
    fn on_bridged<S>(&self, mut seen: Seen<'_, '_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut place = Place::default();
        seen.each(&mut place);
        seen.bridged = true;
        let severity = severity_of(*seen.event.metadata().level());
        let origin = Origin {
            level: severity.number(),
            target: &place.target,
            file: place.file.as_deref(),
            line: place.line,
        };
        let make = || Site::of_origin(&origin, severity);
        self.core().log(origin.key(), make, &seen);
    }
}

/// What a span keeps, by layer.
struct SpanFields(Vec<(usize, Vec<Kept>)>);

impl SpanFields {
    fn of(&self, layer: usize) -> &[Kept] {
        let own = self.0.iter().find(|(id, _)| *id == layer);
        own.map_or(&[], |(_, fields)| fields)
    }

    fn of_mut(&mut self, layer: usize) -> Option<&mut Vec<Kept>> {
        let own = self.0.iter_mut().find(|(id, _)| *id == layer);
        own.map(|(_, fields)| fields)
    }
}

/// An event where it is logged.
struct Seen<'a, 'e, S> {
    event: &'a Event<'e>,
    context: &'a Context<'a, S>,
    layer: usize,
    bridged: bool,
}

impl<S> Entry for Seen<'_, '_, S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn each(&self, fields: &mut dyn Fields) {
        if self.bridged {
            self.event.record(&mut Visited(&mut WithoutPlace(fields)));
        } else {
            self.event.record(&mut Visited(fields));
        }
    }

    fn spans(&self, ids: bool, show: &mut dyn FnMut(&str, &[Kept])) {
        let Some(scope) = self.context.event_scope(self.event) else {
            return;
        };
        for span in scope.from_root() {
            let extensions = span.extensions();
            let kept = extensions.get::<SpanFields>();
            let mut fields = kept.map_or(&[][..], |kept| kept.of(self.layer));
            if !ids && span.metadata().target() == OPERATION_SPAN {
                fields = without_ids(fields);
            }
            show(span.name(), fields);
        }
    }
}

/// What a span that stands for an operation says besides its ids, which it says first.
fn without_ids(fields: &[Kept]) -> &[Kept] {
    match fields {
        [(TRACE_ID_FIELD, _), (SPAN_ID_FIELD, _), others @ ..] => others,
        all => all,
    }
}

fn is_bridged(meta: &Metadata<'_>) -> bool {
    meta.target() == "log" && meta.name() == "log event"
}

/// Where the record of an event that was bridged was logged.
#[derive(Debug, Default)]
struct Place {
    target: String,
    file: Option<String>,
    line: Option<u32>,
}

/// How the bridge calls them.
const PLACE: [&str; 4] = [
    code::LOG_TARGET,
    code::LOG_MODULE_PATH,
    code::LOG_FILE,
    code::LOG_LINE,
];

impl Fields for Place {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        let [target, _, file, line] = PLACE;
        match (name.as_str(), value) {
            (name, Value::Text(text)) if name == target => text.clone_into(&mut self.target),
            (name, Value::Text(text)) if name == file => self.file = Some(text.to_owned()),
            (name, Value::U64(number)) if name == line => self.line = u32::try_from(number).ok(),
            _ => {}
        }
    }
}

/// Everything but that.
struct WithoutPlace<'a>(&'a mut dyn Fields);

impl Fields for WithoutPlace<'_> {
    fn field(&mut self, name: Name<'_>, value: Value<'_>) {
        if !PLACE.contains(&name.as_str()) {
            self.0.field(name, value);
        }
    }
}
