//! What a layer and its bridge share: every event comes here, whoever logged it.

use super::fields::{Fields, Value};
use super::flood::{Flood, Sites, Slot};
use super::json::{Kept, Line, Message, Rest};
use super::limits::Limits;
use super::otlp::{self, Attributes};
use super::redacted::{Part, Redacted};
use super::site::Site;
use super::told::Losses;
use super::writer::{Lines, is_torn};
use crate::ambient::Ambient;
use crate::contain::contain;
use crate::engine::Engine;
use crate::engine::log_queue::sources::Source;
use crate::log_event::LogEvent;
use crate::quiet;
use crate::redact::Place;
use crate::semconv::code;
use crate::setup::Telemetry;
use opentelemetry::Context;
use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What the layer's settings came to.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) lines: Option<Arc<dyn Lines>>,
    pub(super) records: bool,
    pub(super) location: bool,
    pub(super) thread: bool,
    pub(super) spans: bool,
    pub(super) limits: Limits,
    pub(super) flood: Flood,
}

pub(super) struct Core {
    telemetry: Telemetry,
    pub(super) engine: &'static Engine,
    pub(super) settings: Settings,
    pub(super) sites: Sites,
    pub(super) losses: Losses,
}

/// An event as whoever logged it hands it over.
pub(super) trait Entry {
    /// Shows all fields, the message among them.
    fn each(&self, fields: &mut dyn Fields);

    /// Shows the spans around it, the outermost first: those that stand for an operation with its ids, or without.
    fn spans(&self, ids: bool, show: &mut dyn FnMut(&str, &[Kept])) {
        let _ = (ids, show);
    }
}

/// Who is current, and whether what is logged here is about the delivery of telemetry.
struct Here {
    ambient: Option<Ambient>,
    quiet: bool,
}

impl Core {
    pub(super) fn new(telemetry: Telemetry, settings: Settings) -> Arc<Self> {
        let engine = telemetry.engine();
        let core = Arc::new(Self {
            telemetry,
            engine,
            sites: Sites::new(settings.flood),
            settings,
            losses: Losses::default(),
        });
        // One that records nothing never collects.
        if telemetry.resource().is_some() {
            let source: Weak<Self> = Arc::downgrade(&core);
            engine.logs.add_source(source);
        }
        core
    }

    /// An event of the call site with this key. Never unwinds.
    pub(super) fn log(&self, key: u64, make: impl Fn() -> Site, entry: &dyn Entry) {
        let Some(_guard) = Guard::enter() else {
            self.engine.counts.log_nested.add(1);
            return;
        };
        let work = || {
            let slot = self.sites.of(key, &make);
            let Some(site) = slot.site() else { return };
            let now = self.engine.clock.unix_nanos();
            if !self.admit(slot, site, now) {
                self.engine.counts.log_flood.add(1);
            } else if site.key() == key {
                self.write(site, entry, now);
            } else {
                // Of many that share a place: what it says is still its own.
                self.write(&make(), entry, now);
            }
        };
        if contain(work).is_none() {
            self.engine.counts.panics.add(1);
        }
    }

    #[inline]
    fn admit(&self, slot: &Slot, site: &Site, now: u64) -> bool {
        let verdict = self.sites.admit(slot, site, now);
        if self.sites.is_due(now) {
            self.sweep(now, false);
        }
        if verdict.before > 0 {
            self.tell_held_back(site, verdict.before, now);
        }
        verdict.passes
    }

    fn write(&self, site: &Site, entry: &dyn Entry, now: u64) {
        let mut here = Here::of(site);
        if let (Some(by), Some(ambient)) = (self.engine.looking(), &mut here.ambient)
            && let Some(session) = &ambient.session
            && let Some(left) = session.redacted(Place::LogAttribute, by)
        {
            ambient.session = Some(left);
        }
        if let Some(lines) = &self.settings.lines {
            self.write_line(&**lines, site, entry, &here, now);
        }
        if !self.records() {
            return;
        }
        if here.quiet {
            self.engine.counts.log_nested.add(1);
        } else {
            self.telemetry.queue(self.record(site, entry, &here, now));
        }
    }

    pub(super) fn records(&self) -> bool {
        self.settings.records && self.engine.logs.is_heard()
    }

    fn write_line(&self, lines: &dyn Lines, site: &Site, entry: &dyn Entry, here: &Here, now: u64) {
        with_buffer(|buffer| {
            let mut line = Line::begin(buffer, &self.settings.limits);
            line.head(now, site.severity, &site.target);
            if let Some(ambient) = &here.ambient {
                line.ids(ambient);
            }
            // Before what may be long.
            if self.settings.location {
                self.place(&mut line, site);
            }
            if self.settings.thread
                && let Some(name) = std::thread::current().name()
            {
                line.text(code::THREAD_NAME.as_str(), name, NAME);
            }
            let mut message = Message {
                line: &mut line,
                found: false,
            };
            let mut panics = self.each(entry, Part::Message, &mut message);
            line.object("fields", |line| {
                let mut rest = Rest { line, found: false };
                panics += self.each(entry, Part::Rest, &mut rest);
            });
            line.panics += panics;
            if self.settings.spans {
                let ids = here.ambient.is_none();
                line.spans(|line| entry.spans(ids, &mut |name, fields| line.span(name, fields)));
            }
            line.end_line();
            if line.panics > 0 {
                self.engine.counts.panics.add(line.panics);
            }
            if !self.hand_over(lines, buffer) {
                self.lost(1, now);
            }
            if !self.losses.spoken.load(Ordering::Relaxed) {
                self.losses.spoken.store(true, Ordering::Relaxed);
            }
        });
    }

    pub(super) fn place(&self, line: &mut Line<'_>, site: &Site) {
        if let Some(file) = &site.file {
            line.text(code::FILE_PATH.as_str(), file, NAME);
        }
        if let Some(number) = site.line {
            line.number(code::LINE_NUMBER.as_str(), number.into());
        }
    }

    /// Says whether it was taken.
    pub(super) fn hand_over(&self, lines: &dyn Lines, line: &str) -> bool {
        if self.losses.torn.load(Ordering::Relaxed) {
            return self.hand_over_apart(lines, line);
        }
        self.hand_over_bytes(lines, line, false)
    }

    /// After half a line that is there already.
    #[cold]
    fn hand_over_apart(&self, lines: &dyn Lines, line: &str) -> bool {
        if !self.losses.torn.swap(false, Ordering::Relaxed) {
            // Another thread was first.
            return self.hand_over_bytes(lines, line, false);
        }
        self.hand_over_bytes(lines, &["\n", line].concat(), true)
    }

    fn hand_over_bytes(&self, lines: &dyn Lines, line: &str, apart: bool) -> bool {
        // An error's destructor is theirs as well.
        let write = || match lines.write_line(line.as_bytes()) {
            Ok(()) => (true, false),
            Err(error) => (false, apart || is_torn(&error)),
        };
        let (taken, torn) = contain(write).unwrap_or_else(|| {
            self.engine.counts.panics.add(1);
            (false, true)
        });
        if torn {
            self.losses.torn.store(true, Ordering::Relaxed);
        }
        taken
    }

    fn record(&self, site: &Site, entry: &dyn Entry, here: &Here, now: u64) -> LogEvent {
        let mut attributes = Attributes::new(&self.settings.limits);
        let panics = self.each(entry, Part::All, &mut attributes);
        attributes.panics += panics;
        if self.settings.spans {
            attributes.end_own();
            let ids = here.ambient.is_none();
            entry.spans(ids, &mut |_, fields| attributes.around(fields));
        }
        if attributes.panics > 0 && self.settings.lines.is_none() {
            self.engine.counts.panics.add(attributes.panics);
        }
        let mut event = otlp::event(site, here.ambient.as_ref(), attributes, now);
        if self.settings.location {
            otlp::place(&mut event, site);
        }
        if self.settings.thread
            && let Some(name) = std::thread::current().name()
        {
            event.attributes.push(otlp::text(code::THREAD_NAME, name));
        }
        event
    }

    /// Shows fields without what redactors take out; says how many values panicked on the way.
    fn each(&self, entry: &dyn Entry, part: Part, to: &mut dyn Fields) -> u64 {
        let Some(by) = self.engine.looking() else {
            entry.each(to);
            return 0;
        };
        let mut seen = Redacted::new(to, by, part, self.settings.limits.value);
        entry.each(&mut seen);
        seen.panics
    }

    /// Formats what a span carries, to be kept until it closes.
    pub(super) fn keep(&self, record: impl FnOnce(&mut dyn Fields)) -> Vec<Kept> {
        let mut kept = otlp::Keeping::new(&self.settings.limits);
        let work = || match self.engine.looking() {
            None => record(&mut kept),
            Some(by) => {
                let limit = self.settings.limits.value;
                record(&mut Redacted::new(&mut kept, by, Part::OfSpan, limit));
            }
        };
        if let Some(_guard) = Guard::enter()
            && contain(work).is_none()
        {
            self.engine.counts.panics.add(1);
        }
        kept.fields
    }

    /// Waits until the writer has written what it took, for so long at most.
    pub(super) fn flush(&self, most: Duration) {
        let Some(lines) = &self.settings.lines else {
            return;
        };
        let Some(_guard) = Guard::enter() else { return };
        if contain(|| lines.flush(most)).is_none() {
            self.engine.counts.panics.add(1);
        }
    }

    fn settle_now(&self, all: bool) {
        let Some(_guard) = Guard::enter() else { return };
        let work = || self.sweep(self.engine.clock.unix_nanos(), all);
        if contain(work).is_none() {
            self.engine.counts.panics.add(1);
        }
    }
}

impl Source for Core {
    fn settle(&self, last: bool) {
        self.settle_now(last);
        if last {
            // Whoever shuts down has a deadline, and a writer that is stuck must not move it.
            self.flush(Duration::from_millis(100));
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.settle_now(true);
        self.flush(Duration::from_secs(1));
    }
}

impl Here {
    fn of(site: &Site) -> Self {
        // OpenTelemetry's context panics where a thread is past its end.
        let ask = || Self {
            ambient: Ambient::here(),
            quiet: quiet::is_quiet() || Context::is_current_telemetry_suppressed(),
        };
        let nobody = || Self {
            ambient: None,
            quiet: quiet::is_quiet(),
        };
        if site.asks {
            contain(ask).unwrap_or_else(nobody)
        } else {
            nobody()
        }
    }
}

/// Names of ours: bytes of each, at most.
pub(super) const NAME: usize = 256;
impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("sites", &self.sites)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// Whether this thread is in the midst of handling an event.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// Goes round from line to line.
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

/// Nothing that is logged meanwhile on this thread is handled: a value that logs when it is formatted, a writer that logs.
pub(super) struct Guard(());

impl Guard {
    #[inline]
    pub(super) fn enter() -> Option<Self> {
        // Made only if it entered: the end of one that did not would open the door to what comes after.
        (!BUSY.replace(true)).then(|| Self(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// The thread's buffer; one of its own where the thread is past its end.
pub(super) fn with_buffer<R>(work: impl FnOnce(&mut String) -> R) -> R {
    /// What a thread keeps.
    const KEPT: usize = 16 << 10;
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    let result = work(&mut buffer);
    if buffer.capacity() <= KEPT {
        let _ = BUFFER.try_with(|place| place.set(buffer));
    }
    result
}

/// The value of a message that `tracing` hands over in pieces.
pub(super) fn text_of(value: Value<'_>, most: usize, panics: &mut u64) -> String {
    let most = if value.is_cut() { usize::MAX } else { most };
    let mut text = otlp::Bounded::new(most);
    let written = value.write_text(&mut text);
    *panics += u64::from(written.is_panic());
    text.finish(written.mark())
}
