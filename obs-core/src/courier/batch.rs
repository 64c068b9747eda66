//! What is delivered: one encoded export request.

use std::fmt;
use std::sync::Arc;

/// Which of the three OTLP services a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records and structured events.
    Logs,
}

impl Signal {
    /// Every signal, in the order of [`index`](Self::index).
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// A dense number, for tables by signal.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `traces`, `metrics` or `logs`: as in the paths and environment variables of OTLP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One `Export{Trace,Metrics,Logs}ServiceRequest`, encoded, and what it counts for.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    /// The service that takes it.
    pub signal: Signal,
    /// The protobuf bytes of the request, uncompressed.
    ///
    /// Shared: several destinations are given the same bytes.
    pub body: Arc<[u8]>,
    /// Spans, data points or log records inside: the unit of the [accounts](super::Accounts).
    pub items: u64,
}

impl Batch {
    /// A batch of `items` spans, data points or log records.
    pub fn new(signal: Signal, body: impl Into<Arc<[u8]>>, items: u64) -> Self {
        Self {
            signal,
            body: body.into(),
            items,
        }
    }

    /// The memory it holds, which is what the outbox bounds.
    pub(super) fn weight(&self) -> usize {
        self.body.len().saturating_add(OVERHEAD)
    }
}

/// The queue's own bookkeeping for a batch, rounded up.
pub(super) const OVERHEAD: usize = 96;

/// The body may hold prompts and secrets: only its length is shown.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("signal", &self.signal)
            .field("body_bytes", &self.body.len())
            .field("items", &self.items)
            .finish()
    }
}
