//! Structured events on their way to the collector, bounded in bytes.

use crate::log_event::LogEvent;
use crate::sync::lock_std;
use std::sync::Mutex;

#[derive(Debug)]
pub(crate) struct LogQueue {
    inner: Mutex<Inner>,
    cap: usize,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<LogEvent>,
    bytes: usize,
    closed: bool,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    Taken,
    Full,
    /// The telemetry is shut down.
    Closed,
}

impl LogQueue {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            inner: Mutex::default(),
            cap,
        }
    }

    /// Says what became of it.
    pub(crate) fn push(&self, event: LogEvent) -> Queued {
        let bytes = event.bytes();
        let mut inner = lock_std(&self.inner);
        if inner.closed {
            return Queued::Closed;
        }
        if inner.bytes + bytes > self.cap {
            return Queued::Full;
        }
        inner.bytes += bytes;
        inner.events.push(event);
        Queued::Taken
    }

    /// From now on nothing is taken; what is there waits for the last [`take`](Self::take).
    pub(crate) fn close(&self) {
        lock_std(&self.inner).closed = true;
    }

    pub(crate) fn take(&self) -> Vec<LogEvent> {
        let mut inner = lock_std(&self.inner);
        inner.bytes = 0;
        std::mem::take(&mut inner.events)
    }
}
