//! What is told about events that are not there: held back, or lost on their way.

use super::core::{Core, NAME, with_buffer};
use super::fields::MESSAGE;
use super::json::Line;
use super::otlp::{self, Attributes};
use super::site::Site;
use crate::attributes::Key;
use crate::engine::log_queue::Queued;
use crate::quiet;
use crate::semconv::obs;
use opentelemetry::KeyValue;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Lines that were lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Whether anything was logged since the last word about losses: a writer that cannot write loses that word too, and
    /// another one about that would follow for ever.
    pub(super) spoken: AtomicBool,
    /// How many the writer took and then lost, as it said last.
    seen: AtomicU64,
    /// How many neither a line nor a record has told of yet.
    by_line: AtomicU64,
    by_record: AtomicU64,
    /// Whether the last line that was not taken may be there in part.
    pub(super) torn: AtomicBool,
}

impl Losses {
    fn add(&self, count: u64) {
        self.by_line.fetch_add(count, Ordering::Relaxed);
        self.by_record.fetch_add(count, Ordering::Relaxed);
    }
}

impl Core {
    #[cold]
    pub(super) fn lost(&self, count: u64, now: u64) {
        self.engine.counts.log_lines_lost.add(count);
        self.losses.add(count);
        self.sites.remind(now);
    }

    /// Tells of everything that was held back or lost and that nobody was told of.
    #[cold]
    pub(super) fn sweep(&self, now: u64, all: bool) {
        self.sites.sweep(now, all, |site, count| {
            self.tell_held_back(site, count, now)
        });
        self.tell_lost(now, all);
    }

    fn tell_lost(&self, now: u64, all: bool) {
        let Some(lines) = &self.settings.lines else {
            return;
        };
        let losses = &self.losses;
        if losses.spoken.swap(false, Ordering::Relaxed) || all {
            let lost = lines.lost();
            let new = lost.saturating_sub(losses.seen.fetch_max(lost, Ordering::Relaxed));
            if new > 0 {
                self.engine.counts.log_lines_lost.add(new);
                losses.add(new);
            }
        }
        let Some(site) = self.sites.others() else {
            return;
        };
        let count = losses.by_record.swap(0, Ordering::Relaxed);
        if count > 0 {
            self.tell_record(site, LOST, (obs::LOG_LOST, count), now);
        }
        let count = losses.by_line.swap(0, Ordering::Relaxed);
        if count > 0 && !self.tell_line(site, LOST, (obs::LOG_LOST, count), now) {
            losses.by_line.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(super) fn tell_held_back(&self, site: &Site, count: u64, now: u64) {
        let count = (obs::LOG_HELD_BACK, count);
        if self.settings.lines.is_some() && !self.tell_line(site, HELD_BACK, count, now) {
            self.lost(1, now);
        }
        self.tell_record(site, HELD_BACK, count, now);
    }

    /// A word of our own, of a call site. Says whether it was taken.
    fn tell_line(&self, site: &Site, message: &str, (key, count): (Key, u64), now: u64) -> bool {
        let Some(lines) = &self.settings.lines else {
            return false;
        };
        with_buffer(|buffer| {
            let mut line = Line::begin(buffer, &self.settings.limits);
            line.head(now, site.severity, &site.target);
            line.text(MESSAGE, message, NAME);
            self.place(&mut line, site);
            line.number(key.as_str(), count);
            line.end_line();
            self.hand_over(&**lines, buffer)
        })
    }

    fn tell_record(&self, site: &Site, message: &str, (key, count): (Key, u64), now: u64) {
        if !self.records() || quiet::is_quiet() {
            return;
        }
        let mut attributes = Attributes::new(&self.settings.limits);
        attributes.say(message);
        let mut event = otlp::event(site, None, attributes, now);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        event.attributes.push(KeyValue::new(key.as_str(), count));
        otlp::place(&mut event, site);
        // Past the gate that shutdown closes first: this may be the last word.
        match self.engine.logs.push(event) {
            Queued::Taken => {}
            Queued::Full => self.engine.counts.log_events_full.add(1),
            Queued::Closed => self.engine.counts.log_events_after_shutdown.add(1),
        }
    }
}

const HELD_BACK: &str = "too many events of one call site: some were held back";
const LOST: &str = "lines of the log were lost: the writer did not take them";
