//! Capturing what a telemetry records, without a global and without a network.
//!
//! ```
//! use obs_core::{Descriptor, Labels, Outcome, Parent, Scope};
//! use obs_testing::{Capture, assert_tree};
//! # use obs_core::otel::trace::SpanKind;
//! # static SCOPE: Scope = Scope { name: "docs", version: "1", schema_url: "" };
//! # static BREW: Descriptor = Descriptor {
//! #     name: "brew", span_kind: SpanKind::Internal, scope: &SCOPE, labels: &[], method: None, errors: &[],
//! #     duration: None, stages: &[], measures: &[], quantities: &[], in_flight: None,
//! #     span_name: |_, name| name.push_str("brew"),
//! # };
//!
//! let capture = Capture::new();
//! // The code under test is handed the telemetry, as it would be in production.
//! let brew = capture.telemetry().kind(&BREW);
//! brew.start(Labels::NONE, Parent::Root).end(Outcome::PANICKED);
//!
//! let record = capture.record();
//! assert_eq!(record.outcome, Outcome::PANICKED);
//! assert_tree(capture.tree(), r#"
//!     trace 1
//!       brew [internal] error
//! "#);
//! ```

mod builder;
mod points;
mod record;
#[cfg(feature = "sdk")]
mod sdk;

pub use builder::CaptureBuilder;
pub use record::CapturedRecord;

use crate::metrics::PointSet;
use crate::tree::SpanTree;
use obs_core::metrics::Temporality;
use obs_core::{LogEvent, ManualClock, Reader, Records, Subscriber, Telemetry};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a capture waits for a collector's thread before it calls the test failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A telemetry of the test's own, and everything that it exported.
///
/// By default it works in manual mode (no threads: each question collects first), on a [`ManualClock`] that stands
/// still until moved, keeps everything, and reads no environment variable. Dropped, it shuts its telemetry down.
#[derive(Debug)]
pub struct Capture {
    telemetry: Telemetry,
    clock: Option<ManualClock>,
    reader: Reader,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    records: Vec<CapturedRecord>,
    logs: Vec<LogEvent>,
    /// What an SDK's provider exported, where one records.
    #[cfg(feature = "sdk")]
    spans: Option<sdk::Spans>,
}

impl Capture {
    /// A capture with the defaults: see [`Capture`].
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A capture with settings.
    pub fn builder() -> CaptureBuilder {
        CaptureBuilder::new()
    }

    fn start(telemetry: Telemetry, clock: Option<ManualClock>, taken: Arc<Mutex<Taken>>) -> Self {
        let reader = telemetry.reader(Temporality::Cumulative);
        Self {
            telemetry,
            clock,
            reader,
            taken,
        }
    }

    /// The telemetry to hand to the code under test.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The clock that the telemetry goes by.
    ///
    /// # Panics
    ///
    /// If the capture was built [`with_real_clock`](CaptureBuilder::with_real_clock).
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        self.clock
            .as_ref()
            .expect("this capture goes by the real clock, which cannot be moved")
    }

    /// The clock, if it is one that can be moved.
    #[cfg(feature = "tower")]
    pub(crate) fn manual_clock(&self) -> Option<&ManualClock> {
        self.clock.as_ref()
    }

    /// All records exported so far, in the order they came: of one thread in the order of their ends.
    ///
    /// # Panics
    ///
    /// If the collector's thread does not answer.
    #[must_use]
    pub fn records(&self) -> Vec<CapturedRecord> {
        self.collected().records.clone()
    }

    /// The only record.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one: the message lists them.
    #[must_use]
    #[track_caller]
    pub fn record(&self) -> CapturedRecord {
        let mut records = self.records();
        let names: Vec<_> = records.iter().map(|record| record.name.as_str()).collect();
        assert_eq!(names.len(), 1, "one record expected, there are {names:?}");
        records.remove(0)
    }

    /// The records since the last call of this or of [`clear`](Self::clear).
    #[must_use]
    pub fn take_records(&self) -> Vec<CapturedRecord> {
        std::mem::take(&mut self.collected().records)
    }

    /// Forgets records and log events so far. Metrics count on.
    pub fn clear(&self) {
        let mut taken = self.collected();
        taken.records.clear();
        taken.logs.clear();
    }

    /// The structured events emitted so far.
    #[must_use]
    pub fn log_events(&self) -> Vec<LogEvent> {
        self.collected().logs.clone()
    }

    /// The metrics as they stand now, counted from the start.
    #[must_use]
    pub fn points(&self) -> PointSet {
        points::convert(self.reader.collect())
    }

    /// How many operations are running, by an in-flight gauge: all its series added up.
    #[must_use]
    pub fn in_flight(&self, gauge: &str) -> i64 {
        let series = self.points().sums(gauge, &[]);
        series.iter().map(|point| point.as_f64() as i64).sum()
    }

    /// How many values a histogram holds: all its series added up.
    #[must_use]
    pub fn count(&self, histogram: &str) -> u64 {
        let series = self.points().histograms(histogram, &[]);
        series.iter().map(|point| point.count).sum()
    }

    /// The records as a tree.
    pub fn tree(&self) -> SpanTree {
        SpanTree::new(self.records())
    }

    fn collected(&self) -> MutexGuard<'_, Taken> {
        self.telemetry
            .collect(PATIENCE)
            .expect("the collector answers within half a minute");
        #[cfg(feature = "sdk")]
        if let Some(spans) = &lock(&self.taken).spans {
            spans.check();
        }
        lock(&self.taken)
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // The test has asked what it wanted to know.
        let _ = self.telemetry.shutdown(Duration::from_secs(1));
    }
}

/// Copies what it is shown.
struct Copier(Arc<Mutex<Taken>>);

impl Subscriber for Copier {
    fn on_records(&mut self, records: Records<'_>) {
        let mut taken = lock(&self.0);
        for record in records.iter() {
            let record = CapturedRecord::of(&record);
            #[cfg(feature = "sdk")]
            let record = match &taken.spans {
                Some(spans) => spans.exchange(record),
                None => record,
            };
            taken.records.push(record);
        }
    }

    fn on_log_events(&mut self, events: &[LogEvent]) {
        lock(&self.0).logs.extend_from_slice(events);
    }
}

/// A test that panicked while it held the lock has failed already; the others may go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
