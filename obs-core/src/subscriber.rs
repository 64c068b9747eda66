//! Who gets finished operations besides the exporter: ledgers, consoles, span processors, tests.

use crate::clock::Anchor;
use crate::engine::live::Live;
use crate::error::Error;
use crate::log_event::LogEvent;
use crate::record::Record;
use crate::setup::resource::Resource;
use std::time::Duration;

/// A batch of finished operations, in no particular order.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    lives: &'a [Box<Live>],
    anchor: &'a Anchor,
}

impl<'a> Records<'a> {
    pub(crate) fn new(lives: &'a [Box<Live>], anchor: &'a Anchor) -> Self {
        Self { lives, anchor }
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'a>> + use<'a> {
        let anchor = self.anchor;
        self.lives.iter().map(move |live| Record::new(live, anchor))
    }

    /// Those after the first `count`.
    pub(crate) fn skip(self, count: usize) -> Self {
        Self {
            lives: self.lives.get(count..).unwrap_or_default(),
            ..self
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.lives.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }
}

/// Gets batches of finished operations and structured events, on the collector's thread, never on a request's.
///
/// A panic in it is contained and counted. It must not block for long: what is exported waits behind it. It cannot wait
/// for itself: [`Telemetry::flush`](crate::Telemetry::flush) and the like return an error at once when called in it. It runs
/// in OpenTelemetry's suppressed scope: what it logs is written as lines and becomes no record, and instrumented clients that
/// it sends with make none of their work.
pub trait Subscriber: Send {
    /// Who is speaking: called once, when the telemetry is built, and once more in a [forked child](crate::Builder::manual).
    fn set_resource(&mut self, resource: &Resource) {
        let _ = resource;
    }

    /// Finished operations that are exported.
    fn on_records(&mut self, records: Records<'_>);

    /// Structured events.
    fn on_log_events(&mut self, events: &[LogEvent]) {
        let _ = events;
    }

    /// Hands on what it holds, within what is left of the deadline of whoever asked.
    ///
    /// # Errors
    /// When it could not ([`Error::failed`]): whoever waits for [`Telemetry::flush`](crate::Telemetry::flush) is told.
    fn flush(&mut self, deadline: Duration) -> Result<(), Error> {
        let _ = deadline;
        Ok(())
    }

    /// The telemetry is over.
    ///
    /// # Errors
    /// When something is lost: whoever waits for [`Telemetry::shutdown`](crate::Telemetry::shutdown) is told.
    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        let _ = deadline;
        Ok(())
    }
}
